//! PostgreSQL: one primary, any number of servers.
//!
//! 1. Take a connection from the pool; a new connection goes to the host that commits writes (`primacy`).
//! 2. Run the closure on a blocking thread (`attempt`, `run`); its statements go over that connection (`rows`).
//! 3. Send its last statements together with its commit mark and `COMMIT` (`mark`).
//! 4. After a conflict, or if the connection was lost before `COMMIT` was sent: run it again after a short random
//!    wait.
//! 5. If the connection was lost after that: read the mark before anything else.

mod attempt;
mod connect;
mod deadline;
mod fault;
mod gather;
mod mark;
mod pipeline;
mod primacy;
mod rows;
mod run;
mod schema;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Object, Pool, PoolError, Timeouts};
use domain::port::Store;
use domain::port::store::{Job, Kind, Row, RowId};
use domain::{Error, Timestamp};
use tokio::sync::{Mutex, OnceCell, Semaphore};
use tokio_postgres::Client;

use crate::backend::Backend;
use crate::failure::Failure;
use crate::readiness::{self, Readiness};
use crate::schema::{Extent, Migrations, Plan, SchemaError};
use crate::stopwatch::Stopwatch;
use deadline::Deadline;
use fault::Fault;
use gather::{Gather, Lead, Told, Turn};
use mark::Slots;
use pipeline::{Line, Step};
use primacy::{PROOF, Primacy};
use rows::Access;

/// Time within which a primary must prove that it still is one.
const PROVED_WITHIN: Duration = Duration::from_secs(2);
/// Time reserved for finding out about a lost commit, however late the connection was lost.
const FATE_WITHIN: Duration = Duration::from_secs(2);

/// How statements are sent to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statements {
    /// As full text each time. Nothing remains in a session, so any pooler can be used.
    Unnamed,
    /// By names that are prepared in the session, which saves two fifths of the server's work. Only for direct
    /// connections and for poolers that track prepared statements; with other poolers, a name may refer to another
    /// program's statement.
    Prepared,
}

/// Options for the use of a PostgreSQL server.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    pub migrations: Migrations,
    /// Maximum number of connections.
    pub pool_size: usize,
    /// How many calls may wait for a connection; more get `Busy`.
    pub queue: usize,
    /// Time limit for a call with all its attempts.
    pub deadline: Duration,
    /// Time limit for one statement in the server, including waiting for locks.
    pub statement_timeout: Duration,
    /// Time limit for one host to accept a connection.
    pub connect_timeout: Duration,
    pub statements: Statements,
    /// Certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            migrations: Migrations::Apply,
            pool_size: 16,
            queue: 4_096,
            deadline: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            statements: Statements::Unnamed,
            ca_file: None,
        }
    }
}

/// A PostgreSQL database.
pub struct PostgresStore {
    pool: Pool,
    options: PostgresOptions,
    queue: Semaphore,
    slots: Arc<Slots>,
    /// Set once the schema is known to be the one that this release needs.
    schema: OnceCell<()>,
    ready: Readiness,
    gather: Gather,
    primacy: Arc<Primacy>,
    /// Held by the caller that makes the primary prove itself, for all callers that wait.
    proving: Mutex<()>,
}

impl PostgresStore {
    /// Does not connect yet, because a server can start while its database is unreachable. The schema is checked
    /// at the first connection, or by [`Backend::ensure_schema`].
    pub fn connect(url: &str, options: PostgresOptions) -> Result<Self, Error> {
        let primacy = Arc::default();
        Ok(Self {
            pool: connect::pool(url, &options, Arc::clone(&primacy))?,
            queue: Semaphore::new(options.queue),
            options,
            slots: Arc::default(),
            schema: OnceCell::new(),
            ready: Readiness::default(),
            gather: Gather::default(),
            primacy,
            proving: Mutex::default(),
        })
    }

    async fn checkout(&self, deadline: &Deadline) -> Result<Line, Fault> {
        let client = self.connection(deadline).await?;
        if self.options.migrations != Migrations::Leave {
            self.schema
                .get_or_try_init(|| arrange(&client, self.options.migrations))
                .await
                .map_err(Fault::Final)?;
        }
        Ok(Line {
            client,
            statements: self.options.statements,
        })
    }

    /// Makes sure that a read at this moment comes from the primary.
    async fn assure(&self, line: &Line, deadline: &Deadline) -> Result<(), Fault> {
        if self.primacy.is_fresh() || self.options.migrations == Migrations::Leave {
            return Ok(());
        }
        let _one = self.proving.lock().await;
        if self.primacy.is_fresh() {
            return Ok(());
        }
        let began = Stopwatch::start();
        let limit = deadline.left().min(PROVED_WITHIN);
        line.send(&[Step::Change(PROOF, Vec::new())], limit)
            .await
            .map_err(fault::of)?;
        self.primacy.proved(began);
        Ok(())
    }

    /// Returns a connection to the server that is known to be the primary.
    async fn connection(&self, deadline: &Deadline) -> Result<Object, Fault> {
        loop {
            let found = self.pooled(deadline).await?;
            if self.primacy.admits(Object::metrics(&found).age()) {
                return Ok(found);
            }
            drop(Object::take(found));
        }
    }

    async fn pooled(&self, deadline: &Deadline) -> Result<Object, Fault> {
        let left = Some(deadline.left());
        let timeouts = Timeouts {
            wait: left,
            create: left,
            recycle: left,
        };
        self.pool
            .timeout_get(&timeouts)
            .await
            .map_err(|error| match error {
                PoolError::Backend(error) => match fault::of_error(error) {
                    // A wrong password may become correct when the operator corrects it, so this is not a bug.
                    Fault::Final(Error::Bug(source)) => Fault::Final(Error::Unavailable(source)),
                    fault => fault,
                },
                error => Fault::Final(
                    Failure::because("could not connect to PostgreSQL in time", error)
                        .unavailable(),
                ),
            })
    }

    /// Closes a connection that failed, and the idle ones, because they lead to the same server.
    fn discard(&self, line: Line) {
        self.primacy.doubt();
        drop(Object::take(line.client));
        self.pool.retain(|_, _| false);
    }

    fn discard_if_lost(&self, line: Line, fault: &Fault) {
        if matches!(fault, Fault::Lost(_)) {
            self.discard(line);
        }
    }

    /// Runs one statement outside any transaction.
    async fn ask(&self, step: Step, deadline: &Deadline) -> Result<pipeline::Reply, Fault> {
        let line = self.checkout(deadline).await?;
        if matches!(step, Step::Read(..))
            && let Err(fault) = self.assure(&line, deadline).await
        {
            self.discard_if_lost(line, &fault);
            return Err(fault);
        }
        match line.send(&[step], deadline.left()).await {
            Ok(mut replies) => Ok(replies.pop().unwrap_or(pipeline::Reply::Nothing)),
            Err(broken) => {
                let fault = fault::of(broken);
                self.discard_if_lost(line, &fault);
                Err(fault)
            }
        }
    }
}

impl PostgresStore {
    /// Queries the rows for all callers that wait, and repeats this while there is time.
    async fn answer(&self, lead: Lead, deadline: &Deadline) -> Result<Option<Row>, Error> {
        let mut attempts = 0;
        loop {
            match self.ask(lead.step(), deadline).await {
                Ok(reply) => return lead.share(Ok(reply)),
                Err(Fault::Final(error)) => return lead.share(Err(error)),
                Err(fault) => {
                    attempts += 1;
                    if !deadline.pause(attempts).await {
                        return lead.share(Err(fault.into_error()));
                    }
                }
            }
        }
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn write(&self, job: Job) -> Result<(), Error> {
        self.run(job, Access::Write).await
    }

    async fn read(&self, job: Job) -> Result<(), Error> {
        self.run(job, Access::Read).await
    }

    async fn row(&self, kind: Kind, id: RowId) -> Result<Option<Row>, Error> {
        let Ok(_waiting) = self.queue.try_acquire() else {
            return Err(Error::Busy { seconds: 1 });
        };
        let deadline = Deadline::within(self.options.deadline);
        let answer = match self.gather.join(kind, id) {
            Turn::Lead(lead) => return self.answer(lead, &deadline).await,
            Turn::Wait(answer) => answer,
        };
        // A leader answers, or another one takes over, within its own deadline.
        match answer.await {
            Ok(Told::Answer(answer)) => answer,
            Ok(Told::Lead(leadership)) => self.answer(leadership.of(kind, id), &deadline).await,
            Err(_) => Err(Failure::new("a query to PostgreSQL ended without a result").bug()),
        }
    }

    async fn ready(&self) -> Result<(), Error> {
        let touch =
            Step::Batch("UPDATE meta SET value = value + 1 WHERE name = 'ready'".to_owned());
        let touch = async {
            let deadline = Deadline::within(readiness::WITHIN);
            let touched = self.ask(touch, &deadline).await;
            touched.map(|_| ()).map_err(Fault::into_error)
        };
        self.ready.check(touch).await
    }
}

#[async_trait]
impl Backend for PostgresStore {
    fn engine(&self) -> &'static str {
        "postgres"
    }

    async fn ensure_schema(&self) -> Result<(), Error> {
        let deadline = Deadline::within(self.options.deadline);
        self.checkout(&deadline)
            .await
            .map(|_| ())
            .map_err(Fault::into_error)
    }

    async fn plan(&self) -> Result<Plan, Error> {
        let deadline = Deadline::within(self.options.deadline);
        let client = self
            .connection(&deadline)
            .await
            .map_err(Fault::into_error)?;
        schema::plan(&client).await
    }

    async fn migrate(&self, extent: Extent) -> Result<Plan, Error> {
        let deadline = Deadline::within(self.options.deadline);
        let client = self
            .connection(&deadline)
            .await
            .map_err(Fault::into_error)?;
        schema::migrate(&client, extent).await
    }

    async fn clock(&self) -> Result<Option<Timestamp>, Error> {
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let deadline = Deadline::within(readiness::WITHIN);
        let reply = self.ask(Step::Read(sql, Vec::new()), &deadline).await;
        let rows = reply.map_err(Fault::into_error)?.rows();
        Ok(rows
            .first()
            .map(|row| Timestamp::from_millis(row.get::<_, i64>(0))))
    }

    async fn count_kinds(&self) -> Result<Vec<(String, u64)>, Error> {
        let sql = "SELECT kind, count(*) FROM sealed_row GROUP BY kind ORDER BY kind";
        let deadline = Deadline::within(self.options.deadline);
        let reply = self.ask(Step::Read(sql, Vec::new()), &deadline).await;
        let rows = reply.map_err(Fault::into_error)?.rows();
        Ok(rows
            .iter()
            .map(|row| (row.get(0), rows::unsigned(row.get(1))))
            .collect())
    }
}

async fn arrange(client: &Client, migrations: Migrations) -> Result<(), Error> {
    if migrations == Migrations::Require {
        let plan = schema::plan(client).await?;
        if plan.is_current() {
            return Ok(());
        }
        return Err(Error::unavailable(SchemaError::Pending { plan }));
    }
    let plan = schema::migrate(client, Extent::Expand).await?;
    if !plan.steps.is_empty() {
        let (from, to) = (plan.from, plan.to);
        tracing::info!(engine = "postgres", from, to, "the schema was migrated");
    }
    Ok(())
}
