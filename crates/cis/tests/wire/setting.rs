//! The surface as the executable mounts it, its configuration names, and the steps of its goldens.

use std::time::Duration;

use axum::Router;
use domain::Services;
use domain::policy::Policy;
use serde_json::Value;
use testkit::golden::Scene;
use testkit::{Answer, Golden};

use crate::world::{App, Manager, World};

/// The routes, with this surface's answer to unknown paths.
pub(crate) fn routes(services: Services) -> Router {
    cis::routes(services.tenants).fallback(|| async { cis::not_found() })
}

/// Applies one line of configuration.
fn policy(policy: &mut Policy, name: &str, value: &str) -> bool {
    let keys = &mut policy.device_keys;
    if name == "cis.rate_limits" {
        *keys = keys.clone().without_rates();
        return value == "false";
    }
    let Ok(number) = value.parse::<u32>() else {
        return false;
    };
    match name {
        "cis.max_keys_per_user" => keys.keys_per_member = number.into(),
        "cis.challenge_ttl_seconds" => keys.challenge_life = Duration::from_secs(number.into()),
        "cis.wrong_signatures_per_key_minute" => keys.misses_per_minute = number,
        "cis.client_failures_minute" => keys.failures_per_client.count = number,
        "cis.network_failures_minute" => keys.failures_per_network.count = number,
        _ => return false,
    }
    true
}

/// - `tenant`: `$tenant`, `$manager` (client id), `$manager_secret`, `$admin` (token)
/// - `app NAME [PERMISSION…]`: `$NAME` (id), `$NAME_client`, `$NAME_secret`, `$NAME_token`; with
///   permissions, of a client that has only these
/// - `user NAME TOKEN`: `$NAME`
/// - `vector ID`: `$public_key`, and `$challenge` with a right `$signature` of that key
pub(crate) fn golden() -> Golden {
    Golden::new(routes)
        .policy(policy)
        .always(every_answer)
        .step("tenant", |scene, _| Box::pin(tenant(scene)))
        .step("app", |scene, rest| Box::pin(app(scene, rest)))
        .step("user", |scene, rest| Box::pin(user(scene, rest)))
        .step("vector", |scene, rest| {
            Box::pin(async move { vector(scene, rest) })
        })
}

async fn tenant(scene: &mut Scene) -> Result<(), String> {
    let world = World::over(scene.kit.clone());
    world.sign_with_the_test_key().await;
    let Manager {
        tenant,
        client,
        secret,
        token,
    } = world.tenant("Golden").await;
    scene.set("tenant", tenant);
    scene.set("manager", client);
    scene.set("manager_secret", secret);
    scene.set("admin", token);
    Ok(())
}

async fn app(scene: &mut Scene, rest: &str) -> Result<(), String> {
    let world = World::over(scene.kit.clone());
    let mut words = rest.split_whitespace();
    let name = words.next().ok_or("app NAME [PERMISSION…]")?;
    let permissions: Vec<&str> = words.collect();
    let manager = Manager {
        tenant: scene.get("tenant")?,
        client: scene.get("manager")?,
        secret: scene.get("manager_secret")?,
        token: scene.get("admin")?,
    };
    let App {
        id,
        client,
        secret,
        token,
    } = world.app(&manager, name).await;
    let app = App {
        id,
        client,
        secret,
        token,
    };
    scene.set(&format!("{name}_client"), app.client.clone());
    scene.set(&format!("{name}_secret"), app.secret.clone());
    let token = if permissions.is_empty() {
        app.token.clone()
    } else {
        world.limited(&manager, &app, &permissions).await
    };
    scene.set(&format!("{name}_token"), token);
    scene.set(name, app.id);
    Ok(())
}

async fn user(scene: &mut Scene, rest: &str) -> Result<(), String> {
    let world = World::over(scene.kit.clone());
    let (name, token) = rest.split_once(' ').ok_or("user NAME TOKEN")?;
    let user = world.user(token).await;
    scene.set(name, user);
    Ok(())
}

fn vector(scene: &mut Scene, id: &str) -> Result<(), String> {
    let text = include_str!("../../../crypto/tests/vectors/device-keys-vectors.json");
    let file: Value = serde_json::from_str(text).map_err(|why| why.to_string())?;
    let find = |list: &str, wanted: &dyn Fn(&Value) -> bool| {
        let found = file[list]
            .as_array()
            .and_then(|list| list.iter().find(|case| wanted(case)));
        found.cloned().ok_or_else(|| format!("no {list} for {id}"))
    };
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let key = find("keys", &|key| key["id"] == id)?;
    scene.set("public_key", text(&key, "public_key"));
    scene.set("fingerprint", text(&key, "spki_sha256_hex"));
    if let Ok(right) = find("validations", &|case| {
        case["key"] == id && case["result"] == true
    }) {
        scene.set("challenge", text(&right, "challenge"));
        scene.set("signature", text(&right, "signature"));
    }
    Ok(())
}

/// §2.3, §2.5: what every answer has.
fn every_answer(method: &str, target: &str, answer: &Answer) -> Result<(), String> {
    let status = answer.status.as_u16();
    let is = |name: &str, value: Option<&str>| {
        let why = || format!("{name} must be {value:?}");
        (answer.header(name) == value).then_some(()).ok_or_else(why)
    };
    for never in ["set-cookie", "location", "access-control-allow-origin"] {
        is(never, None)?;
    }
    is("cache-control", Some("no-store"))?;
    if answer.body.is_empty() && status < 300 {
        is("content-type", None)?;
        return is("content-length", Some("0"));
    }
    is("content-type", Some("application/json; charset=utf-8"))?;
    if target.contains("/oidc/token") {
        is(
            "pragma",
            if status == 405 {
                None
            } else {
                Some("no-cache")
            },
        )?;
    }
    hold(
        (status == 429 || status == 503) == answer.header("retry-after").is_some(),
        "`Retry-After`",
    )?;
    if status < 400 || method == "HEAD" {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&answer.body).map_err(|why| why.to_string())?;
    hold(body["error_code"] == status, "`error_code` is the status")?;
    let list = status == 400 && !target.contains("/oidc/token");
    hold(
        if list {
            body["message"].is_array()
        } else {
            body["message"].is_string()
        },
        "`message`",
    )?;
    let bearer = answer.header("www-authenticate").unwrap_or_default();
    let challenged = status == 401 && !target.contains("/oidc/token");
    hold(
        bearer.starts_with("Bearer realm=\"cis\"") == challenged,
        "`WWW-Authenticate`",
    )
}

fn hold(condition: bool, why: &str) -> Result<(), String> {
    condition.then_some(()).ok_or_else(|| why.to_owned())
}
