//! The address of the caller.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::FromRequestParts;
use http::Extensions;
use http::request::Parts;

/// The address of the client: that of the peer, or the one that a trusted proxy reports.
///
/// As an extractor it never fails. For a request that did not come through [`crate::serve()`], as in tests that
/// call a router in the same process, it is 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddr(pub IpAddr);

impl ClientAddr {
    /// The client's address as the server stored it.
    pub fn of(extensions: &Extensions) -> Self {
        extensions
            .get::<Self>()
            .copied()
            .unwrap_or(Self(IpAddr::V4(Ipv4Addr::LOCALHOST)))
    }

    /// The network for limits: an IPv4 address, `203.0.113.9/32`, or the IPv6 network that one customer gets,
    /// `2001:db8:1:2::/64`. With whole IPv6 addresses everybody would have 2^64 limits.
    pub fn network(&self) -> String {
        match self.0.to_canonical() {
            IpAddr::V4(address) => format!("{address}/32"),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddr {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> String {
        ClientAddr(address.parse().unwrap()).network()
    }

    #[test]
    fn a_network_is_what_one_customer_has() {
        assert_eq!(network("203.0.113.9"), "203.0.113.9/32");
        assert_eq!(network("::ffff:203.0.113.9"), "203.0.113.9/32");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("::1"), "::/64");
    }

    #[test]
    fn without_a_note_the_client_is_local() {
        assert_eq!(ClientAddr::of(&Extensions::new()).0, Ipv4Addr::LOCALHOST);
    }
}
