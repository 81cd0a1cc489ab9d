//! The account: its details and its anti-phishing code (§5.7, §5.8), and the shape of successes.

use axum::extract::State;
use axum::response::Response;
use domain::Caller;
use domain::person::phrase::PhraseWish;
use domain::proof::session::SignedIn;
use domain::proof::token::Sent;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::People;
use crate::call::{AnyBody, Body, Calling, Phrases, Session};
use crate::error::Reply;
use crate::wire::{AccountDetails, Done, Problems, SetPhrase, TokenSent};

pub(crate) fn ok(body: &impl Serialize) -> Response {
    web::json::reply(StatusCode::OK, body)
}

const EXPIRES_IN: HeaderName = HeaderName::from_static("x-ott-expires-in");
const RESEND_AFTER: HeaderName = HeaderName::from_static("x-ott-resend-after");

/// The answer to every token request: text for people in the body, numbers for programs in headers.
pub(crate) fn token_sent(destination: Option<String>, sent: Sent) -> Response {
    let mut response = ok(&TokenSent::of(destination, sent));
    let headers = response.headers_mut();
    headers.insert(EXPIRES_IN, HeaderValue::from(sent.life.as_secs()));
    headers.insert(RESEND_AFTER, HeaderValue::from(sent.resend_after.as_secs()));
    response
}

/// The account of the session.
#[utoipa::path(get, operation_id = "showAccount", path = "/api/v1/account/details", tag = "account",
    responses((status = 200, body = AccountDetails), Problems))]
pub(crate) async fn details(
    State(people): State<People>,
    Session(who): Session,
    AnyBody: AnyBody,
) -> Reply {
    let details = people.details(who).await?;
    Ok(ok(&AccountDetails::of(details)))
}

/// T12: sends the code that changes the anti-phishing code.
#[utoipa::path(post, operation_id = "sendPhraseChangeToken", path = "/api/v1/token/antiPhishing/changing", tag = "tokens",
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn phrase_change_token(
    State(people): State<People>,
    Phrases: Phrases,
    Session(who): Session,
    Calling(caller): Calling,
    AnyBody: AnyBody,
) -> Reply {
    send_phrase_token(&people, caller, who, PhraseWish::Change).await
}

/// T13: sends the code that adds an anti-phishing code.
#[utoipa::path(post, operation_id = "sendPhraseToken", path = "/api/v1/token/antiPhishing/adding", tag = "tokens",
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn phrase_add_token(
    State(people): State<People>,
    Phrases: Phrases,
    Session(who): Session,
    Calling(caller): Calling,
    AnyBody: AnyBody,
) -> Reply {
    send_phrase_token(&people, caller, who, PhraseWish::Add).await
}

/// T12 or T13, whichever fits the account.
#[utoipa::path(post, path = "/api/v1/token/antiPhishingCode/changing", responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn phrase_token(
    State(people): State<People>,
    Phrases: Phrases,
    Session(who): Session,
    Calling(caller): Calling,
    AnyBody: AnyBody,
) -> Reply {
    send_phrase_token(&people, caller, who, PhraseWish::Either).await
}

async fn send_phrase_token(
    people: &People,
    caller: Caller,
    who: SignedIn,
    wish: PhraseWish,
) -> Reply {
    let sent = people.send_phrase_token(caller, who, wish).await?;
    Ok(token_sent(None, sent))
}

/// Sets the anti-phishing code, the first or another.
#[utoipa::path(post, operation_id = "setAntiPhishingCode", path = "/api/v1/account/antiPhishingCode", tag = "account", request_body = SetPhrase,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn set_phrase(
    State(people): State<People>,
    Phrases: Phrases,
    Session(who): Session,
    Calling(caller): Calling,
    Body(form): Body<SetPhrase>,
) -> Reply {
    let (phrase, token) = (form.anti_phishing_code, form.one_time_token);
    people.set_phrase(caller, who, phrase, token).await?;
    Ok(ok(&Done {}))
}
