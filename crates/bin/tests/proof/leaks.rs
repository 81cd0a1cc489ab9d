//! Secrets that were used against a server are found nowhere but where they belong: not in its logs at any
//! level, not in its database, not in any other file; neither as they are nor in a usual encoding.

mod search;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use self::search::{Found, Search};
use crate::dice::Dice;
use crate::http::request;
use crate::mailbox::Mailbox;
use crate::photon::{Photon, basic, user_path};
use crate::postgres::Database;
use crate::server::{House, Server};

/// What must not be found, by name.
#[derive(Default)]
struct Secrets {
    texts: BTreeMap<String, Vec<u8>>,
    /// Six digits each: too short to be looked for inside longer numbers.
    codes: Vec<String>,
}

impl Secrets {
    fn add(&mut self, name: &str, secret: impl AsRef<[u8]>) {
        let number = self.texts.len();
        self.texts
            .insert(format!("{name} {number}"), secret.as_ref().to_vec());
    }
}

/// Uses every endpoint rightly and wrongly with secrets of its own; all of them, in the end.
fn used(house: &House, server: &Server, dice: &mut Dice) -> Secrets {
    let mut secrets = Secrets::default();
    let mut mailbox = Mailbox::of(house.data());
    let mut client = server.photon();
    for round in 0..6 {
        let pins: Vec<String> = (0..4).map(|_| format!("Pin-{}", dice.word(14))).collect();
        let user = match round % 3 {
            0 => format!("{}@{}.example.org", dice.word(12), dice.word(8)),
            1 => format!("{}+tag%25@{}.example", dice.word(12), dice.word(8)),
            _ => format!("+49{}", 100_000_000_000 + dice.number() % 800_000_000_000),
        };
        let key = client.new_key(&pins[0]);
        let content = client.content(&key, &pins[0]);
        let mut code = |client: &mut Photon, secrets: &mut Secrets, op: &str| {
            let code = mailbox.newest(&user).unwrap();
            secrets.codes.push(code.clone());
            match op {
                "verify" => client.verify(&key, &user, &code).unwrap().status,
                _ => client.reset(&key, &user, &code, &pins[3]).unwrap().status,
            }
        };
        assert_eq!(client.open(&key, &pins[1]).unwrap().status, 404);
        assert_eq!(client.change(&key, &pins[0], &pins[2]).unwrap().status, 200);
        assert_eq!(client.add_user(&key, &pins[2], &user).unwrap().status, 201);
        assert_eq!(code(&mut client, &mut secrets, "verify"), 200);
        assert_eq!(client.add_user(&key, &pins[2], &user).unwrap().status, 409);
        assert_eq!(client.ask_reset(&key, &user).unwrap().status, 200);
        assert_eq!(code(&mut client, &mut secrets, "reset"), 423);
        misused(&mut client, &key, &user, &pins[1]);
        let show = house.keyward(&["admin", "photon", "show", &key]);
        assert!(show.status.success(), "{show:?}");
        if round > 2 {
            assert_eq!(
                client.remove_user(&key, &pins[2], &user).unwrap().status,
                200
            );
        }
        for pin in &pins {
            secrets.add("PIN", pin);
            secrets.add("Authorization", basic(pin).trim_start_matches("Basic "));
        }
        secrets.add("address", &user);
        secrets.add(
            "address in a path",
            user_path("", &user).rsplit_once('/').unwrap().1,
        );
        secrets.add("encryption key", STANDARD.decode(&content).unwrap());
        secrets.add("key id", &key);
        secrets.add("key id as bytes", uuid_bytes(&key));
    }
    let mut shown = 0;
    for link in links(house) {
        let (_, token) = link.rsplit_once('/').unwrap();
        let page = client.get(&format!("/recovery/{token}")).unwrap();
        shown += usize::from(page.status == 200);
        secrets.add("token of an owner's link", token);
    }
    assert!(shown >= 3, "owners' pages are shown");
    house.advance("31d");
    house.verify_audit();
    secrets
}

/// The links in the letters so far that still lead somewhere.
fn links(house: &House) -> Vec<String> {
    let mailbox = fs::read_to_string(house.data().join("mailbox.jsonl")).unwrap();
    let mut links = Vec::new();
    for line in mailbox.lines() {
        let letter: serde_json::Value = serde_json::from_str(line).unwrap();
        links.extend(letter["link"].as_str().map(str::to_owned));
    }
    assert!(links.len() >= 6, "locks were armed: {}", links.len());
    links
}

/// Requests that go wrong somewhere, so that every place that complains has something to complain of.
fn misused(client: &mut Photon, key: &str, user: &str, pin: &str) {
    let path = user_path(key, user);
    let header = [("Authorization", basic(pin))];
    let header: Vec<(&str, &str)> = header
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let quoted = format!("{{\"pin\":\"{pin}\",\"userId\":\"{user}\",\"newPin\":\"{pin}\"");
    for (method, path, body) in [
        ("POST", "/v2/key".to_owned(), quoted.clone()),
        (
            "POST",
            "/v2/key".to_owned(),
            format!("{quoted},\"code\":7}}"),
        ),
        ("PUT", format!("/v2/key/{key}"), quoted.clone()),
        (
            "POST",
            format!("/v2/key/{key}/user"),
            format!("{quoted}}}}}"),
        ),
        ("PUT", path.clone(), "{\"op\":\"verify\"}".to_owned()),
        ("PATCH", path.clone(), String::new()),
        ("GET", format!("{path}/nowhere"), String::new()),
        ("GET", format!("{path}%zz"), String::new()),
        (
            "GET",
            format!("/v3/key/{key}/{user}?pin={pin}"),
            String::new(),
        ),
        ("DELETE", format!("{path}x"), String::new()),
        (
            "POST",
            "/v2/key".to_owned(),
            format!("{quoted},\"x\":\"{}\"}}", "x".repeat(20_000)),
        ),
    ] {
        let answer = client.raw(&request(method, &path, &header, &body)).unwrap();
        assert!(answer.status >= 400, "{method} {path}: {answer:?}");
    }
    // A header too many, and one too long, with secrets in them; some are answered by closing.
    let long = "y".repeat(40_000);
    let _ = client.raw(&request("GET", &path, &[header[0], ("X-Long", &long)], ""));
    let _ = client.raw(format!("GET {path} HTTP/1.1\r\n{pin}\r\n\r\n").as_bytes());
}

fn uuid_bytes(id: &str) -> Vec<u8> {
    let digits = id.replace('-', "");
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..32).step_by(2).map(byte).collect()
}

/// Every file under the data directory but those where secrets belong, and what the servers said.
fn files(house: &House) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![house.data().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !["keyward.keys", "mailbox.jsonl"].contains(&name(&path)) {
                found.insert(name(&path).to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found.insert("the log".to_owned(), house.log().into_bytes());
    found
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn assert_nowhere(secrets: &Secrets, places: &BTreeMap<String, Vec<u8>>) {
    let mut search = Search::default();
    for (name, secret) in &secrets.texts {
        search.add(name, secret);
    }
    let mut found = Vec::new();
    for (place, bytes) in places {
        let texts = search.within(bytes);
        let codes = secrets
            .codes
            .iter()
            .filter_map(|code| search::code(code, bytes));
        found.extend(
            texts
                .into_iter()
                .chain(codes)
                .map(|Found { name, form, around }| format!("{place}: {name}, {form}: …{around}…")),
        );
    }
    assert!(
        found.is_empty(),
        "{} found:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn the_search_finds_what_is_there() {
    let secret = b"anna@example.org";
    let mut search = Search::default();
    search.add("address", secret);
    for form in search::forms(secret) {
        let hay = [&b"before "[..], &form.bytes, b" after"].concat();
        assert_eq!(search.within(&hay).len(), 1, "{}", form.name);
    }
    for before in ["", "a", "ab"] {
        let hay = STANDARD.encode(format!("{before}anna@example.org and more"));
        assert_eq!(search.within(hay.as_bytes()).len(), 1, "{hay}");
    }
    assert!(search.within(b"anna@example.com").is_empty());
    assert_eq!(search::code("123456", b"code=123456.").iter().len(), 1);
    assert!(search::code("123456", b"1234567 .123456Z 0123456").is_none());
}

fn leak_free(house: &House, extra: impl Fn() -> Option<Vec<u8>>) {
    let mut dice = Dice::thrown("leaks");
    let server = house.start();
    let mut secrets = used(house, &server, &mut dice);
    // While it runs, with its journal; killed, with what is left lying; and stopped in order.
    let look = |secrets: &Secrets| {
        let mut places = files(house);
        places.extend(extra().map(|dump| ("the database".to_owned(), dump)));
        assert!(
            places["the log"].len() > 10_000,
            "there is something to search"
        );
        assert_nowhere(secrets, &places);
    };
    look(&secrets);
    server.kill();
    look(&secrets);
    let server = house.start();
    let more = used(house, &server, &mut dice);
    let token = fs::read(house.data().join("server.json")).unwrap();
    let token: serde_json::Value = serde_json::from_slice(&token).unwrap();
    server.stop();
    let offset = secrets.texts.len();
    let renamed = more
        .texts
        .into_iter()
        .map(|(name, secret)| (format!("{name}+{offset}"), secret));
    secrets.texts.extend(renamed);
    secrets.codes.extend(more.codes);
    secrets.add("admin token", token["token"].as_str().unwrap());
    look(&secrets);
    house.assert_no_panic();
}

#[test]
fn no_secret_is_in_a_text_log_or_in_the_sqlite_files() {
    let house = House::new().with("KEYWARD_SERVER__LOG_FILTER", "trace");
    leak_free(&house, || None);
}

#[test]
fn no_secret_is_in_a_json_log() {
    let house = House::new()
        .with("KEYWARD_SERVER__LOG_FILTER", "trace")
        .flags(&["--dev", "--dev-fast-hash", "--json-log"]);
    leak_free(&house, || None);
}

#[test]
fn no_secret_is_in_postgres_or_in_what_is_logged_of_it() {
    let Some(database) = Database::of("leaks") else {
        return;
    };
    let house = House::new()
        .with("KEYWARD_SERVER__LOG_FILTER", "trace")
        .with("KEYWARD_STORAGE__URL", &database.url);
    leak_free(&house, || Some(database.dump().into_bytes()));
    // Nor is the database's own password.
    let password = database.url.split([':', '@']).nth(2).unwrap().to_owned();
    let mut secrets = Secrets::default();
    secrets.add("password of the database", &password);
    assert_nowhere(&secrets, &files(&house));
}
