//! Calls at the same moment: limits stay exact, transitions happen once, nothing is orphaned.

use serde_json::{Value, json};
use testkit::{Backing, on_every_store};

use crate::nodes::{rows, two_nodes};
use crate::person::{Person, plain};

on_every_store!(
    the_last_place_of_a_plan_is_given_once,
    of_many_answers_to_a_share_one_wins,
    shares_and_deletions_at_once_leave_no_orphans,
    failed_proofs_are_counted_exactly,
);

/// Runs the calls at once; the statuses.
async fn at_once<F>(calls: impl IntoIterator<Item = F>) -> Vec<u16>
where
    F: Future<Output = u16> + Send + 'static,
{
    let calls: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.await.expect("the call ends"));
    }
    statuses
}

async fn status(person: Person, method: &'static str, path: String, body: Value) -> u16 {
    person.call(method, &path, &body).await.status.as_u16()
}

fn count(statuses: &[u16], wanted: u16) -> usize {
    statuses.iter().filter(|status| **status == wanted).count()
}

async fn the_last_place_of_a_plan_is_given_once(backing: Backing) {
    let small = |policy: &mut domain::policy::Policy| {
        plain(policy);
        for plan in policy.vault.plans.by_name.values_mut() {
            (plan.entries, plan.slots_per_entry) = (3, 2);
        }
    };
    let (one, two) = two_nodes(&backing, small).await;
    let alice = Person::joins(&one, "alice@example.org").await;
    let there = Person {
        client: crate::person::client(&two.services),
        ..alice.clone()
    };
    let key = alice.adds_key().await;
    let body = json!({"slot": "s", "meta": "m", "value": "v"});
    let calls = (0..12).map(|turn| {
        let person = if turn % 2 == 0 {
            alice.clone()
        } else {
            there.clone()
        };
        status(person, "POST", "/user/keys".to_owned(), body.clone())
    });
    let statuses = at_once(calls.collect::<Vec<_>>()).await;
    assert_eq!(
        (count(&statuses, 200), count(&statuses, 400)),
        (2, 10),
        "{statuses:?}"
    );
    let path = format!("/user/keys/{key}/slots");
    let calls = (0..12).map(|turn| {
        let person = if turn % 2 == 0 {
            alice.clone()
        } else {
            there.clone()
        };
        status(person, "POST", path.clone(), json!({"value": "v"}))
    });
    let statuses = at_once(calls.collect::<Vec<_>>()).await;
    assert_eq!(
        (count(&statuses, 200), count(&statuses, 400)),
        (2, 10),
        "{statuses:?}"
    );
    let keys = alice.keys().await;
    let mut ids: Vec<u64> = Vec::new();
    for key in keys["keys"].as_array().expect("a list") {
        ids.push(key["key_id"].as_u64().expect("a number"));
        ids.extend(
            key["slots"]
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(|slot| slot["slot_id"].as_u64()),
        );
    }
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len(), "no id twice");
    assert!(ids.iter().all(|id| *id < 1 << 53));
}

async fn of_many_answers_to_a_share_one_wins(backing: Backing) {
    let (one, two) = two_nodes(&backing, plain).await;
    let alice = Person::joins(&one, "alice@example.org").await;
    let bob = Person::joins(&two, "bob@example.org").await;
    for _ in 0..4 {
        let key = alice.adds_key().await;
        let body = json!({"email": "bob@example.org", "slot": "w"});
        let path = format!("/user/keys/{key}/share");
        let offers = (0..4).map(|_| status(alice.clone(), "POST", path.clone(), body.clone()));
        let statuses = at_once(offers.collect::<Vec<_>>()).await;
        assert_eq!(
            (count(&statuses, 200), count(&statuses, 400)),
            (1, 3),
            "{statuses:?}"
        );
        let share = bob.keys().await["shares"]
            .as_array()
            .and_then(|shares| shares.last().cloned())
            .expect("a share");
        let path = format!("/user/keys/shares/{}", share["share_id"]);
        let statuses = at_once([
            status(bob.clone(), "POST", path.clone(), json!({"slot": "x"})),
            status(bob.clone(), "DELETE", path.clone(), Value::Null),
            status(alice.clone(), "DELETE", path.clone(), Value::Null),
            status(bob.clone(), "POST", path.clone(), json!({"slot": "y"})),
        ])
        .await;
        assert_eq!(
            (count(&statuses, 200), count(&statuses, 404)),
            (1, 3),
            "{statuses:?}"
        );
        alice
            .does("DELETE", &format!("/user/keys/{key}"), Value::Null)
            .await;
    }
    let left = rows(&backing.store()).await;
    for kind in [
        "vault_entry",
        "vault_guest",
        "vault_number",
        "vault_identifier",
    ] {
        assert_eq!(left.get(kind), None, "{kind}");
    }
}

async fn shares_and_deletions_at_once_leave_no_orphans(backing: Backing) {
    let (one, two) = two_nodes(&backing, plain).await;
    for round in 0..6 {
        let alice = Person::joins(&one, &format!("a{round}@example.org")).await;
        let bob = Person::joins(&two, &format!("b{round}@example.org")).await;
        let (of_alice, of_bob) = (alice.adds_key().await, bob.adds_key().await);
        let open = bob.offers(of_bob, &alice).await;
        let to = |email: &str| json!({"email": email, "slot": "w"});
        let statuses = at_once([
            status(
                alice.clone(),
                "POST",
                format!("/user/keys/{of_alice}/share"),
                to(&bob.email),
            ),
            status(
                alice.clone(),
                "POST",
                format!("/user/keys/shares/{}", open["share_id"]),
                json!({"slot": "x"}),
            ),
            status(bob.clone(), "DELETE", "/user".to_owned(), Value::Null),
            status(
                bob.clone(),
                "POST",
                format!("/user/keys/{of_bob}/slots"),
                json!({"value": "v"}),
            ),
            status(bob.clone(), "GET", "/user/webauth".to_owned(), Value::Null),
        ])
        .await;
        assert_eq!(statuses[2], 200, "{statuses:?}");
        assert!(statuses.iter().all(|status| *status < 500), "{statuses:?}");
        let keys = alice.keys().await;
        assert_eq!(keys["shares"], json!([]), "{keys}");
        assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1), "{keys}");
        assert_eq!(
            keys["keys"][0]["slots"].as_array().map(Vec::len),
            Some(1),
            "{keys}"
        );
        alice.does("DELETE", "/user", Value::Null).await;
    }
    let left = rows(&backing.store()).await;
    let orphans: Vec<_> = left
        .keys()
        .filter(|kind| kind.starts_with("vault_") && *kind != "vault_login")
        .collect();
    assert!(orphans.is_empty(), "{orphans:?}");
    assert_eq!(left.get("vault_login"), Some(&1), "only the stand-in");
    assert_eq!(left.get("data_key"), Some(&1), "only the tenant's");
}

async fn failed_proofs_are_counted_exactly(backing: Backing) {
    let strict = |policy: &mut domain::policy::Policy| {
        plain(policy);
        policy.vault.failures_from_network.failures = 5;
    };
    let (one, two) = two_nodes(&backing, strict).await;
    let right = Person::joins(&one, "bob@example.org").await;
    let here = Person {
        password: "wrong".to_owned(),
        ..right.clone()
    };
    let there = Person {
        client: crate::person::client(&two.services),
        ..here.clone()
    };
    let mut calls = Vec::new();
    for turn in 0..10 {
        let person = if turn % 2 == 0 {
            here.clone()
        } else {
            there.clone()
        };
        let body = person.answer_to(&person.challenge().await);
        calls.push(status(person, "POST", "/user/login".to_owned(), body));
    }
    let statuses = at_once(calls).await;
    assert_eq!(
        (count(&statuses, 400), count(&statuses, 429)),
        (5, 5),
        "{statuses:?}"
    );
    // Also the right password waits until the window is over; elsewhere it does not.
    assert_eq!(right.login().await.status, 429);
    let elsewhere = Person {
        client: right.client.from([10, 0, 0, 1].into()),
        ..right.clone()
    };
    assert_eq!(elsewhere.login().await.status, 200);
    one.clock.advance(std::time::Duration::from_secs(901));
    assert_eq!(right.login().await.status, 200);
}
