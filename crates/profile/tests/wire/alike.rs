//! Known and unknown accounts are told apart by nothing: same bytes, same counted work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use domain::Error;
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

struct Watched {
    person: Person,
    calls: Arc<AtomicU64>,
}

impl Watched {
    async fn new() -> Self {
        let calls = Arc::new(AtomicU64::new(0));
        let store = Backing::memory().store();
        let store = Counting {
            store,
            calls: Arc::clone(&calls),
        };
        let kit = Kit::builder().store(Arc::new(store)).build().await;
        let person = Person::at(&kit);
        person.register("known@example.com").await;
        // From here on letters wait for the jobs, as they do for a real provider.
        kit.courier.deliver_by_jobs();
        Self { person, calls }
    }

    /// The answer without its ids and times, and the work it took.
    async fn ask(&self, path: &str, body: serde_json::Value) -> (Answer, u64) {
        let before = self.calls.load(Ordering::SeqCst);
        let answer = self.person.post(path, body).await;
        (answer, self.calls.load(Ordering::SeqCst) - before)
    }
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
    format!("{} {headers:?} {body}", answer.status)
        .replace(address, "ADDRESS")
        .replace(&format!("{}***", &address[..1]), "A***")
}

#[tokio::test]
async fn every_step_before_a_login_costs_and_says_the_same() {
    let mut seen: Vec<Vec<(String, u64)>> = Vec::new();
    for address in ["known@example.com", "nobod@example.com"] {
        let watched = Watched::new().await;
        let mut steps = Vec::new();
        let note = |(answer, work): (Answer, u64), steps: &mut Vec<(String, u64)>| {
            steps.push((plain(&answer, address), work));
            answer
        };
        let begun = note(
            watched
                .ask("registration", json!({ "userKey": address }))
                .await,
            &mut steps,
        );
        let process = begun.member("processingId");
        let path = format!("token/registration/{process}");
        note(watched.ask(&path, json!({})).await, &mut steps);
        note(watched.ask(&path, json!({})).await, &mut steps);
        let wrong = json!({ "processingId": process, "oneTimeToken": "000000" });
        note(
            watched.ask("registration/verification", wrong).await,
            &mut steps,
        );
        for _ in 0..6 {
            let wrong = json!({ "userKey": address, "password": "not the password" });
            note(watched.ask("login", wrong).await, &mut steps);
        }
        let wrong = json!({ "userKey": address, "password": "not this one", "keyType": "EMAIL" });
        note(watched.ask("userKeys/recovery", wrong).await, &mut steps);
        let begun = note(
            watched
                .ask("password/recovery", json!({ "userKey": address }))
                .await,
            &mut steps,
        );
        let process = begun.member("processingId");
        for kind in ["EMAIL", "PHONE_NUMBER", "EMAIL"] {
            let wanted = json!({ "processingId": process, "destination": kind });
            note(
                watched.ask("token/password/recovery", wanted).await,
                &mut steps,
            );
        }
        for _ in 0..11 {
            let wrong = json!({ "processingId": process, "oneTimeToken": "000000" });
            note(
                watched.ask("password/recovery/verification", wrong).await,
                &mut steps,
            );
        }
        let new = json!({ "processingId": process, "newPassword": PASSWORD });
        note(
            watched.ask("password/recovery/newPassword", new).await,
            &mut steps,
        );
        seen.push(steps);
    }
    for (step, (known, unknown)) in seen[0].iter().zip(&seen[1]).enumerate() {
        assert_eq!(known, unknown, "step {step}");
    }
}
