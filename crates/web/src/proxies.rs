//! Which peers may report the address of the client.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::FORWARDED;

/// The addresses and networks of the reverse proxies in front of this server.
///
/// Without one, forwarding headers are ignored, because anybody can write them.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<Block>);

/// One network: the addresses whose first `prefix` bits are those of `first`.
#[derive(Clone, Copy, Debug)]
struct Block {
    first: IpAddr,
    prefix: u8,
}

impl TrustedProxies {
    /// Reads addresses (`10.0.0.7`, `::1`) and blocks (`10.0.0.0/8`, `fd00::/8`); the error names the entry.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        entries
            .iter()
            .map(|entry| Block::parse(entry.trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The client behind `peer`: the right-most address in the forwarding headers which is not a trusted proxy.
    ///
    /// The header is read from the right, because each proxy appends what it saw; everything further left was
    /// written by the client. Reading ends at the first entry that is not an address, and the last proxy before it
    /// counts as the client.
    /// `X-Forwarded-For` is read if there is one, else `Forwarded`; the proxy must overwrite or append to the one it
    /// uses, and drop the other.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let hops = if headers.contains_key(X_FORWARDED_FOR) {
            forwarded_for(headers)
        } else {
            forwarded(headers)
        };
        for hop in hops.into_iter().rev() {
            match hop {
                Some(address) => client = address,
                None => break,
            }
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    /// Whether a request of `peer` says on whose behalf it comes, and is not believed.
    pub(crate) fn ignores(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let says = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED);
        says && !self.trusts(peer.to_canonical())
    }

    /// Whether `address`, which is no IPv4-mapped IPv6 address, is a trusted proxy.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|block| block.contains(address))
    }
}

const X_FORWARDED_FOR: &str = "x-forwarded-for";

fn forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(X_FORWARDED_FOR).iter();
    values
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(hop)
        .collect()
}

/// The simple form of RFC 7239: no comma or semicolon within quotes, which no address needs.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(FORWARDED).iter();
    values
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(|element| {
            let mut pairs = element
                .split(';')
                .filter_map(|pair| pair.trim().split_once('='));
            let (_, node) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
            hop(node.trim_matches('"'))
        })
        .collect()
}

/// An address with or without a port; IPv6 with or without brackets.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

impl Block {
    fn parse(entry: &str) -> Result<Self, String> {
        let (address, prefix) = entry
            .split_once('/')
            .map_or((entry, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address
            .parse()
            .map_err(|_| format!("`{entry}` is neither an address nor a block like 10.0.0.0/8"))?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(text) => text
                .parse()
                .ok()
                .filter(|&prefix: &u8| {
                    prefix <= bits && text.bytes().all(|byte| byte.is_ascii_digit())
                })
                .ok_or_else(|| format!("`{entry}` needs a prefix length from 0 to {bits}"))?,
        };
        Ok(Self {
            first: address,
            prefix,
        }
        .canonical())
    }

    /// IPv4-mapped peers are compared as IPv4, so an IPv4-mapped block becomes an IPv4 block.
    fn canonical(self) -> Self {
        match (self.first.to_canonical(), self.prefix) {
            (IpAddr::V4(first), 96..) if self.first.is_ipv6() => Self {
                first: first.into(),
                prefix: self.prefix - 96,
            },
            _ => self,
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differing = u32::from(first) ^ u32::from(address);
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differing = u128::from(first) ^ u128::from(address);
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
