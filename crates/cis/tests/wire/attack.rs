//! Tokens that are worth nothing, assertions, rotations, and challenges of this server.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::proof::signing::{Algorithm, OVERLAP, SigningPurpose};
use domain::tenant::access_token::CLIENT_TOKENS;
use domain::tenant::{ApplicationId, ClientChange, ClientId, TenantId};
use serde_json::{Value, json};

use crate::device::Device;
use crate::world::{App, Manager, World, keys};

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn payload(token: &str) -> Value {
    let text = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON")
}

/// A status of a call that needs no more than a sound token with full access.
async fn status(world: &World, token: &str) -> u16 {
    world
        .get("/cis/v1/users/nobody", token)
        .await
        .status
        .as_u16()
}

async fn estate(world: &World) -> (Manager, App) {
    let manager = world.tenant("Attack").await;
    let app = world.app(&manager, "Attack").await;
    (manager, app)
}

#[tokio::test]
async fn forged_and_foreign_tokens_are_worth_nothing() {
    let world = World::new().await;
    let (_, app) = estate(&world).await;
    assert_eq!(status(&world, &app.token).await, 404);
    let parts: Vec<&str> = app.token.split('.').collect();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        part(&header)
    };
    let mut forged = payload(&app.token);
    forged["app_name"] = "x".into();
    let mut tokens = vec![
        format!("{}.{}.", with("alg", "none".into()), parts[1]),
        format!("{}.{}.{}", with("alg", "none".into()), parts[1], parts[2]),
        format!("{}.{}.{}", with("alg", "HS256".into()), parts[1], parts[2]),
        format!("{}.{}.{}", with("alg", "PS256".into()), parts[1], parts[2]),
        format!("{}.{}.{}", with("kid", "other".into()), parts[1], parts[2]),
        format!("{}.{}.{}", with("kid", Value::Null), parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], part(&forged), parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], &parts[2][1..]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.x", app.token),
    ];
    // Signed rightly, and saying something wrong.
    let services = &world.kit.services;
    let now = payload(&app.token)["iat"].as_i64().unwrap();
    for (name, value) in [
        ("iss", json!("https://elsewhere.example")),
        ("aud", json!("https://elsewhere.example")),
        ("aud", json!(["userid-api"])),
        ("exp", json!(now)),
        ("exp", Value::Null),
        ("iat", json!(now + 61)),
        ("nbf", json!(now + 61)),
        ("sub", json!("another")),
        ("tid", json!("00000000000000000000000000000000")),
        ("app_id", json!("00000000000000000000000000000000")),
        ("roles", json!(["Admin"])),
    ] {
        let mut claims = payload(&app.token);
        claims[name] = value;
        let token = services
            .tenants
            .sign_claims(CLIENT_TOKENS, claims.to_string().as_bytes())
            .await
            .unwrap();
        tokens.push(token);
    }
    // A token of another surface: the same claims, other keys.
    let claims = payload(&app.token).to_string();
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let issuer = SigningPurpose {
            name: "another surface",
            algorithm,
        };
        let issuer = if algorithm == Algorithm::Es256 {
            SigningPurpose {
                name: "a third",
                ..issuer
            }
        } else {
            issuer
        };
        tokens.push(
            services
                .tenants
                .sign_claims(issuer, claims.as_bytes())
                .await
                .unwrap(),
        );
    }
    for token in tokens {
        assert_eq!(status(&world, &token).await, 401, "{token}");
    }
    // Without permissions there are none: fail closed.
    let mut claims = payload(&app.token);
    claims.as_object_mut().unwrap().remove("ts_permissions");
    let token = services
        .tenants
        .sign_claims(CLIENT_TOKENS, claims.to_string().as_bytes())
        .await
        .unwrap();
    assert_eq!(status(&world, &token).await, 403);
    // Clocks may differ by a minute.
    let mut claims = payload(&app.token);
    claims["iat"] = json!(now + 60);
    let token = services
        .tenants
        .sign_claims(CLIENT_TOKENS, claims.to_string().as_bytes())
        .await
        .unwrap();
    assert_eq!(status(&world, &token).await, 404);
}

#[tokio::test]
async fn claims_say_what_the_sheet_says() {
    let world = World::new().await;
    let (manager, app) = estate(&world).await;
    let claims = payload(&app.token);
    let now = world.kit.services.now().millis() / 1000;
    assert_eq!(claims["iss"], world.kit.services.tenants.token_issuer());
    assert_eq!(claims["aud"], "userid-api");
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!(app.client), &json!(app.client))
    );
    assert_eq!(
        (&claims["tid"], &claims["app_id"]),
        (&json!(manager.tenant), &json!(app.id))
    );
    assert_eq!(
        (&claims["iat"], &claims["exp"]),
        (&json!(now), &json!(now + 3600))
    );
    assert_eq!((&claims["roles"], claims.get("role")), (&json!([]), None));
    let all = json!([
        "apps:create",
        "apps:read",
        "apps:list",
        "apps:edit",
        "apps:delete",
        "apps:execute"
    ]);
    assert_eq!(
        (&claims["ts_roles"], &claims["ts_permissions"]),
        (&json!([]), &all)
    );
    let admin = payload(&manager.token);
    assert_eq!(
        (&admin["roles"], &admin["role"]),
        (&json!(["Admin"]), &json!(["Admin"]))
    );
    assert_ne!(
        claims["jti"],
        payload(&world.token(&app.client, &app.secret, "").await)["jti"]
    );
}

#[tokio::test]
async fn a_deleted_or_disabled_client_ends_at_once() {
    let world = World::new().await;
    let (manager, app) = estate(&world).await;
    let services = &world.kit.services;
    let (tenant, id) = (
        TenantId::parse(&manager.tenant).unwrap(),
        ApplicationId::parse(&app.id).unwrap(),
    );
    let client = ClientId::parse(&app.client).unwrap();
    for (disabled, expected, answer) in [(true, 401, 401), (false, 404, 200)] {
        let change = ClientChange {
            disabled: Some(disabled),
            ..ClientChange::default()
        };
        let grant = services
            .tenants
            .grant_to_operator(&testkit::kit::operator(services), tenant, None)
            .await
            .unwrap();
        services
            .tenants
            .change_client("test", grant, id, client, change)
            .await
            .unwrap();
        assert_eq!(status(&world, &app.token).await, expected);
        assert_eq!(
            world.ask_token(&app.client, &app.secret, "").await.status,
            answer
        );
    }
    let path = format!("/cis/v1/applications/{}/clients/{}", app.id, app.client);
    assert_eq!(
        world
            .call("DELETE", &path, &manager.token, &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(status(&world, &app.token).await, 401);
    assert_eq!(
        world.ask_token(&app.client, &app.secret, "").await.status,
        401
    );
    services
        .tenants
        .delete_tenant(&testkit::kit::operator(services), tenant)
        .await
        .unwrap();
    assert_eq!(
        world
            .get("/cis/v1/applications", &manager.token)
            .await
            .status,
        401
    );
    assert_eq!(
        world
            .ask_token(&manager.client, &manager.secret, "")
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_deleted_application_leaves_nothing_behind() {
    let world = World::new().await;
    let (manager, app) = estate(&world).await;
    let device = Device::new();
    for _ in 0..60 {
        let user = world.user(&app.token).await;
        assert_eq!(
            world
                .register(&app.token, &user, "key", &device.public())
                .await
                .status,
            201
        );
    }
    let path = format!("/cis/v1/applications/{}", app.id);
    assert_eq!(
        world
            .call("DELETE", &path, &manager.token, &Value::Null)
            .await
            .status,
        204
    );
    world.kit.run_jobs().await;
    let kinds = [
        "application",
        "client",
        "membership",
        "device_key",
        "device_key_print",
        "removal",
    ];
    let counts = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let out = std::sync::Arc::clone(&counts);
    let job = Box::new(move |tx: &mut dyn domain::port::store::Tx| {
        let found: Result<Vec<u64>, _> = kinds.iter().map(|kind| tx.count(kind)).collect();
        *out.lock().unwrap() = found?;
        Ok(())
    });
    world.kit.store.read(job).await.unwrap();
    // The management application and its client are left.
    assert_eq!(*counts.lock().unwrap(), [1, 1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn secrets_overlap_while_they_are_rotated() {
    let world = World::new().await;
    let (manager, app) = estate(&world).await;
    let services = &world.kit.services;
    let (tenant, id) = (
        TenantId::parse(&manager.tenant).unwrap(),
        ApplicationId::parse(&app.id).unwrap(),
    );
    let client = ClientId::parse(&app.client).unwrap();
    let grant = services
        .tenants
        .grant_to_operator(&testkit::kit::operator(services), tenant, None)
        .await
        .unwrap();
    let overlap = Duration::from_secs(600);
    let new = services
        .tenants
        .rotate_client_secret("test", grant, id, client, overlap)
        .await
        .unwrap();
    for secret in [&app.secret, new.secret.expose()] {
        assert_eq!(world.ask_token(&app.client, secret, "").await.status, 200);
    }
    world.kit.clock.advance(overlap);
    assert_eq!(
        world.ask_token(&app.client, &app.secret, "").await.status,
        401
    );
    assert_eq!(
        world
            .ask_token(&app.client, new.secret.expose(), "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn signing_keys_rotate_without_breaking_a_live_token() {
    let world = World::new().await;
    let (_, app) = estate(&world).await;
    let published = async || {
        world.get("/cis/oidc/jwks", "").await.json()["keys"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(published().await, 1);
    world
        .kit
        .services
        .tenants
        .rotate_token_key(&world.kit.operator())
        .await
        .unwrap();
    assert_eq!(published().await, 2);
    assert_eq!(status(&world, &app.token).await, 404);
    let new = world.token(&app.client, &app.secret, "").await;
    assert_ne!(new.split('.').next(), app.token.split('.').next());
    world.kit.clock.advance(OVERLAP);
    assert_eq!(published().await, 1);
    world.kit.run_jobs().await;
    assert_eq!(published().await, 1);
    assert_eq!(
        status(&world, &world.token(&app.client, &app.secret, "").await).await,
        404
    );
}

#[tokio::test]
async fn assertions_are_good_for_one_use_by_the_right_key() {
    let unlimited = |policy: &mut domain::policy::Policy| {
        policy.device_keys = policy.device_keys.clone().without_rates();
    };
    let world = World::with(unlimited).await;
    let (manager, app) = estate(&world).await;
    let (device, stranger) = (Device::new(), Device::new());
    let (x, y) = (
        device.point()[1..33].to_vec(),
        device.point()[33..].to_vec(),
    );
    let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "k1",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) });
    let body = json!({ "authentication_configuration": { "jwks": { "keys": [jwk] } } });
    let path = format!("/cis/v1/applications/{}/clients/{}", app.id, app.client);
    assert_eq!(
        world.call("PUT", &path, &manager.token, &body).await.status,
        200
    );
    let now = world.kit.services.now().millis() / 1000;
    let audience = format!("{}/oidc/token", world.kit.services.tenants.public_url());
    let right = json!({ "iss": app.client, "sub": app.client, "aud": audience, "iat": now, "exp": now + 60, "jti": "1" });
    let header = json!({ "alg": "ES256", "kid": "k1" });
    let sign = |device: &Device, header: &Value, claims: &Value| {
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(device.sign_bytes(signed.as_bytes()));
        format!("{signed}.{signature}")
    };
    let send = async |assertion: &str| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let form = format!(
            "grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}"
        );
        world.form(form).await.status.as_u16()
    };
    let mut wrong = Vec::new();
    for (name, value) in [
        ("iss", json!(manager.client)),
        ("sub", json!(manager.client)),
        ("aud", json!("https://elsewhere.example")),
        ("exp", json!(now)),
        ("exp", json!(now + 3601)),
        ("nbf", json!(now + 61)),
        ("jti", json!("")),
    ] {
        let mut claims = right.clone();
        claims[name] = value;
        wrong.push(sign(&device, &header, &claims));
    }
    wrong.push(sign(&stranger, &header, &right));
    wrong.push(sign(
        &device,
        &json!({ "alg": "RS256", "kid": "k1" }),
        &right,
    ));
    wrong.push(sign(&device, &json!({ "alg": "none" }), &right));
    wrong.push(sign(
        &device,
        &json!({ "alg": "ES256", "kid": "k2" }),
        &right,
    ));
    for (nth, assertion) in wrong.iter().enumerate() {
        assert_eq!(send(assertion).await, 401, "{nth}");
    }
    let world = &world;
    world.kit.clock.advance(Duration::from_secs(61));
    let now = world.kit.services.now().millis() / 1000;
    let mut right = right;
    right["exp"] = json!(now + 60);
    let assertion = sign(&device, &header, &right);
    assert_eq!(send(&assertion).await, 200);
    assert_eq!(send(&assertion).await, 401, "replayed");
    right["jti"] = json!("2");
    right["aud"] = json!(["x", world.kit.services.tenants.token_issuer()]);
    assert_eq!(send(&sign(&device, &header, &right)).await, 200);
}

#[tokio::test]
async fn challenges_of_this_server_are_good_for_one_check_of_one_key() {
    let world = World::new().await;
    let (_, app) = estate(&world).await;
    let user = world.user(&app.token).await;
    let devices = [Device::new(), Device::new()];
    for (nth, device) in devices.iter().enumerate() {
        let answer = world
            .register(&app.token, &user, &format!("k{nth}"), &device.public())
            .await;
        assert_eq!(answer.status, 201);
    }
    let issue = async |key: &str| {
        let path = format!("{}/{key}/challenge", keys(&user));
        let answer = world.call("POST", &path, &app.token, &Value::Null).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["result"]["challenge"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let check = async |key: &str, device: &Device, challenge: &str| {
        let answer = world
            .validate(&app.token, &user, key, challenge, &device.sign(challenge))
            .await;
        answer.json()["result"].as_bool()
    };
    let challenge = issue("k0").await;
    assert_eq!(challenge.len(), 5 + 43);
    assert_eq!(
        check("k1", &devices[1], &challenge).await,
        Some(false),
        "another key's"
    );
    assert_eq!(check("k0", &devices[0], &challenge).await, Some(true));
    assert_eq!(
        check("k0", &devices[0], &challenge).await,
        Some(false),
        "used"
    );
    // A wrong signature uses it up, too.
    let challenge = issue("k0").await;
    assert_eq!(check("k0", &devices[1], &challenge).await, Some(false));
    assert_eq!(check("k0", &devices[0], &challenge).await, Some(false));
    // Over.
    let challenge = issue("k0").await;
    world.kit.clock.advance(Duration::from_secs(120));
    assert_eq!(check("k0", &devices[0], &challenge).await, Some(false));
    // The eleventh pushes the first out.
    let mut many = Vec::new();
    for _ in 0..11 {
        many.push(issue("k0").await);
        world.kit.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(check("k0", &devices[0], &many[0]).await, Some(false));
    assert_eq!(check("k0", &devices[0], &many[1]).await, Some(true));
    // Blocking drops them all, and so does deleting.
    let block = format!("{}/k0/block", keys(&user));
    assert_eq!(
        world
            .call("PUT", &block, &app.token, &Value::Null)
            .await
            .status,
        200
    );
    let while_blocked = issue("k0").await;
    let unblock = format!("{}/k0/unblock", keys(&user));
    assert_eq!(
        world
            .call("PUT", &unblock, &app.token, &Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(check("k0", &devices[0], &many[2]).await, Some(false));
    assert_eq!(check("k0", &devices[0], &while_blocked).await, Some(true));
}

#[tokio::test]
async fn an_application_may_insist_on_challenges_of_this_server() {
    let world = World::new().await;
    let manager = world.tenant("Strict").await;
    let body = json!({ "app_name": "Strict", "device_keys": { "require_server_challenge": true } });
    let app = world.app_with(&manager, body).await;
    let (user, device) = (world.user(&app.token).await, Device::new());
    assert_eq!(
        world
            .register(&app.token, &user, "key", &device.public())
            .await
            .status,
        201
    );
    let check = async || {
        let answer = world
            .validate(&app.token, &user, "key", "mine", &device.sign("mine"))
            .await;
        answer.json()["result"].as_bool()
    };
    assert_eq!(check().await, Some(false));
    let path = format!("/cis/v1/applications/{}", app.id);
    let off = json!({ "device_keys": { "require_server_challenge": false } });
    assert_eq!(
        world.call("PUT", &path, &manager.token, &off).await.status,
        200
    );
    assert_eq!(check().await, Some(true));
}

#[tokio::test]
async fn every_check_is_in_the_trail_and_no_secret_is() {
    let world = World::new().await;
    let (_, app) = estate(&world).await;
    let (user, device) = (world.user(&app.token).await, Device::new());
    assert_eq!(
        world
            .register(&app.token, &user, "key", &device.public())
            .await
            .status,
        201
    );
    let signature = device.sign("hello");
    for (challenge, result) in [("hello", true), ("hullo", false)] {
        let answer = world
            .validate(&app.token, &user, "key", challenge, &signature)
            .await;
        assert_eq!(answer.json()["result"], result);
    }
    assert_eq!(
        world
            .ask_token(&app.client, "wrong-secret", "")
            .await
            .status,
        401
    );
    let events = world
        .kit
        .services
        .operators
        .audit_events(&world.kit.operator(), None, 100)
        .await
        .unwrap();
    let found = |action: &str, outcome: &str| {
        events
            .iter()
            .filter(|event| event.action == action && event.outcome == outcome)
            .count()
    };
    assert_eq!(found("device_key.register", "done"), 1);
    assert_eq!(found("device_key.validate", "valid"), 1);
    assert_eq!(found("device_key.validate", "wrong_signature"), 1);
    assert_eq!(found("token.issue", "refused"), 1);
    assert!(found("token.issue", "done") >= 2);
    let text = serde_json::to_string(&events).unwrap();
    let public = device.public();
    for secret in [
        app.secret.as_str(),
        &app.token,
        &signature,
        &public,
        "hello",
        "wrong-secret",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    let verdict = world
        .kit
        .services
        .operators
        .verify_audit(&world.kit.operator(), None)
        .await
        .unwrap();
    assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
}
