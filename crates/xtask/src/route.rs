//! The routes of a front, and which of them a request falls under.

use serde_json::Value;

/// A method and an axum pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) pattern: String,
    /// For a route that is no operation of the API: the statuses that it answers with.
    pub(crate) statuses: Option<Vec<u16>>,
}

/// The members of a path in a description that are operations.
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// Reads the routes out of a generated OpenAPI description: its operations, and the other routes that it lists in
/// `x-other-routes` as pattern → method → statuses.
pub(crate) fn described(text: &str) -> Result<Vec<Route>, String> {
    let description: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let paths = description["paths"].as_object();
    let paths = paths.ok_or("there are no `paths`".to_owned())?;
    let mut routes = Vec::new();
    for (pattern, item) in paths {
        let named = METHODS.iter().filter(|method| item.get(method).is_some());
        routes.extend(named.map(|method| Route::new(&method.to_uppercase(), pattern)));
    }
    let others = description["x-other-routes"].as_object().into_iter();
    for (pattern, methods) in others.flatten() {
        for (method, statuses) in methods.as_object().into_iter().flatten() {
            let mut route = Route::new(method, pattern);
            route.statuses = Some(numbers(statuses));
            routes.push(route);
        }
    }
    Ok(routes)
}

fn numbers(statuses: &Value) -> Vec<u16> {
    let texts = statuses.as_array().into_iter().flatten();
    let numbers = texts.filter_map(|text| text.as_str()?.parse().ok());
    numbers.collect()
}

impl Route {
    fn new(method: &str, pattern: &str) -> Self {
        Self {
            method: method.to_owned(),
            pattern: pattern.to_owned(),
            statuses: None,
        }
    }
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

    #[test]
    fn a_description_names_operations_and_other_routes() {
        let text = r#"{"paths": {"/key": {"post": {}, "parameters": []}, "/key/{id}": {"get": {}, "put": {}}},
            "x-other-routes": {"/page": {"GET": ["200", "404"]}}}"#;
        let mut page = Route::new("GET", "/page");
        page.statuses = Some(vec![200, 404]);
        let expected = [
            Route::new("POST", "/key"),
            Route::new("GET", "/key/{id}"),
            Route::new("PUT", "/key/{id}"),
            page,
        ];
        assert_eq!(described(text), Ok(expected.to_vec()));
        assert!(described("{}").is_err());
        assert!(described("not JSON").is_err());
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
        let routes = [
            Route::new("GET", "/user/{id}"),
            Route::new("GET", "/user/me"),
            Route::new("PUT", "/user/me"),
        ];
        let pattern = |target| &find(&routes, "GET", target).expect("a route").pattern;
        assert_eq!(pattern("/user/me?x=1"), "/user/me");
        assert_eq!(pattern("/user/7"), "/user/{id}");
        assert_eq!(find(&routes, "DELETE", "/user/7"), None);
    }
}
