//! The route table of a front, and which of its lines a request falls under.

/// One line of `pub const ROUTES: &[(&str, &str, &str)]`: method, axum pattern, section of the spec sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) pattern: String,
    pub(crate) section: String,
}

/// Reads the table from the text of a front's `lib.rs`.
///
/// Every line between `ROUTES` and `];` that holds anything but a comment must be one whole route, so that the table
/// stays the one screen that a stranger reads first.
pub(crate) fn table(text: &str) -> Result<Vec<Route>, (usize, String)> {
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).collect();
    let declared = |line: &str| line.trim_start().starts_with("pub const ROUTES:");
    let Some(start) = lines.iter().position(|(_, line)| declared(line)) else {
        return Err((0, "there is no route table".to_owned()));
    };
    let mut routes = Vec::new();
    for (number, line) in &lines[start + 1..] {
        let line = line.trim();
        if line.starts_with("];") {
            return Ok(routes);
        }
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        let route = route(line).ok_or_else(|| (*number, format!("no route: {line}")))?;
        routes.push(route);
    }
    Err((lines[start].0, "the route table does not end".to_owned()))
}

/// `("POST", "/v2/key", "4"),`, with a comment behind it if need be.
fn route(line: &str) -> Option<Route> {
    let inside = line.strip_prefix('(')?;
    let mut parts = inside.split('"');
    let mut texts = Vec::new();
    let mut between = vec![parts.next()?];
    while texts.len() < 3 {
        texts.push(parts.next()?.to_owned());
        between.push(parts.next()?);
    }
    let rest = between.pop()?.trim_start();
    let ends = rest.trim_start_matches(',').trim_start().starts_with("),");
    let [section, pattern, method] = [texts.pop()?, texts.pop()?, texts.pop()?];
    let commas = between[0].trim().is_empty() && between[1..].iter().all(|text| text.trim() == ",");
    let sound = !method.is_empty()
        && method.chars().all(|c| c.is_ascii_uppercase())
        && pattern.starts_with('/')
        && !section.trim().is_empty();
    (ends && commas && sound).then_some(Route {
        method,
        pattern,
        section,
    })
}

/// The route that answers a request. Of several patterns that fit, the one with the longest literal start wins, as
/// in the router.
pub(crate) fn find<'r>(routes: &'r [Route], method: &str, target: &str) -> Option<&'r Route> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let fitting = routes
        .iter()
        .filter(|route| route.method == method && fits(&route.pattern, path));
    fitting.max_by_key(|route| literal_start(&route.pattern))
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut given = path.split('/');
    for wanted in pattern.split('/') {
        if wanted.starts_with("{*") {
            return given.next().is_some_and(|first| !first.is_empty());
        }
        let Some(segment) = given.next() else {
            return false;
        };
        let placeholder = wanted.starts_with('{') && wanted.ends_with('}');
        if placeholder && segment.is_empty() || !placeholder && wanted != segment {
            return false;
        }
    }
    given.next().is_none()
}

/// Compares as a router does: segment by segment from the left, a literal before a placeholder.
fn literal_start(pattern: &str) -> Vec<bool> {
    pattern
        .split('/')
        .map(|segment| !segment.starts_with('{'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(lines: &str) -> Vec<Route> {
        table(&format!(
            "//! A front.\npub const ROUTES: &[(&str, &str, &str)] = &[\n{lines}\n];\n"
        ))
        .expect("a sound table")
    }

    #[test]
    fn a_line_is_a_route() {
        let found = routes(
            "    // Keys.\n    (\"POST\", \"/v2/key\", \"4\"), // create\n    (\"GET\", \"/v2/key/{key}\", \"§5\"),",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].section, "§5");
    }

    #[test]
    fn what_is_no_route_is_named_with_its_line() {
        let bad = [
            "(\"POST\", \"/a\"),",
            "(\"post\", \"/a\", \"1\"),",
            "(\"POST\", \"a\", \"1\"),",
            "(\"POST\", \"/a\", \"\"),",
            "(\"POST\", \"/a\", \"1\")",
            "post(\"/a\"),",
        ];
        for line in bad {
            let text = format!("\npub const ROUTES: &[(&str, &str, &str)] = &[\n{line}\n];");
            assert_eq!(table(&text).map_err(|(line, _)| line), Err(3), "{line}");
        }
        assert_eq!(table("fn a() {}").map_err(|(line, _)| line), Err(0));
        assert_eq!(
            table("pub const ROUTES: X = &[\n").map_err(|(line, _)| line),
            Err(1)
        );
    }

    #[test]
    fn placeholders_take_one_segment_and_stars_the_rest() {
        assert!(fits("/v2/key/{key}", "/v2/key/$key"));
        assert!(!fits("/v2/key/{key}", "/v2/key/"));
        assert!(!fits("/v2/key/{key}", "/v2/key/a/b"));
        assert!(!fits("/v2/key", "/v2/key/a"));
        assert!(fits("/cis/{*rest}", "/cis/a/b"));
        assert!(!fits("/cis/{*rest}", "/cis/"));
    }

    #[test]
    fn a_literal_beats_a_placeholder() {
        let routes = routes(
            "(\"GET\", \"/user/{id}\", \"1\"),\n(\"GET\", \"/user/me\", \"2\"),\n(\"PUT\", \"/user/me\", \"3\"),",
        );
        assert_eq!(
            find(&routes, "GET", "/user/me?x=1")
                .expect("a route")
                .section,
            "2"
        );
        assert_eq!(
            find(&routes, "GET", "/user/7").expect("a route").section,
            "1"
        );
        assert_eq!(find(&routes, "DELETE", "/user/7"), None);
    }
}
