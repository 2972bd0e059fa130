//! Whether the process that began something is still there.
//!
//! A process is named by the machine's boot, its PID namespace, its number and its start time, as
//! `/proc` tells them: numbers are used again, the four together never. Where `/proc` is missing, or
//! for another boot or namespace, nothing is known, and a process counts as alive: the file may be
//! shared with another machine, and `boot_id` changes within one only when every process of it ends.

use std::{fs, io, sync::LazyLock};

static SELF: LazyLock<String> = LazyLock::new(|| name().unwrap_or_default());

/// This process. Empty if the system does not tell.
pub fn current() -> &'static str {
    &SELF
}

/// This boot of this machine. Empty if the system does not tell.
pub fn boot() -> &'static str {
    current().split(' ').next().unwrap_or_default()
}

/// A lease as it is stored. Times are in milliseconds.
#[derive(Debug, Clone, Default)]
pub struct Lease {
    /// Who holds it, then the name of its process.
    pub holder: String,
    /// Its end on the wall clock.
    pub until: i64,
    /// The boot that gave it.
    pub boot: String,
    /// Its end on the clock of that boot.
    pub boot_until: i64,
}

impl Lease {
    /// Whether it still holds. Within one boot its clock decides, which neither jumps nor stands
    /// still; a lease of another boot goes by the wall clock, and one that ends later than two terms
    /// from now was written before that clock was set back.
    pub fn holds(&self, now: i64, boot_now: i64, term: i64) -> bool {
        let Some((_, process)) = self.holder.split_once(' ') else { return false };
        if is_gone(process) {
            return false;
        }
        if self.boot == boot() && !self.boot.is_empty() {
            return boot_now < self.boot_until;
        }
        now < self.until && self.until <= now.saturating_add(2 * term)
    }

    /// Whether it is over for no more than a term, and its holder is seen to run: that may be unable
    /// to write, with the newest tokens in its hands, and gets one further term.
    pub fn lingers(&self, boot_now: i64, term: i64) -> bool {
        let running = || self.holder.split_once(' ').is_some_and(|(_, name)| is_running(name));
        let here = self.boot == boot() && !self.boot.is_empty();
        here && boot_now < self.boot_until.saturating_add(term) && running()
    }
}

/// Whether what a process of that name was doing is over: it lives no more, or the machine has
/// booted since. For records alone: a file that two machines share would be told wrong.
pub fn is_over(name: &str) -> bool {
    let other = |name: &str| name.split(' ').next().is_some_and(|found| found != boot());
    is_gone(name) || (name.split(' ').count() == 4 && !boot().is_empty() && other(name))
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
    boot == our_boot
        && namespace == our_namespace
        && match start_time(&number) {
            Ok(found) => found.is_none_or(|found| found != start),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
}

/// Whether the process of that name certainly lives, and does not stand still (proc(5): `T`, `t`).
fn is_running(name: &str) -> bool {
    let parts: Vec<&str> = name.split(' ').collect();
    let ours: Vec<&str> = current().split(' ').collect();
    let ([boot, namespace, number, start], [our_boot, our_namespace, ..]) = (&*parts, &*ours)
    else {
        return false;
    };
    let stands = || -> Option<bool> {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        Some(stat.rsplit(')').next()?.trim_start().starts_with(['T', 't']))
    };
    boot == our_boot
        && namespace == our_namespace
        && start_time(number).is_ok_and(|found| found.as_deref() == Some(*start))
        && stands() == Some(false)
}

/// `None` where `/proc` is missing, or that of another PID namespace, whose numbers are not ours.
fn name() -> Option<String> {
    if fs::read_link("/proc/self").ok()?.to_str()? != std::process::id().to_string() {
        return None;
    }
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
        let elsewhere = format!("other {namespace} {number} {start}");
        assert!(!is_gone(&elsewhere), "another boot says nothing: it may be another machine");
        assert!(is_over(&elsewhere) && !is_over(current()) && !is_over(""));
        assert!(is_gone(&format!("{boot} {namespace} {number} 1")));
        assert!(is_gone(&format!("{boot} {namespace} 4194305 {start}")));
        assert!(!is_gone(&format!("{boot} other {number} 1")), "cannot be seen from here");
    }

    #[test]
    fn a_lease_ends_on_the_clock_of_its_boot() {
        let mine = Lease {
            holder: format!("me {}", current()),
            until: 1_000,
            boot: boot().to_owned(),
            boot_until: 50,
        };
        assert!(mine.holds(5_000, 49, 900), "the wall clock does not matter");
        assert!(!mine.holds(0, 50, 900));
        assert!(mine.lingers(949, 900) && !mine.lingers(950, 900), "one further term, no more");
        let elsewhere = Lease { boot: "other".to_owned(), ..mine.clone() };
        assert!(!elsewhere.holds(0, 0, 400), "beyond two terms");
        assert!(elsewhere.holds(999, 5_000, 900) && !elsewhere.holds(1_000, 0, 900));
        let dead = Lease { holder: format!("me {} pid:[1] 1 1", boot()), ..mine.clone() };
        assert!(dead.holds(0, 0, 900), "another namespace says nothing");
        let [boot, namespace, number, _] =
            <[&str; 4]>::try_from(current().split(' ').collect::<Vec<_>>()).unwrap();
        let dead = Lease { holder: format!("me {boot} {namespace} {number} 1"), ..mine };
        assert!(!dead.holds(0, 0, 900));
        assert!(!Lease::default().holds(0, 0, 900));
    }

    #[test]
    fn a_child_is_gone_when_it_ended() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let id = child.id().to_string();
        let start = start_time(&id).unwrap().unwrap();
        let [boot, namespace, ..] =
            <[&str; 4]>::try_from(current().split(' ').collect::<Vec<_>>()).unwrap();
        let name = format!("{boot} {namespace} {id} {start}");
        assert!(!is_gone(&name) && is_running(&name));
        let stopped = std::process::Command::new("kill").args(["-STOP", &id]).status();
        assert!(stopped.unwrap().success());
        while is_running(&name) {
            std::thread::yield_now();
        }
        assert!(!is_gone(&name), "it stands still");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_gone(&name));
    }
}
