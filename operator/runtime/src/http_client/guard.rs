//! Addresses that are never asked, whatever an image name says.
//!
//! The image string is a user's, the network is the operator's: a name such as `169.254.169.254/x`, or a host whose DNS
//! entry points there, would make the operator ask the cloud's metadata service. Names are resolved here, so that what
//! is checked is what is connected to.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// The metadata service of EC2 over IPv6.
const EC2_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254);

/// Metadata services that are not link-local: of Alibaba Cloud, and the host of Azure.
const OTHER_METADATA: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];

/// How far a host may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Hosts of the internet only: a user alone named it.
    Public,
    /// Also hosts of private networks: an administrator listed it.
    Private,
    /// Also this machine: an administrator listed it as insecure.
    Local,
}

/// A range of addresses, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    /// Bits that do not matter.
    host_bits: u32,
}

/// Not an address or a range of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no range of addresses such as 10.0.0.0/8")]
pub struct NoRange(String);

impl AddressRange {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u32) -> Self {
        Self { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), host_bits: 32 - prefix }
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                is_same(first.to_bits().into(), address.to_bits().into(), self.host_bits)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => is_same(first.to_bits(), address.to_bits(), self.host_bits),
            _ => false,
        }
    }
}

fn is_same(one: u128, other: u128, host_bits: u32) -> bool {
    one.checked_shr(host_bits).unwrap_or_default() == other.checked_shr(host_bits).unwrap_or_default()
}

impl FromStr for AddressRange {
    type Err = NoRange;

    fn from_str(text: &str) -> Result<Self, NoRange> {
        let wrong = || NoRange(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if first.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = prefix.map_or(Ok(bits), str::parse).map_err(|_| wrong())?;
        Ok(Self { first, host_bits: bits.checked_sub(prefix).ok_or_else(wrong)? })
    }
}

/// RFC 1918, networks behind carriers (RFC 6598, which clusters use too), benchmarks, and what is reserved.
const PRIVATE: [AddressRange; 8] = [
    AddressRange::v4(0, 0, 0, 0, 8),
    AddressRange::v4(10, 0, 0, 0, 8),
    AddressRange::v4(100, 64, 0, 0, 10),
    AddressRange::v4(172, 16, 0, 0, 12),
    AddressRange::v4(192, 0, 0, 0, 24),
    AddressRange::v4(192, 168, 0, 0, 16),
    AddressRange::v4(198, 18, 0, 0, 15),
    AddressRange::v4(240, 0, 0, 0, 4),
];

/// Which addresses are asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    /// Ranges that count as private here, such as those of Services and pods where they have public addresses.
    private: Arc<[AddressRange]>,
}

impl Guard {
    pub(super) fn new(private: Vec<AddressRange>) -> Self {
        Self { private: private.into() }
    }

    /// Why an address must not be asked; `None` when it may.
    pub(super) fn forbidden(&self, address: IpAddr, reach: Reach) -> Option<&'static str> {
        let address = match address {
            IpAddr::V6(six) => embedded(six).map_or(IpAddr::V6(six), IpAddr::V4),
            four @ IpAddr::V4(_) => four,
        };
        let is_link_local = match address {
            IpAddr::V4(four) => four.is_link_local() || OTHER_METADATA.contains(&four),
            IpAddr::V6(six) => six.is_unicast_link_local() || six == EC2_METADATA,
        };
        let is_private = || {
            let is_unique_local = matches!(address, IpAddr::V6(six) if six.is_unique_local());
            is_unique_local || PRIVATE.iter().chain(self.private.iter()).any(|range| range.contains(address))
        };
        if is_link_local {
            Some("a link-local or metadata address")
        } else if address.is_unspecified() || address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            Some("no address of a host")
        } else if address.is_loopback() {
            (reach < Reach::Local).then_some("a loopback address, which only insecure registries may have")
        } else if reach == Reach::Public && is_private() {
            Some("a private address, which only registries may have that the administrator lists by name")
        } else {
            None
        }
    }
}

/// The IPv4 address in `::ffff:a.b.c.d`, in the deprecated `::a.b.c.d` and in `64:ff9b::a.b.c.d`, which routers
/// translate.
fn embedded(six: Ipv6Addr) -> Option<Ipv4Addr> {
    if six.is_loopback() || six.is_unspecified() {
        return None;
    }
    let bits = six.to_bits();
    // 96 bits of prefix, then the 32 of the address.
    let prefix = bits >> 32;
    let is_translated = prefix == Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0).to_bits() >> 32;
    let four = u32::try_from(bits & u128::from(u32::MAX)).ok().map(Ipv4Addr::from_bits);
    six.to_ipv4_mapped().or_else(|| four.filter(|_| is_translated || prefix == 0))
}

/// Resolves names as the system does, and leaves out what must not be asked.
#[derive(Clone, Debug)]
pub(super) struct GuardedResolver {
    pub(super) guard: Guard,
    /// How far the names may lead.
    pub(super) reach: Reach,
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { guard, reach } = self.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let forbidden = |address: &SocketAddr| guard.forbidden(address.ip(), reach);
            let reason = found.iter().find_map(forbidden);
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| forbidden(address).is_none()).collect();
            match reason {
                Some(reason) if allowed.is_empty() => Err(io::Error::other(Forbidden(reason))),
                _ => Ok(allowed.into_iter()),
            }
        })
    }
}

/// A name that leads to forbidden addresses only.
#[derive(Debug, thiserror::Error)]
#[error("its name leads to {0}")]
pub(super) struct Forbidden(pub(super) &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    fn forbidden(text: &str, reach: Reach) -> Option<&'static str> {
        Guard::new(vec!["34.118.224.0/20".parse().unwrap()]).forbidden(text.parse().unwrap(), reach)
    }

    #[test]
    fn when_an_address_is_link_local_in_any_spelling_then_it_is_forbidden_to_everybody() {
        for text in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "::ffff:100.100.100.200",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(forbidden(text, Reach::Local).is_some(), "{text}");
        }
    }

    #[test]
    fn when_an_address_is_private_then_only_hosts_that_are_listed_may_have_it() {
        for text in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "fd00:ec2::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "34.118.224.1",
            "34.118.239.255",
        ] {
            assert!(forbidden(text, Reach::Public).is_some(), "{text}");
            assert_eq!(forbidden(text, Reach::Private), None, "{text}");
        }
        for text in ["172.15.0.1", "172.32.0.1", "100.63.0.1", "192.169.0.1", "34.118.240.1", "2001:db8::1", "1.1.1.1"]
        {
            assert_eq!(forbidden(text, Reach::Public), None, "{text}");
        }
    }

    #[test]
    fn when_an_address_is_this_machine_then_only_insecure_registries_may_have_it() {
        for text in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
            assert!(forbidden(text, Reach::Private).is_some(), "{text}");
            assert_eq!(forbidden(text, Reach::Local), None, "{text}");
        }
    }

    #[test]
    fn when_a_range_is_written_then_it_is_read_or_refused() {
        for (text, inside, outside) in [
            ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("::/0", "2001::1", "1.2.3.4"),
        ] {
            let range: AddressRange = text.parse().unwrap();
            assert!(range.contains(inside.parse().unwrap()) && !range.contains(outside.parse().unwrap()), "{text}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "::/129", "example.com", "10.0.0.0/8/8"] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn when_a_name_is_a_number_that_means_the_metadata_address_then_it_is_forbidden() {
        let name: Name = "2852039166".parse().unwrap();
        let found = GuardedResolver { guard: Guard::default(), reach: Reach::Public }.call(name).await;
        let said = found.map(Iterator::collect::<Vec<_>>).map_err(|error| error.to_string());
        assert_eq!(said, Err("its name leads to a link-local or metadata address".to_owned()));
    }
}
