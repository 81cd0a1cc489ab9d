//! Second steps: addresses and authenticators (§5.8).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::People;
use domain::person::Factor;
use domain::person::policy::Feature;
use qrcode::QrCode;
use qrcode::render::svg;

use crate::account::{ok, token_sent};
use crate::call::Call;
use crate::error::Fault;
use crate::value;
use crate::wire::{
    Authenticator, Code, Destination, DisableStep, Done, Problems, RecoveryCodes, Steps, TokenSent,
    steps,
};

/// The second steps that are on.
#[utoipa::path(get, operation_id = "listSecondSteps", path = "/api/v1/account/details/mfa", tag = "second steps",
    responses((status = 200, body = Steps), Problems))]
pub(crate) async fn list(State(people): State<Arc<People>>, call: Call) -> Result<Response, Fault> {
    let call = call.needs(&people, Feature::SecondStep)?;
    let (who, ..) = call.of_account(&people).await?;
    let details = people.details(who).await?;
    Ok(ok(&Steps {
        mfa_steps: steps(&details.second_steps),
    }))
}

/// Makes a key a second step.
#[utoipa::path(post, operation_id = "enableSecondStep", path = "/api/v1/mfa/enabling", tag = "second steps", request_body = Destination,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn enable(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let call = call.needs(&people, Feature::SecondStep)?;
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let kind = fields.kind("destination")?;
    people.enable_second_step(caller, who, kind).await?;
    Ok(ok(&Done {}))
}

/// T14: sends the code that switches a second step off.
#[utoipa::path(post, operation_id = "sendSecondStepRemovalToken", path = "/api/v1/token/mfa/disabling", tag = "tokens", request_body = Destination,
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn disabling_token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let call = call.needs(&people, Feature::SecondStep)?;
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let kind = fields.kind("destination")?;
    let (way, sent) = people.send_switch_off_token(caller, who, kind).await?;
    Ok(token_sent(Some(way.masked()), sent))
}

/// Switches a second step off.
#[utoipa::path(post, operation_id = "disableSecondStep", path = "/api/v1/mfa/disabling", tag = "second steps", request_body = DisableStep,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn disable(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let call = call.needs(&people, Feature::SecondStep)?;
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let factor = fields.text_as("destination", value::factor)?;
    let text = fields.text("oneTimeToken")?;
    let code = if factor == Factor::Authenticator {
        value::app_code(&text)
    } else {
        value::token(&text)
    };
    people
        .disable_second_step(caller, who, factor, code.ok_or(Fault::Malformed)?)
        .await?;
    Ok(ok(&Done {}))
}

/// Draws the secret of an authenticator; it does nothing until its first code.
#[utoipa::path(post, operation_id = "startAuthenticator", path = "/api/v1/account/googleAuthenticator", tag = "second steps",
    responses((status = 200, body = Authenticator), Problems))]
pub(crate) async fn start_authenticator(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let call = call.needs(&people, Feature::SecondStep)?;
    let (who, _, caller) = call.of_account(&people).await?;
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
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let call = call.needs(&people, Feature::SecondStep)?;
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let code = fields.token()?;
    let codes = people.confirm_authenticator(caller, who, code).await?;
    let recovery_codes = codes
        .0
        .iter()
        .map(|code| code.expose().to_owned())
        .collect();
    Ok(ok(&RecoveryCodes { recovery_codes }))
}

/// The address as a QR code in SVG.
fn picture(url: &str) -> Result<String, Fault> {
    let code = QrCode::new(url)
        .map_err(|_| Fault::Domain(domain::Error::bug("an address too long for a QR code")))?;
    Ok(code
        .render::<svg::Color<'_>>()
        .min_dimensions(200, 200)
        .build())
}
