//! The gate before every handler: who calls, within which limit, with which token (sheet 4.3 to 4.6).
//!
//! 1. A preflight is answered at once. It is not counted.
//! 2. The token is looked up, and the call counted: on its account, or on the network.
//! 3. Over the limit: 429. A call that needs a token and has no good one: 401, 403 or 400.
//! 4. Every answer, refusals included, gets the headers that a page from elsewhere must be able to read.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use domain::limit::quota::Meter;
use domain::vault::VaultStanding;
use domain::{Caller, Error};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use utoipa::openapi::OpenApi;
use web::ClientAddr;

use crate::error::Noun;
use crate::front::Front;
use crate::{SURFACE, error, page};

const TOKEN: &str = "x-enceeper-auth";
const LIMIT: &str = "x-ratelimit-limit";
const REMAINING: &str = "x-ratelimit-remaining";
const RESET: &str = "x-ratelimit-reset";

/// What lies behind the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Calls of programs, with or without a token.
    Api,
    /// Pages for people, whose token is in the path.
    Page,
}

/// What a call must bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Token,
    Nothing,
    /// There is no such call.
    Unknown,
}

/// The calls that there are, out of the description that clients read: method and pattern, and what each must bring.
#[derive(Default)]
pub(crate) struct Calls(HashMap<(String, String), Need>);

impl Calls {
    pub(crate) fn of(description: &OpenApi) -> Self {
        let mut calls = Self::default();
        for (pattern, item) in &description.paths.paths {
            let operations = [
                ("GET", &item.get),
                ("PUT", &item.put),
                ("POST", &item.post),
                ("DELETE", &item.delete),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    let need = if operation.security.is_some() {
                        // The only thing that an operation says of its own is that it needs no token.
                        Need::Nothing
                    } else {
                        Need::Token
                    };
                    calls.add(method, pattern, need);
                }
            }
        }
        calls
    }

    /// Adds a call that needs no token and is not described.
    pub(crate) fn open(mut self, method: &str, pattern: &str) -> Self {
        self.add(method, pattern, Need::Nothing);
        self
    }

    fn add(&mut self, method: &str, pattern: &str, need: Need) {
        let call = (method.to_owned(), pattern.to_owned());
        self.0.insert(call, need);
    }

    fn need(&self, request: &Request) -> Need {
        let matched = request.extensions().get::<MatchedPath>();
        let pattern = matched.map_or("", MatchedPath::as_str).to_owned();
        let call = (request.method().as_str().to_owned(), pattern);
        self.0.get(&call).copied().unwrap_or(Need::Unknown)
    }
}

#[derive(Clone)]
pub(crate) struct Gate {
    front: Arc<Front>,
    access: Access,
    calls: Arc<Calls>,
}

impl Gate {
    pub(crate) fn api(front: &Arc<Front>, calls: Calls) -> Self {
        Self {
            front: Arc::clone(front),
            access: Access::Api,
            calls: Arc::new(calls),
        }
    }

    pub(crate) fn pages(front: &Arc<Front>) -> Self {
        Self {
            front: Arc::clone(front),
            access: Access::Page,
            calls: Arc::default(),
        }
    }

    fn need(&self, request: &Request) -> Need {
        match self.access {
            Access::Page => Need::Nothing,
            Access::Api => self.calls.need(request),
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
        Err(error) => {
            let (options, now) = (&gate.front.options, gate.front.vaults.now());
            (None, Some(error::answer(options, Noun::User, &error, now)))
        }
    };
    request.extensions_mut().insert(caller);
    let over = meter.is_some_and(|meter| !meter.admitted);
    let mut response = match refusal {
        _ if over && gate.access == Access::Page => page::busy(),
        _ if over => {
            let now = gate.front.vaults.now();
            let seconds = meter.map_or(1, |meter| meter.reset.retry_after(now));
            error::limited(&gate.front.options, seconds)
        }
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
    let (front, options) = (&gate.front, &gate.front.options);
    let token = token(request.headers());
    let entrance = front.vaults.enter(caller, token.as_deref()).await?;
    let refusal = match entrance.standing {
        VaultStanding::Member(member) => {
            request.extensions_mut().insert(*member);
            None
        }
        VaultStanding::Absent => Some(options.refuse(StatusCode::UNAUTHORIZED, error::NO_TOKEN)),
        VaultStanding::Unknown => Some(options.refuse(StatusCode::FORBIDDEN, error::TOKEN_EXPIRED)),
        VaultStanding::Superseded => {
            Some(options.refuse(StatusCode::BAD_REQUEST, error::NEW_PASSWORD))
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
        language: web::language::preferred(request.headers()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn calls() -> Calls {
        let (_, description) = crate::surface().into_parts();
        Calls::of(&description)
    }

    fn need(method: &str, pattern: &str) -> Need {
        let call = (method.to_owned(), pattern.to_owned());
        calls().0.get(&call).copied().unwrap_or(Need::Unknown)
    }

    #[test]
    fn exactly_these_calls_need_no_token() {
        let calls = calls();
        let open = calls.0.iter().filter(|(_, need)| **need == Need::Nothing);
        let mut open: Vec<String> = open
            .map(|((method, pattern), _)| format!("{method} {pattern}"))
            .collect();
        open.sort();
        assert_eq!(
            open,
            [
                "GET /api/v1/",
                "GET /api/v1/user/slots/check/{ref}",
                "GET /api/v1/user/slots/{identifier}",
                "POST /api/v1/user",
                "POST /api/v1/user/challenge",
                "POST /api/v1/user/login",
            ]
        );
    }

    #[test]
    fn every_other_call_needs_a_token_and_what_is_not_described_does_not_exist() {
        assert_eq!(need("PUT", "/api/v1/user"), Need::Token);
        assert_eq!(need("GET", "/api/v1/user/keys"), Need::Token);
        assert_eq!(need("PATCH", "/api/v1/user"), Need::Unknown);
        assert_eq!(need("HEAD", "/api/v1/user/keys"), Need::Unknown);
        assert_eq!(need("GET", "/api/v1/user/{*rest}"), Need::Unknown);
    }
}
