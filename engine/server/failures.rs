//! Addresses that send wrong keys: some are a slip, many are a search (threat T49).

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// So many within a window are a slip.
const SLIPS: u32 = 10;
/// From the first one.
const WINDOW: Duration = Duration::from_mins(1);
/// So many addresses are remembered; more are not slowed.
const ADDRESSES: usize = 10_000;

/// By address: how many, and when the first came, on the clock of this process.
#[derive(Default)]
pub struct Failures(Mutex<HashMap<IpAddr, (u32, Duration)>>);

impl Failures {
    /// How long this address has to wait before it is told of another key that it is wrong.
    pub fn wait(&self, from: IpAddr, now: Duration) -> Option<Duration> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, since) = *all.get(&network(from))?;
        let left = (since + WINDOW).saturating_sub(now);
        (count >= SLIPS && !left.is_zero()).then_some(left)
    }

    /// One more.
    pub fn note(&self, from: IpAddr, now: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ADDRESSES {
            all.retain(|_, (_, since)| now < *since + WINDOW);
        }
        let room = all.len() < ADDRESSES;
        let from = network(from);
        if let Some((count, since)) = all.get_mut(&from) {
            if now >= *since + WINDOW {
                (*count, *since) = (0, now);
            }
            *count = count.saturating_add(1);
        } else if room {
            all.insert(from, (1, now));
        }
    }
}

/// Whoever has one address of IPv6 mostly has the 2^64 around it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(four) => four.into(),
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_failures_are_slowed_and_forgotten() {
        let failures = Failures::default();
        let (one, other): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let at = Duration::from_secs;
        for _ in 0..SLIPS {
            assert_eq!(failures.wait(one, at(5)), None);
            failures.note(one, at(5));
        }
        assert_eq!(failures.wait(one, at(15)), Some(at(50)));
        assert_eq!(failures.wait("2001:db8::ffff".parse().unwrap(), at(15)), Some(at(50)));
        assert_eq!(failures.wait(other, at(15)), None);
        assert_eq!(failures.wait(one, at(65)), None);
        failures.note(one, at(65));
        assert_eq!(failures.wait(one, at(65)), None, "counted anew");
    }
}
