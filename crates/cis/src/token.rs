//! The token endpoint (§3).

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::secret::SecretText;
use domain::tenant::access_token::{ClientProof, IssuedToken, TokenRequest};
use domain::{Caller, Error, Refusal, Timestamp};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use web::ClientAddr;
use web::body::BodyError;
use web::failure;

use crate::error::{self, APPLICATION, Failure};
use crate::wire::{CLAIMS, TokenAnswer, TokenError, TokenForm31};
use crate::{SURFACE, Tenants};

/// Largest request body in bytes.
const BODY: usize = 16_384;
/// Longest time for sending it, in seconds.
const BODY_SECONDS: u64 = 15;
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Words of OpenID Connect that mean nothing here and are dropped (§3.4).
const OIDC_WORDS: [&str; 5] = ["openid", "offline_access", "email", "phone", "profile"];

/// Gives a client a token for its secret, or for an assertion signed with its key.
#[utoipa::path(post, path = "/oidc/token", operation_id = "getToken", tag = "tokens", security(()),
    request_body(content = TokenForm31, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "The token", body = TokenAnswer),
    (status = 400, description = "Malformed, or more asked for than the client has", body = TokenError),
    (status = 401, description = "Not a client, or not its secret", body = TokenError),
    (status = 413, description = "Body too large", body = TokenError),
    (status = 429, description = "Too many failures", body = TokenError)))]
pub(crate) async fn issue(
    State(tenants): State<Tenants>,
    request: Request,
) -> Result<Response, TokenFailure> {
    let (parts, body) = request.into_parts();
    let network = ClientAddr::of(&parts.extensions).network();
    let caller = Caller {
        surface: SURFACE,
        network,
        language: "en".to_owned(),
    };
    let method = Method::of(&parts.headers);
    let read = web::body::read(body, &parts.headers, BODY, BODY_SECONDS).await;
    let bytes = read.map_err(|error| match error {
        BodyError::TooLarge => TokenFailure::Problem(Problem::TooLarge, method),
        BodyError::TooSlow => TokenFailure::Other(Failure::TooSlow),
        BodyError::Broken => TokenFailure::Problem(Problem::Malformed, method),
    })?;
    let wanted = parse(
        &parts.headers,
        &bytes,
        tenants.public_url(),
        tenants.token_issuer(),
    );
    let wanted = wanted.map_err(|problem| TokenFailure::Problem(problem, method))?;
    let token = tenants.issue_access_token(caller, &CLAIMS, wanted).await;
    let token = token.map_err(|error| TokenFailure::of(error, method, tenants.now()))?;
    Ok(success(&token))
}

/// The token endpoint at the path that older clients know.
#[utoipa::path(post, path = "/cis/oidc/token", operation_id = "getTokenBelowCis", tag = "tokens", security(()),
    request_body(content = TokenForm31, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "The token", body = TokenAnswer), (status = 400, body = TokenError),
    (status = 401, body = TokenError)))]
pub(crate) async fn issue_below_cis(
    tenants: State<Tenants>,
    request: Request,
) -> Result<Response, TokenFailure> {
    issue(tenants, request).await
}

fn success(issued: &IssuedToken) -> Response {
    let answer = TokenAnswer {
        access_token: issued.text.expose().to_owned(),
        token_type: "Bearer",
        expires_in: issued.seconds,
        scope: issued.permissions.join(" "),
    };
    not_cached(error::json(StatusCode::OK, &answer))
}

/// A call of this endpoint that gave no token.
pub(crate) enum TokenFailure {
    Problem(Problem, Method),
    /// Too many failures: another try after so many seconds.
    TooOften(u64, Method),
    /// What is answered as everywhere in this front.
    Other(Failure),
}

impl TokenFailure {
    /// This endpoint's own cases first (§3.5), then the front's.
    fn of(error: Error, method: Method, now: Timestamp) -> Self {
        match error {
            Error::Refused(Refusal::BadProof { .. }) => Self::Problem(Problem::Client, method),
            Error::Refused(Refusal::Invalid { field: "scope", .. }) => {
                Self::Problem(Problem::Scope, method)
            }
            Error::Refused(Refusal::Invalid {
                field: "resource", ..
            }) => Self::Problem(Problem::Target, method),
            Error::Refused(Refusal::Limited { until }) => {
                Self::TooOften(until.retry_after(now), method)
            }
            error => Self::Other(Failure::UseCase {
                error,
                missing: APPLICATION,
                now,
            }),
        }
    }
}

impl IntoResponse for TokenFailure {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem, method) => problem.answer(method),
            Self::TooOften(seconds, method) => {
                failure::retry_after(Problem::TooOften.answer(method), seconds)
            }
            Self::Other(failure) => failure.into_response(),
        }
    }
}

/// How the client says who it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Header,
    Body,
}

impl Method {
    fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(header::AUTHORIZATION) {
            Self::Header
        } else {
            Self::Body
        }
    }
}

/// §3.5
#[derive(Clone, Copy)]
pub(crate) enum Problem {
    Malformed,
    Repeated,
    TwoMethods,
    GrantType,
    Client,
    Scope,
    Target,
    TooLarge,
    TooOften,
}

impl Problem {
    fn answer(self, method: Method) -> Response {
        let (status, error, text) = match self {
            Self::Malformed => (
                400,
                "invalid_request",
                "The request must be a form with grant_type",
            ),
            Self::Repeated => (400, "invalid_request", "A parameter is repeated"),
            Self::TwoMethods => (
                400,
                "invalid_request",
                "The client must authenticate in one way",
            ),
            Self::GrantType => (
                400,
                "unsupported_grant_type",
                "grant_type must be client_credentials",
            ),
            Self::Client => (401, "invalid_client", "Client authentication failed"),
            Self::Scope => (
                400,
                "invalid_scope",
                "The scope exceeds the permissions of the client",
            ),
            Self::Target => (
                400,
                "invalid_target",
                "The resource is not one of the client's",
            ),
            Self::TooLarge => (413, "invalid_request", "Request entity too large"),
            Self::TooOften => (429, "slow_down", "Too many failed attempts"),
        };
        let body = TokenError {
            error,
            error_description: text,
            message: text,
            error_code: status,
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = not_cached(error::json(status, &body));
        if status == StatusCode::UNAUTHORIZED && method == Method::Header {
            let challenge = HeaderValue::from_static("Basic realm=\"oidc\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn not_cached(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

fn parse(
    headers: &HeaderMap,
    bytes: &[u8],
    base: &str,
    issuer: &str,
) -> Result<TokenRequest, Problem> {
    if !web::media::is_form(headers) {
        return Err(Problem::Malformed);
    }
    let pairs = web::query::form(bytes).map_err(|_| Problem::Malformed)?;
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two[0] == two[1]) {
        return Err(Problem::Repeated);
    }
    // A parameter that is empty counts as left out (RFC 6749 §3.2).
    let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    let given = given.map(|(name, value)| (name, value.into())).collect();
    let form: TokenForm31 = web::json::typed(given).map_err(|_| Problem::Malformed)?;
    if form.grant_type != "client_credentials" {
        return Err(Problem::GrantType);
    }
    let scope = form.scope.as_deref().unwrap_or_default();
    let words = scope
        .split(' ')
        .filter(|word| !word.is_empty() && !OIDC_WORDS.contains(word));
    let scope = words.map(str::to_owned).collect();
    let resource = form.resource.clone();
    let (client, proof) = authentication(headers, form, base, issuer)?;
    Ok(TokenRequest {
        client,
        proof,
        resource,
        scope,
    })
}

fn authentication(
    headers: &HeaderMap,
    form: TokenForm31,
    base: &str,
    issuer: &str,
) -> Result<(Option<String>, ClientProof), Problem> {
    let (named, kind) = (form.client_id, form.client_assertion_type);
    let method = Method::of(headers);
    match (method, form.client_secret, form.client_assertion) {
        (Method::Header, None, None) => {
            let (user, password) = basic(headers).ok_or(Problem::Client)?;
            match named {
                Some(named) if named != user => Err(Problem::TwoMethods),
                _ => Ok((Some(user), ClientProof::Secret(password))),
            }
        }
        (Method::Body, Some(secret), None) => {
            let client = named.ok_or(Problem::Client)?;
            Ok((Some(client), ClientProof::Secret(secret)))
        }
        (Method::Body, None, Some(token)) if kind.as_deref() == Some(ASSERTION) => {
            let audiences = vec![
                format!("{base}/oidc/token"),
                format!("{base}/cis/oidc/token"),
                issuer.to_owned(),
            ];
            Ok((named, ClientProof::Assertion { token, audiences }))
        }
        (Method::Body, None, Some(_)) => Err(Problem::Malformed),
        (Method::Body, None, None) => Err(Problem::Client),
        _ => Err(Problem::TwoMethods),
    }
}

/// Id and secret are form-encoded before base64 (RFC 6749 §2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, SecretText)> {
    let credential = web::auth::basic(headers)?;
    let decode = |text: &str| {
        let pairs = web::query::form(format!("x={text}").as_bytes()).ok()?;
        match <[(String, String); 1]>::try_from(pairs) {
            Ok([(_, value)]) => Some(value),
            Err(_) => None,
        }
    };
    let user = decode(&credential.user)?;
    let password = decode(&credential.password)?;
    (!user.is_empty() && !password.is_empty()).then(|| (user, SecretText::new(password)))
}
