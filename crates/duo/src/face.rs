//! §7.4, §7.5, §9.5: the owner's face.

use axum::extract::{FromRequestParts, State};
use domain::Timestamp;
use http::StatusCode;
use http::request::Parts;

use crate::call::{Body, Calling, Holder, ReadFace, WriteFace};
use crate::error::{self, Failure, Reply};
use crate::wire::{AgentHeader, Done, ErrorBody, Face, RegisterFace, SessionToken};
use crate::{Wallets, value};

/// Enrols the owner's face.
#[utoipa::path(post, operation_id = "registerFace", path = "/auth/face/register", tag = "face", security(("token" = [])), request_body = RegisterFace, responses(
    (status = 201, description = "Enrolled", body = Done),
    (status = 400, description = "A value is malformed or absent", body = ErrorBody),
    (status = 401, description = "Token missing, not acceptable, expired or too old", body = ErrorBody),
    (status = 403, description = "Scope missing, or refused", body = ErrorBody),
    (status = 404, description = "User not registered", body = ErrorBody),
    (status = 409, description = "Enrolled already, or in progress", body = ErrorBody),
    (status = 413, description = "Body too large", body = ErrorBody),
    (status = 415, description = "Content type not supported", body = ErrorBody),
    (status = 502, description = "Face verifier answered wrongly", body = ErrorBody),
    (status = 503, description = "Something needed is away", body = ErrorBody)))]
pub(crate) async fn register(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<WriteFace>,
    Calling { caller, client }: Calling,
    Body(form): Body<RegisterFace>,
) -> Reply {
    let evidence = value::evidence(form.into(), client).ok_or(error::MALFORMED)?;
    let done = wallets.enrol(caller, bearer, evidence).await;
    let done = done.map_err(error::of(&wallets))?;
    let body = Done {
        scan_result_blob: done.for_client,
        ..Done::new("Face registered successfully")
    };
    Ok(web::json::reply(StatusCode::CREATED, &body))
}

/// Whether a face is enrolled.
#[utoipa::path(get, operation_id = "showFace", path = "/v2/face", tag = "face", security(("token" = [])), responses(
    (status = 200, body = Face),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 403, description = "Scope missing", body = ErrorBody),
    (status = 404, description = "User not registered", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn show(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<ReadFace>,
) -> Reply {
    let state = wallets.enrolment(&bearer).await;
    let state = state.map_err(error::of(&wallets))?;
    let body = Face {
        registered: state.since.is_some(),
        registered_at: state.since.map(Timestamp::rfc3339_seconds),
    };
    Ok(web::json::reply(StatusCode::OK, &body))
}

/// A token of the verifier for its client part. Only where the operator offers it.
#[utoipa::path(get, operation_id = "faceSessionToken", path = "/auth/face/session-token", tag = "face", security(("token" = [])),
    params(AgentHeader), responses(
    (status = 200, body = SessionToken),
    (status = 400, description = "No usable X-User-Agent", body = ErrorBody),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 403, description = "Scope missing", body = ErrorBody),
    (status = 404, description = "User not registered, or not offered", body = ErrorBody),
    (status = 502, description = "Face verifier answered wrongly", body = ErrorBody),
    (status = 503, description = "Something needed is away", body = ErrorBody)))]
pub(crate) async fn session_token(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<ReadFace>,
    AgentHeader { agent }: AgentHeader,
) -> Reply {
    let token = wallets.session_token(&bearer, &agent).await;
    let session_token = token.map_err(error::of(&wallets))?;
    let body = SessionToken { session_token };
    Ok(web::json::reply(StatusCode::OK, &body))
}

impl FromRequestParts<Wallets> for AgentHeader {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Wallets) -> Result<Self, Failure> {
        let agent = parts.headers.get("x-user-agent");
        let agent = agent.and_then(|value| value.to_str().ok());
        let agent = agent.and_then(|agent| value::agent(agent.to_owned()));
        let agent = agent.ok_or(error::MALFORMED)?;
        Ok(Self { agent })
    }
}
