//! Who calls, as far as the front knows.

use std::net::Ipv6Addr;

/// Who calls, as far as the front knows: for budgets, messages and the audit trail.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The surface's name, as messages and audit show it.
    pub surface: &'static str,
    /// The client's network: an IPv4 address or an IPv6 /64.
    pub network: String,
    /// The language the caller understands.
    pub language: String,
}

impl Caller {
    /// The network by which a caller is known again: an IPv4 address, or the /56 of an IPv6 address. A household or an
    /// office keeps that while its /64 changes.
    pub(crate) fn usual_network(&self) -> String {
        wider(&self.network, 56)
    }

    /// The networks by which requests of this caller are counted, the narrowest first: an IPv4 address; or the /64, /56
    /// and /48 of an IPv6 address, because networks of that size are given away for nothing.
    pub(crate) fn counted_networks(&self) -> Vec<String> {
        let mut networks = vec![self.network.clone()];
        if self.network.contains(':') {
            networks.extend([wider(&self.network, 56), wider(&self.network, 48)]);
        }
        networks
    }
}

/// The network of `bits` bits, 48 to 64, around an IPv6 network. Any other text is its own network.
fn wider(network: &str, bits: u32) -> String {
    let address = network
        .split_once('/')
        .map_or(network, |(address, _)| address);
    let Ok(address) = address.parse::<Ipv6Addr>() else {
        return network.to_owned();
    };
    let kept = u128::from(address) & (u128::MAX << (128 - bits));
    format!("{}/{bits}", Ipv6Addr::from(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(network: &str) -> Caller {
        Caller {
            surface: "test",
            network: network.to_owned(),
            language: "en".to_owned(),
        }
    }

    #[test]
    fn an_ipv4_address_is_one_network() {
        let caller = caller("203.0.113.9/32");
        assert_eq!(caller.usual_network(), "203.0.113.9/32");
        assert_eq!(caller.counted_networks(), ["203.0.113.9/32"]);
    }

    #[test]
    fn an_ipv6_address_is_known_by_its_56_bits_and_counted_by_three_networks() {
        let caller = caller("2001:db8:1:2ff::/64");
        assert_eq!(caller.usual_network(), "2001:db8:1:200::/56");
        assert_eq!(
            caller.counted_networks(),
            [
                "2001:db8:1:2ff::/64",
                "2001:db8:1:200::/56",
                "2001:db8:1::/48"
            ]
        );
    }

    #[test]
    fn a_text_that_is_no_network_is_left_as_it_is() {
        assert_eq!(caller("operator").usual_network(), "operator");
    }
}
