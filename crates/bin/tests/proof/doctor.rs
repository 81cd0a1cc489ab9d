//! `keyward doctor` says beforehand what a start would refuse, and changes nothing.

use std::fs;

use serde_json::Value;

use crate::server::{House, command};

/// Whether it is content, and everything it said.
fn doctor(house: &House) -> (bool, String) {
    let ended = house.keyward(&["doctor", "--json"]);
    let told: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(told["sound"], ended.status.success(), "{ended:?}");
    (ended.status.success(), ended.out)
}

fn finds(house: &House, words: &str) {
    let (sound, told) = doctor(house);
    assert!(!sound && told.contains(words), "{words}: {told}");
    // And it is what a start says.
    let refused = house.refused();
    assert!(!refused.status.success(), "{refused:?}");
}

#[test]
fn before_the_first_start_there_is_nothing_wrong_and_nothing_made() {
    let house = House::new();
    let (sound, told) = doctor(&house);
    assert!(sound, "{told}");
    assert!(told.contains("`keyward serve` makes one"), "{told}");
    for looking in [&["migrate", "--dry-run"][..], &["migrate", "--contract"]] {
        house
            .keyward(looking)
            .says(&["there is no database", "--data"]);
    }
    let to = house.folder().join("backup").display().to_string();
    house
        .keyward(&["backup", "--to", &to])
        .says(&["there is no database", "--data"]);
    let gone = format!("sqlite:{}/gone.db", house.folder().display());
    command(&["db", "release", "--database", &gone]).says(&["there is no database"]);
    assert!(!house.data().exists());
    assert!(!house.folder().join("gone.db").exists());
}

#[test]
fn what_a_start_refuses_is_found_before() {
    let house = House::new();
    house.start().stop();
    let (sound, told) = doctor(&house);
    assert!(sound, "{told}");
    let keys = fs::read(house.key_file()).unwrap();
    let anchor = house.data().join("audit-checkpoint.json");

    let other = House::new();
    other.start().stop();
    fs::copy(other.key_file(), house.key_file()).unwrap();
    finds(&house, "does not belong to this database");
    fs::write(house.key_file(), &keys).unwrap();

    let server = house.start();
    server.photon().new_key("2468");
    server.stop();
    let end = fs::read(&anchor).unwrap();
    fs::write(&anchor, "no anchor at all").unwrap();
    finds(&house, "is no anchor");
    let forged = String::from_utf8(end.clone()).unwrap();
    let forged = forged.replacen("\"number\":", "\"number\":1", 1);
    fs::write(&anchor, forged).unwrap();
    finds(&house, "is not signed with these keys");
    fs::write(&anchor, &end).unwrap();
    assert!(doctor(&house).0);

    // An older copy of the key file.
    assert!(house.keyward(&["keys", "rotate", "data"]).status.success());
    house.start().stop();
    fs::write(house.key_file(), &keys).unwrap();
    finds(&house, "data:2 is missing");
    fs::remove_file(house.key_file()).unwrap();
    finds(&house, "there is no key file");
}

#[test]
fn a_database_that_came_out_of_a_backup_is_found() {
    let house = House::new();
    let server = house.start();
    server.photon().new_key("2468");
    let to = house.folder().join("backup");
    let to = to.display().to_string();
    let made = house.keyward(&["backup", "--to", &to]);
    assert!(made.status.success(), "{made:?}");
    server.stop();
    let other = House::new();
    let restored = other.keyward(&["restore", "--from", &to]);
    assert!(restored.status.success(), "{restored:?}");
    fs::copy(house.key_file(), other.key_file()).unwrap();
    finds(&other, "came out of a backup");
}
