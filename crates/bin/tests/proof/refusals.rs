//! What the server refuses to start with, and what the tools refuse to do: never with a guess at what was meant,
//! always with a word on what to do.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::server::{House, ended};

/// A house whose server ran once and made a key, which is given back.
fn lived_in() -> (House, String) {
    let house = House::new();
    let server = house.start();
    let key = server.photon().new_key("2468");
    server.stop();
    (house, key)
}

/// Whatever was refused: with the right file back, everything is there.
fn still_opens(house: &House, key: &str) {
    let server = house.start();
    assert_eq!(server.photon().open(key, "2468").unwrap().status, 200);
    server.stop();
}

#[test]
fn a_missing_key_file_is_not_made_anew() {
    let (house, key) = lived_in();
    let aside = house.folder().join("aside");
    fs::rename(house.key_file(), &aside).unwrap();
    house
        .refused()
        .says(&["keyward.keys", "put the key file of this database there"]);
    assert!(!house.key_file().exists(), "no new keys for old data");
    fs::rename(&aside, house.key_file()).unwrap();
    still_opens(&house, &key);
}

#[test]
fn a_key_file_that_others_may_read_is_refused() {
    let (house, key) = lived_in();
    for mode in [0o644, 0o640, 0o604, 0o660] {
        fs::set_permissions(house.key_file(), Permissions::from_mode(mode)).unwrap();
        house.refused().says(&["keyward.keys", "chmod 600"]);
    }
    fs::set_permissions(house.key_file(), Permissions::from_mode(0o600)).unwrap();
    still_opens(&house, &key);
}

#[test]
fn a_broken_key_file_is_refused_and_left_alone() {
    let (house, key) = lived_in();
    let whole = fs::read(house.key_file()).unwrap();
    let half = &whole[..whole.len() / 2];
    let binary = [&whole[..50], b"\xff\xfe\x00", &whole[53..]].concat();
    let future = String::from_utf8(whole.clone())
        .unwrap()
        .replace("\"format\": 1", "\"format\": 2");
    for broken in [&b""[..], half, &binary, b"{}", b"null", future.as_bytes()] {
        fs::write(house.key_file(), broken).unwrap();
        house.refused().says(&["keyward.keys"]);
        assert_eq!(fs::read(house.key_file()).unwrap(), broken, "left alone");
    }
    fs::write(house.key_file(), &whole).unwrap();
    still_opens(&house, &key);
}

#[test]
fn a_key_file_that_cannot_be_read_is_refused() {
    let (house, key) = lived_in();
    let aside = house.folder().join("aside");
    fs::rename(house.key_file(), &aside).unwrap();
    fs::create_dir(house.key_file()).unwrap();
    house.refused().says(&["keyward.keys"]);
    fs::remove_dir(house.key_file()).unwrap();
    fs::rename(&aside, house.key_file()).unwrap();
    // Without the right to read it. The superuser always has it, and so runs the server as somebody else.
    let mut command = house.command();
    if is_superuser() {
        give_away(house.data());
        open_to_all(house.folder());
        chown(house.key_file(), Some(0), Some(0)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    } else {
        fs::set_permissions(house.key_file(), Permissions::from_mode(0o000)).unwrap();
    }
    ended(command).says(&["keyward.keys", "permission denied"]);
    fs::set_permissions(house.key_file(), Permissions::from_mode(0o600)).unwrap();
    still_opens(&house, &key);
}

#[test]
fn keys_of_another_database_are_refused() {
    let (house, key) = lived_in();
    let (other, _) = lived_in();
    let own = fs::read(house.key_file()).unwrap();
    fs::copy(other.key_file(), house.key_file()).unwrap();
    house.refused().says(&["key", "database"]);
    fs::write(house.key_file(), own).unwrap();
    still_opens(&house, &key);
}

#[test]
fn an_older_copy_of_the_keys_is_refused_once_newer_ones_were_used() {
    let (house, key) = lived_in();
    let old = fs::read(house.key_file()).unwrap();
    let mut keys: Value = serde_json::from_slice(&old).unwrap();
    for root in ["data", "pepper", "audit"] {
        let key: Vec<u8> = root.bytes().cycle().take(32).collect();
        let fresh = json!({"version": 2, "key": STANDARD.encode(key)});
        keys["roots"][root].as_array_mut().unwrap().push(fresh);
    }
    let new = serde_json::to_vec(&keys).unwrap();
    fs::write(house.key_file(), &new).unwrap();
    still_opens(&house, &key);
    fs::write(house.key_file(), &old).unwrap();
    house.refused().says(&["key"]);
    fs::write(house.key_file(), &new).unwrap();
    still_opens(&house, &key);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_refused() {
    let (house, key) = lived_in();
    let in_the_way = house.folder().join("file");
    fs::write(&in_the_way, "in the way").unwrap();
    House::new().data_in(&in_the_way).refused().says(&["file"]);
    House::new()
        .data_in(&in_the_way.join("below"))
        .refused()
        .says(&["file"]);
    let mut command = house.command();
    if is_superuser() {
        // Everything in it may be read, and nothing written.
        open_to_all(house.folder());
        open_to_all(house.data());
        command.uid(NOBODY).gid(NOBODY);
    } else {
        fs::set_permissions(house.data(), Permissions::from_mode(0o500)).unwrap();
    }
    let refused = ended(command);
    fs::set_permissions(house.data(), Permissions::from_mode(0o700)).unwrap();
    refused.says(&["data", "permission denied"]);
    still_opens(&house, &key);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (option, section) in [("--listen", "[server]"), ("--admin-listen", "[admin]")] {
        let house = House::new();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keyward"));
        let other = if option == "--listen" {
            "--admin-listen"
        } else {
            "--listen"
        };
        command.args(["serve", option, &address, other, "127.0.0.1:0", "--data"]);
        command.arg(house.data());
        ended(command).says(&[&address, "in use", section]);
    }
}

#[test]
fn an_unknown_setting_is_refused_with_the_name_that_was_meant() {
    for (name, meant) in [
        ("KEYWARD_PHOTON__MAX_FAILURE", "max_failures"),
        ("KEYWARD_SERVER__LISTN", "listen"),
        ("KEYWARD_PHOTN__MAX_FAILURES", "photon"),
        ("KEYWARD_LIMITS__QUEUE_PER_SUBJEKT", "queue_per_subject"),
    ] {
        House::new()
            .with(name, "3")
            .refused()
            .says(&["did you mean", meant]);
    }
    let house = House::new();
    let file = house.folder().join("keyward.toml");
    fs::write(&file, "[photon]\nwindow_dais = 7\n").unwrap();
    let mut command = house.command();
    command.arg("--config").arg(&file);
    ended(command).says(&["photon", "window_dais", "did you mean window_days"]);
    for (name, value) in [
        ("KEYWARD_PHOTON__MAX_FAILURES", "many"),
        ("KEYWARD_PHOTON__LOCK_DAYS", "0.001"),
        ("KEYWARD_SERVER__LOG", "xml"),
        ("KEYWARD_STORAGE__URL", "mysql://localhost/x"),
        ("KEYWARD_SERVER__LOG_FILTER", "===="),
    ] {
        House::new()
            .with(name, value)
            .refused()
            .says(&["configuration"]);
    }
}

#[test]
fn development_mode_never_leaves_the_machine() {
    for (option, other) in [
        ("--listen", "--admin-listen"),
        ("--admin-listen", "--listen"),
    ] {
        for address in ["0.0.0.0:0", "[::]:0"] {
            let house = House::new();
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keyward"));
            command.args([
                "serve",
                "--dev",
                option,
                address,
                other,
                "127.0.0.1:0",
                "--data",
            ]);
            command.arg(house.data());
            ended(command).says(&["--dev", "loopback"]);
            assert!(!house.key_file().exists(), "nothing is made");
        }
    }
    let mut command = House::new().flags(&["--dev-fast-hash"]).command();
    command.env_clear();
    ended(command).says(&["--dev"]);
}

#[test]
fn no_listener_speaks_plain_http_to_other_machines() {
    const LISTENERS: [(&str, &str); 3] = [
        ("KEYWARD_SERVER__LISTEN", "[server]"),
        ("KEYWARD_ADMIN__LISTEN", "[admin]"),
        ("KEYWARD_DUO__HOOKS__LISTEN", "[duo.hooks]"),
    ];
    for (open, section) in LISTENERS {
        for (address, program) in [
            ("0.0.0.0:0", "serve"),
            ("[::]:0", "serve"),
            ("[::]:0", "doctor"),
        ] {
            let house = House::new();
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keyward"));
            command.arg(program).arg("--data").arg(house.data());
            command.env("KEYWARD_DUO__ENABLED", "true");
            for (setting, _) in LISTENERS {
                command.env(
                    setting,
                    if setting == open {
                        address
                    } else {
                        "127.0.0.1:0"
                    },
                );
            }
            ended(command).says(&[section, "not loopback", "behind_proxy"]);
            assert!(!house.key_file().exists(), "nothing is made");
        }
    }
}

#[test]
fn a_proxy_that_is_not_named_is_refused() {
    let house = House::new().with("KEYWARD_SERVER__BEHIND_PROXY", "true");
    house
        .flags(&[])
        .refused()
        .says(&["behind_proxy", "trusted_proxies"]);
    for everybody in ["0.0.0.0/0", "::/0"] {
        let house = House::new().with(
            "KEYWARD_SERVER__TRUSTED_PROXIES",
            &format!("[\"{everybody}\"]"),
        );
        house.refused().says(&["trusted_proxies", everybody]);
    }
}

#[test]
fn tools_of_development_mode_do_not_work_without_it() {
    let house = House::new().flags(&[]);
    let server = house.start();
    server.photon().new_key("2468");
    for command in [
        &["dev", "mailbox"][..],
        &["dev", "mailbox", "--code", "--json"],
        &["dev", "clock", "advance", "30d"],
    ] {
        house.keyward(command).says(&["--dev"]);
    }
    let told = fs::read(house.data().join("server.json")).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    let token = format!("Bearer {}", told["token"].as_str().unwrap());
    let mut admin = crate::photon::Photon::new(server.admin);
    for path in ["/dev/v1/mailbox", "/dev/v1/clock/advance"] {
        let bytes = crate::http::request("GET", path, &[("Authorization", &token)], "");
        assert_eq!(
            admin.raw(&bytes).unwrap().status,
            404,
            "{path} does not exist"
        );
    }
    assert!(
        !house.data().join("mailbox.jsonl").exists(),
        "no mailbox is kept"
    );
    server.stop();
    house
        .keyward(&["dev", "mailbox"])
        .says(&["no running server", "--data"]);
    house
        .keyward(&["admin", "status"])
        .says(&["no running server", "--data"]);
}

const NOBODY: u32 = 65_534;

fn is_superuser() -> bool {
    let folder = tempfile::TempDir::new().unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(folder.path()).unwrap());
    owner == 0
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
}

/// Gives a folder and what lies in it to nobody.
fn give_away(folder: &Path) {
    chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
}
