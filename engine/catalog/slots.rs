//! Values by name, each made when it is first asked for, and kept.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use crate::catalog::error::Error;

/// What may be kept, or not: a fault that passes must not be remembered.
pub trait Lasting {
    /// Whether it would be the same if it were made again of the same files.
    fn lasts(&self) -> bool {
        true
    }
}

impl<V: Lasting> Lasting for Result<V, Error> {
    fn lasts(&self) -> bool {
        match self {
            Ok(value) => value.lasts(),
            Err(error) => !error.passes(),
        }
    }
}

impl<V: Lasting> Lasting for Option<V> {
    fn lasts(&self) -> bool {
        self.as_ref().is_none_or(Lasting::lasts)
    }
}

impl<V: Lasting> Lasting for Arc<V> {
    fn lasts(&self) -> bool {
        V::lasts(self)
    }
}

/// A value that is made when it is first asked for. Whoever asks for one that is being made waits
/// for it.
#[derive(Debug)]
pub struct Slot<V> {
    value: OnceLock<V>,
    making: Mutex<()>,
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self { value: OnceLock::new(), making: Mutex::default() }
    }
}

impl<V: Clone + Lasting> Slot<V> {
    /// The value, made now if there is none yet.
    pub fn get(&self, make: impl FnOnce() -> V) -> V {
        if let Some(value) = self.value.get() {
            return value.clone();
        }
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = self.value.get() {
            return value.clone();
        }
        let value = make();
        if value.lasts() {
            return self.value.get_or_init(|| value).clone();
        }
        value
    }

    /// The value, if it has been made.
    pub fn made(&self) -> Option<&V> {
        self.value.get()
    }
}

/// The names are known from the beginning, so that asking takes no lock. No name waits for another.
#[derive(Debug)]
pub struct Slots<V>(BTreeMap<String, Slot<V>>);

impl<V: Clone + Lasting> Slots<V> {
    /// One slot a name.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self(names.into_iter().map(|name| (name.to_owned(), Slot::default())).collect())
    }

    /// The value of that name, made now if there is none yet; `None` if there is no such name.
    pub fn get(&self, name: &str, make: impl FnOnce() -> V) -> Option<V> {
        Some(self.0.get(name)?.get(make))
    }

    /// The value of that name, if it has been made.
    pub fn made(&self, name: &str) -> Option<&V> {
        self.0.get(name)?.made()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    impl Lasting for usize {}

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
            slots.get("b", || usize::from(together.wait().is_leader()));
        });
        for _ in 0..3 {
            slots.get("a", || made.fetch_add(1, Ordering::SeqCst));
        }
        assert_eq!(made.load(Ordering::SeqCst), 1);
        assert!(slots.get("c", || 0).is_none() && slots.made("b").is_some());
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        let slot: Slot<Result<usize, Error>> = Slot::default();
        let passing = || Error::Unreadable { file: "a".into(), reason: "too many files".into() };
        assert!(slot.get(|| Err(passing())).is_err() && slot.made().is_none());
        assert!(matches!(slot.get(|| Ok(1)), Ok(1)) && matches!(slot.get(|| Ok(2)), Ok(1)));
        let broken: Slot<Result<usize, Error>> = Slot::default();
        assert!(
            broken.get(|| Err(Error::Invalid(crate::diagnostic::Diagnostics::default()))).is_err()
        );
        assert!(broken.get(|| Ok(1)).is_err(), "a fault of the file stays");
    }
}
