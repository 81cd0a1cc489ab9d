//! Sends requests to a router in the same process.

use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::BodyExt;
use tower::ServiceExt;
use web::ClientAddr;

/// Calls a router in the same way as its server does.
#[derive(Clone)]
pub struct Client {
    router: Router,
    address: IpAddr,
}

/// One complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    pub fn new(router: Router) -> Self {
        Self {
            router,
            address: IpAddr::from([127, 0, 0, 1]),
        }
    }

    /// The same client, with another address.
    #[must_use]
    pub fn from(&self, address: IpAddr) -> Self {
        Self {
            router: self.router.clone(),
            address,
        }
    }

    /// Sends one request. A body gets a `Content-Length` unless the headers have one.
    pub async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        let request = request(method, target, headers, body.into());
        self.run(request.expect("a test sends what HTTP can carry"))
            .await
    }

    pub(crate) async fn run(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ClientAddr(self.address));
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("an answer's body is complete");
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.to_bytes(),
        }
    }
}

/// Builds a request, or returns what is invalid in it.
pub(crate) fn request<'h>(
    method: &str,
    target: &str,
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    body: Bytes,
) -> Result<Request<Body>, String> {
    let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
    let uri: Uri = target
        .parse()
        .map_err(|error| format!("the target {target}: {error}"))?;
    let length = body.len();
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let map = request.headers_mut();
    for (name, value) in headers {
        let parsed: HeaderName = name
            .parse()
            .map_err(|error| format!("the header {name}: {error}"))?;
        let value = HeaderValue::from_bytes(value)
            .map_err(|error| format!("the value of {name}: {error}"))?;
        map.append(parsed, value);
    }
    if length > 0 && !map.contains_key(header::CONTENT_LENGTH) {
        map.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(request)
}

impl Answer {
    /// The body as text; invalid UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the answer is JSON")
    }

    /// A text member of the answer's JSON object.
    pub fn member(&self, name: &str) -> String {
        let member = self.json()[name].as_str().map(str::to_owned);
        member.unwrap_or_else(|| panic!("no text `{name}` in {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
