//! On which addresses a listener may be opened: one rule for all listeners.

use std::net::SocketAddr;

/// The section of the public listener.
pub(crate) const PUBLIC: &str = "server";

/// What protects the requests and answers of a listener on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// The listener serves TLS itself.
    Tls,
    /// A proxy in front of it terminates TLS, or it is reached only over a private network.
    Proxy,
    /// Plain HTTP.
    Nothing,
}

impl Cover {
    pub(crate) fn of(tls: bool, behind_proxy: bool) -> Self {
        match (tls, behind_proxy) {
            (true, _) => Self::Tls,
            (false, true) => Self::Proxy,
            (false, false) => Self::Nothing,
        }
    }
}

/// A listener as it is configured.
#[derive(Debug, Clone, Copy)]
pub struct Listener<'a> {
    /// The section in which it is configured.
    pub section: &'static str,
    /// Address and port, or a host name and a port.
    pub listen: &'a str,
    pub cover: Cover,
}

impl Listener<'_> {
    /// Checks an address that is written out. A host name is checked when the server has looked it up.
    pub(crate) fn validate(&self) -> Result<(), String> {
        match self.listen.parse() {
            Ok(at) => self
                .may_listen(at)
                .map_err(|why| format!("configuration: {why}")),
            Err(_) => Ok(()),
        }
    }

    /// Whether it serves TLS at `at`. Only the public listener does so on loopback, where the admin commands of
    /// the same machine find the others without a certificate that names the machine.
    pub fn serves_tls(&self, at: SocketAddr) -> bool {
        self.cover == Cover::Tls && (self.section == PUBLIC || !is_loopback(at))
    }

    /// As [`may_listen`].
    pub fn may_listen(&self, at: SocketAddr) -> Result<(), String> {
        may_listen(self.section, at, self.cover)
    }
}

/// Refuses plain HTTP on an address that other machines can reach. `section`: where the listener is configured.
pub fn may_listen(section: &str, at: SocketAddr, cover: Cover) -> Result<(), String> {
    if is_loopback(at) || cover != Cover::Nothing {
        return Ok(());
    }
    Err(format!(
        "[{section}] listen: {at} is not loopback and there is no TLS: set [server] tls_cert and tls_key, \
         or [{section}] behind_proxy = true if a TLS-terminating proxy stands in front"
    ))
}

fn is_loopback(at: SocketAddr) -> bool {
    at.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_the_machine() {
        for (at, stays) in [
            ("127.0.0.1:80", true),
            ("127.9.9.9:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("0.0.0.0:80", false),
            ("[::]:80", false),
            ("10.0.0.1:80", false),
            ("203.0.113.9:80", false),
            ("[2001:db8::1]:80", false),
        ] {
            let at = at.parse().unwrap();
            assert_eq!(
                may_listen("admin", at, Cover::Nothing).is_ok(),
                stays,
                "{at}"
            );
            assert_eq!(may_listen("admin", at, Cover::Tls), Ok(()));
            assert_eq!(may_listen("admin", at, Cover::Proxy), Ok(()));
        }
    }

    #[test]
    fn the_refusal_names_the_section_and_both_ways_out() {
        let at = "0.0.0.0:8082".parse().unwrap();
        let why = may_listen("duo.hooks", at, Cover::Nothing).unwrap_err();
        for part in [
            "[duo.hooks] listen",
            "0.0.0.0:8082",
            "tls_cert",
            "[duo.hooks] behind_proxy",
        ] {
            assert!(why.contains(part), "{part}: {why}");
        }
    }

    #[test]
    fn a_private_listener_serves_tls_where_others_reach_it() {
        let (near, far) = (
            "127.0.0.1:1".parse().unwrap(),
            "10.0.0.1:1".parse().unwrap(),
        );
        let listener = |section, cover| Listener {
            section,
            listen: "",
            cover,
        };
        for (section, cover, tls_near, tls_far) in [
            (PUBLIC, Cover::Tls, true, true),
            ("admin", Cover::Tls, false, true),
            ("duo.hooks", Cover::Tls, false, true),
            ("admin", Cover::Proxy, false, false),
            (PUBLIC, Cover::Nothing, false, false),
        ] {
            let listener = listener(section, cover);
            assert_eq!(listener.serves_tls(near), tls_near, "{section} {cover:?}");
            assert_eq!(listener.serves_tls(far), tls_far, "{section} {cover:?}");
        }
    }

    #[test]
    fn own_tls_counts_before_a_proxy() {
        assert_eq!(Cover::of(true, true), Cover::Tls);
        assert_eq!(Cover::of(false, true), Cover::Proxy);
        assert_eq!(Cover::of(false, false), Cover::Nothing);
    }
}
