//! Login, its second steps, and sessions (§5.2).

use axum::extract::State;
use domain::person::{Factor, PresentedCode};

use crate::People;
use crate::account::{ok, token_sent};
use crate::call::{AnyBody, Body, Calling, SecondSteps, Session};
use crate::error::{Failure, Reply};
use crate::value;
use crate::wire::{Done, Login, LoginAnswer, Problems, Refresh, SendTo, TokenSent, VerifyLogin};

/// Logs in; with second steps on, gives the process that they belong to.
#[utoipa::path(post, operation_id = "login", path = "/api/v1/login", tag = "login", request_body = Login, security(()),
    responses((status = 200, body = LoginAnswer), Problems))]
pub(crate) async fn login(
    State(people): State<People>,
    Calling(caller): Calling,
    Body(form): Body<Login>,
) -> Reply {
    let logged_in = people.log_in(caller, form.user_key, form.password).await?;
    Ok(ok(&LoginAnswer::of(logged_in)))
}

/// T2: sends the code of a second step.
#[utoipa::path(post, operation_id = "sendLoginToken", path = "/api/v1/token/login", tag = "tokens", request_body = SendTo, security(()),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn token(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Calling(caller): Calling,
    Body(form): Body<SendTo>,
) -> Reply {
    let (id, kind) = (form.processing_id, form.destination.into());
    let (way, sent) = people.send_login_token(caller, id, kind).await?;
    Ok(token_sent(Some(way.masked()), sent))
}

/// Takes the codes of second steps.
#[utoipa::path(post, operation_id = "verifyLogin", path = "/api/v1/login/verification", tag = "login", request_body = VerifyLogin, security(()),
    responses((status = 200, body = LoginAnswer), Problems))]
pub(crate) async fn verify(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Calling(caller): Calling,
    Body(form): Body<VerifyLogin>,
) -> Reply {
    let (id, codes) = (form.processing_id, codes(form)?);
    let logged_in = people.verify_login(caller, id, codes).await?;
    Ok(ok(&LoginAnswer::of(logged_in)))
}

/// Gives a new pair of tokens.
#[utoipa::path(post, operation_id = "refreshSession", path = "/api/v1/login/refresh", tag = "login", request_body = Refresh, security(()),
    responses((status = 200, body = LoginAnswer), Problems))]
pub(crate) async fn refresh(
    State(people): State<People>,
    Calling(caller): Calling,
    Body(Refresh { refresh_token }): Body<Refresh>,
) -> Reply {
    let tokens = people.refresh_session(caller, refresh_token).await?;
    Ok(ok(&LoginAnswer::session(&tokens)))
}

/// Ends the session.
#[utoipa::path(post, operation_id = "logout", path = "/api/v1/logout", tag = "login", responses((status = 200, body = Done), Problems))]
pub(crate) async fn logout(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    AnyBody: AnyBody,
) -> Reply {
    people.log_out(caller, who).await?;
    Ok(ok(&Done {}))
}

/// One code with its destination, or several by name.
fn codes(form: VerifyLogin) -> Result<Vec<PresentedCode>, Failure> {
    let destination = form.destination.map(Factor::from);
    let one = match form.one_time_token {
        None => None,
        Some(text) => {
            let code = match destination {
                Some(Factor::Email | Factor::Phone) => value::token(text.expose()),
                Some(Factor::Authenticator) | None => value::app_code(text.expose()),
            };
            Some(code.ok_or(Failure::Malformed)?)
        }
    };
    let named = [
        (one, destination),
        (form.email_token, Some(Factor::Email)),
        (form.phone_token, Some(Factor::Phone)),
        (form.google_token, Some(Factor::Authenticator)),
    ];
    let presented = |(text, factor)| Option::map(text, |text| PresentedCode { factor, text });
    let codes: Vec<PresentedCode> = named.into_iter().filter_map(presented).collect();
    if codes.is_empty() {
        Err(Failure::Malformed)
    } else {
        Ok(codes)
    }
}
