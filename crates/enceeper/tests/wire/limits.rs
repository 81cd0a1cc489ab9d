//! Numbers at their limits: sizes, plans, rates, ids, hostile JSON.

use serde_json::{Value, json};
use testkit::Kit;

use crate::person::{Person, auth, client, kit, plain};
use crate::srp;

#[tokio::test]
async fn the_client_object_has_one_exact_limit() {
    let kit = kit().await;
    let person = Person::joins(&kit, "bob@example.org").await;
    let mut object = auth("bob@example.org", "secret");
    object["pad"] = json!("");
    let room = 12_288 - object.to_string().len();
    object["pad"] = json!("x".repeat(room));
    assert_eq!(object.to_string().len(), 12_288);
    person.does("PUT", "/user", json!({"auth": object})).await;
    object["pad"] = json!("x".repeat(room + 1));
    let large = (400, "The auth object is too large");
    person
        .fails("PUT", "/user", json!({"auth": object}), large)
        .await;
    person
        .fails("PUT", "/user", json!({"more": "y"}), large)
        .await;
    person
        .fails(
            "POST",
            "/user",
            json!({"email": "x@example.org", "auth": object}),
            large,
        )
        .await;
    // White space and the spelling of escapes do not count.
    let spaced = serde_json::to_string_pretty(&json!({"auth": auth("bob@example.org", "secret")}))
        .expect("JSON");
    let headers = [("x-enceeper-auth", person.token.as_str())];
    let body = spaced.replace('\n', &format!("\n{}", " ".repeat(900)));
    assert_eq!(
        person
            .client
            .send("PUT", "/api/v1/user", &headers, body)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn depth_has_one_exact_limit() {
    let kit = kit().await;
    let person = Person::joins(&kit, "bob@example.org").await;
    let nested = |levels: usize| {
        let inner = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        serde_json::from_str::<Value>(&format!("{{\"deep\":{inner}}}")).expect("JSON")
    };
    // The object itself is the first level.
    person.does("PUT", "/user", nested(31)).await;
    assert_eq!(person.call("PUT", "/user", &nested(32)).await.status, 400);
    let bomb = format!("{{\"email\":\"a@b\",\"auth\":{}", "[".repeat(60_000));
    assert_eq!(
        person
            .client
            .send("POST", "/api/v1/user", &[], bomb)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn what_a_registration_must_be() {
    let kit = kit().await;
    let outside = Person::outside(&client(&kit.services), "x@example.org", "secret");
    let good = json!({"email": "x@example.org", "auth": auth("x@example.org", "secret")});
    let prime: Value = serde_json::from_str(srp::VECTORS).expect("JSON");
    let prime = prime["parameters"]["N"].clone();
    for (pointer, value) in [
        ("/email", json!("x")),
        ("/email", json!("x@example.org\r\nBcc: y@example.org")),
        ("/email", json!(5)),
        ("/auth", json!([])),
        ("/auth", Value::Null),
        ("/auth/srp6a", json!("x")),
        ("/auth/srp6a/salt", json!("00".repeat(15))),
        ("/auth/srp6a/salt", json!("00".repeat(129))),
        ("/auth/srp6a/salt", json!("0".repeat(33))),
        ("/auth/srp6a/verifier", json!("1")),
        ("/auth/srp6a/verifier", json!("0")),
        ("/auth/srp6a/verifier", prime),
        ("/auth/srp6a/verifier", json!("zz")),
        ("/auth/srp6a/other", json!(1)),
        ("/auth/enceeper", Value::Null),
        ("/auth/keys", json!({})),
        ("/auth/keys/pub", json!("")),
        ("/auth/keys/pub", json!(7)),
    ] {
        let mut body = good.clone();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        body.pointer_mut(parent).expect("a place")[name] = value.clone();
        let answer = outside.call("POST", "/user", &body).await;
        assert_eq!(answer.status, 400, "{pointer} {value}: {}", answer.text());
    }
    for broken in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{}x",
        "\u{feff}{}",
        "{\"email\":\"\\ud800\"}",
        "{\"n\":1e999}",
    ] {
        let answer = outside
            .client
            .send("POST", "/api/v1/user", &[], broken.to_owned())
            .await;
        assert_eq!(answer.status, 400, "{broken}");
    }
    let large = format!("{{\"email\":\"{}\"}}", "x".repeat(65 * 1024));
    assert_eq!(
        outside
            .client
            .send("POST", "/api/v1/user", &[], large)
            .await
            .status,
        413
    );
    outside.does("POST", "/user", good.clone()).await;
    outside
        .fails("POST", "/user", good, (409, "User already exists"))
        .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
async fn fields_are_what_they_must_be() {
    let kit = kit().await;
    let alice = Person::joins(&kit, "alice@example.org").await;
    let key = alice.adds_key().await;
    let base = format!("/user/keys/{key}");
    let slot = alice
        .does("POST", &format!("{base}/slots"), json!({"value": "v"}))
        .await["key"]["slots"][1]["slot_id"]
        .clone();
    let long = "x".repeat(4097);
    for (method, path, body) in [
        (
            "POST",
            "/user/keys".to_owned(),
            json!({"slot": "s", "meta": "m"}),
        ),
        (
            "POST",
            "/user/keys".to_owned(),
            json!({"slot": "s", "meta": "", "value": "v"}),
        ),
        (
            "POST",
            "/user/keys".to_owned(),
            json!({"slot": long, "meta": "m", "value": "v"}),
        ),
        ("PUT", base.clone(), json!({})),
        ("PUT", base.clone(), json!({"other": 1})),
        ("PUT", base.clone(), json!({"status": true})),
        ("PUT", base.clone(), json!({"status": "0"})),
        ("PUT", base.clone(), json!({"status": 2})),
        ("PUT", base.clone(), json!({"status": -1})),
        ("PUT", base.clone(), json!({"status": 1.0})),
        ("PUT", base.clone(), json!({"meta": 5})),
        ("POST", format!("{base}/slots"), json!({"notify": 0})),
        (
            "POST",
            format!("{base}/slots"),
            json!({"value": "v", "notify": 3}),
        ),
        (
            "POST",
            format!("{base}/slots"),
            json!({"value": "v", "notify": "1"}),
        ),
        ("POST", format!("{base}/slots"), json!({"value": long})),
        ("PUT", format!("{base}/slots/{slot}"), json!({})),
        ("PUT", format!("{base}/slots/{slot}"), json!({"notify": 9})),
        (
            "POST",
            format!("{base}/share"),
            json!({"email": "alice@example.org", "slot": "s"}),
        ),
        (
            "POST",
            format!("{base}/share"),
            json!({"email": "x", "slot": "s"}),
        ),
        (
            "POST",
            format!("{base}/share"),
            json!({"email": "x@example.org"}),
        ),
        ("PUT", "/user/keys/x".to_owned(), json!({"meta": "m"})),
        ("PUT", "/user/keys/1.5".to_owned(), json!({"meta": "m"})),
        (
            "DELETE",
            "/user/keys/12345678901234567".to_owned(),
            Value::Null,
        ),
        ("DELETE", "/user/keys/%31x".to_owned(), Value::Null),
        ("DELETE", format!("{base}/slots/--1"), Value::Null),
    ] {
        let answer = alice.call(method, &path, &body).await;
        assert_eq!(
            answer.status,
            400,
            "{method} {path} {body}: {}",
            answer.text()
        );
    }
    for path in [
        "/user/keys/0",
        "/user/keys/-5",
        "/user/keys/9999999999999999",
    ] {
        alice
            .fails("DELETE", path, Value::Null, (404, "Key not found"))
            .await;
    }
    alice
        .fails(
            "DELETE",
            &format!("{base}/slots/-2"),
            Value::Null,
            (404, "Slot not found"),
        )
        .await;
    let unknown = json!({"email": "nobody@example.org", "slot": "s"});
    alice
        .fails(
            "POST",
            &format!("{base}/share"),
            unknown,
            (404, "User not found"),
        )
        .await;
    for path in [
        "/user/slots/x",
        "/user/slots/check/x",
        "/user/slots/AABBAABBAABBAABBAABBAABBAABBAABB",
    ] {
        alice
            .fails("GET", path, Value::Null, (404, "Slot not found"))
            .await;
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
async fn a_plan_limits_additions_only() {
    let backing = testkit::Backing::memory();
    let store = backing.store();
    let wide = Kit::builder()
        .store(store.clone())
        .policy(plain)
        .build()
        .await;
    let alice = Person::joins(&wide, "alice@example.org").await;
    let bob = Person::joins(&wide, "bob@example.org").await;
    let key = alice.adds_key().await;
    let base = format!("/user/keys/{key}");
    let asked = alice
        .does(
            "POST",
            &format!("{base}/slots"),
            json!({"value": "v", "notify": 2}),
        )
        .await;
    let slot = asked["key"]["slots"][1].clone();
    let narrow = |policy: &mut domain::policy::Policy| {
        plain(policy);
        for plan in policy.vault.plans.by_name.values_mut() {
            (plan.entries, plan.slots_per_entry, plan.entry_bytes) = (1, 1, 4);
            (plan.sharing, plan.notify_on_use, plan.approve_use) = (false, false, false);
        }
    };
    let kit = Kit::builder()
        .store(store)
        .seed(2)
        .policy(narrow)
        .build()
        .await;
    let there = Person {
        client: client(&kit.services),
        ..alice.clone()
    };
    assert_eq!(there.keys().await["keys"].as_array().map(Vec::len), Some(1));
    there
        .fails(
            "POST",
            "/user/keys",
            json!({"slot": "s", "meta": "m", "value": "v"}),
            (400, "Your plan does not allow more keys"),
        )
        .await;
    let large = (400, "The key is larger than your plan allows");
    there
        .fails(
            "POST",
            "/user/keys",
            json!({"slot": "s", "meta": "mmm", "value": "vv"}),
            large,
        )
        .await;
    there
        .fails("PUT", &base, json!({"meta": "more than before"}), large)
        .await;
    // What is larger than a smaller plan may shrink.
    there.does("PUT", &base, json!({"meta": "met"})).await;
    let more = (400, "Your plan does not allow more slots for this key");
    there
        .fails(
            "POST",
            &format!("{base}/slots"),
            json!({"value": "v"}),
            more,
        )
        .await;
    let share = json!({"email": bob.email, "slot": "s"});
    let sharing = (400, "Your plan does not allow key sharing");
    there
        .fails("POST", &format!("{base}/share"), share, sharing)
        .await;
    there
        .fails("POST", "/user/search", json!({"email": bob.email}), sharing)
        .await;
    there
        .fails(
            "POST",
            "/user/search",
            json!({"email": "no@example.org"}),
            (404, "User not found"),
        )
        .await;
    // A slot that needs approval keeps asking, and a client that sends it whole changes nothing.
    let path = format!("{base}/slots/{}", slot["slot_id"]);
    there
        .does("PUT", &path, json!({"notify": 2, "status": 0}))
        .await;
    there
        .fails(
            "PUT",
            &path,
            json!({"notify": 1}),
            (400, "Your plan does not allow notifications about slots"),
        )
        .await;
    let read = there
        .does(
            "GET",
            &format!(
                "/user/slots/{}",
                slot["identifier"].as_str().expect("an identifier")
            ),
            Value::Null,
        )
        .await;
    assert!(read["ref"].is_string() && read["slot"].is_null());
}

#[tokio::test]
async fn calls_are_counted_for_the_account_or_the_network() {
    let kit = Kit::builder()
        .policy(|policy| {
            plain(policy);
            policy.vault.network_calls_per_hour = 8;
            for plan in policy.vault.plans.by_name.values_mut() {
                plan.calls_per_hour = 3;
            }
        })
        .build()
        .await;
    let alice = Person::joins(&kit, "alice@example.org").await;
    let remaining =
        |answer: &testkit::Answer| answer.header("x-ratelimit-remaining").map(str::to_owned);
    for left in ["2", "1", "0"] {
        let answer = alice.call("GET", "/user/keys", &Value::Null).await;
        assert_eq!(
            (answer.status.as_u16(), remaining(&answer).as_deref()),
            (200, Some(left))
        );
        assert_eq!(answer.header("x-ratelimit-limit"), Some("3"));
        let reset: i64 = answer
            .header("x-ratelimit-reset")
            .and_then(|text| text.parse().ok())
            .expect("a number");
        assert!(reset > kit.services.now().seconds());
    }
    alice
        .fails("GET", "/user/keys", Value::Null, (429, "Too many requests"))
        .await;
    // Registration, challenge and login took three of the network's eight; bad tokens count there too.
    let stale = Person {
        token: "0".repeat(64),
        ..alice.clone()
    };
    for left in ["4", "3", "2", "1", "0"] {
        let answer = stale.call("GET", "/user/keys", &Value::Null).await;
        assert_eq!(
            (answer.status.as_u16(), remaining(&answer).as_deref()),
            (403, Some(left))
        );
    }
    stale
        .fails("GET", "/user/keys", Value::Null, (429, "Too many requests"))
        .await;
    assert_eq!(
        stale
            .client
            .send("GET", "/api/v1/user/confirm/x", &[], "")
            .await
            .status,
        429
    );
    let preflight = stale
        .client
        .send("OPTIONS", "/api/v1/user/keys", &[], "")
        .await;
    assert_eq!(preflight.status, 204);
    let elsewhere = stale.client.from([10, 0, 0, 1].into());
    assert_eq!(elsewhere.send("GET", "/api/v1/", &[], "").await.status, 200);
    kit.clock.advance(domain::time::hours(1));
    stale
        .fails(
            "GET",
            "/user/keys",
            Value::Null,
            (403, "The auth token has expired"),
        )
        .await;
}

#[tokio::test]
async fn notices_are_limited_and_what_was_held_back_is_told() {
    let kit = Kit::builder()
        .policy(|policy| {
            plain(policy);
            policy.vault.notices_per_slot.count = 2;
        })
        .build()
        .await;
    let alice = Person::joins(&kit, "alice@example.org").await;
    let key = alice.adds_key().await;
    let slots = alice
        .does(
            "POST",
            &format!("/user/keys/{key}/slots"),
            json!({"value": "v", "notify": 1}),
        )
        .await;
    let slot = slots["key"]["slots"][1].clone();
    let read = format!(
        "/user/slots/{}",
        slot["identifier"].as_str().expect("an identifier")
    );
    for _ in 0..5 {
        assert_eq!(alice.does("GET", &read, Value::Null).await["slot"], "v");
    }
    assert_eq!(
        kit.courier.operations_to("alice@example.org"),
        ["ENCEEPER_SLOT_USED"; 2]
    );
    kit.clock.advance(domain::time::hours(1));
    alice.does("GET", &read, Value::Null).await;
    let letters = kit.courier.letters_to("alice@example.org");
    let last = letters.last().expect("a letter");
    assert_eq!(last.message.facts["untold"], "3");
    assert_eq!(last.message.facts["slot"], slot["slot_id"].to_string());
    // Nothing of the slot itself is in a letter.
    let text = format!("{:?}", last.message.facts);
    assert!(!text.contains(slot["identifier"].as_str().expect("an identifier")));
    // A question that nobody answers: five wait, the sixth is turned away.
    let path = format!("/user/keys/{key}/slots/{}", slot["slot_id"]);
    alice
        .clone()
        .signs_in()
        .await
        .does("PUT", &path, json!({"notify": 2}))
        .await;
    for _ in 0..5 {
        alice.does("GET", &read, Value::Null).await;
    }
    alice
        .fails("GET", &read, Value::Null, (429, "Too many requests"))
        .await;
    kit.clock.advance(std::time::Duration::from_secs(600));
    alice.does("GET", &read, Value::Null).await;
}
