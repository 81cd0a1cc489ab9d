//! New versions of root keys: taken at the next start, without a call that fails, and the old ones done with.

use std::fs;

use serde_json::{Value, json};

use crate::nodes::{Pair, pair};
use crate::server::{House, Server};
use crate::wait::until;

/// The line of a root in `keyward admin status`.
fn root(house: &House, name: &str) -> Value {
    let status = house.keyward(&["admin", "status", "--json"]);
    assert!(status.status.success(), "{status:?}");
    let status: Value = serde_json::from_str(&status.out).unwrap();
    let roots = status["roots"].as_array().unwrap();
    roots
        .iter()
        .find(|root| root["root"] == name)
        .unwrap()
        .clone()
}

fn until_older_is(house: &House, name: &str, state: &str) -> Value {
    until(state, || {
        Some(root(house, name)).filter(|root| root["older"] == state)
    })
}

fn rotate(house: &House, arguments: &[&str]) -> Value {
    let mut command = vec!["keys", "rotate", "--json"];
    command.extend_from_slice(arguments);
    let ended = house.keyward(&command);
    assert!(ended.status.success(), "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

#[test]
fn rotated_roots_are_taken_at_the_next_start_and_everything_is_sealed_anew() {
    let house = House::new();
    let server = house.start();
    let key = server.photon().new_key("2468");
    let content = server.photon().content(&key, "2468");
    let old = fs::read(house.key_file()).unwrap();
    for name in ["data", "recovery", "pepper"] {
        let done = rotate(&house, &[name]);
        assert_eq!(
            (&done["version"], &done["prepared"]),
            (&json!(2), &json!(false))
        );
    }
    // Who runs already knows nothing of it.
    assert_eq!(server.photon().content(&key, "2468"), content);
    assert_eq!(root(&house, "data")["version"], 1);
    assert_eq!(root(&house, "data")["older"], "none");
    server.stop();

    let server = house.start();
    assert_eq!(server.photon().content(&key, "2468"), content);
    until_older_is(&house, "data", "again");
    until_older_is(&house, "recovery", "again");
    house.advance("1h");
    let done = until_older_is(&house, "data", "done");
    assert_eq!(done["version"], 2);
    assert!(done["rows"].as_u64().unwrap() >= 1, "{done}");
    assert_eq!(done["unreadable"], 0);
    assert_eq!(server.photon().content(&key, "2468"), content);
    let events = house.keyward(&["admin", "audit", "list", "--json"]);
    assert!(events.out.contains("root.reseal"), "{events:?}");
    house.verify_audit();
    server.stop();

    let shown = house.keyward(&["keys", "show", "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    let versions: Vec<_> = shown["roots"].as_array().unwrap().iter().collect();
    let of = |name: &str| versions.iter().find(|root| root["root"] == name).unwrap();
    assert_eq!(of("data")["version"], 2);
    assert_eq!(of("audit")["version"], 1);

    let new = fs::read(house.key_file()).unwrap();
    fs::write(house.key_file(), &old).unwrap();
    house.refused().says(&["data:2 is missing", "older copy"]);
    // Nor the one that was prepared and not used yet.
    let mut prepared: Value = serde_json::from_slice(&new).unwrap();
    prepared["roots"]["data"][1]["prepared"] = json!(true);
    fs::write(house.key_file(), prepared.to_string()).unwrap();
    house.refused().says(&[
        "version 2 of root key data was already in use",
        "older copy",
    ]);
    fs::write(house.key_file(), &new).unwrap();
    assert_eq!(house.start().photon().content(&key, "2468"), content);
    house.assert_no_panic();
}

/// Makes keys on each node, and opens each of them on both.
fn both_serve(pair: &Pair) {
    for (maker, opener) in [(0, 1), (1, 0)] {
        let key = pair.servers[maker].photon().new_key("2468");
        let content = pair.servers[maker].photon().content(&key, "2468");
        assert_eq!(pair.servers[opener].photon().content(&key, "2468"), content);
        // The other way round, for a PIN that the other node has peppered anew.
        assert_eq!(pair.servers[maker].photon().content(&key, "2468"), content);
    }
}

#[test]
fn over_two_nodes_a_prepared_version_comes_without_a_refused_call() {
    let Some(mut pair) = pair("rotation", &[]) else {
        return;
    };
    let kept = pair.servers[0].photon().new_key("1357");
    let content = pair.servers[0].photon().content(&kept, "1357");
    let opens = |server: &Server| {
        assert_eq!(server.photon().content(&kept, "1357"), content);
    };
    for step in [&["--prepare"][..], &[]] {
        for name in ["data", "recovery", "pepper"] {
            let done = rotate(&pair.houses[0], &[&[name], step].concat());
            assert_eq!(done["version"], 2);
        }
        let file = fs::read(pair.houses[0].key_file()).unwrap();
        fs::write(pair.houses[1].key_file(), file).unwrap();
        for node in [0, 1] {
            pair.servers[node].signal("TERM");
            let told = pair.houses[node].data().join("server.json");
            until("a stop", || (!told.exists()).then_some(()));
            opens(&pair.servers[1 - node]);
            pair.servers[node] = pair.houses[node].start();
            // One of them has read the newer file, and the other perhaps not.
            both_serve(&pair);
            pair.servers.iter().for_each(opens);
        }
    }
    for house in &pair.houses {
        assert_eq!(root(house, "data")["version"], 2);
        until_older_is(house, "data", "again");
        house.assert_no_panic();
    }
    pair.houses[0].verify_audit();
}

#[test]
fn what_cannot_be_rotated_says_why_and_changes_nothing() {
    let house = House::new();
    house
        .keyward(&["keys", "rotate", "data"])
        .says(&["there is no key file"]);
    house.start().stop();
    let before = fs::read(house.key_file()).unwrap();
    for name in ["index", "audit", "token", ""] {
        house.keyward(&["keys", "rotate", name]).says(&["recovery"]);
    }
    assert_eq!(fs::read(house.key_file()).unwrap(), before);
    rotate(&house, &["data", "--prepare"]);
    let before = fs::read(house.key_file()).unwrap();
    house
        .keyward(&["keys", "rotate", "data", "--prepare"])
        .says(&["prepared already"]);
    assert_eq!(fs::read(house.key_file()).unwrap(), before);
    assert_eq!(rotate(&house, &["data"])["version"], 2);
    house.start().stop();
}
