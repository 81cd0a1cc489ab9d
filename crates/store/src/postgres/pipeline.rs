//! Statements sent together and answered in order: one round trip for all of them.
//!
//! Unless they are prepared, statements are unnamed and bring their types, so nothing is left in the
//! session and a pooler between may give each transaction another one.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::Object;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Statement};

use super::Statements;

/// A value of a statement.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Bytes(Vec<u8>),
    BytesOrNull(Option<Vec<u8>>),
    Number(i64),
    NumberOrNull(Option<i64>),
    Texts(Vec<String>),
    ManyBytes(Vec<Vec<u8>>),
}

impl Value {
    fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Text(text) => (text, Type::TEXT),
            Self::Bytes(bytes) => (bytes, Type::BYTEA),
            Self::BytesOrNull(bytes) => (bytes, Type::BYTEA),
            Self::Number(number) => (number, Type::INT8),
            Self::NumberOrNull(number) => (number, Type::INT8),
            Self::Texts(texts) => (texts, Type::TEXT_ARRAY),
            Self::ManyBytes(many) => (many, Type::BYTEA_ARRAY),
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

/// A connection of the pool, and how statements travel over it.
pub(super) struct Line {
    pub(super) client: Object,
    pub(super) statements: Statements,
}

type Pending<'a> = Pin<Box<dyn Future<Output = Result<Reply, tokio_postgres::Error>> + Send + 'a>>;

impl Line {
    /// Sends all steps, then waits for all answers, not longer than `limit`.
    pub(super) async fn send(&self, steps: &[Step], limit: Duration) -> Result<Vec<Reply>, Broken> {
        let mut replies: Vec<Option<Result<Reply, tokio_postgres::Error>>> =
            steps.iter().map(|_| None).collect();
        let work = async {
            let prepared = match self.prepare(steps).await {
                Ok(prepared) => prepared,
                Err((step, error)) => {
                    replies[step] = Some(Err(error));
                    return;
                }
            };
            let mut pending: Vec<Option<Pending<'_>>> = steps
                .iter()
                .zip(prepared)
                .map(|(step, prepared)| Some(self.start(step, prepared)))
                .collect();
            // A future puts its message into the queue when it is first polled: in order.
            poll_fn(|context| {
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
            })
            .await;
        };
        // Timed out or not, the replies say which step is the first that failed.
        let _ = tokio::time::timeout(limit, work).await;
        if let Some(step) = replies
            .iter()
            .position(|reply| matches!(reply, Some(Err(_))))
        {
            let error = replies.swap_remove(step).and_then(Result::err);
            return Err(Broken { step, error });
        }
        let count = replies.len();
        let replies: Vec<Reply> = replies.into_iter().map_while(|reply| reply?.ok()).collect();
        if replies.len() < count {
            return Err(Broken {
                step: replies.len(),
                error: None,
            });
        }
        Ok(replies)
    }

    /// Sends a statement without waiting for its answer: whoever uses the line next comes behind it.
    pub(super) async fn post(&self, sql: &str) {
        let mut future = Box::pin(self.client.batch_execute(sql));
        poll_fn(|context| {
            let _ = future.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
    }

    /// The statements' names on this connection, made where there is none yet.
    async fn prepare(
        &self,
        steps: &[Step],
    ) -> Result<Vec<Option<Statement>>, (usize, tokio_postgres::Error)> {
        let mut prepared = Vec::with_capacity(steps.len());
        for (index, step) in steps.iter().enumerate() {
            prepared.push(match (self.statements, step) {
                (Statements::Unnamed, _) | (_, Step::Batch(_)) => None,
                (Statements::Prepared, Step::Read(sql, values) | Step::Change(sql, values)) => {
                    let types: Vec<Type> = values.iter().map(|value| value.typed().1).collect();
                    let statement = self.client.prepare_typed_cached(sql, &types).await;
                    Some(statement.map_err(|error| (index, error))?)
                }
            });
        }
        Ok(prepared)
    }

    fn start<'a>(&'a self, step: &'a Step, prepared: Option<Statement>) -> Pending<'a> {
        let client: &Client = &self.client;
        match step {
            Step::Batch(sql) => {
                Box::pin(async move { client.batch_execute(sql).await.map(|()| Reply::Nothing) })
            }
            Step::Read(sql, values) => Box::pin(async move {
                let values: Vec<_> = values.iter().map(Value::typed).collect();
                let rows = match prepared {
                    Some(name) => client.query(&name, &untyped(&values)).await,
                    None => client.query_typed(sql, &values).await,
                };
                rows.map(Reply::Rows)
            }),
            Step::Change(sql, values) => Box::pin(async move {
                let values: Vec<_> = values.iter().map(Value::typed).collect();
                let changed = match prepared {
                    Some(name) => client.execute(&name, &untyped(&values)).await,
                    None => client.execute_typed(sql, &values).await,
                };
                changed.map(Reply::Changed)
            }),
        }
    }
}

fn untyped<'a>(values: &[(&'a (dyn ToSql + Sync), Type)]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|(value, _)| *value).collect()
}
