//! The common part of adapters over HTTP: a client that connects only to the configured place.

use std::path::Path;
use std::time::Duration;

use domain::error::chain;
use reqwest::{Certificate, Client, Response, Url, redirect};

use crate::courier::Plain;

/// A client with deadlines that follows no redirect.
pub(crate) fn client(
    connect: Duration,
    whole: Duration,
    ca_file: Option<&Path>,
) -> Result<Client, String> {
    let mut builder = Client::builder()
        .timeout(whole)
        .connect_timeout(connect)
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .retry(reqwest::retry::never())
        .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = ca_file {
        let failed = |why: String| format!("the CA file {} {why}", path.display());
        let pem =
            std::fs::read(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .ok()
            .filter(|list| !list.is_empty())
            .ok_or_else(|| failed("contains no PEM certificate".to_owned()))?;
        builder = builder.tls_certs_only(certificates);
    }
    builder
        .build()
        .map_err(|error| format!("no HTTP client: {}", reason(error)))
}

/// Checks a configured address: HTTPS, or plain HTTP where that is allowed.
pub(crate) fn url(text: &str, plain: Plain) -> Result<Url, String> {
    url_or(text, plain, "is plain HTTP to another host: use https")
}

/// As [`url`]; `why` says what is wrong with plain HTTP to this address.
pub(crate) fn url_or(text: &str, plain: Plain, why: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("\"{text}\" is not a URL: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match url.scheme() {
        "https" => Ok(url),
        "http" if plain.allows(host) => Ok(url),
        "http" => Err(format!("{text} {why}")),
        _ => Err(format!("{text} is neither https nor http")),
    }
}

/// Describes transport failures without the URL, because it may contain a secret.
pub(crate) fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "there was no answer in time".to_owned();
    }
    chain(&error.without_url())
}

/// Reads the whole body. Fails if it has more than `limit` bytes.
pub(crate) async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reason)? {
        if body.len() + chunk.len() > limit {
            return Err("the answer is too long".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
