//! Which addresses may be called. Pure: the answer depends on the address and the settings alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Ranges that no public API lives in (IANA special-purpose registries, RFC 6890).
const CLOSED_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),        // this network, unspecified
    v4([10, 0, 0, 0], 8),       // private
    v4([100, 64, 0, 0], 10),    // carrier-grade NAT (RFC 6598); Alibaba's metadata too
    v4([127, 0, 0, 0], 8),      // loopback
    v4([168, 63, 129, 16], 32), // Azure's host agent
    v4([169, 254, 0, 0], 16),   // link-local; the metadata services of the clouds
    v4([172, 16, 0, 0], 12),    // private
    v4([192, 0, 0, 0], 24),     // protocol assignments
    v4([192, 0, 2, 0], 24),     // documentation
    v4([192, 88, 99, 0], 24),   // 6to4 relays
    v4([192, 168, 0, 0], 16),   // private
    v4([198, 18, 0, 0], 15),    // benchmarking
    v4([198, 51, 100, 0], 24),  // documentation
    v4([203, 0, 113, 0], 24),   // documentation
    v4([224, 0, 0, 0], 3),      // multicast, reserved, broadcast
];

/// Everything outside global unicast is closed; these are the closed parts within it. Ranges that
/// carry an IPv4 address are closed whole: they reach whatever their gateway likes.
const CLOSED_V6: [Ipv6Net; 5] = [
    v6(0x2001_0000, 23), // Teredo, ORCHID, benchmarking, assignments
    v6(0x2001_0db8, 32), // documentation
    v6(0x2002_0000, 16), // 6to4
    v6(0x3ffe_0000, 16), // the former 6bone
    v6(0x3fff_0000, 20), // documentation (RFC 9637)
];

/// Global unicast. Leaves out `::`, `::1`, IPv4-mapped and -compatible, NAT64 (`64:ff9b::/96`,
/// `64:ff9b:1::/48`), discard, unique local (with `fd00:ec2::254`), link- and site-local, multicast.
const GLOBAL_V6: Ipv6Net = v6(0x2000_0000, 3);

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// By the first two of its eight groups.
const fn v6(groups: u32, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits((groups as u128) << 96), prefix)
}

/// Why an address is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is in a closed range that nobody opened.
    #[error("{0} is closed")]
    Closed(IpAddr),
    /// Plain http, and nobody opened its range.
    #[error("{0} is not opened for plain http")]
    Plain(IpAddr),
}

/// How the connection would be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// `http://`: goes only where a range was opened for it.
    Plain,
    /// `https://`
    Secure,
}

/// Whether `address` may be called, given the ranges that the operator opened.
pub fn judge(address: IpAddr, transport: Transport, opened: &[IpNet]) -> Result<(), Refusal> {
    // A mapped address is the IPv4 address: `::ffff:127.0.0.1` is opened by `127.0.0.0/8`.
    let canonical = address.to_canonical();
    if opened.iter().any(|range| range.contains(&canonical) || range.contains(&address)) {
        return Ok(());
    }
    if is_closed(address) {
        return Err(Refusal::Closed(address));
    }
    match transport {
        Transport::Plain => Err(Refusal::Plain(address)),
        Transport::Secure => Ok(()),
    }
}

fn is_closed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => CLOSED_V4.iter().any(|range| range.contains(&address)),
        IpAddr::V6(address) => {
            !GLOBAL_V6.contains(&address) || CLOSED_V6.iter().any(|range| range.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn closed_addresses_are_refused() {
        for text in "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 \
             100.127.255.255 127.0.0.1 127.255.255.254 168.63.129.16 169.254.0.1 \
             169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.8 192.0.0.192 \
             192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.7 \
             203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 \
             ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 ::8.8.8.8 ::ffff:0:127.0.0.1 \
             64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378::1 \
             2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1 \
             3fff::1 5f00::1 fc00::1 fd00::1 fd00:ec2::254 fd20:ce::254 fe80::1 fec0::1 \
             ff02::1"
            .split_whitespace()
        {
            for transport in [Transport::Plain, Transport::Secure] {
                assert_eq!(
                    judge(address(text), transport, &[]),
                    Err(Refusal::Closed(address(text))),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn public_addresses_are_called_over_tls_only() {
        for text in "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 \
             126.255.255.255 128.0.0.1 168.63.129.17 169.253.255.255 172.15.255.255 \
             172.32.0.0 192.0.1.0 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 \
             2001:4860:4860::8888 2606:4700:4700::1111 2a00::1"
            .split_whitespace()
        {
            assert_eq!(judge(address(text), Transport::Secure, &[]), Ok(()), "{text}");
            assert_eq!(
                judge(address(text), Transport::Plain, &[]),
                Err(Refusal::Plain(address(text))),
                "{text}"
            );
        }
    }

    #[test]
    fn an_opened_range_opens_itself_and_no_more() {
        let opened: [IpNet; 3] = [
            "127.0.0.1/32".parse().unwrap(),
            "10.1.0.0/16".parse().unwrap(),
            "fd00:1::/32".parse().unwrap(),
        ];
        for (text, open) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("127.0.0.2", false),
            ("10.1.255.1", true),
            ("10.2.0.1", false),
            ("fd00:1::5", true),
            ("fd00:2::5", false),
            ("::1", false),
        ] {
            for transport in [Transport::Plain, Transport::Secure] {
                assert_eq!(judge(address(text), transport, &opened).is_ok(), open, "{text}");
            }
        }
    }
}
