//! Two nodes on one database, on SQLite and on PostgreSQL; and ways to look at a store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::Error;
use domain::policy::Policy;
use domain::port::Store;
use domain::port::store::{AnyRow, Job, Kind, Page, Row, RowId, Tx, TxResult};
use serde_json::{Value, json};
use testkit::{Backing, Kit, on_every_store};

use crate::person::{Person, client, plain};

on_every_store!(
    a_reference_works_once_over_two_nodes,
    sessions_and_changes_reach_the_other_node,
);

/// Two nodes over one database. They draw different chance and share clock and keys.
pub(crate) async fn two_nodes(backing: &Backing, change: fn(&mut Policy)) -> (Kit, Kit) {
    let one = Kit::builder()
        .store(backing.store())
        .policy(change)
        .build()
        .await;
    let two = Kit::builder()
        .store(backing.another_node())
        .clock(one.clock.clone())
        .seed(2)
        .policy(change)
        .build()
        .await;
    (one, two)
}

async fn a_reference_works_once_over_two_nodes(backing: Backing) {
    let (one, two) = two_nodes(&backing, plain).await;
    let here = Person::joins(&one, "bob@example.org").await;
    let there = Person {
        client: client(&two.services),
        ..here.clone()
    };
    let challenge = here.challenge().await;
    let body = here.answer_to(&challenge);
    let calls = (0..8).map(|turn| {
        let (person, body) = (
            if turn % 2 == 0 {
                here.clone()
            } else {
                there.clone()
            },
            body.clone(),
        );
        tokio::spawn(async move {
            person
                .call("POST", "/user/login", &body)
                .await
                .status
                .as_u16()
        })
    });
    let mut statuses = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        statuses.push(call.await.expect("the call ends"));
    }
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert!(
        statuses.iter().all(|status| [200, 400].contains(status)),
        "{statuses:?}"
    );
}

async fn sessions_and_changes_reach_the_other_node(backing: Backing) {
    let (one, two) = two_nodes(&backing, plain).await;
    let here = Person::joins(&one, "bob@example.org").await;
    let there = Person {
        client: client(&two.services),
        ..here.clone()
    };
    let key = here.adds_key().await;
    assert_eq!(there.keys().await["keys"][0]["key_id"], json!(key));
    let web = there.does("GET", "/user/webauth", Value::Null).await;
    let page = format!(
        "/api/v1/user/login/{}",
        web["token"].as_str().expect("a token")
    );
    let calls = (0..6).map(|turn| {
        let (client, page) = (
            if turn % 2 == 0 {
                here.client.clone()
            } else {
                there.client.clone()
            },
            page.clone(),
        );
        tokio::spawn(async move { client.send("GET", &page, &[], "").await.status.as_u16() })
    });
    let mut good = 0;
    for call in calls.collect::<Vec<_>>() {
        good += usize::from(call.await.expect("the call ends") == 200);
    }
    assert_eq!(good, 1, "a web token opens one page");
    there.does("DELETE", "/user", Value::Null).await;
    here.fails(
        "GET",
        "/user/keys",
        Value::Null,
        (403, "The auth token has expired"),
    )
    .await;
    Person::joins(&one, "bob@example.org").await;
    let again = Person {
        client: client(&two.services),
        ..here
    }
    .signs_in()
    .await;
    assert_eq!(again.keys().await["keys"], json!([]));
}

/// How many rows of each kind there are.
pub(crate) async fn rows(store: &Arc<dyn Store>) -> BTreeMap<String, usize> {
    let counted = Arc::new(Mutex::new(BTreeMap::new()));
    let into = Arc::clone(&counted);
    let scan = move |tx: &mut dyn Tx| {
        let mut counts = BTreeMap::new();
        for AnyRow { kind, .. } in tx.scan(None, 100_000)? {
            *counts.entry(kind).or_default() += 1;
        }
        *into.lock().unwrap_or_else(PoisonError::into_inner) = counts;
        Ok(())
    };
    store
        .read(Box::new(scan))
        .await
        .expect("the store can be read");
    counted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// SQLite that writes down what it is asked to do.
pub(crate) struct CountingStore {
    inner: Arc<dyn Store>,
    steps: Arc<Mutex<Vec<String>>>,
}

impl Default for CountingStore {
    fn default() -> Self {
        Self {
            inner: Backing::memory().store(),
            steps: Arc::default(),
        }
    }
}

impl CountingStore {
    /// The steps since the last call.
    pub(crate) fn reset(&self) -> Vec<String> {
        std::mem::take(&mut *self.steps.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn watched(&self, mut job: Job) -> Job {
        let steps = Arc::clone(&self.steps);
        Box::new(move |tx| {
            job(&mut CountingTx {
                inner: tx,
                steps: Arc::clone(&steps),
            })
        })
    }
}

#[async_trait]
impl Store for CountingStore {
    async fn write(&self, job: Job) -> Result<(), Error> {
        self.inner.write(self.watched(job)).await
    }

    async fn read(&self, job: Job) -> Result<(), Error> {
        self.inner.read(self.watched(job)).await
    }

    async fn row(&self, kind: Kind, id: RowId) -> Result<Option<Row>, Error> {
        let row = self.inner.row(kind, id).await?;
        let size = row.as_ref().map_or(0, |row| row.body.len());
        self.steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(format!("row {kind} {}", size / 256));
        Ok(row)
    }

    async fn ready(&self) -> Result<(), Error> {
        self.inner.ready().await
    }
}

struct CountingTx<'t> {
    inner: &'t mut dyn Tx,
    steps: Arc<Mutex<Vec<String>>>,
}

impl CountingTx<'_> {
    /// `size`: bytes, coarsely, so that the work of sealing and opening is compared too.
    fn note(&self, what: &str, kind: Kind, size: usize) {
        let step = format!("{what} {kind} {}", size / 256);
        self.steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(step);
    }
}

impl Tx for CountingTx<'_> {
    fn get(&mut self, kind: Kind, id: &RowId) -> TxResult<Option<Row>> {
        let row = self.inner.get(kind, id)?;
        self.note("get", kind, row.as_ref().map_or(0, |row| row.body.len()));
        Ok(row)
    }

    fn peek(&mut self, kind: Kind, id: &RowId) -> TxResult<Option<Row>> {
        // Which of the two look-ups finds something differs, and must; that one of them does, must not.
        self.note("peek", kind, 0);
        self.inner.peek(kind, id)
    }

    fn insert(&mut self, kind: Kind, row: &Row) -> TxResult<()> {
        self.note("insert", kind, row.body.len());
        self.inner.insert(kind, row)
    }

    fn update(&mut self, kind: Kind, row: &Row) -> TxResult<()> {
        self.note("update", kind, row.body.len());
        self.inner.update(kind, row)
    }

    fn remove(&mut self, kind: Kind, id: &RowId) -> TxResult<bool> {
        self.note("remove", kind, 0);
        self.inner.remove(kind, id)
    }

    fn children(&mut self, kind: Kind, owner: &RowId, page: Page) -> TxResult<Vec<Row>> {
        let rows = self.inner.children(kind, owner, page)?;
        self.note("children", kind, rows.len());
        Ok(rows)
    }

    fn count_children(&mut self, kind: Kind, owner: &RowId) -> TxResult<u64> {
        self.inner.count_children(kind, owner)
    }

    fn remove_children(&mut self, kind: Kind, owner: &RowId) -> TxResult<u64> {
        self.inner.remove_children(kind, owner)
    }

    fn due(&mut self, kind: Kind, now: domain::Timestamp, limit: usize) -> TxResult<Vec<Row>> {
        self.inner.due(kind, now, limit)
    }

    fn remove_due(&mut self, kind: Kind, now: domain::Timestamp, limit: usize) -> TxResult<u64> {
        self.inner.remove_due(kind, now, limit)
    }

    fn count(&mut self, kind: Kind) -> TxResult<u64> {
        self.inner.count(kind)
    }

    fn scan(&mut self, after: Option<(&str, RowId)>, limit: usize) -> TxResult<Vec<AnyRow>> {
        self.inner.scan(after, limit)
    }
}
