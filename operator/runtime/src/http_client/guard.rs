//! Addresses that are never asked, whatever an image name says.
//!
//! The image string is a user's, the network is the operator's: a name such as `169.254.169.254/x`, or a host whose DNS
//! entry points there, would make the operator ask the cloud's metadata service. Names are resolved here, so that what
//! is checked is what is connected to.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// The metadata service of EC2 over IPv6.
const EC2_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254);

/// Why an address must not be asked; `None` when it may.
pub(super) fn forbidden(address: IpAddr, may_be_local: bool) -> Option<&'static str> {
    let address = match address {
        IpAddr::V6(six) => embedded(six).map_or(IpAddr::V6(six), IpAddr::V4),
        four @ IpAddr::V4(_) => four,
    };
    let is_link_local = match address {
        IpAddr::V4(four) => four.is_link_local(),
        IpAddr::V6(six) => six.is_unicast_link_local() || six == EC2_METADATA,
    };
    if is_link_local {
        Some("a link-local or metadata address")
    } else if address.is_unspecified() || address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        Some("no address of a host")
    } else if address.is_loopback() && !may_be_local {
        Some("a loopback address, which only insecure registries may have")
    } else {
        None
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
#[derive(Clone, Copy, Debug)]
pub(super) struct GuardedResolver {
    /// Whether loopback addresses may be asked.
    pub(super) may_be_local: bool,
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let may_be_local = self.may_be_local;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let reason = found.iter().find_map(|address| forbidden(address.ip(), may_be_local));
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|address| forbidden(address.ip(), may_be_local).is_none()).collect();
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

    #[test]
    fn when_an_address_is_link_local_in_any_spelling_then_it_is_forbidden() {
        for text in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(forbidden(text.parse().unwrap(), true).is_some(), "{text}");
        }
    }

    #[test]
    fn when_an_address_is_a_hosts_then_it_may_be_asked_and_loopback_only_if_allowed() {
        for text in ["10.0.0.1", "192.0.2.1", "2001:db8::1", "fd00:ec2::1"] {
            assert_eq!(forbidden(text.parse().unwrap(), false), None, "{text}");
        }
        for text in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
            assert!(forbidden(text.parse().unwrap(), false).is_some(), "{text}");
            assert_eq!(forbidden(text.parse().unwrap(), true), None, "{text}");
        }
    }

    #[tokio::test]
    async fn when_a_name_is_a_number_that_means_the_metadata_address_then_it_is_forbidden() {
        let name: Name = "2852039166".parse().unwrap();
        let found = GuardedResolver { may_be_local: false }.call(name).await;
        let said = found.map(Iterator::collect::<Vec<_>>).map_err(|error| error.to_string());
        assert_eq!(said, Err("its name leads to a link-local or metadata address".to_owned()));
    }
}
