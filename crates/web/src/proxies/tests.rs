use super::*;
use http::{HeaderName, HeaderValue};

fn proxies(entries: &[&str]) -> TrustedProxies {
    TrustedProxies::parse(&entries.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn client(trusted: &[&str], peer: &str, headers: &[(&'static str, &'static str)]) -> String {
    let mut map = HeaderMap::new();
    for &(name, value) in headers {
        map.append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    proxies(trusted)
        .client(peer.parse().unwrap(), &map)
        .to_string()
}

fn behind(headers: &[(&'static str, &'static str)]) -> String {
    client(&["10.0.0.0/8", "fd00::/8"], "10.0.0.1", headers)
}

#[test]
fn a_stranger_says_nothing_about_the_client() {
    let spoof = [("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4")];
    assert_eq!(client(&[], "10.0.0.1", &spoof), "10.0.0.1");
    assert_eq!(
        client(&["10.0.0.0/8"], "203.0.113.9", &spoof),
        "203.0.113.9"
    );
    assert_eq!(client(&[], "::ffff:203.0.113.9", &[]), "203.0.113.9");
}

#[test]
fn the_right_most_untrusted_address_counts() {
    assert_eq!(behind(&[]), "10.0.0.1");
    assert_eq!(behind(&[("x-forwarded-for", "203.0.113.9")]), "203.0.113.9");
    assert_eq!(
        behind(&[("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.9.9.9")]),
        "203.0.113.9"
    );
    assert_eq!(
        behind(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "203.0.113.9,fd00::7")
        ]),
        "203.0.113.9"
    );
    assert_eq!(
        behind(&[("x-forwarded-for", "10.7.7.7, 10.9.9.9")]),
        "10.7.7.7"
    );
    assert_eq!(
        client(
            &["10.0.0.1"],
            "::ffff:10.0.0.1",
            &[("x-forwarded-for", "::ffff:1.2.3.4")]
        ),
        "1.2.3.4"
    );
}

#[test]
fn ports_and_brackets_are_dropped() {
    assert_eq!(
        behind(&[("x-forwarded-for", "203.0.113.9:4711")]),
        "203.0.113.9"
    );
    assert_eq!(
        behind(&[("x-forwarded-for", "[2001:db8::1]:4711")]),
        "2001:db8::1"
    );
    assert_eq!(
        behind(&[("x-forwarded-for", "[2001:db8::1]")]),
        "2001:db8::1"
    );
    assert_eq!(behind(&[("x-forwarded-for", "2001:db8::1")]), "2001:db8::1");
}

#[test]
fn nonsense_ends_the_walk() {
    assert_eq!(
        behind(&[("x-forwarded-for", "1.1.1.1, unknown")]),
        "10.0.0.1"
    );
    assert_eq!(
        behind(&[("x-forwarded-for", "1.1.1.1, , 10.9.9.9")]),
        "10.9.9.9"
    );
    assert_eq!(behind(&[("x-forwarded-for", "")]), "10.0.0.1");
    assert_eq!(behind(&[("forwarded", "by=10.0.0.1")]), "10.0.0.1");
    assert_eq!(behind(&[("forwarded", "for=_hidden")]), "10.0.0.1");
}

#[test]
fn the_standard_header_is_read_when_it_is_alone() {
    assert_eq!(
        behind(&[(
            "forwarded",
            "for=1.1.1.1, For=\"[2001:db8::1]:80\";proto=https;by=10.0.0.1"
        )]),
        "2001:db8::1"
    );
    assert_eq!(
        behind(&[("forwarded", "proto=http; for=203.0.113.9, for=10.2.2.2")]),
        "203.0.113.9"
    );
    assert_eq!(
        behind(&[
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-for", "203.0.113.9")
        ]),
        "203.0.113.9"
    );
}

#[test]
fn blocks_end_where_their_prefix_says() {
    let trusts = |entry: &str, address: &str| proxies(&[entry]).trusts(address.parse().unwrap());
    assert!(trusts("172.16.0.0/12", "172.31.255.255"));
    assert!(!trusts("172.16.0.0/12", "172.32.0.0"));
    assert!(
        trusts("172.20.1.1/12", "172.16.0.1"),
        "host bits are ignored"
    );
    assert!(trusts("0.0.0.0/0", "8.8.8.8"));
    assert!(!trusts("0.0.0.0/0", "::1"));
    assert!(trusts("::/0", "2001:db8::1"));
    assert!(trusts("2001:db8::/33", "2001:db8:7fff::1"));
    assert!(!trusts("2001:db8::/33", "2001:db8:8000::1"));
    assert!(trusts("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert!(trusts("::ffff:10.0.0.1", "10.0.0.1"));
    assert!(trusts(" 10.0.0.1 ", "10.0.0.1"));
}

#[test]
fn a_bad_entry_is_named() {
    for entry in [
        "",
        "localhost",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "::/129",
        "10.0.0/8",
        "10.0.0.1:80",
    ] {
        let error = TrustedProxies::parse(&["10.0.0.1".to_owned(), entry.to_owned()]).unwrap_err();
        assert!(error.contains(&format!("`{entry}`")), "{error}");
    }
}
