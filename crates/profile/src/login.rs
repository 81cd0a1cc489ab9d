//! Login, its second steps, and sessions (§5.2).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::People;
use domain::password::Password;
use domain::person::policy::Feature;
use domain::person::{Factor, PresentedCode};
use domain::secret::SecretText;

use crate::account::{ok, token_sent};
use crate::call::{Call, Fields};
use crate::error::Fault;
use crate::value;
use crate::wire::{Done, Login, LoginAnswer, Problems, Refresh, SendTo, TokenSent, VerifyLogin};

/// Logs in; with second steps on, gives the process that they belong to.
#[utoipa::path(post, operation_id = "login", path = "/api/v1/login", tag = "login", request_body = Login, security(()),
    responses((status = 200, body = LoginAnswer), Problems))]
pub(crate) async fn login(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.fields().await?;
    let (way, password) = (
        fields.way("userKey")?,
        Password::new(&fields.text("password")?),
    );
    let logged_in = people.log_in(caller, way, password).await?;
    Ok(ok(&LoginAnswer::of(logged_in)))
}

/// T2: sends the code of a second step.
#[utoipa::path(post, operation_id = "sendLoginToken", path = "/api/v1/token/login", tag = "tokens", request_body = SendTo, security(()),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.needs(&people, Feature::SecondStep)?.fields().await?;
    let (kind, id) = (fields.kind("destination")?, fields.process()?);
    let (way, sent) = people.send_login_token(caller, id, kind).await?;
    Ok(token_sent(Some(way.masked()), sent))
}

/// Takes the codes of second steps.
#[utoipa::path(post, operation_id = "verifyLogin", path = "/api/v1/login/verification", tag = "login", request_body = VerifyLogin, security(()),
    responses((status = 200, body = LoginAnswer), Problems))]
pub(crate) async fn verify(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.needs(&people, Feature::SecondStep)?.fields().await?;
    let (id, codes) = (fields.process()?, codes(&mut fields)?);
    let logged_in = people.verify_login(caller, id, codes).await?;
    Ok(ok(&LoginAnswer::of(logged_in)))
}

/// Gives a new pair of tokens.
#[utoipa::path(post, operation_id = "refreshSession", path = "/api/v1/login/refresh", tag = "login", request_body = Refresh, security(()),
    responses((status = 200, body = LoginAnswer), Problems))]
pub(crate) async fn refresh(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.fields().await?;
    let token = SecretText::new(fields.text("refreshToken")?);
    let tokens = people.refresh_session(caller, token).await?;
    Ok(ok(&LoginAnswer::session(&tokens)))
}

/// Ends the session.
#[utoipa::path(post, operation_id = "logout", path = "/api/v1/logout", tag = "login", responses((status = 200, body = Done), Problems))]
pub(crate) async fn logout(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (who, _, caller) = call.of_account(&people).await?;
    people.log_out(caller, who).await?;
    Ok(ok(&Done {}))
}

/// One code with its destination, or several by name.
fn codes(fields: &mut Fields) -> Result<Vec<PresentedCode>, Fault> {
    let mut codes = Vec::new();
    let destination = fields.optional_as("destination", value::factor)?;
    let named = [
        ("oneTimeToken", destination),
        ("emailToken", Some(Factor::Email)),
        ("phoneToken", Some(Factor::Phone)),
        ("googleToken", Some(Factor::Authenticator)),
    ];
    for (name, factor) in named {
        let Some(text) = fields.optional(name)? else {
            continue;
        };
        let code = match factor {
            Some(Factor::Email | Factor::Phone) => value::token(&text),
            Some(Factor::Authenticator) | None => value::app_code(&text),
        };
        let text = code.ok_or(Fault::Malformed)?;
        codes.push(PresentedCode { factor, text });
    }
    if codes.is_empty() {
        Err(Fault::Malformed)
    } else {
        Ok(codes)
    }
}
