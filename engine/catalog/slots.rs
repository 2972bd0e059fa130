//! Values by name, each made when it is first asked for, and kept.

use std::{collections::BTreeMap, sync::OnceLock};

/// The names are known from the beginning, so that asking takes no lock. Whoever asks for a value
/// that is being made waits for it; no other name waits.
#[derive(Debug)]
pub struct Slots<V>(BTreeMap<String, OnceLock<V>>);

impl<V> Slots<V> {
    /// One slot a name.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self(names.into_iter().map(|name| (name.to_owned(), OnceLock::new())).collect())
    }

    /// The value of that name, made now if it is the first time; `None` if there is no such name.
    pub fn get(&self, name: &str, make: impl FnOnce() -> V) -> Option<&V> {
        Some(self.0.get(name)?.get_or_init(make))
    }

    /// The value of that name, if it has been made.
    pub fn made(&self, name: &str) -> Option<&V> {
        self.0.get(name)?.get()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[test]
    fn a_value_is_made_once_and_no_other_name_waits_for_it() {
        let slots = Slots::new(["a", "b"]);
        let (made, together) = (AtomicUsize::new(0), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                slots.get("a", || {
                    // Ends only when the other name has been served meanwhile.
                    together.wait();
                    made.fetch_add(1, Ordering::SeqCst)
                })
            });
            slots.get("b", || together.wait().is_leader().into());
        });
        for _ in 0..3 {
            slots.get("a", || made.fetch_add(1, Ordering::SeqCst));
        }
        assert_eq!(made.load(Ordering::SeqCst), 1);
        assert!(slots.get("c", || 0).is_none() && slots.made("b").is_some());
    }
}
