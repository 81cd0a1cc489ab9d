//! The surface as the executable mounts it, its configuration names, and steps of its own for goldens.

use std::time::Duration;

use axum::Router;
use domain::Services;
use domain::policy::Policy;
use domain::vault::Plan;
use serde_json::json;
use testkit::golden::Scene;
use testkit::{Answer, Client};

use crate::{person, srp};

/// The routes, with this surface's answer to unknown paths.
pub(crate) fn routes(services: Services) -> Router {
    let options = enceeper::Options::default();
    let unknown = options.clone();
    enceeper::routes(services.vaults, options)
        .fallback(move || async move { enceeper::not_found(&unknown) })
}

/// Applies one line of configuration.
pub(crate) fn policy(policy: &mut Policy, name: &str, value: &str) -> bool {
    let vault = &mut policy.vault;
    if name == "enceeper.confirm_email" {
        vault.confirm_addresses = value == "true";
        return ["true", "false"].contains(&value);
    }
    if let Some(name) = name.strip_prefix("enceeper.plans.Default.") {
        let plan = vault.plans.by_name.entry("Default".to_owned()).or_default();
        return set_plan(plan, name, value);
    }
    let Ok(number) = value.parse::<u32>() else {
        return false;
    };
    let seconds = Duration::from_secs(number.into());
    match name {
        "enceeper.session_ttl_seconds" => vault.session_life = seconds,
        "enceeper.challenge_ttl_seconds" => vault.handshake_life = seconds,
        "enceeper.approval_ttl_seconds" => vault.approval_life = seconds,
        "enceeper.webauth_ttl_seconds" => vault.web_pass_life = seconds,
        "enceeper.confirm_ttl_seconds" => vault.confirm_life = seconds,
        "enceeper.ip_requests_per_hour" => vault.network_calls_per_hour = number,
        "enceeper.failed_proofs_per_ip" => vault.failures_from_network.failures = number,
        "enceeper.failed_proofs_per_address" => vault.failures_from_anywhere.failures = number,
        "enceeper.pending_approvals_per_slot" => vault.pending_approvals_per_slot = number as usize,
        "enceeper.notice_mails_per_slot_per_hour" => vault.notices_per_slot.count = number,
        _ => return false,
    }
    true
}

fn set_plan(plan: &mut Plan, name: &str, value: &str) -> bool {
    let flag = value == "true";
    let number = value.parse::<usize>().unwrap_or_default();
    match name {
        "reqs_per_hour" => plan.calls_per_hour = u32::try_from(number).expect("a small number"),
        "total_keys" => plan.entries = number as u64,
        "slots_per_key" => plan.slots_per_entry = number,
        "key_size_bytes" => plan.entry_bytes = number,
        "key_sharing" => plan.sharing = flag,
        "slot_notify_on_use" => plan.notify_on_use = flag,
        "slot_approve_use" => plan.approve_use = flag,
        _ => return false,
    }
    true
}

/// `! member NAME EMAIL`: an account with the password `secret`; `$NAME` is the token of a session.
pub(crate) async fn member(scene: &mut Scene, rest: &str) -> Result<(), String> {
    let (name, email) = rest.split_once(' ').ok_or("member NAME EMAIL")?;
    let client: Client = person::client(scene.services());
    let person = person::Person::outside(&client, email, "secret");
    let body = json!({"email": email, "auth": person::auth(email, "secret")});
    let registered = person.call("POST", "/user", &body).await;
    if registered.status != 200 {
        return Err(registered.text());
    }
    if let Some(link) = scene.kit.courier.link_to(email) {
        let path = link.strip_prefix("http://127.0.0.1:8080").unwrap_or(&link);
        let confirmed = client.send("POST", path, &[], "decision=confirm").await;
        if confirmed.status != 200 {
            return Err(confirmed.text());
        }
    }
    scene.kit.courier.forget();
    scene.set(name, person.signs_in().await.token);
    Ok(())
}

/// `! credential EMAIL PASSWORD`: sets `$salt` and `$verifier`.
pub(crate) fn credential(scene: &mut Scene, rest: &str) -> Result<(), String> {
    let (email, password) = rest.split_once(' ').ok_or("credential EMAIL PASSWORD")?;
    scene.set("salt", srp::SALT);
    scene.set("verifier", srp::verifier(email, password, srp::SALT));
    Ok(())
}

/// `! prove EMAIL PASSWORD`: answers the challenge that the last answer was; sets `$A`, `$M1`, `$M2`, `$ref`.
pub(crate) fn prove(scene: &mut Scene, rest: &str) -> Result<(), String> {
    let (email, password) = rest.split_once(' ').ok_or("prove EMAIL PASSWORD")?;
    let part = |name: &str| scene.get(&format!("body.result.srp6a.{name}"));
    let (salt, public, reference) = (part("salt")?, part("B")?, part("ref")?);
    let proof = srp::prove(email, password, &salt, &public);
    scene.set("A", proof.public);
    scene.set("M1", proof.answer);
    scene.set("M2", proof.expected);
    scene.set("ref", reference);
    Ok(())
}

/// Sheet 4: what every answer has.
pub(crate) fn every_answer(method: &str, target: &str, answer: &Answer) -> Result<(), String> {
    let must = |name: &str, value: Option<&str>| {
        let same = answer.header(name) == value;
        same.then_some(())
            .ok_or_else(|| format!("{name} must be {value:?}"))
    };
    must("cache-control", Some("no-store"))?;
    must("set-cookie", None)?;
    must("location", None)?;
    if answer.header("content-type") == Some("text/html; charset=utf-8") {
        must("access-control-allow-origin", None)?;
        must("x-ratelimit-limit", None)?;
        must("referrer-policy", Some("no-referrer"))?;
        must("x-frame-options", Some("DENY"))?;
        must(
            "content-security-policy",
            Some(
                "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            ),
        )?;
        let plain = !answer.text().contains("<script");
        return plain.then_some(()).ok_or("a page with a script".to_owned());
    }
    if !enceeper::owns("/api/v1", target.split('?').next().unwrap_or_default()) {
        return Ok(());
    }
    must("access-control-allow-origin", Some("*"))?;
    let exposed = "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset";
    must("access-control-expose-headers", Some(exposed))?;
    if method == "OPTIONS" {
        return must("x-ratelimit-limit", None);
    }
    must("content-type", Some("application/json"))?;
    for name in [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ] {
        let number = answer
            .header(name)
            .and_then(|value| value.parse::<u64>().ok());
        number.ok_or_else(|| format!("{name} must be a number"))?;
    }
    if method == "HEAD" {
        return Ok(());
    }
    let body: serde_json::Value =
        serde_json::from_slice(&answer.body).map_err(|why| why.to_string())?;
    let members: Vec<&str> = body
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    if members != ["outcome", "result", "enceeper", "errorMessage"] {
        return Err(format!("the envelope has {members:?}"));
    }
    let good = answer.status == 200;
    let ok = body["outcome"] == if good { "OK" } else { "NOK" }
        && body["errorMessage"].is_null() == good;
    if ok {
        Ok(())
    } else {
        Err("outcome and errorMessage do not fit the status".to_owned())
    }
}
