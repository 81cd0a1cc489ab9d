//! HTML pages that can only show themselves and send a form to their own origin.

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderValue, StatusCode};

/// No scripts, no pictures, no frames, and forms only to the same origin.
pub const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// A page with strict headers: it is not cached, not framed, and its address is not sent to other sites.
///
/// The address of such a page may contain a one-time token, which is the reason for the referrer and cache rules.
pub fn html(status: StatusCode, body: String) -> Response {
    html_with_policy(status, body, POLICY)
}

/// As [`html`], with another content security policy.
pub(crate) fn html_with_policy(status: StatusCode, body: String, policy: HeaderValue) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// A page with its own script and style, allowed by their hashes only. It may only call its own origin.
pub fn scripted(page: String, style: &str, script: &str) -> Response {
    html_with_policy(StatusCode::OK, page, own_policy(style, script))
}

/// Allows exactly this style and this script, and calls to the page's own origin.
pub(crate) fn own_policy(style: &str, script: &str) -> HeaderValue {
    let text = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; form-action 'none'; \
         frame-ancestors 'none'; base-uri 'none'",
        source(script),
        source(style)
    );
    // Base64 and the text above are legal in a header; the other arm is never taken, and would forbid everything.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

pub(crate) fn source(text: &str) -> String {
    format!(
        "sha256-{}",
        STANDARD.encode(digest(&SHA256, text.as_bytes()))
    )
}

/// Escapes `text` for use between tags and inside a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_strict_headers() {
        let response = html(StatusCode::GONE, "<p>over</p>".to_owned());
        assert_eq!(response.status(), StatusCode::GONE);
        let expected = [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            (
                "content-security-policy",
                "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            ),
        ];
        for (name, value) in expected {
            assert_eq!(response.headers()[name], value);
        }
    }

    #[test]
    fn escaping_closes_every_way_out() {
        assert_eq!(
            escape("<a b='c' d=\"e\">&amp;"),
            "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;amp;"
        );
    }
}
