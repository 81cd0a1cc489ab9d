//! Keys, slots and shares: who sees what, and who may do what.

use serde_json::{Value, json};

use crate::person::{Person, kit};

#[tokio::test]
async fn a_share_goes_from_request_to_slot_to_nothing() {
    let kit = kit().await;
    let alice = Person::joins(&kit, "Alice@example.org").await;
    let bob = Person::joins(&kit, "bob@example.org").await;
    let key = alice.adds_key().await;
    let search = alice
        .does("POST", "/user/search", json!({"email": "BOB@example.org"}))
        .await;
    assert_eq!(search, json!({"sharePubKey": "pub-bob@example.org"}));
    let share = alice.offers(key, &bob).await;
    assert_eq!(
        (&share["from"], &share["pub"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&share["to"], &share["slot"], &share["status"]),
        (&json!("bob@example.org"), &json!("wrapped"), &json!("new"))
    );
    assert_eq!(alice.keys().await["shares"], json!([share]));
    // The receiver: new once, then old, for both.
    let first = bob.keys().await["shares"][0].clone();
    assert_eq!(
        (&first["from"], &first["pub"]),
        (&json!("Alice@example.org"), &json!("pub-Alice@example.org"))
    );
    assert_eq!(first["status"], "new");
    assert_eq!(bob.keys().await["shares"][0]["status"], "old");
    assert_eq!(alice.keys().await["shares"][0]["status"], "old");
    // Only the receiver accepts.
    let path = format!("/user/keys/shares/{}", share["share_id"]);
    alice
        .fails(
            "POST",
            &path,
            json!({"slot": "x"}),
            (404, "Share not found"),
        )
        .await;
    let accepted = bob.does("POST", &path, json!({"slot": "bob's"})).await["key"].clone();
    assert_eq!(accepted["with"], "Alice@example.org");
    assert_eq!(
        (
            &accepted["shared"],
            accepted["slots"].as_array().map(Vec::len)
        ),
        (&json!(true), Some(1))
    );
    let slot = accepted["slots"][0].clone();
    assert_eq!(
        (&slot["value"], &slot["with"], &slot["identifier"]),
        (&json!("bob's"), &json!("Alice@example.org"), &Value::Null)
    );
    let keys = bob.keys().await;
    assert_eq!(
        (&keys["keys"], &keys["shares"]),
        (&json!([accepted]), &json!([]))
    );
    let own = alice.keys().await["keys"][0].clone();
    assert_eq!(
        (&own["shared"], &own["with"], &own["slots"][0]["slot_id"]),
        (&json!(false), &Value::Null, &json!(-1))
    );
    assert_eq!(
        (&own["slots"][1]["slot_id"], &own["slots"][1]["with"]),
        (&slot["slot_id"], &json!("bob@example.org"))
    );
    // The receiver only reads.
    let base = format!("/user/keys/{key}");
    for (method, path, body) in [
        ("PUT", base.clone(), json!({"meta": "x"})),
        ("DELETE", base.clone(), Value::Null),
        ("POST", format!("{base}/slots"), json!({"value": "x"})),
        (
            "POST",
            format!("{base}/share"),
            json!({"email": "alice@example.org", "slot": "x"}),
        ),
    ] {
        bob.fails(method, &path, body, (404, "Key not found")).await;
    }
    bob.does(
        "DELETE",
        &format!("{base}/slots/{}", slot["slot_id"]),
        Value::Null,
    )
    .await;
    assert_eq!(bob.keys().await, json!({"keys": [], "shares": []}));
    assert_eq!(
        alice.keys().await["keys"][0]["slots"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    alice.offers(key, &bob).await;
}

#[tokio::test]
async fn a_disabled_key_is_hidden_from_everybody_but_its_owner() {
    let kit = kit().await;
    let alice = Person::joins(&kit, "alice@example.org").await;
    let bob = Person::joins(&kit, "bob@example.org").await;
    let key = alice.adds_key().await;
    let base = format!("/user/keys/{key}");
    let slot = alice
        .does("POST", &format!("{base}/slots"), json!({"value": "s"}))
        .await["key"]["slots"][1]
        .clone();
    let read = format!(
        "/user/slots/{}",
        slot["identifier"].as_str().expect("an identifier")
    );
    let share = format!(
        "/user/keys/shares/{}",
        alice.offers(key, &bob).await["share_id"]
    );
    alice.does("PUT", &base, json!({"status": 1})).await;
    assert_eq!(bob.keys().await, json!({"keys": [], "shares": []}));
    bob.fails(
        "POST",
        &share,
        json!({"slot": "x"}),
        (404, "Share not found"),
    )
    .await;
    bob.fails("GET", &read, Value::Null, (404, "Slot not found"))
        .await;
    assert_eq!(
        alice.keys().await["shares"].as_array().map(Vec::len),
        Some(1)
    );
    alice.does("PUT", &base, json!({"status": 0})).await;
    assert_eq!(bob.does("GET", &read, Value::Null).await["slot"], "s");
    bob.does("POST", &share, json!({"slot": "x"})).await;
    alice.does("PUT", &base, json!({"status": 1})).await;
    assert_eq!(bob.keys().await, json!({"keys": [], "shares": []}));
}

#[tokio::test]
async fn slots_that_are_not_for_change_stay() {
    let kit = kit().await;
    let alice = Person::joins(&kit, "alice@example.org").await;
    let bob = Person::joins(&kit, "bob@example.org").await;
    let key = alice.adds_key().await;
    let base = format!("/user/keys/{key}/slots");
    let fixed = (400, "This slot cannot be changed");
    alice
        .fails("PUT", &format!("{base}/-1"), json!({"notify": 1}), fixed)
        .await;
    alice
        .fails("DELETE", &format!("{base}/-1"), Value::Null, fixed)
        .await;
    bob.fails(
        "DELETE",
        &format!("{base}/-1"),
        Value::Null,
        (404, "Slot not found"),
    )
    .await;
    let share = format!(
        "/user/keys/shares/{}",
        alice.offers(key, &bob).await["share_id"]
    );
    let slot =
        bob.does("POST", &share, json!({"slot": "x"})).await["key"]["slots"][0]["slot_id"].clone();
    alice
        .fails(
            "PUT",
            &format!("{base}/{slot}"),
            json!({"notify": 1}),
            fixed,
        )
        .await;
    let other = alice
        .does("POST", &base, json!({"value": "v", "notify": 2}))
        .await["key"]["slots"][2]
        .clone();
    assert_eq!(other["notify"], 2);
    bob.fails(
        "DELETE",
        &format!("{base}/{}", other["slot_id"]),
        Value::Null,
        (404, "Slot not found"),
    )
    .await;
    let changed = alice
        .does(
            "PUT",
            &format!("{base}/{}", other["slot_id"]),
            json!({"value": "w", "notify": 0, "status": 1}),
        )
        .await;
    let changed = changed["key"]["slots"][2].clone();
    assert_eq!(changed["identifier"], other["identifier"]);
    assert_eq!(
        (&changed["value"], &changed["notify"], &changed["status"]),
        (&json!("w"), &json!(0), &json!(1))
    );
    // The owner revokes.
    alice
        .does("DELETE", &format!("{base}/{slot}"), Value::Null)
        .await;
    assert_eq!(bob.keys().await["keys"], json!([]));
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_anywhere() {
    let kit = kit().await;
    let alice = Person::joins(&kit, "alice@example.org").await;
    let bob = Person::joins(&kit, "bob@example.org").await;
    let rows = crate::nodes::rows(&kit.store).await;
    let carol = Person::joins(&kit, "carol@example.org").await;
    let (of_alice, of_carol) = (alice.adds_key().await, carol.adds_key().await);
    let asked = carol
        .does(
            "POST",
            &format!("/user/keys/{of_carol}/slots"),
            json!({"value": "v", "notify": 2}),
        )
        .await;
    let identifier = asked["key"]["slots"][1]["identifier"]
        .as_str()
        .expect("an identifier")
        .to_owned();
    carol
        .does("GET", &format!("/user/slots/{identifier}"), Value::Null)
        .await;
    carol.does("GET", "/user/webauth", Value::Null).await;
    // Shares in both directions, open and accepted.
    let path = |share: &Value| format!("/user/keys/shares/{}", share["share_id"]);
    let accepted = alice.offers(of_alice, &carol).await;
    carol
        .does("POST", &path(&accepted), json!({"slot": "x"}))
        .await;
    let second = alice.adds_key().await;
    alice.offers(second, &carol).await;
    let offered = carol.offers(of_carol, &alice).await;
    alice
        .does("POST", &path(&offered), json!({"slot": "x"}))
        .await;
    carol.offers(of_carol, &bob).await;
    carol.challenge().await;
    carol.does("DELETE", "/user", Value::Null).await;
    carol
        .fails(
            "GET",
            "/user/keys",
            Value::Null,
            (403, "The auth token has expired"),
        )
        .await;
    let keys = alice.keys().await;
    assert_eq!(keys["shares"], json!([]));
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2));
    assert!(
        keys["keys"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|key| key["slots"].as_array().map(Vec::len) == Some(1))
    );
    assert_eq!(bob.keys().await, json!({"keys": [], "shares": []}));
    for key in [of_alice, second] {
        alice
            .does("DELETE", &format!("/user/keys/{key}"), Value::Null)
            .await;
    }
    let mut left = crate::nodes::rows(&kit.store).await;
    let kept = [
        "audit",
        "audit_link",
        "audit_head",
        "guess_budget",
        "quota",
        "rate",
    ];
    left.retain(|kind, _| !kept.contains(&kind.as_str()));
    let mut before = rows;
    before.retain(|kind, _| !kept.contains(&kind.as_str()));
    assert_eq!(left, before, "what is left is what was there before");
    // The address is free again.
    Person::joins(&kit, "carol@example.org").await;
}

#[tokio::test]
async fn an_owner_is_asked_and_decides_once() {
    let kit = kit().await;
    let alice = Person::joins(&kit, "alice@example.org").await;
    let key = alice.adds_key().await;
    let slots = alice
        .does(
            "POST",
            &format!("/user/keys/{key}/slots"),
            json!({"value": "v", "notify": 2}),
        )
        .await;
    let identifier = slots["key"]["slots"][1]["identifier"]
        .as_str()
        .expect("an identifier")
        .to_owned();
    let read = format!("/user/slots/{identifier}");
    for (decision, status) in [("approve", 200), ("deny", 404)] {
        let asked = alice.does("GET", &read, Value::Null).await;
        assert_eq!((&asked["ttl"], &asked["slot"]), (&json!(600), &Value::Null));
        let check = format!(
            "/user/slots/check/{}",
            asked["ref"].as_str().expect("a reference")
        );
        alice
            .fails("GET", &check, Value::Null, (428, "Waiting for approval"))
            .await;
        let link = kit
            .courier
            .link_to("alice@example.org")
            .expect("a letter with a link");
        let page = link
            .strip_prefix("http://127.0.0.1:8080")
            .expect("our address");
        assert_eq!(alice.client.send("GET", page, &[], "").await.status, 200);
        alice
            .fails("GET", &check, Value::Null, (428, "Waiting for approval"))
            .await;
        assert_eq!(
            alice
                .client
                .send("POST", page, &[], "decision=maybe")
                .await
                .status,
            400
        );
        let form = format!("decision={decision}");
        assert_eq!(
            alice
                .client
                .send("POST", page, &[], form.clone())
                .await
                .status,
            200
        );
        assert_eq!(alice.client.send("POST", page, &[], form).await.status, 404);
        assert_eq!(alice.client.send("GET", page, &[], "").await.status, 404);
        assert_eq!(alice.call("GET", &check, &Value::Null).await.status, status);
        if status == 200 {
            let content = alice.does("GET", &check, Value::Null).await;
            assert_eq!(
                content,
                json!({"slot": "v", "meta": "meta", "value": "value"})
            );
            kit.clock.advance(std::time::Duration::from_secs(600));
            alice
                .fails("GET", &check, Value::Null, (404, "Slot not found"))
                .await;
        }
    }
}
