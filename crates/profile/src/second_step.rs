//! Second steps: addresses and authenticators (§5.8).

use axum::extract::State;
use domain::person::Factor;
use qrcode::QrCode;
use qrcode::render::svg;

use crate::People;
use crate::account::{ok, token_sent};
use crate::call::{AnyBody, Body, Calling, SecondSteps, Session};
use crate::error::{Failure, Reply};
use crate::value;
use crate::wire::{
    Authenticator, Code, Destination, DisableStep, Done, Problems, RecoveryCodes, Steps, TokenSent,
    steps,
};

/// The second steps that are on.
#[utoipa::path(get, operation_id = "listSecondSteps", path = "/api/v1/account/details/mfa", tag = "second steps",
    responses((status = 200, body = Steps), Problems))]
pub(crate) async fn list(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Session(who): Session,
    AnyBody: AnyBody,
) -> Reply {
    let details = people.details(who).await?;
    Ok(ok(&Steps {
        mfa_steps: steps(&details.second_steps),
    }))
}

/// Makes a key a second step.
#[utoipa::path(post, operation_id = "enableSecondStep", path = "/api/v1/mfa/enabling", tag = "second steps", request_body = Destination,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn enable(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Session(who): Session,
    Calling(caller): Calling,
    Body(Destination { destination }): Body<Destination>,
) -> Reply {
    people
        .enable_second_step(caller, who, destination.into())
        .await?;
    Ok(ok(&Done {}))
}

/// T14: sends the code that switches a second step off.
#[utoipa::path(post, operation_id = "sendSecondStepRemovalToken", path = "/api/v1/token/mfa/disabling", tag = "tokens", request_body = Destination,
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn disabling_token(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Session(who): Session,
    Calling(caller): Calling,
    Body(Destination { destination }): Body<Destination>,
) -> Reply {
    let (way, sent) = people
        .send_switch_off_token(caller, who, destination.into())
        .await?;
    Ok(token_sent(Some(way.masked()), sent))
}

/// Switches a second step off.
#[utoipa::path(post, operation_id = "disableSecondStep", path = "/api/v1/mfa/disabling", tag = "second steps", request_body = DisableStep,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn disable(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Session(who): Session,
    Calling(caller): Calling,
    Body(form): Body<DisableStep>,
) -> Reply {
    let factor = form.destination.into();
    let code = if factor == Factor::Authenticator {
        value::app_code(form.one_time_token.expose())
    } else {
        value::token(form.one_time_token.expose())
    };
    people
        .disable_second_step(caller, who, factor, code.ok_or(Failure::Malformed)?)
        .await?;
    Ok(ok(&Done {}))
}

/// Draws the secret of an authenticator; it does nothing until its first code.
#[utoipa::path(post, operation_id = "startAuthenticator", path = "/api/v1/account/googleAuthenticator", tag = "second steps",
    responses((status = 200, body = Authenticator), Problems))]
pub(crate) async fn start_authenticator(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Session(who): Session,
    Calling(caller): Calling,
    AnyBody: AnyBody,
) -> Reply {
    let drawn = people.start_authenticator(caller, who).await?;
    Ok(ok(&Authenticator {
        qr_code: picture(drawn.url.expose())?,
        secret: drawn.secret.expose().to_owned(),
        otpauth_url: drawn.url.expose().to_owned(),
    }))
}

/// Turns the authenticator on with its first code.
#[utoipa::path(post, operation_id = "confirmAuthenticator", path = "/api/v1/account/googleAuthenticator/verification", tag = "second steps", request_body = Code,
    responses((status = 200, body = RecoveryCodes), Problems))]
pub(crate) async fn confirm_authenticator(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Session(who): Session,
    Calling(caller): Calling,
    Body(Code { one_time_token }): Body<Code>,
) -> Reply {
    let codes = people
        .confirm_authenticator(caller, who, one_time_token)
        .await?;
    let recovery_codes = codes
        .0
        .iter()
        .map(|code| code.expose().to_owned())
        .collect();
    Ok(ok(&RecoveryCodes { recovery_codes }))
}

/// The address as a QR code in SVG.
fn picture(url: &str) -> Result<String, Failure> {
    let code = QrCode::new(url)
        .map_err(|_| Failure::Domain(domain::Error::bug("an address too long for a QR code")))?;
    Ok(code
        .render::<svg::Color<'_>>()
        .min_dimensions(200, 200)
        .build())
}
