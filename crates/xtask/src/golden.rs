//! Every operation of a front has golden exchanges: a success, a refusal, and an answer to malformed input. Any other
//! route, such as a page, has those of the three that its statuses show.

use std::collections::BTreeSet;
use std::fmt;

use crate::finding::Finding;
use crate::manifest::FRONTS;
use crate::route::{self, Route};
use crate::tree::{Tree, has_extension};

const RULE: &str = "golden coverage";

/// What an exchange shows of its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Success,
    Refusal,
    Malformed,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Success, Self::Refusal, Self::Malformed];

    /// What a status says by itself. A wire that refuses with 400, or that has no status of its own for bad input,
    /// says so in the golden with `# covers: refusal` or `# covers: malformed` above the exchange.
    fn of_status(status: u16) -> Self {
        match status {
            100..=299 => Self::Success,
            400 | 413 | 415 | 422 => Self::Malformed,
            _ => Self::Refusal,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.to_string() == text)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Refusal => "refusal",
            Self::Malformed => "malformed",
        })
    }
}

/// One request with the kind of answer that the golden fixes for it.
#[derive(Debug, PartialEq, Eq)]
struct Exchange {
    method: String,
    target: String,
    kind: Kind,
}

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let fronts = FRONTS.into_iter().chain(["admin"]);
    fronts.flat_map(|front| check_front(tree, front)).collect()
}

fn check_front(tree: &Tree, front: &str) -> Vec<Finding> {
    let routes = match routes(tree, front) {
        Ok(routes) => routes,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    let mut covered = BTreeSet::new();
    for (path, golden) in goldens(tree, front) {
        match exchanges(golden) {
            Ok(exchanges) => covered.extend(exchanges.iter().filter_map(|exchange| {
                let route = route::find(&routes, &exchange.method, &exchange.target)?;
                Some((route.method.clone(), route.pattern.clone(), exchange.kind))
            })),
            Err((line, what)) => {
                let remedy = "a golden is `> METHOD /path`, headers and body, then `< status`";
                findings.push(Finding::new(path, RULE, what, remedy).at(line));
            }
        }
        findings.extend(check_origin(path, golden));
    }
    findings.extend(compare(tree, front, &uncovered(&routes, &covered)));
    findings
}

/// The routes of a front that exists: those of its generated description.
fn routes(tree: &Tree, front: &str) -> Result<Vec<Route>, Finding> {
    if tree.text(&format!("crates/{front}/src/lib.rs")).is_none() {
        return Ok(Vec::new());
    }
    let file = format!("docs/openapi/{front}.json");
    let described = match tree.text(&file) {
        Some(text) => route::described(text),
        None => Err("there is no description".to_owned()),
    };
    described.map_err(|what| {
        let remedy = "generate it: cargo build, then tests/generated.sh --write";
        Finding::new(file, RULE, what, remedy)
    })
}

/// Each golden says where its bytes come from.
fn check_origin(path: &str, golden: &str) -> Option<Finding> {
    let words = ["DOCUMENTED", "OBSERVED", "OUR DECISION"];
    let said = golden
        .lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| words.iter().any(|word| line.contains(word)));
    let what = "no comment says where its answers come from";
    let remedy = "name the spec section and say DOCUMENTED, OBSERVED or OUR DECISION";
    (!said).then(|| Finding::new(path, "golden origin", what, remedy))
}

fn goldens<'t>(tree: &'t Tree, front: &str) -> impl Iterator<Item = (&'t str, &'t str)> {
    tree.under(&format!("crates/{front}/tests/wire"))
        .filter(|(path, _)| has_extension(path, "http"))
        .collect::<Vec<_>>()
        .into_iter()
}

fn uncovered(routes: &[Route], covered: &BTreeSet<(String, String, Kind)>) -> Vec<String> {
    let pairs = routes
        .iter()
        .flat_map(|route| needed(route).into_iter().map(move |kind| (route, kind)));
    pairs
        .filter(|(route, kind)| {
            !covered.contains(&(route.method.clone(), route.pattern.clone(), *kind))
        })
        .map(|(route, kind)| format!("{} {} {kind}", route.method, route.pattern))
        .collect()
}

/// What the goldens of a route must show.
fn needed(route: &Route) -> Vec<Kind> {
    let Some(statuses) = &route.statuses else {
        return Kind::ALL.to_vec();
    };
    let kinds: BTreeSet<Kind> = statuses.iter().copied().map(Kind::of_status).collect();
    kinds.into_iter().collect()
}

/// Compares with the checked-in list, which exists so that a gap is seen in a review, and must stay empty.
fn compare(tree: &Tree, front: &str, uncovered: &[String]) -> Vec<Finding> {
    let file = format!("crates/{front}/tests/uncovered.txt");
    let listed: Vec<&str> = tree
        .text(&file)
        .unwrap_or_default()
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let mut findings = Vec::new();
    for pair in uncovered {
        if !listed.contains(&pair.as_str()) {
            let what = format!("no exchange shows `{pair}`");
            let remedy = "add one to tests/wire/*.http; `# covers: KIND` above it when its status says otherwise";
            findings.push(Finding::new(
                format!("crates/{front}/tests/wire"),
                RULE,
                what,
                remedy,
            ));
        }
    }
    for pair in listed {
        let open = uncovered.iter().any(|known| known == pair);
        let remedy = if open {
            "cover it and remove the line"
        } else {
            "remove the line"
        };
        let what = format!("`{pair}` is listed, and the list must stay empty");
        findings.push(Finding::new(&file, RULE, what, remedy));
    }
    findings
}

/// The exchanges of a golden file.
fn exchanges(text: &str) -> Result<Vec<Exchange>, (usize, String)> {
    let mut found = Vec::new();
    let mut request: Option<(usize, &str, &str)> = None;
    let mut covers = None;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(word) = line.strip_prefix("# covers:") {
            let kind = Kind::parse(word.trim());
            covers =
                Some(kind.ok_or_else(|| (number, format!("it cannot cover `{}`", word.trim())))?);
        } else if let Some(rest) = line.strip_prefix('>').filter(|_| request.is_none()) {
            let (method, target) =
                request_line(rest).ok_or_else(|| (number, format!("no request: {line}")))?;
            request = Some((number, method, target));
        } else if let Some(rest) = line.strip_prefix('<')
            && let Some((_, method, target)) = request.take()
        {
            let status = rest
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok());
            let status = status.ok_or_else(|| (number, format!("no status: {line}")))?;
            found.push(Exchange {
                method: method.to_owned(),
                target: target.to_owned(),
                kind: covers.take().unwrap_or(Kind::of_status(status)),
            });
        }
    }
    match request {
        None => Ok(found),
        Some((number, ..)) => Err((number, "a request without its answer".to_owned())),
    }
}

fn request_line(rest: &str) -> Option<(&str, &str)> {
    let mut words = rest.split_whitespace();
    let method = words.next()?;
    let target = words.next()?;
    let sound = method.chars().all(|c| c.is_ascii_uppercase());
    sound.then_some((method, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: (&str, &str) = (
        "docs/openapi/photon.json",
        r#"{"paths": {"/v2/key/{key}": {"get": {}}}}"#,
    );
    const GOLDEN: &str = "# photon, section 5. DOCUMENTED.
! clock 2020-11-16T13:56:45.848Z
> GET /v2/key/$key
> authorization: Basic OjEyMzQ=
< 200
< content-type: application/json
< {\"id\":\"$key\"}

> GET /v2/key/$key
< 404

> GET /v2/key/UPPER
< 400
";

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let mut files = files.to_vec();
        files.push(("crates/photon/Cargo.toml", ""));
        files.push(("crates/photon/src/lib.rs", ""));
        check(&Tree::of(&files))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_covered_front_passes_and_one_that_is_absent_is_fine() {
        assert!(check(&Tree::of(&[])).is_empty());
        assert!(findings(&[ROUTES, ("crates/photon/tests/wire/key.http", GOLDEN)]).is_empty());
    }

    #[test]
    fn each_missing_kind_is_reported() {
        let found = findings(&[ROUTES]);
        assert_eq!(found.len(), 3);
        assert!(found[1].starts_with("crates/photon/tests/wire: golden coverage: no exchange shows `GET /v2/key/{key} refusal`"));
    }

    #[test]
    fn a_comment_overrides_the_status_for_one_exchange() {
        let golden = "# 5. OBSERVED.\n> GET /v2/key/a\n< 200\n# covers: refusal\n> GET /v2/key/a\n< 400\n> GET /v2/key/a\n< 400\n";
        assert!(findings(&[ROUTES, ("crates/photon/tests/wire/key.http", golden)]).is_empty());
        let error = exchanges("# covers: nothing\n").expect_err("no such kind");
        assert_eq!(error.0, 1);
    }

    #[test]
    fn the_list_of_gaps_must_stay_empty() {
        let listed = (
            "crates/photon/tests/uncovered.txt",
            "GET /v2/key/{key} refusal\nGET /gone success\n",
        );
        let found = findings(&[ROUTES, listed]);
        assert_eq!(found.len(), 4);
        assert!(found[2].contains("cover it and remove the line"));
        assert!(found[3].ends_with("(remove the line)"));
        let empty = ("crates/photon/tests/uncovered.txt", "# Nothing.\n\n");
        assert!(
            findings(&[ROUTES, empty, ("crates/photon/tests/wire/key.http", GOLDEN)]).is_empty()
        );
    }

    #[test]
    fn a_golden_names_its_origin_and_ends_its_exchanges() {
        let silent = GOLDEN.replace("DOCUMENTED", "");
        assert!(
            findings(&[ROUTES, ("crates/photon/tests/wire/key.http", &silent)])[0]
                .contains("golden origin")
        );
        let open = format!("{GOLDEN}> GET /v2/key/a\n");
        assert!(
            findings(&[ROUTES, ("crates/photon/tests/wire/key.http", &open)])[0]
                .contains("without its answer")
        );
    }

    #[test]
    fn a_page_needs_what_its_statuses_show() {
        assert!(findings(&[])[0].contains("tests/generated.sh --write"));
        let described = (
            "docs/openapi/photon.json",
            r#"{"paths": {"/v2/key/{key}": {"get": {}}}, "x-other-routes": {"/page": {"GET": ["200", "404"]}}}"#,
        );
        let found = findings(&[described, ("crates/photon/tests/wire/key.http", GOLDEN)]);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|finding| finding.contains("`GET /page ")));
    }
}
