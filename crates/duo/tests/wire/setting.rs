//! The surface as the executable mounts it, its configuration names, and what tests do beside requests.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use domain::Services;
use domain::policy::Policy;
use domain::proof::federated::Scopes;
use domain::wallet::DeviceId;
use serde_json::{Value, json};
use testkit::golden::{Scene, Stepped};
use testkit::issuer::{AUDIENCE, ISSUER};
use testkit::{Answer, TestDevice, TestPasskey};

pub(crate) const ALL_SCOPES: &str =
    "write:devices read:devices write:face read:face write:backup read:backup read:transactions";

/// Public routes and hooks behind one router: each on its own listener in the executable.
pub(crate) fn routes(services: Services) -> Router {
    let hooks = duo::hooks(Arc::clone(&services.wallets), None);
    let hooks = hooks.reset_fallback();
    duo::routes(services.wallets)
        .merge(hooks)
        .fallback(|| async { duo::not_found() })
}

/// Applies one line of configuration.
pub(crate) fn policy(policy: &mut Policy, name: &str, value: &str) -> bool {
    let wallet = &mut policy.wallet;
    let switch = value == "true";
    match (name, value.parse()) {
        ("duo.jwt.enforce_scopes", _) => {
            wallet.issuers[0].scopes = if switch {
                Scopes::Enforced
            } else {
                Scopes::Ignored
            };
        }
        ("duo.devices.single_active", _) => wallet.single_device = switch,
        ("duo.backup.require_known_key", _) => wallet.known_keys_only = switch,
        ("duo.backup.require_face_enrolled", _) => wallet.enrolled_only = switch,
        ("duo.face.return_scan_result_blob", _) => wallet.tell_client = switch,
        ("duo.notify", _) => wallet.tell_operator = switch,
        ("duo.passkey", _) => wallet.passkeys = switch.then(TestPasskey::policy),
        ("duo.face.session_token_proxy", _) => wallet.session_tokens = switch,
        ("duo.jwt.step_up_max_age_seconds", Ok(number)) => {
            wallet.issuers[0].fresh = Some(Duration::from_secs(number));
        }
        ("duo.challenge_ttl_seconds", Ok(number)) => {
            wallet.challenge_life = Duration::from_secs(number);
        }
        ("duo.backup.max_keyshare_chars", Ok(number)) => {
            wallet.longest_share = usize::try_from(number).unwrap_or(usize::MAX);
        }
        ("duo.face.max_failures", Ok(number)) => {
            wallet.refusals.count = u32::try_from(number).unwrap_or(0);
        }
        _ => return false,
    }
    true
}

/// `! token NAME SUBJECT [SCOPE…]`: a token of an hour with these scopes, or with all.
pub(crate) fn token<'s>(scene: &'s mut Scene, text: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        let mut words = text.splitn(3, ' ');
        let (name, subject) = (words.next(), words.next());
        let (Some(name), Some(subject)) = (name, subject) else {
            return Err("! token NAME SUBJECT [SCOPE…]".to_owned());
        };
        let now = scene.services().now();
        let scope = words.next().unwrap_or(ALL_SCOPES);
        let token = scene.kit.issuer.token(subject, scope, now);
        scene.set(name, token);
        Ok(())
    })
}

/// `! reached NAME SUBJECT EMAIL`: a token that says where its subject is reached, verified;
/// `! claimed NAME SUBJECT EMAIL`: one that only claims it.
pub(crate) fn reached<'s>(scene: &'s mut Scene, text: &'s str) -> Stepped<'s> {
    Box::pin(async move { address(scene, text, &json!(true)) })
}

pub(crate) fn claimed<'s>(scene: &'s mut Scene, text: &'s str) -> Stepped<'s> {
    Box::pin(async move { address(scene, text, &json!("true")) })
}

fn address(scene: &mut Scene, text: &str, verified: &Value) -> Result<(), String> {
    let words: Vec<&str> = text.split(' ').collect();
    let [name, subject, email] = words.as_slice() else {
        return Err("NAME SUBJECT EMAIL".to_owned());
    };
    let now = scene.services().now().seconds();
    let token = scene.kit.issuer.sign(&json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject,
        "scope": ALL_SCOPES, "iat": now, "exp": now + 3600, "email": email, "email_verified": verified}));
    scene.set(name, token);
    Ok(())
}

/// `! sign NAME NUMBER CHALLENGE`: `$NAME` is device NUMBER's signature, `$NAME.id` its key.
pub(crate) fn sign<'s>(scene: &'s mut Scene, text: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        let words: Vec<&str> = text.split(' ').collect();
        let [name, number, challenge] = words.as_slice() else {
            return Err("! sign NAME NUMBER CHALLENGE".to_owned());
        };
        let device = TestDevice::new(number.parse().map_err(|_| "a number".to_owned())?);
        let challenge = scene.text(challenge)?;
        scene.set(name, device.sign(&challenge));
        Ok(())
    })
}

/// `! make-passkey NAME NUMBER CHALLENGE`: `$NAME` is what a client makes of the challenge.
pub(crate) fn make_passkey<'s>(scene: &'s mut Scene, text: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        let words: Vec<&str> = text.split(' ').collect();
        let [name, number, challenge] = words.as_slice() else {
            return Err("! make-passkey NAME NUMBER CHALLENGE".to_owned());
        };
        let mut passkey = TestPasskey::new(number.parse().map_err(|_| "a number".to_owned())?);
        let challenge = scene.text(challenge)?;
        scene.set(name, passkey.create(&challenge).to_string());
        Ok(())
    })
}

/// `! show-passkey NAME NUMBER COUNT CHALLENGE [unverified|ORIGIN]`: `$NAME` is the passkey shown for the
/// challenge, with its signature number COUNT.
pub(crate) fn show_passkey<'s>(scene: &'s mut Scene, text: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        let words: Vec<&str> = text.split(' ').collect();
        let [name, number, count, challenge, wrong @ ..] = words.as_slice() else {
            return Err("! show-passkey NAME NUMBER COUNT CHALLENGE [WRONG]".to_owned());
        };
        let mut passkey = TestPasskey::new(number.parse().map_err(|_| "a number".to_owned())?);
        let count: u32 = count.parse().map_err(|_| "a count".to_owned())?;
        passkey.count = count - 1;
        match wrong {
            [] => {}
            ["unverified"] => passkey.flags &= !0x04,
            [origin] => (*origin).clone_into(&mut passkey.origin),
            _ => return Err("one thing wrong at a time".to_owned()),
        }
        let challenge = scene.text(challenge)?;
        scene.set(name, passkey.get(&challenge).to_string());
        Ok(())
    })
}

/// `! verifier on|off`
pub(crate) fn verifier<'s>(scene: &'s mut Scene, text: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        match text {
            "on" => scene.kit.verifier.switch_on(),
            "off" => scene.kit.verifier.switch_off(),
            other => return Err(format!("no such state: {other}")),
        }
        Ok(())
    })
}

/// `! operator deactivate KEY` · `! operator remove-face SUBJECT` · `! operator issuer away|back`
pub(crate) fn operator<'s>(scene: &'s mut Scene, text: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        let text = scene.text(text)?;
        let services = scene.services().clone();
        let caller = testkit::kit::caller("admin");
        let done = match text.split_once(' ') {
            Some(("deactivate", key)) => {
                let device = DeviceId::parse(key).map_err(|error| error.to_string())?;
                services
                    .wallets
                    .deactivate_device(&testkit::kit::operator(&services), caller, device)
                    .await
            }
            Some(("remove-face", subject)) => {
                services
                    .wallets
                    .remove_enrolment(&testkit::kit::operator(&services), caller, ISSUER, subject)
                    .await
            }
            Some(("issuer", "away")) => {
                scene.kit.issuer.go_away();
                Ok(())
            }
            Some(("issuer", "back")) => {
                scene.kit.issuer.come_back();
                Ok(())
            }
            _ => return Err(format!("no such step: {text}")),
        };
        done.map_err(|error| error.to_string())
    })
}

/// §2: what every answer has, and what none may have.
pub(crate) fn every_answer(method: &str, _: &str, answer: &Answer) -> Result<(), String> {
    let status = answer.status.as_u16();
    let must = |name: &str, value: Option<&str>| {
        if answer.header(name) == value {
            Ok(())
        } else {
            Err(format!("{name} must be {value:?}"))
        }
    };
    for never in ["set-cookie", "location", "access-control-allow-origin"] {
        must(never, None)?;
    }
    must("cache-control", Some("no-store"))?;
    must("content-type", Some("application/json"))?;
    let unauthorized = (status == 401).then_some(r#"Bearer error="invalid_token""#);
    must("www-authenticate", unauthorized)?;
    if method == "HEAD" {
        return Ok(());
    }
    let body: serde_json::Value =
        serde_json::from_slice(&answer.body).map_err(|why| why.to_string())?;
    let delayed = [429, 503].contains(&status);
    if delayed != answer.header("retry-after").is_some() {
        return Err("`Retry-After` comes with 429 and 503".to_owned());
    }
    let error = &body["error"];
    let told = error["code"].is_u64() && error["message"].is_string();
    if told == (200..300).contains(&status) {
        Err("an error has a code and a message, and a success has none".to_owned())
    } else {
        Ok(())
    }
}
