//! A page to read an `OpenAPI` 3.1 description and to try its calls.
//!
//! It is one file that loads nothing from other servers, because a server for key material must not load foreign
//! scripts, and often has no access to the internet. Its script is allowed by its hash only, so that injected
//! content cannot run.

use axum::response::Response;

use crate::page::{escape, scripted};

const PAGE: &str = include_str!("openapi/page.html");
const STYLE: &str = include_str!("openapi/page.css");
const SCRIPT: &str = concat!(
    include_str!("openapi/schema.js"),
    include_str!("openapi/try.js"),
    include_str!("openapi/page.js")
);

/// The page for the description at `spec_path`, a path on the same origin.
pub fn page(title: &str, spec_path: &str) -> String {
    let (title, spec_path) = (escape(title), escape(spec_path));
    let mut pieces = PAGE.split('{');
    let mut page = pieces.next().unwrap_or_default().to_owned();
    for (blank, rest) in pieces.filter_map(|piece| piece.split_once('}')) {
        page.push_str(match blank {
            "title" => &title,
            "spec" => &spec_path,
            "style" => STYLE,
            "script" => SCRIPT,
            _ => "",
        });
        page.push_str(rest);
    }
    page
}

/// The page as an answer, with a policy that allows only its own script, and calls to its own origin.
pub fn page_response(title: &str, spec_path: &str) -> Response {
    scripted(page(title, spec_path), STYLE, SCRIPT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::source;

    fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
        let (_, rest) = text.split_once(start).unwrap();
        rest.split_once(end).unwrap().0
    }

    #[test]
    fn the_policy_allows_exactly_what_is_in_the_page() {
        let response = page_response("Things", "/openapi/things.json");
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        let page = page("Things", "/openapi/things.json");
        for (tag, directive) in [("script", "script-src"), ("style", "style-src")] {
            let inline = between(&page, &format!("<{tag}>"), &format!("</{tag}>"));
            let hash = source(inline);
            assert!(
                policy.contains(&format!("{directive} '{hash}';")),
                "{policy}"
            );
            assert_eq!(page.matches(&format!("<{tag}")).count(), 1);
        }
        assert!(!policy.contains("unsafe"));
        assert!(policy.starts_with("default-src 'none';"));
        assert!(policy.contains("connect-src 'self';"));
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        let page = page("Things", "/openapi/things.json");
        for outside in [
            "http://",
            "https://",
            "src=",
            "@import",
            "url(",
            "innerHTML",
            "eval(",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_title_is_only_text() {
        let page = page("</title><script>{script}{spec}", "/a\"b");
        assert!(page.contains("<title>&lt;/title&gt;&lt;script&gt;{script}{spec}</title>"));
        assert!(page.contains("data-spec=\"/a&quot;b\""));
        assert_eq!(page.matches("<script").count(), 1);
    }
}
