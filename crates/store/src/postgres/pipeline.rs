//! Statements sent together and answered in order: one round trip for all of them.
//!
//! Every statement is unnamed and brings its types, so nothing is left in the session and a pooler
//! between may give each transaction another one.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

/// A value of a statement.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Bytes(Vec<u8>),
    BytesOrNull(Option<Vec<u8>>),
    Number(i64),
    NumberOrNull(Option<i64>),
}

impl Value {
    fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Text(text) => (text, Type::TEXT),
            Self::Bytes(bytes) => (bytes, Type::BYTEA),
            Self::BytesOrNull(bytes) => (bytes, Type::BYTEA),
            Self::Number(number) => (number, Type::INT8),
            Self::NumberOrNull(number) => (number, Type::INT8),
        }
    }
}

#[derive(Debug)]
pub(super) enum Step {
    /// Statements without values, run together.
    Batch(String),
    /// A statement whose rows are wanted.
    Read(&'static str, Vec<Value>),
    /// A statement of which only the number of rows is wanted.
    Change(&'static str, Vec<Value>),
}

#[derive(Debug)]
pub(super) enum Reply {
    Nothing,
    Rows(Vec<Row>),
    Changed(u64),
}

impl Reply {
    pub(super) fn rows(self) -> Vec<Row> {
        match self {
            Self::Rows(rows) => rows,
            _ => Vec::new(),
        }
    }

    pub(super) fn changed(&self) -> u64 {
        match self {
            Self::Changed(rows) => *rows,
            _ => 0,
        }
    }
}

/// The first step that failed. Those behind it were not carried out: PostgreSQL refuses everything
/// in a transaction after an error.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) step: usize,
    /// `None`: no answer in time.
    pub(super) error: Option<tokio_postgres::Error>,
}

type Pending<'a> = Pin<Box<dyn Future<Output = Result<Reply, tokio_postgres::Error>> + Send + 'a>>;

/// Sends all steps, then waits for all answers, not longer than `limit`.
pub(super) async fn send(
    client: &Client,
    steps: &[Step],
    limit: Duration,
) -> Result<Vec<Reply>, Broken> {
    let mut pending: Vec<Option<Pending<'_>>> =
        steps.iter().map(|step| Some(start(client, step))).collect();
    let mut replies: Vec<Option<Result<Reply, tokio_postgres::Error>>> =
        steps.iter().map(|_| None).collect();
    // A future puts its message into the queue when it is polled for the first time: in order.
    let all = poll_fn(|context| {
        let mut left = false;
        for (slot, reply) in pending.iter_mut().zip(replies.iter_mut()) {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(result) => {
                    *reply = Some(result);
                    *slot = None;
                }
                Poll::Pending => left = true,
            }
        }
        if left { Poll::Pending } else { Poll::Ready(()) }
    });
    // Timed out or not, the replies say which step is the first without a good one.
    let _ = tokio::time::timeout(limit, all).await;
    replies
        .into_iter()
        .enumerate()
        .map(|(step, reply)| match reply {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(error)) => Err(Broken {
                step,
                error: Some(error),
            }),
            None => Err(Broken { step, error: None }),
        })
        .collect()
}

/// Sends a statement without waiting for its answer: whoever uses the connection next comes behind it.
pub(super) async fn post(client: &Client, sql: &str) {
    let mut future = Box::pin(client.batch_execute(sql));
    poll_fn(|context| {
        let _ = future.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

fn start<'a>(client: &'a Client, step: &'a Step) -> Pending<'a> {
    match step {
        Step::Batch(sql) => {
            Box::pin(async move { client.batch_execute(sql).await.map(|()| Reply::Nothing) })
        }
        Step::Read(sql, values) => Box::pin(async move {
            let values: Vec<_> = values.iter().map(Value::typed).collect();
            client.query_typed(sql, &values).await.map(Reply::Rows)
        }),
        Step::Change(sql, values) => Box::pin(async move {
            let values: Vec<_> = values.iter().map(Value::typed).collect();
            client.execute_typed(sql, &values).await.map(Reply::Changed)
        }),
    }
}
