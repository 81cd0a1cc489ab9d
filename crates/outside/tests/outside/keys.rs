//! Key file: what it holds, what it refuses, and what its keys do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::error::Error;
use domain::port::Roots;
use domain::port::roots::Root;
use domain::{Timestamp, error::chain};
use outside::{KeyError, KeyFile, LocalRoots};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::seeded::Seeded;

const DATABASE: Uuid = Uuid::from_u128(0x0001_0203_0405_4607_8809_0a0b_0c0d_0e0f);

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("keyward.keys")
    }

    fn create(&self) -> KeyFile {
        KeyFile::create(
            &self.path(),
            DATABASE,
            Timestamp::default(),
            Seeded::new(1).as_ref(),
        )
        .unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path()).unwrap()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

fn roots(keys: KeyFile) -> LocalRoots {
    LocalRoots::new(keys, Seeded::new(7))
}

fn generated(seed: u64) -> KeyFile {
    KeyFile::generate(DATABASE, Timestamp::default(), Seeded::new(seed).as_ref())
}

fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(&generated(1).text()).unwrap();
    change(&mut value);
    match KeyFile::parse(&value.to_string()) {
        Ok(_) => panic!("the changed file was taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_created_file_is_private_and_has_the_documented_form() {
    let folder = Folder::new();
    folder.create();
    assert_eq!(
        fs::metadata(folder.path()).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    assert_eq!(folder.names(), ["keyward.keys"]);
    let value = folder.json();
    assert_eq!(value["format"], 1);
    assert_eq!(value["database"], "00010203-0405-4607-8809-0a0b0c0d0e0f");
    assert_eq!(value["created"], "1970-01-01T00:00:00.000Z");
    for root in Root::ALL {
        let versions = value["roots"][root.name()].as_array().unwrap();
        assert_eq!(versions.len(), 1);
        assert_eq!(versions[0]["version"], 1);
        assert_eq!(
            STANDARD
                .decode(versions[0]["key"].as_str().unwrap())
                .unwrap()
                .len(),
            32
        );
    }
}

#[test]
fn a_loaded_file_has_the_same_keys_as_the_created_one() {
    let folder = Folder::new();
    let created = roots(folder.create());
    let loaded = roots(KeyFile::load(&folder.path()).unwrap());
    assert_eq!(loaded.database(), DATABASE);
    assert_eq!(loaded.check(), created.check());
    let sealed = created.seal(Root::Data, b"row", b"secret").unwrap();
    assert_eq!(
        loaded.open(Root::Data, b"row", &sealed).unwrap().as_slice(),
        b"secret"
    );
}

#[test]
fn text_from_an_environment_variable_is_the_same_file() {
    let keys = generated(1);
    let parsed = KeyFile::parse(&keys.text()).unwrap();
    assert_eq!(parsed.text(), keys.text());
    assert_eq!(parsed.created(), keys.created());
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let folder = Folder::new();
    folder.create();
    let before = fs::read(folder.path()).unwrap();
    let again = KeyFile::create(
        &folder.path(),
        DATABASE,
        Timestamp::default(),
        Seeded::new(2).as_ref(),
    );
    assert!(matches!(again, Err(KeyError::Exists { .. })));
    assert_eq!(fs::read(folder.path()).unwrap(), before);
}

#[test]
fn a_missing_file_says_where_it_was_looked_for() {
    let folder = Folder::new();
    let error = KeyFile::load(&folder.path()).unwrap_err();
    assert!(matches!(error, KeyError::Missing { .. }));
    assert!(error.to_string().contains(folder.path().to_str().unwrap()));
}

#[test]
fn every_right_of_others_is_refused() {
    let folder = Folder::new();
    folder.create();
    for bit in [0o001, 0o002, 0o004, 0o010, 0o020, 0o040] {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o600 | bit)).unwrap();
        let error = KeyFile::load(&folder.path()).unwrap_err();
        assert!(matches!(error, KeyError::TooOpen { .. }), "{bit:o}");
        assert!(error.to_string().contains("chmod 600"));
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o400)).unwrap();
    KeyFile::load(&folder.path()).unwrap();
}

#[test]
fn what_is_not_a_regular_file_of_that_size_is_refused() {
    let folder = Folder::new();
    fs::create_dir(folder.path()).unwrap();
    assert!(matches!(
        KeyFile::load(&folder.path()),
        Err(KeyError::Content { .. })
    ));
    let large = folder.folder.path().join("large");
    fs::File::create(&large).unwrap().set_len(2 << 20).unwrap();
    assert!(matches!(
        KeyFile::load(&large),
        Err(KeyError::Content { .. })
    ));
}

#[test]
fn broken_json_is_refused_by_place_and_without_quoting_it() {
    let text = generated(1).text();
    let half = &text[..text.len() / 2];
    let error = KeyFile::parse(half).unwrap_err().to_string();
    assert!(error.contains("the JSON is broken at line"), "{error}");
    assert!(KeyFile::parse("").is_err());

    let error = refusal(|file| file["roots"]["data"][0]["version"] = json!("hunter2"));
    assert!(
        error.contains("wrong type") && !error.contains("hunter2"),
        "{error}"
    );
    let error = refusal(|file| file["roots"]["hunter2"] = json!([]));
    assert!(
        error.contains("unknown") && !error.contains("hunter2"),
        "{error}"
    );
}

#[test]
fn another_format_is_named() {
    let error = refusal(|file| {
        file["format"] = json!(2);
        file["later"] = json!(true);
    });
    assert!(error.contains("format 2"), "{error}");
}

#[test]
fn wrong_ids_and_times_are_refused() {
    assert!(refusal(|file| file["database"] = json!("main")).contains("\"database\""));
    assert!(refusal(|file| file["created"] = json!("yesterday")).contains("\"created\""));
}

#[test]
fn versions_must_count_up_from_one() {
    let key = |byte: u8| STANDARD.encode([byte; 32]);
    let twice = json!([{"version": 1, "key": key(1)}, {"version": 1, "key": key(2)}]);
    let gap = json!([{"version": 1, "key": key(1)}, {"version": 3, "key": key(2)}]);
    let late = json!([{"version": 2, "key": key(1)}]);
    for list in [twice, gap, late] {
        let error = refusal(|file| file["roots"]["audit"] = list);
        assert!(
            error.contains("\"audit\"") && error.contains("count up from 1"),
            "{error}"
        );
    }
    assert!(refusal(|file| file["roots"]["audit"] = json!([])).contains("has no version"));
    let error = refusal(|file| {
        file["roots"].as_object_mut().unwrap().remove("token");
    });
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn keys_must_be_32_bytes_of_base64() {
    let short = json!([{"version": 1, "key": STANDARD.encode([1; 31])}]);
    let error = refusal(|file| file["roots"]["data"] = short);
    assert!(error.contains("31 bytes instead of 32"), "{error}");
    let long = json!([{"version": 1, "key": STANDARD.encode([1; 33])}]);
    assert!(refusal(|file| file["roots"]["data"] = long).contains("33 bytes"));
    let odd = json!([{"version": 1, "key": "ä"}]);
    assert!(refusal(|file| file["roots"]["data"] = odd).contains("not base64"));
}

#[test]
fn one_key_in_two_places_is_refused() {
    let error = refusal(|file| file["roots"]["recovery"] = file["roots"]["data"].clone());
    assert!(error.contains("same key"), "{error}");
    let error = refusal(|file| {
        let mut second = file["roots"]["data"][0].clone();
        second["version"] = json!(2);
        file["roots"]["data"].as_array_mut().unwrap().push(second);
    });
    assert!(error.contains("same key"), "{error}");
}

#[test]
fn what_was_sealed_before_a_rotation_opens_after_it() {
    let folder = Folder::new();
    let mut keys = folder.create();
    let before = roots(KeyFile::load(&folder.path()).unwrap());
    let sealed = before.seal(Root::Data, b"row", b"secret").unwrap();
    assert_eq!(sealed[..4], [0, 0, 0, 1]);

    let done = keys.rotate(Root::Data, Seeded::new(2).as_ref()).unwrap();
    assert_eq!(done, 2);
    assert_eq!(folder.names(), ["keyward.keys"]);
    assert_eq!(
        fs::metadata(folder.path()).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    let after = roots(KeyFile::load(&folder.path()).unwrap());
    assert_eq!(after.current(Root::Data), 2);
    assert_eq!(after.current(Root::Recovery), 1);
    assert_eq!(
        after.open(Root::Data, b"row", &sealed).unwrap().as_slice(),
        b"secret"
    );
    let fresh = after.seal(Root::Data, b"row", b"secret").unwrap();
    assert_eq!(fresh[..4], [0, 0, 0, 2]);
    assert!(matches!(
        before.open(Root::Data, b"row", &fresh),
        Err(Error::Unavailable(_))
    ));
    assert_eq!(
        before.prf(Root::Data, 1, &[b"x"]).unwrap(),
        after.prf(Root::Data, 1, &[b"x"]).unwrap()
    );
}

#[test]
fn a_rotation_keeps_what_another_process_added() {
    let folder = Folder::new();
    let mut one = folder.create();
    let mut other = KeyFile::load(&folder.path()).unwrap();
    one.rotate(Root::Pepper, Seeded::new(2).as_ref()).unwrap();
    let done = other.rotate(Root::Pepper, Seeded::new(3).as_ref()).unwrap();
    assert_eq!(done, 3);
    assert_eq!(
        folder.json()["roots"]["pepper"].as_array().unwrap().len(),
        3
    );
}

#[test]
fn a_rotation_under_way_blocks_a_second_one_and_changes_nothing() {
    let folder = Folder::new();
    let mut keys = folder.create();
    let before = fs::read(folder.path()).unwrap();
    let fresh = folder.folder.path().join("keyward.keys.new");
    fs::write(&fresh, "").unwrap();
    let error = keys
        .rotate(Root::Data, Seeded::new(2).as_ref())
        .unwrap_err();
    assert!(matches!(error, KeyError::Replacing { .. }));
    assert!(fresh.exists());
    assert_eq!(fs::read(folder.path()).unwrap(), before);
}

#[test]
fn what_has_one_version_for_ever_and_keys_given_as_text_are_not_rotated() {
    let folder = Folder::new();
    let mut keys = folder.create();
    let random = Seeded::new(2);
    for root in [Root::Index, Root::Audit, Root::Token] {
        for refused in [
            keys.rotate(root, random.as_ref()),
            keys.prepare(root, random.as_ref()),
        ] {
            assert!(matches!(refused, Err(KeyError::Unsupported { .. })));
        }
    }
    let mut text = KeyFile::parse(&keys.text()).unwrap();
    assert!(matches!(
        text.rotate(Root::Data, random.as_ref()),
        Err(KeyError::Unsupported { .. })
    ));
}

#[test]
fn a_prepared_version_opens_at_once_and_seals_after_the_rotation() {
    let folder = Folder::new();
    let mut keys = folder.create();
    let random = Seeded::new(2);
    let done = keys.prepare(Root::Data, random.as_ref()).unwrap();
    assert_eq!(done, 2);
    assert_eq!(folder.json()["roots"]["data"][1]["prepared"], true);
    assert_eq!(keys.state(Root::Data), (1, Some(2)));
    assert!(
        matches!(
            keys.prepare(Root::Data, random.as_ref()),
            Err(KeyError::Unsupported { .. })
        ),
        "one at a time"
    );
    let behind = roots(KeyFile::load(&folder.path()).unwrap());
    assert_eq!(behind.current(Root::Data), 1);

    let done = keys.rotate(Root::Data, random.as_ref()).unwrap();
    assert_eq!(done, 2);
    assert_eq!(keys.state(Root::Data), (2, None));
    assert!(folder.json()["roots"]["data"][1].get("prepared").is_none());
    let ahead = roots(KeyFile::load(&folder.path()).unwrap());
    assert_eq!(ahead.current(Root::Data), 2);
    let sealed = ahead.seal(Root::Data, b"row", b"secret").unwrap();
    assert_eq!(
        behind.open(Root::Data, b"row", &sealed).unwrap().as_slice(),
        b"secret"
    );
    // While both are in use only the older one's mark can be there; then it is an older copy.
    ahead.verify(&behind.check()).unwrap();
    ahead.verify(&ahead.check()).unwrap();
    let error = behind.verify(&ahead.check()).unwrap_err().to_string();
    assert!(
        error.contains("version 2 of root key data was already in use"),
        "{error}"
    );
}

#[test]
fn the_file_behind_a_link_is_replaced_and_the_link_stays() {
    let folder = Folder::new();
    folder.create();
    let link = folder.folder.path().join("linked.keys");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let mut keys = KeyFile::load(&link).unwrap();
    keys.rotate(Root::Data, Seeded::new(2).as_ref()).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(folder.json()["roots"]["data"].as_array().unwrap().len(), 2);
    let mut names = folder.names();
    names.sort();
    assert_eq!(names, ["keyward.keys", "linked.keys"]);
}

#[test]
fn only_the_newest_version_can_be_prepared_and_never_the_first() {
    let error = refusal(|file| file["roots"]["data"][0]["prepared"] = json!(true));
    assert!(error.contains("version 1 prepared"), "{error}");
    let error = refusal(|file| {
        let list = file["roots"]["data"].as_array_mut().unwrap();
        for (number, fill) in [(2, 2_u8), (3, 3)] {
            let key = STANDARD.encode([fill; 32]);
            list.push(json!({ "version": number, "key": key, "prepared": number == 2 }));
        }
    });
    assert!(error.contains("version 2 prepared"), "{error}");
}

#[test]
fn what_an_older_version_sealed_is_sealed_under_the_newest_and_nothing_else() {
    let folder = Folder::new();
    let mut keys = folder.create();
    let before = roots(KeyFile::load(&folder.path()).unwrap());
    let sealed = before.seal(Root::Data, b"row", b"secret").unwrap();
    let rewrap = |roots: &LocalRoots, sealed: &[u8]| roots.rewrap(Root::Data, b"row", sealed);
    assert_eq!(rewrap(&before, &sealed).unwrap(), None);
    keys.rotate(Root::Data, Seeded::new(2).as_ref()).unwrap();
    let after = roots(keys);
    let fresh = rewrap(&after, &sealed).unwrap().unwrap();
    assert_eq!(fresh[..4], [0, 0, 0, 2]);
    assert_eq!(
        after.open(Root::Data, b"row", &fresh).unwrap().as_slice(),
        b"secret"
    );
    assert_eq!(rewrap(&after, &fresh).unwrap(), None);
    assert!(
        matches!(rewrap(&before, &fresh), Err(Error::Bug(_))),
        "no key of this file"
    );
    assert!(matches!(
        after.rewrap(Root::Data, b"other", &sealed),
        Err(Error::Bug(_))
    ));
    assert!(matches!(rewrap(&after, &sealed[..3]), Err(Error::Bug(_))));
}

#[test]
fn a_seal_opens_under_its_own_root_and_context_only() {
    let roots = roots(generated(1));
    let sealed = roots.seal(Root::Data, b"row", b"secret").unwrap();
    assert!(matches!(
        roots.open(Root::Recovery, b"row", &sealed),
        Err(Error::Bug(_))
    ));
    assert!(matches!(
        roots.open(Root::Data, b"other", &sealed),
        Err(Error::Bug(_))
    ));
    assert!(matches!(
        roots.open(Root::Data, b"row", &sealed[..3]),
        Err(Error::Bug(_))
    ));
    for at in 0..sealed.len() {
        let mut bad = sealed.clone();
        bad[at] ^= 1;
        assert!(roots.open(Root::Data, b"row", &bad).is_err(), "byte {at}");
    }
    assert_ne!(sealed, roots.seal(Root::Data, b"row", b"secret").unwrap());
}

#[test]
fn derived_keys_differ_by_root_and_parts() {
    let roots = roots(generated(1));
    let one = roots.prf(Root::Pepper, 1, &[b"a", b"b"]).unwrap();
    assert_eq!(one, roots.prf(Root::Pepper, 1, &[b"a", b"b"]).unwrap());
    assert_ne!(one, roots.prf(Root::Pepper, 1, &[b"ab"]).unwrap());
    assert_ne!(one, roots.prf(Root::Index, 1, &[b"a", b"b"]).unwrap());
    assert!(matches!(
        roots.prf(Root::Pepper, 2, &[]),
        Err(Error::Unavailable(_))
    ));
}

#[test]
fn the_check_knows_these_keys_newer_ones_and_no_others() {
    let folder = Folder::new();
    let mut keys = folder.create();
    let old = roots(KeyFile::load(&folder.path()).unwrap());
    keys.rotate(Root::Data, Seeded::new(2).as_ref()).unwrap();
    let new = roots(keys);
    new.verify(&old.check()).unwrap();
    new.verify(&new.check()).unwrap();
    let error = old.verify(&new.check()).unwrap_err().to_string();
    assert!(error.contains("data:2 is missing"), "{error}");
    assert!(
        roots(generated(5))
            .verify(&old.check())
            .unwrap_err()
            .to_string()
            .contains("different")
    );
    let text = generated(1).text().replace("00010203", "ff010203");
    let foreign = roots(KeyFile::parse(&text).unwrap());
    assert!(foreign.verify(&old.check()).is_err());
    assert!(old.verify("").is_err());
}

#[test]
fn nothing_prints_a_key() {
    let keys = generated(1);
    let value: Value = serde_json::from_str(&keys.text()).unwrap();
    let key = value["roots"]["data"][0]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let roots = roots(KeyFile::parse(&keys.text()).unwrap());
    let error = roots.prf(Root::Data, 9, &[]).unwrap_err();
    for text in [
        format!("{keys:?}"),
        format!("{roots:?}"),
        roots.check(),
        chain(&error),
    ] {
        assert!(!text.contains(&key), "{text}");
    }
}
