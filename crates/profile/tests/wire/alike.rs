//! Known and unknown accounts are told apart by nothing: same bytes, same counted work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::Error;
use domain::limit::rate::Rate;
use domain::port::Store;
use domain::port::store::{AnyRow, Job, Kind, Page, Row, RowId, Tx, TxResult};
use domain::time::Timestamp;
use serde_json::json;
use testkit::{Answer, Backing, Kit};

use crate::person::{PASSWORD, Person};

/// Counts what is asked of a database.
struct Counting {
    store: Arc<dyn Store>,
    calls: Arc<AtomicU64>,
}

struct Counted<'a> {
    tx: &'a mut dyn Tx,
    calls: &'a AtomicU64,
}

impl Counted<'_> {
    fn one(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for Counting {
    async fn write(&self, mut job: Job) -> Result<(), Error> {
        let calls = Arc::clone(&self.calls);
        calls.fetch_add(1, Ordering::SeqCst);
        self.store
            .write(Box::new(move |tx| job(&mut Counted { tx, calls: &calls })))
            .await
    }

    async fn read(&self, mut job: Job) -> Result<(), Error> {
        let calls = Arc::clone(&self.calls);
        calls.fetch_add(1, Ordering::SeqCst);
        self.store
            .read(Box::new(move |tx| job(&mut Counted { tx, calls: &calls })))
            .await
    }

    async fn row(&self, kind: Kind, id: RowId) -> Result<Option<Row>, Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.store.row(kind, id).await
    }

    async fn ready(&self) -> Result<(), Error> {
        self.store.ready().await
    }
}

macro_rules! counted {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        impl Tx for Counted<'_> {
            $(fn $name(&mut self, $($arg: $type),*) -> TxResult<$out> {
                self.one();
                self.tx.$name($($arg),*)
            })*
        }
    };
}

counted! {
    get(kind: Kind, id: &RowId) -> Option<Row>;
    peek(kind: Kind, id: &RowId) -> Option<Row>;
    insert(kind: Kind, row: &Row) -> ();
    update(kind: Kind, row: &Row) -> ();
    remove(kind: Kind, id: &RowId) -> bool;
    children(kind: Kind, owner: &RowId, page: Page) -> Vec<Row>;
    count_children(kind: Kind, owner: &RowId) -> u64;
    remove_children(kind: Kind, owner: &RowId) -> u64;
    due(kind: Kind, now: Timestamp, limit: usize) -> Vec<Row>;
    remove_due(kind: Kind, now: Timestamp, limit: usize) -> u64;
    count(kind: Kind) -> u64;
    scan(after: Option<(&str, RowId)>, limit: usize) -> Vec<AnyRow>;
}

/// A server with somebody on it, and what it was asked.
struct Watched {
    person: Person,
    calls: Arc<AtomicU64>,
    steps: Vec<Step>,
}

/// A call: its path, its answer without its ids and times, and the work it took.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    path: String,
    answer: String,
    work: u64,
}

/// What the one who is known has.
#[derive(Clone, Copy)]
struct Known {
    email: &'static str,
    phone: Option<&'static str>,
}

impl Watched {
    async fn with(known: Known) -> Self {
        let calls = Arc::new(AtomicU64::new(0));
        let store = Backing::memory().store();
        let store = Counting {
            store,
            calls: Arc::clone(&calls),
        };
        let day = Duration::from_secs(86_400);
        // Every budget is on: each is a row that is looked at, or is not.
        let kit = Kit::builder()
            .store(Arc::new(store))
            .policy(|policy| policy.limits.country_messages = Rate::per(1000, day))
            .policy(|policy| policy.limits.day_messages = Rate::per(10_000, day))
            .policy(|policy| policy.limits.network_messages = Rate::per(10_000, day));
        let person = Person::at(&kit.build().await);
        person.register(known.email).await;
        if let Some(phone) = known.phone {
            person.add_phone(known.email, phone).await;
        }
        // Budgets and pauses of the preparation are over.
        person.kit.clock.advance(Duration::from_secs(90_000));
        // From here on letters wait for the jobs, as they do for a real provider.
        person.kit.courier.deliver_by_jobs();
        Self {
            person,
            calls,
            steps: Vec::new(),
        }
    }

    async fn ask(&mut self, path: &str, body: serde_json::Value, address: &str) -> Answer {
        let before = self.calls.load(Ordering::SeqCst);
        let answer = self.person.post(path, body).await;
        let work = self.calls.load(Ordering::SeqCst) - before;
        self.steps.push(Step {
            path: pattern(path),
            answer: plain(&answer, address),
            work,
        });
        answer
    }

    /// The provider takes what is waiting, and time goes by.
    async fn wait(&self, seconds: u64) {
        self.person.kit.run_jobs().await;
        self.person.kit.clock.advance(Duration::from_secs(seconds));
    }

    /// Everything that anybody may ask of an address without a session.
    async fn everything(&mut self, address: &str) {
        self.registration(address).await;
        for _ in 0..6 {
            let wrong = json!({ "userKey": address, "password": "not the password" });
            self.ask("login", wrong, address).await;
        }
        self.wait(901).await;
        for kind in ["EMAIL", "PHONE_NUMBER"] {
            let wrong = json!({ "userKey": address, "password": "not this one", "keyType": kind });
            self.ask("userKeys/recovery", wrong, address).await;
        }
        self.recovery(address).await;
        self.over_the_limits(address).await;
        self.with_a_process_of_nobody(address).await;
    }

    async fn registration(&mut self, address: &str) {
        let key = json!({ "userKey": address });
        let begun = self.ask("registration", key, address).await;
        let process = begun.member("processingId");
        let path = format!("token/registration/{process}");
        for _ in 0..2 {
            self.ask(&path, json!({}), address).await;
        }
        self.wait(60).await;
        let path = format!("token/registration/verification/{process}");
        self.ask(&path, json!({}), address).await;
        let password = json!({ "processingId": process, "password": PASSWORD });
        self.ask("registration/password", password, address).await;
        for _ in 0..11 {
            let wrong = json!({ "processingId": process, "oneTimeToken": "000000" });
            self.ask("registration/verification", wrong, address).await;
        }
    }

    async fn recovery(&mut self, address: &str) {
        let key = json!({ "userKey": address });
        let begun = self.ask("password/recovery", key, address).await;
        let process = begun.member("processingId");
        let path = "token/password/recovery";
        for kind in ["EMAIL", "PHONE_NUMBER", "EMAIL"] {
            let wanted = json!({ "processingId": process, "destination": kind });
            self.ask(path, wanted, address).await;
        }
        let new = json!({ "processingId": process, "newPassword": PASSWORD });
        self.ask("password/recovery/newPassword", new, address)
            .await;
        let verify = "password/recovery/verification";
        let wrong = json!({ "processingId": process, "oneTimeToken": "000000" });
        for _ in 0..5 {
            self.ask(verify, wrong.clone(), address).await;
        }
        self.wait(60).await;
        let path = format!("token/password/recovery/{process}");
        self.ask(&path, json!({}), address).await;
        for _ in 0..6 {
            self.ask(verify, wrong.clone(), address).await;
        }
        // Ten in a row lock the class, which is counted by the address.
        let key = json!({ "userKey": address });
        let begun = self.ask("password/recovery", key, address).await;
        let wrong =
            json!({ "processingId": begun.member("processingId"), "oneTimeToken": "000000" });
        self.ask(verify, wrong, address).await;
    }

    /// Five an hour for the operation and twenty for the address; the network's sixty are not reached.
    async fn over_the_limits(&mut self, address: &str) {
        self.wait(7200).await;
        for _ in 0..8 {
            let key = json!({ "userKey": address });
            let begun = self.ask("registration", key.clone(), address).await;
            let path = format!("token/registration/{}", begun.member("processingId"));
            self.ask(&path, json!({}), address).await;
            let begun = self.ask("password/recovery", key, address).await;
            for kind in ["EMAIL", "PHONE_NUMBER"] {
                let wanted =
                    json!({ "processingId": begun.member("processingId"), "destination": kind });
                self.ask("token/password/recovery", wanted, address).await;
            }
            self.wait(61).await;
        }
    }

    /// What has a process of its own says nothing about addresses: it is another's or nobody's.
    async fn with_a_process_of_nobody(&mut self, address: &str) {
        let call = json!({ "processingId": "8bfd90a9-949b-42e6-aae4-1690ce339721", "destination": "EMAIL",
            "oneTimeToken": "000000" });
        for path in [
            "token/login",
            "login/verification",
            "token/userKeys/recovery/verification",
            "token/mfa/recovery/verification",
            "userKeys/recovery/verification",
            "userKeys/recovery/newKey",
        ] {
            self.ask(path, call.clone(), address).await;
        }
        let new = json!({ "processingId": "8bfd90a9-949b-42e6-aae4-1690ce339721", "destination": address });
        for path in [
            "token/userKeys/recovery/newKey",
            "token/mfa/recovery/newKey",
        ] {
            self.ask(path, new.clone(), address).await;
        }
        let token = json!({ "refreshToken": address });
        self.ask("login/refresh", token, address).await;
    }
}

/// The path with its process as the route table has it.
fn pattern(path: &str) -> String {
    let is_id = |part: &str| part.len() == 36 && part.matches('-').count() == 4;
    let parts = path
        .split('/')
        .map(|part| if is_id(part) { "{processingId}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Headers and body, without what is another each time.
fn plain(answer: &Answer, address: &str) -> String {
    let mut body = answer.json();
    for field in ["processingId", "timestamp", "path"] {
        if body.get(field).is_some() {
            body[field] = json!("…");
        }
    }
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .map(|header| format!("{header:?}"))
        .collect();
    headers.sort();
    let mask = match address.split_once('@') {
        Some((local, domain)) => format!("{}***@{domain}", &local[..1]),
        None => format!("+***{}", &address[address.len() - 2..]),
    };
    format!("{} {headers:?} {body}", answer.status)
        .replace(address, "ADDRESS")
        .replace(&mask, "MASKED")
}

const BOTH: Known = Known {
    email: "known@example.com",
    phone: Some("+4915112345678"),
};

/// Asks the same of everybody, and compares.
async fn nobody_can_tell(people: &[(Known, &str)]) -> Vec<Step> {
    let mut seen = Vec::new();
    for (known, address) in people {
        let mut watched = Watched::with(*known).await;
        watched.everything(address).await;
        seen.push(watched.steps);
    }
    for (other, (_, address)) in seen[1..].iter().zip(&people[1..]) {
        assert_eq!(seen[0].len(), other.len());
        for (nth, (one, other)) in seen[0].iter().zip(other).enumerate() {
            assert_eq!(one, other, "step {nth}, {address}");
        }
    }
    seen.remove(0)
}

#[tokio::test]
async fn an_email_address_with_and_without_an_account() {
    let only = Known {
        phone: None,
        ..BOTH
    };
    let steps = nobody_can_tell(&[
        (BOTH, "known@example.com"),
        (only, "known@example.com"),
        (BOTH, "nobod@example.com"),
    ])
    .await;
    // The limits were met, or nothing was said about them.
    let limited = steps.iter().filter(|step| step.answer.starts_with("429"));
    assert!(limited.count() > 5);
    // No operation without a session is left out.
    let description = profile::openapi();
    for (path, operations) in description["paths"].as_object().unwrap() {
        let Some(operation) = operations.get("post") else {
            continue;
        };
        let open = operation["security"] == json!([{}]) || operation["security"] == json!([]);
        let path = path.strip_prefix("/api/v1/").unwrap();
        let asked = steps.iter().any(|step| step.path == path);
        assert_eq!(asked, open, "{path}");
    }
}

#[tokio::test]
async fn a_phone_number_with_and_without_an_account() {
    nobody_can_tell(&[(BOTH, "+4915112345678"), (BOTH, "+4915112345670")]).await;
}

/// T5, T7, T8 and T10: a new address that is free, another's.
#[tokio::test]
async fn an_account_cannot_probe_addresses() {
    let mut seen = Vec::new();
    for address in ["+4915112345678", "+4915112345670"] {
        let watched = Watched::with(BOTH).await;
        let ben = "ben@example.com";
        watched.person.kit.courier.deliver_at_once();
        watched.person.register(ben).await;
        watched.person.kit.courier.deliver_by_jobs();
        let (access, _) = watched.person.log_in(ben).await;
        let path = "token/userKeys/adding/phoneNumber";
        let before = watched.calls.load(Ordering::SeqCst);
        let new = json!({ "newPhoneNumber": address });
        let answer = watched.person.send(path, Some(&access), new).await;
        let work = watched.calls.load(Ordering::SeqCst) - before;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let wrong = json!({ "newPhoneNumber": address, "oneTimeToken": "000000" });
        let path = "userKeys/adding/phoneNumber";
        let refused = watched.person.send(path, Some(&access), wrong).await;
        seen.push((plain(&answer, address), work, plain(&refused, address)));
    }
    assert_eq!(seen[0], seen[1]);
}
