use super::*;

pub(crate) fn parse(text: &str) -> Result<Config, String> {
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
