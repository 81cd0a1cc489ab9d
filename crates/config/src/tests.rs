use super::*;

fn parse(text: &str) -> Result<Config, String> {
    check(text.parse::<Table>().unwrap())
}

#[test]
fn the_empty_configuration_is_fine() {
    assert_eq!(parse("").unwrap().photon.max_failures, 10);
}

#[test]
fn unknown_names_are_refused_with_the_nearest_known_one() {
    let told = parse("[photon]\nmax_failure = 3").unwrap_err();
    assert!(told.contains("did you mean max_failures?"), "{told}");
    let told = parse("[phton]").unwrap_err();
    assert!(told.contains("did you mean photon?"), "{told}");
    assert!(parse("photon = 3").unwrap_err().contains("is a section"));
}

#[test]
fn wrong_types_are_refused() {
    assert!(parse("[photon]\nmax_failures = \"ten\"").is_err());
    assert!(parse("[photon]\nmax_failures = -1").is_err());
}

#[test]
fn the_environment_goes_over_the_file() {
    let mut table = "[photon]\nmax_failures = 3".parse::<Table>().unwrap();
    let variables = [
        ("KEYWARD_PHOTON__MAX_FAILURES", "5"),
        ("KEYWARD_SERVER__LISTEN", "127.0.0.1:0"),
        ("KEYWARD_TEST_POSTGRES", "ignored"),
        ("PATH", "ignored"),
    ];
    overlay(
        &mut table,
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    )
    .unwrap();
    let config = check(table).unwrap();
    assert_eq!(
        (config.photon.max_failures, config.server.listen.as_str()),
        (5, "127.0.0.1:0")
    );
}

const AUTH0: [(&str, &str); 3] = [
    ("AUTH0_DOMAIN", "example.eu.auth0.com"),
    ("AUTH0_AUDIENCE", "duo-auth-api"),
    ("AUTH0_ALGORITHMS", "RS256, RS512"),
];

fn auth0(variables: &[(&str, &str)]) -> Result<Option<duo::Jwt>, String> {
    let value = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    duo::auth0(value)
}

#[test]
fn the_three_documented_variables_name_a_provider() {
    let provider = auth0(&AUTH0).unwrap().expect("a provider");
    assert_eq!(provider.issuer, "https://example.eu.auth0.com/");
    assert_eq!(provider.audiences, ["duo-auth-api"]);
    assert_eq!(provider.algorithms, ["RS256", "RS512"]);
    assert_eq!(
        provider.jwks_url.as_deref(),
        Some("https://example.eu.auth0.com/.well-known/jwks.json")
    );
    let config = duo::Duo {
        jwt: vec![provider],
        ..duo::Duo::default()
    };
    config.validate().unwrap();
    let policy = config.policy().unwrap();
    let [issuer] = policy.issuers.as_slice() else {
        panic!("one provider");
    };
    let algorithms =
        ["RS256", "RS512"].map(|name| domain::vouched::Algorithm::named(name).unwrap());
    assert_eq!(issuer.rules.algorithms, algorithms);
    assert_eq!(issuer.scopes, domain::vouched::Scopes::Enforced);
}

#[test]
fn of_the_documented_variables_some_may_be_absent_and_none_may_be_wrong() {
    assert!(auth0(&[]).unwrap().is_none());
    assert!(auth0(&[("AUTH0_DOMAIN", ""), AUTH0[1]]).unwrap().is_none());
    let provider = auth0(&AUTH0[..2]).unwrap().expect("a provider");
    assert_eq!(provider.algorithms, ["RS256"]);
    assert!(auth0(&AUTH0[..1]).is_err_and(|why| why.contains("AUTH0_AUDIENCE")));
    for (audience, algorithms) in [
        ("", "RS256"),
        ("a", "HS256"),
        ("a", "none"),
        ("a", ""),
        ("a", "RS256,"),
    ] {
        let variables = [
            AUTH0[0],
            ("AUTH0_AUDIENCE", audience),
            ("AUTH0_ALGORITHMS", algorithms),
        ];
        let config = duo::Duo {
            jwt: auth0(&variables).unwrap().into_iter().collect(),
            ..duo::Duo::default()
        };
        assert!(config.validate().is_err(), "{audience} {algorithms}");
    }
}

#[test]
fn a_secret_path_is_one_long_plain_segment() {
    let hooks = |secret: &str| parse(&format!("[duo.hooks]\npath_secret = \"{secret}\""));
    let config = hooks("0123456789abcdef-._~").unwrap();
    assert_eq!(
        config.duo.hooks_secret().unwrap().as_deref(),
        Some("0123456789abcdef-._~")
    );
    for bad in [
        "",
        "0123456789abcde",
        "0123456789abcdef/",
        "0123456789abcdef%20",
        "0123456789abcdéf",
    ] {
        assert!(hooks(bad).is_err(), "{bad}");
    }
    let both = "[duo.hooks]\npath_secret = \"0123456789abcdef\"\npath_secret_file = \"f\"";
    assert!(parse(both).is_err());
}

#[test]
fn accounts_of_this_server_are_accepted_unless_switched_off() {
    let own = |text: &str| parse(text).unwrap().duo.policy().unwrap().own_accounts;
    assert_eq!(own("").map(|own| own.fresh), Some(None));
    let fresh = own("[duo.accounts]\nstep_up_max_age_seconds = 600").and_then(|own| own.fresh);
    assert_eq!(fresh, Some(std::time::Duration::from_secs(600)));
    assert!(own("[duo.accounts]\naccepted = false").is_none());
    assert!(own("[duo]\nenabled = false").is_none());
    let stranger = "[[duo.jwt]]\nissuer = \"self\"\naudiences = [\"a\"]\njwks_url = \"https://a.example.com/\"";
    assert!(parse(stranger).is_err_and(|why| why.contains("own accounts")));
}

#[test]
fn passkeys_belong_to_a_domain_and_to_who_has_no_faces() {
    let passkeys = |lines: &str| parse(&format!("[duo.passkey]\n{lines}"));
    let policy = |lines: &str| passkeys(lines).unwrap().duo.policy().unwrap().passkeys;
    assert!(policy("").is_none());
    let found = policy("rp_id = \"example.com\"").expect("passkeys");
    assert_eq!(found.party.origins, ["https://example.com"]);
    let hash = "A".repeat(43);
    for good in [
        "https://example.com",
        "https://app.example.com:8443",
        &format!("android:apk-key-hash:{hash}"),
    ] {
        let lines = format!("rp_id = \"example.com\"\norigins = [\"{good}\"]");
        assert!(passkeys(&lines).is_ok(), "{good}");
    }
    for bad in [
        "http://example.com",
        "https://evilexample.com",
        "https://example.com.evil.test",
        "https://example.com/",
        "https://example.com:",
        "https://a@example.com",
        "https://EXAMPLE.com",
        "android:apk-key-hash:short",
        "",
    ] {
        let lines = format!("rp_id = \"example.com\"\norigins = [\"{bad}\"]");
        assert!(passkeys(&lines).is_err(), "{bad}");
    }
    for bad in [
        "https://example.com",
        "Example.com",
        "",
        ".com",
        "example.com:443",
    ] {
        assert!(passkeys(&format!("rp_id = \"{bad}\"")).is_err(), "{bad}");
    }
    assert!(passkeys("rp_id = \"localhost\"\norigins = [\"http://localhost:8080\"]").is_ok());
    assert!(passkeys("origins = [\"https://example.com\"]").is_err());
    let both = "[duo.passkey]\nrp_id = \"example.com\"\n[duo.face]\nkind = \"facetec_v9\"\nurl = \"https://f.example.com\"";
    assert!(parse(both).is_err_and(|why| why.contains("duo.passkey")));
}

#[test]
fn the_example_names_every_key_and_says_only_defaults() {
    let example = Config::example();
    let is_table = |path: &str| TABLES.iter().any(|(name, _, _)| *name == path);
    for (section, _, keys) in SECTIONS.iter().chain(TABLES) {
        assert!(example.contains(&format!("[{section}]")), "{section}");
        for key in *keys {
            let path = format!("{section}.{}", key.name);
            let shown = example.contains(&format!("\n#{} =", key.name));
            assert!(shown || is_table(&path), "{path}");
        }
    }
    parse(&example).unwrap();
    let live: String = example
        .lines()
        .filter(|line| !line.starts_with("# ") && *line != "#")
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .filter(|line| !line.ends_with('='))
        .fold(String::new(), |all, line| all + line + "\n");
    let config = parse(&live).unwrap();
    assert_eq!(
        Table::try_from(config).unwrap(),
        Table::try_from(Config::default()).unwrap()
    );
}
