//! The surface as the executable mounts it, and its configuration names.

use std::time::Duration;

use axum::Router;
use domain::Services;
use domain::policy::Policy;
use domain::time::days;
use testkit::Answer;

/// The routes, with this surface's answer to unknown paths.
pub(crate) fn routes(services: Services) -> Router {
    photon::routes(services.guarded_keys).fallback(|| async { photon::not_found() })
}

/// Applies one line of configuration.
pub(crate) fn policy(policy: &mut Policy, name: &str, value: &str) -> bool {
    let keys = &mut policy.guarded_key;
    if name == "photon.store_addresses" {
        keys.store_addresses = value == "true";
        return ["true", "false"].contains(&value);
    }
    let Ok(number) = value.parse() else {
        return false;
    };
    match name {
        "photon.max_failures" => keys.guesses.failures = number,
        "photon.window_days" => keys.guesses.window = days(number.into()),
        "photon.max_failures_in_a_row" => keys.guesses.in_a_row = number,
        "photon.lock_days" => keys.lock = days(number.into()),
        "photon.code_ttl_seconds" => keys.code_life = Duration::from_secs(number.into()),
        "photon.sends_per_user_hour" => keys.sends_per_contact[0].count = number,
        "photon.sends_per_user_day" => keys.sends_per_contact[1].count = number,
        "photon.sends_per_address_day" => keys.sends_per_address.count = number,
        "photon.sends_per_network_hour" => keys.sends_per_network.count = number,
        "photon.new_keys_per_network_hour" => keys.new_keys_per_network.count = number,
        "photon.sends_per_day" => keys.sends_in_all.count = number,
        "limits.network_messages_hour" => policy.limits.network_messages.count = number,
        "limits.day_messages" => policy.limits.day_messages.count = number,
        _ => return false,
    }
    true
}

/// §3.1: what every answer has, and what none may have.
pub(crate) fn every_answer(method: &str, target: &str, answer: &Answer) -> Result<(), String> {
    let status = answer.status.as_u16();
    let is = |name: &str, value: Option<&str>| {
        let why = || format!("{name} must be {value:?}");
        (answer.header(name) == value).then_some(()).ok_or_else(why)
    };
    for never in [
        "set-cookie",
        "location",
        "www-authenticate",
        "access-control-allow-origin",
    ] {
        is(never, None)?;
    }
    is("cache-control", Some("no-store"))?;
    if status == 304 {
        is("content-type", None)?;
        is("content-length", None)?;
        return hold(answer.body.is_empty(), "304 has no body");
    }
    is("x-content-type-options", Some("nosniff"))?;
    if target.starts_with("/recovery/") {
        return is("content-type", Some("text/html; charset=utf-8"));
    }
    is("content-type", Some("application/json"))?;
    let delayed = [423, 429].contains(&status);
    let retry = answer.header("retry-after").is_some();
    hold(
        (delayed || status == 503) == retry,
        "`Retry-After` comes with 423, 429 and 503",
    )?;
    if method == "HEAD" {
        return Ok(());
    }
    every_body(&answer.body, delayed)
}

fn every_body(body: &[u8], delayed: bool) -> Result<(), String> {
    let body: serde_json::Value = serde_json::from_slice(body).map_err(|why| why.to_string())?;
    hold(
        body.get("delay").is_some() == delayed,
        "`delay` comes with 423 and 429 only",
    )?;
    if delayed {
        let delay = body["delay"].as_str().unwrap_or_default();
        let sound = delay.len() == 24 && domain::Timestamp::parse(delay).is_some();
        hold(sound, "`delay` has one form")?;
    }
    let told = body
        .get("message")
        .is_some_and(serde_json::Value::is_string);
    hold(
        told || body.get("id").is_some(),
        "neither a message nor an id",
    )
}

fn hold(condition: bool, why: &str) -> Result<(), String> {
    condition.then_some(()).ok_or_else(|| why.to_owned())
}
