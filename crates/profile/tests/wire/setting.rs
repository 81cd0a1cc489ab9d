//! The surface as the executable mounts it, and its configuration names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use domain::Services;
use domain::person::policy::{Offer, StepsNeeded};
use domain::policy::Policy;
use domain::port::Clock;
use domain::proof::password::Needed;
use http::{HeaderValue, header};
use profile::Compat;
use serde_json::Value;
use testkit::Answer;
use testkit::golden::{Scene, Stepped};

/// The routes, with this surface's answer to unknown paths.
pub(crate) fn mounted(services: Services, compat: Compat) -> Router {
    let at = services.clone();
    profile::routes(services.people, compat, 30).fallback(move |request: Request| async move {
        profile::not_found(request.uri().path(), at.now())
    })
}

/// As [`mounted`], with names for what no seed makes repeatable: the library draws a new number for
/// every signature and key. Tokens are `access-1`, `refresh-1` and so on, in the order of their making.
pub(crate) fn routes(services: Services) -> Router {
    mounted(services, Compat::default()).layer(from_fn_with_state(Arc::default(), named))
}

#[derive(Default)]
struct Names(Mutex<BTreeMap<String, String>>);

async fn named(State(names): State<Arc<Names>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let bytes = web::body::read(body, &parts.headers, 1 << 20, 5).await;
    let known = names.0.lock().unwrap().clone();
    let real = |text: &str| known.get(text).cloned();
    if let Some(token) = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| real(value.to_str().ok()?.strip_prefix("Bearer ")?))
    {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        parts.headers.insert(header::AUTHORIZATION, value);
    }
    let Ok(bytes) = bytes else {
        return next
            .run(Request::from_parts(parts, Body::from(vec![b' '; 1 << 20])))
            .await;
    };
    let mut text = bytes.to_vec();
    if let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(&bytes)
        && let Some(token) = fields
            .get("refreshToken")
            .and_then(Value::as_str)
            .and_then(real)
    {
        text = serde_json::to_vec(&serde_json::json!({ "refreshToken": token })).unwrap();
        parts
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    }
    let (mut parts, body) = next
        .run(Request::from_parts(parts, Body::from(text)))
        .await
        .into_parts();
    let bytes = web::body::read(body, &parts.headers, 1 << 20, 5)
        .await
        .unwrap();
    let mut answer: Value = serde_json::from_slice(&bytes).unwrap();
    rename(&mut answer, &mut names.0.lock().unwrap());
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(serde_json::to_vec(&answer).unwrap()))
}

fn rename(answer: &mut Value, names: &mut BTreeMap<String, String>) {
    for (field, name) in [("accessToken", "access"), ("refreshToken", "refresh")] {
        let Some(Value::String(token)) = answer.get_mut(field) else {
            continue;
        };
        let known = names
            .iter()
            .find(|(_, real)| *real == token)
            .map(|(name, _)| name.clone());
        let count = names.keys().filter(|known| known.starts_with(name)).count();
        let name = known.unwrap_or_else(|| format!("{name}-{}", count + 1));
        names.insert(name.clone(), std::mem::replace(token, name));
    }
    for key in answer
        .get_mut("keys")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        for part in ["x", "y"] {
            assert_eq!(key[part].as_str().unwrap().len(), 43);
            key[part] = Value::from(part);
        }
    }
}

/// Applies one line of configuration.
pub(crate) fn policy(policy: &mut Policy, name: &str, value: &str) -> bool {
    let person = &mut policy.person;
    let offer = if value == "true" {
        Offer::On
    } else {
        Offer::Off
    };
    let number: u32 = value.parse().unwrap_or(0);
    let span = Duration::from_secs(number.into());
    match name {
        "profile.features.mfa" => person.second_step = offer,
        "profile.features.anti_phishing" => person.phrase = offer,
        "profile.registration.email_enabled" => person.email = offer,
        "profile.registration.phone_enabled" => person.phone = offer,
        "profile.mfa.policy" => {
            person.steps_needed = if value == "any" {
                StepsNeeded::Any
            } else {
                StepsNeeded::All
            }
        }
        "profile.ott.lifetime_seconds" => {
            person.tokens.life_email = span;
            person.tokens.life_phone = span;
        }
        "profile.ott.lifetime_seconds_email" => person.tokens.life_email = span,
        "profile.ott.lifetime_seconds_phone" => person.tokens.life_phone = span,
        "profile.ott.max_attempts" => person.tokens.tries = number,
        "profile.ott.resend_cooldown_seconds" => person.tokens.pause = span,
        "profile.ott.max_sends_per_process" => person.tokens.sends_per_process = number,
        "profile.ott.max_sends_per_operation_hour" => {
            person.tokens.sends_per_operation_hour = number;
        }
        "profile.ott.max_sends_per_address_hour" => person.tokens.sends_per_address_hour = number,
        "profile.ott.max_sends_per_address_day" => person.tokens.sends_per_address_day = number,
        "profile.ott.max_sends_per_ip_hour" => person.tokens.sends_per_network_hour = number,
        "profile.process.lifetime_seconds" => person.processes.life = span,
        "profile.process.verified_window_seconds" => person.processes.verified = span,
        "profile.process.max_failed" => person.processes.wrong = number,
        "profile.password.max_failed" => person.wrong_passwords = number,
        "profile.password.lock_seconds" => person.password_lock = span,
        "profile.password.min_length" => person.passwords.least = number as usize,
        "profile.password.max_length" => person.passwords.most = number as usize,
        "profile.password.uppercase_required" => person.passwords.upper_case = needed(value),
        "profile.password.special_symbols_required" => person.passwords.special = needed(value),
        "profile.session.access_ttl_seconds" => person.sessions.access = span,
        "profile.session.refresh_ttl_seconds" => person.sessions.refresh = span,
        "profile.session.refresh_absolute_seconds" => person.sessions.absolute = span,
        "profile.session.refresh_grace_seconds" => person.sessions.grace = span,
        "profile.reauth_max_age_seconds" => person.fresh_login = span,
        "profile.restriction.after_recovery_seconds" => person.after_recovery = span,
        "profile.restriction.after_key_change_seconds" => person.after_key_change = span,
        "profile.restriction.after_password_seconds" => person.after_password = span,
        _ => return false,
    }
    true
}

fn needed(value: &str) -> Needed {
    match value {
        "true" => Needed::Always,
        _ => Needed::Never,
    }
}

/// `! totp NAME SECRET [STEPS]`: the digits of an authenticator now, or so many steps ago.
pub(crate) fn totp<'s>(scene: &'s mut Scene, rest: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        let mut words = rest.split_whitespace();
        let (Some(name), Some(secret)) = (words.next(), words.next()) else {
            return Err("totp NAME SECRET".to_owned());
        };
        let ago: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let step = testkit::totp::step_at(scene.kit.clock.now().seconds()) - ago;
        let name = name.to_owned();
        scene.set(&name, testkit::totp::digits(&base32(secret), step));
        Ok(())
    })
}

pub(crate) fn base32(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut word, mut bits) = (0_u32, 0_u32);
    for letter in text.bytes() {
        let value = if letter.is_ascii_uppercase() {
            letter - b'A'
        } else {
            letter - b'2' + 26
        };
        word = (word << 5) | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits & 255) as u8);
        }
    }
    out
}

/// §2: what every answer has.
pub(crate) fn every_answer(_method: &str, target: &str, answer: &Answer) -> Result<(), String> {
    let status = answer.status.as_u16();
    let must = |name: &str, value: Option<&str>| {
        let is = answer.header(name) == value;
        is.then_some(())
            .ok_or_else(|| format!("{name} must be {value:?}"))
    };
    must("cache-control", Some("no-store"))?;
    must("content-type", Some("application/json"))?;
    must("set-cookie", None)?;
    must("www-authenticate", (status == 401).then_some("Bearer"))?;
    if [429, 503].contains(&status) != answer.header("retry-after").is_some() {
        return Err("`Retry-After` comes with 429 and 503".to_owned());
    }
    let body: Value = serde_json::from_slice(&answer.body).map_err(|why| why.to_string())?;
    if status == 200 {
        return Ok(());
    }
    let code = body["code"].as_str().ok_or("an error without code")?;
    let path = target.split('?').next().unwrap_or_default();
    if body["status"] != status || body["path"] != path {
        return Err("an error names its status and its path".to_owned());
    }
    let fits = (code == "OTT_INVALID") == body.get("attemptsLeft").is_some();
    fits.then_some(())
        .ok_or_else(|| "`attemptsLeft` comes with OTT_INVALID and nothing else".to_owned())
}
