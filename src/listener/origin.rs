//! What counts as one client, and as one network: limits are held against these.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 address or an IPv6 /64: an IPv6 host owns its /64, single addresses of it would get around a limit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ClientKey(IpAddr);

/// An IPv4 /24 or an IPv6 /48, what is usually given to one customer or site.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct NetworkKey(IpAddr);

impl ClientKey {
    /// Whom an address counts for.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(cut(address, 32, 64))
    }
}

impl NetworkKey {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(cut(address, 24, 48))
    }
}

/// The address with everything behind so many bits zero; at least one bit stays.
fn cut(address: IpAddr, bits_v4: u32, bits_v6: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << (32 - bits_v4)))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - bits_v6)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut() {
        for (address, client, network) in [
            ("192.0.2.77", "192.0.2.77", "192.0.2.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::"),
        ] {
            let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
            assert_eq!(ClientKey::of(ip(address)), ClientKey(ip(client)));
            assert_eq!(NetworkKey::of(ip(address)), NetworkKey(ip(network)));
        }
    }
}
