//! Whether the process that began something is still there.
//!
//! A process is named by the machine's boot, its PID namespace, its number and its start time, as
//! `/proc` tells them: numbers are used again, the four together never. Where `/proc` is missing, or
//! for another namespace, nothing is known, and a process counts as alive.

use std::{fs, io, sync::LazyLock};

static SELF: LazyLock<String> = LazyLock::new(|| name().unwrap_or_default());

/// This process. Empty if the system does not tell.
pub fn current() -> &'static str {
    &SELF
}

/// Whether the process of that name certainly lives no more.
pub fn is_gone(name: &str) -> bool {
    let parts = |name: &str| -> Option<[String; 4]> {
        name.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().ok()
    };
    let (Some([boot, namespace, number, start]), Some([our_boot, our_namespace, ..])) =
        (parts(name), parts(current()))
    else {
        return false;
    };
    if boot != our_boot {
        return true;
    }
    namespace == our_namespace
        && match start_time(&number) {
            Ok(found) => found.is_none_or(|found| found != start),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
}

fn name() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let start = start_time("self").ok()??;
    Some(format!("{} {} {} {start}", boot.trim(), namespace.display(), std::process::id()))
}

/// Field 22 of `/proc/N/stat` (proc(5)), in ticks since boot. `None` for one that is dead already
/// and only waits for its parent.
fn start_time(number: &str) -> io::Result<Option<String>> {
    let stat = fs::read_to_string(format!("/proc/{number}/stat"))?;
    // The name, in parentheses, may hold anything; the fields after it are plain.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let alive = fields.next().is_some_and(|state| !matches!(state, "Z" | "X"));
    Ok(fields.nth(18).filter(|_| alive).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_any_part_of_its_name_differs() {
        assert!(!is_gone(current()));
        assert!(!is_gone(""), "nothing is known");
        assert!(!is_gone("a b c"), "not a name");
        let [boot, namespace, number, start] =
            <[&str; 4]>::try_from(current().split(' ').collect::<Vec<_>>()).unwrap();
        assert!(is_gone(&format!("other {namespace} {number} {start}")));
        assert!(is_gone(&format!("{boot} {namespace} {number} 1")));
        assert!(is_gone(&format!("{boot} {namespace} 4194305 {start}")));
        assert!(!is_gone(&format!("{boot} other {number} 1")), "cannot be seen from here");
    }

    #[test]
    fn a_child_is_gone_when_it_ended() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let id = child.id().to_string();
        let start = start_time(&id).unwrap().unwrap();
        let [boot, namespace, ..] =
            <[&str; 4]>::try_from(current().split(' ').collect::<Vec<_>>()).unwrap();
        let name = format!("{boot} {namespace} {id} {start}");
        assert!(!is_gone(&name));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_gone(&name));
    }
}
