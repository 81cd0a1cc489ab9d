//! The gate before every handler: who calls, within which limit, with which token (sheet 4.3 to 4.6).
//!
//! 1. A preflight is answered at once. It is not counted.
//! 2. The token is looked up, and the call counted: on its account, or on the network.
//! 3. Over the limit: 429. A call that needs a token and has no good one: 401, 403 or 400.
//! 4. Every answer, refusals included, gets the headers that a page from elsewhere must be able to read.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use domain::quota::Meter;
use domain::vault::VaultStanding;
use domain::{Caller, Error};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use web::ClientAddr;

use crate::front::Front;
use crate::{BASE_PATH, OPEN, ROUTES, SURFACE, error, page};

const TOKEN: &str = "x-enceeper-auth";
const LIMIT: &str = "x-ratelimit-limit";
const REMAINING: &str = "x-ratelimit-remaining";
const RESET: &str = "x-ratelimit-reset";

/// What lies behind the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Calls of programs, with or without a token, as [`OPEN`] says.
    Api,
    /// Pages for people, whose token is in the path.
    Page,
}

/// What a call must bring.
enum Need {
    Token,
    Nothing,
    /// There is no such call.
    Unknown,
}

#[derive(Clone)]
pub(crate) struct Gate {
    front: Arc<Front>,
    access: Access,
}

impl Gate {
    pub(crate) fn new(front: &Arc<Front>, access: Access) -> Self {
        Self {
            front: Arc::clone(front),
            access,
        }
    }

    fn need(&self, request: &Request) -> Need {
        if self.access == Access::Page {
            return Need::Nothing;
        }
        let base = self.front.options.base_path.as_str();
        let matched = request.extensions().get::<MatchedPath>();
        let Some(pattern) = matched.and_then(|path| path.as_str().strip_prefix(base)) else {
            return Need::Unknown;
        };
        let method = request.method().as_str();
        let here = |path: &str| path.strip_prefix(BASE_PATH) == Some(pattern);
        if !ROUTES
            .iter()
            .any(|(named, path, _)| *named == method && here(path))
        {
            Need::Unknown
        } else if OPEN.contains(&(method, pattern)) {
            Need::Nothing
        } else {
            Need::Token
        }
    }
}

pub(crate) async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS && gate.access == Access::Api {
        return preflight();
    }
    let caller = caller(&request);
    let entrance = match gate.need(&request) {
        Need::Token => with_token(&gate, &caller, &mut request).await,
        Need::Nothing => openly(&gate, &caller, None).await,
        Need::Unknown => openly(&gate, &caller, Some(error::not_found(&gate.front.options))).await,
    };
    let (meter, refusal) = match entrance {
        Ok((meter, refusal)) => (Some(meter), refusal),
        Err(error) => (None, Some(error::failed(&gate.front, &error))),
    };
    request.extensions_mut().insert(caller);
    let over = meter.is_some_and(|meter| !meter.admitted);
    let mut response = match refusal {
        _ if over && gate.access == Access::Page => page::busy(),
        _ if over => error::limited(&gate.front, meter.map(|meter| meter.reset)),
        Some(_) if gate.access == Access::Page => page::busy(),
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    if gate.access == Access::Api {
        open_to_pages(response.headers_mut(), meter);
    }
    response
}

/// Counts the call on its network.
async fn openly(
    gate: &Gate,
    caller: &Caller,
    refusal: Option<Response>,
) -> Result<(Meter, Option<Response>), Error> {
    let meter = gate.front.vaults.enter_openly(caller).await?;
    Ok((meter, refusal))
}

/// Looks the token up; a refusal is told only after the limit was looked at.
async fn with_token(
    gate: &Gate,
    caller: &Caller,
    request: &mut Request,
) -> Result<(Meter, Option<Response>), Error> {
    let front = &gate.front;
    let token = token(request.headers());
    let entrance = front.vaults.enter(caller, token.as_deref()).await?;
    let refusal = match entrance.standing {
        VaultStanding::Member(member) => {
            request.extensions_mut().insert(*member);
            None
        }
        VaultStanding::Absent => Some(front.refuse(StatusCode::UNAUTHORIZED, error::NO_TOKEN)),
        VaultStanding::Unknown => Some(front.refuse(StatusCode::FORBIDDEN, error::TOKEN_EXPIRED)),
        VaultStanding::Superseded => {
            Some(front.refuse(StatusCode::BAD_REQUEST, error::NEW_PASSWORD))
        }
    };
    Ok((entrance.meter, refusal))
}

/// The presented token; of several, or of one that is not text, none is good.
fn token(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(TOKEN).iter();
    let first = values.next()?;
    if first.is_empty() {
        return None;
    }
    let text = first.to_str().ok().filter(|_| values.next().is_none());
    Some(text.unwrap_or_default().to_owned())
}

fn caller(request: &Request) -> Caller {
    Caller {
        surface: SURFACE,
        network: ClientAddr::of(request.extensions()).network(),
        language: language(request.headers()),
    }
}

/// The first language the caller names, for pages and for the messages it causes.
fn language(headers: &HeaderMap) -> String {
    let named = headers.get(header::ACCEPT_LANGUAGE);
    let named = named.and_then(|value| value.to_str().ok());
    let first = named.and_then(|text| text.split([',', ';', '-']).next());
    let first = first.unwrap_or_default().trim();
    let plain =
        (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    if plain {
        first.to_ascii_lowercase()
    } else {
        "en".to_owned()
    }
}

fn preflight() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let fixed = |text: &'static str| HeaderValue::from_static(text);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        fixed("GET, POST, PUT, DELETE, OPTIONS"),
    );
    // Named one by one: some clients do not know the asterisk here.
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        fixed("Content-Type, X-Enceeper-Auth"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, fixed("600"));
    headers.insert(header::CACHE_CONTROL, fixed("no-store"));
    open_to_pages(headers, None);
    response
}

pub(crate) fn open_to_pages(headers: &mut HeaderMap, meter: Option<Meter>) {
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"),
    );
    if let Some(meter) = meter {
        headers.insert(LIMIT, HeaderValue::from(meter.limit));
        headers.insert(REMAINING, HeaderValue::from(meter.remaining));
        headers.insert(RESET, HeaderValue::from(meter.reset.seconds()));
    }
}
