//! The token endpoint (§3).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use domain::access_token::{ClientProof, IssuedToken, TokenRequest};
use domain::secret::SecretText;
use domain::{Caller, Error, Refusal, Tenants, Timestamp};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use web::ClientAddr;
use web::body::BodyError;

use crate::SURFACE;
use crate::error::{self, APPLICATION};
use crate::wire::{CLAIMS, TokenAnswer, TokenError, TokenForm31};

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
pub(crate) async fn issue(State(keeper): State<Arc<Tenants>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let network = ClientAddr::of(&parts.extensions).network();
    let caller = Caller {
        surface: SURFACE,
        network,
        language: "en".to_owned(),
    };
    let method = if parts.headers.contains_key(header::AUTHORIZATION) {
        Method::Header
    } else {
        Method::Body
    };
    let bytes = match web::body::read(body, &parts.headers, BODY, BODY_SECONDS).await {
        Ok(bytes) => bytes,
        Err(BodyError::TooLarge) => return Problem::TooLarge.answer(method),
        Err(BodyError::TooSlow) => return error::too_slow(),
        Err(BodyError::Broken) => return Problem::Malformed.answer(method),
    };
    let wanted = match parse(
        &parts.headers,
        &bytes,
        keeper.public_url(),
        keeper.token_issuer(),
    ) {
        Ok(wanted) => wanted,
        Err(problem) => return problem.answer(method),
    };
    match keeper.issue_access_token(caller, &CLAIMS, wanted).await {
        Ok(issued) => success(&issued),
        Err(error) => failure(&error, method, keeper.now()),
    }
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

/// This endpoint's own cases first (§3.5), then the front's.
fn failure(failure: &Error, method: Method, now: Timestamp) -> Response {
    match failure {
        Error::Refused(Refusal::BadProof { .. }) => Problem::Client.answer(method),
        Error::Refused(Refusal::Invalid { field: "scope", .. }) => Problem::Scope.answer(method),
        Error::Refused(Refusal::Invalid {
            field: "resource", ..
        }) => Problem::Target.answer(method),
        Error::Refused(Refusal::Limited { until }) => {
            error::retry(Problem::TooOften.answer(method), until.retry_after(now))
        }
        other => error::answer(other, APPLICATION, now),
    }
}

/// How the client says who it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Header,
    Body,
}

/// §3.5
#[derive(Clone, Copy)]
enum Problem {
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

/// The parameters of the form; one that is empty counts as left out (RFC 6749 §3.2).
struct Form(Vec<(String, String)>);

impl Form {
    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }
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
    let mut form = Form(
        pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect(),
    );
    match form.take("grant_type").as_deref() {
        None => return Err(Problem::Malformed),
        Some("client_credentials") => {}
        Some(_) => return Err(Problem::GrantType),
    }
    let resource = form.take("resource");
    let scope = form.take("scope").unwrap_or_default();
    let words = scope
        .split(' ')
        .filter(|word| !word.is_empty() && !OIDC_WORDS.contains(word));
    let scope = words.map(str::to_owned).collect();
    let (client, proof) = authentication(headers, &mut form, base, issuer)?;
    Ok(TokenRequest {
        client,
        proof,
        resource,
        scope,
    })
}

fn authentication(
    headers: &HeaderMap,
    form: &mut Form,
    base: &str,
    issuer: &str,
) -> Result<(Option<String>, ClientProof), Problem> {
    let named = form.take("client_id");
    let secret = form.take("client_secret");
    let assertion = form.take("client_assertion");
    let kind = form.take("client_assertion_type");
    let header = headers.contains_key(header::AUTHORIZATION);
    match (header, secret, assertion) {
        (true, None, None) => {
            let (user, password) = basic(headers).ok_or(Problem::Client)?;
            match named {
                Some(named) if named != user => Err(Problem::TwoMethods),
                _ => Ok((Some(user), ClientProof::Secret(password))),
            }
        }
        (false, Some(secret), None) => {
            let client = named.ok_or(Problem::Client)?;
            Ok((Some(client), ClientProof::Secret(SecretText::new(secret))))
        }
        (false, None, Some(token)) if kind.as_deref() == Some(ASSERTION) => {
            let audiences = vec![
                format!("{base}/oidc/token"),
                format!("{base}/cis/oidc/token"),
                issuer.to_owned(),
            ];
            Ok((named, ClientProof::Assertion { token, audiences }))
        }
        (false, None, Some(_)) => Err(Problem::Malformed),
        (false, None, None) => Err(Problem::Client),
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
