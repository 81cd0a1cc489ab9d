//! Processes: the steps of somebody who is not logged in, under a handle that proves nothing.
//!
//! Registration, login with a second step, password recovery, address recovery. A process ends with its
//! last step, with too many wrong codes, with its time, or when the account it was started for has
//! changed meanwhile (the account's epoch); what is left of it is nothing, so a
//! process that ended and one that never was are the same.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::error::Refusal;
use crate::core::port::random::uuid;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::{Timestamp, days};
use crate::person::People;
use crate::proof::account::Bound;
use crate::proof::token::Sent;
use crate::proof::way::{Factor, Way, WayKind};

/// Names a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessId(pub Uuid);

/// Where a process stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ProcessStep {
    /// Nothing was sent, or a token was: which of the two its slot tells.
    Open,
    /// The code was right. The next step must follow until then.
    Verified { until: Timestamp },
    /// The second code went to this address.
    NewAddressSent { way: Way },
}

/// What a process is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Flow {
    Registration {
        way: Way,
        step: ProcessStep,
        second_step: bool,
        language: String,
    },
    Login {
        bound: Bound,
        pending: Vec<Factor>,
    },
    PasswordRecovery {
        way: Way,
        bound: Option<Bound>,
        step: ProcessStep,
    },
    AddressRecovery {
        bound: Bound,
        lost: WayKind,
        step: ProcessStep,
    },
}

/// The record of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) flow: Flow,
    pub(crate) started: Timestamp,
    pub(crate) ends: Timestamp,
    failed: u32,
    /// Sends to each address.
    sends: BTreeMap<String, u32>,
}

impl Record for Process {
    const KIND: Kind = "process";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// The numbers of processes.
#[derive(Debug, Clone)]
pub struct ProcessPolicy {
    pub life: Duration,
    pub verified: Duration,
    pub wrong: u32,
}

/// No process lives longer, whatever is sent in it.
const LONGEST: Duration = Duration::from_secs(7_200);

impl Process {
    /// Counts a send to `way`, and lets the process live as long as the token.
    pub(crate) fn sent(&mut self, now: Timestamp, way: &str, sent: Sent) {
        *self.sends.entry(way.to_owned()).or_default() += 1;
        self.ends = self
            .ends
            .max(now.plus(sent.life))
            .min(self.started.plus(LONGEST).max(self.ends));
    }

    /// Sends left to `way`, and when the process ends; `None` without a limit.
    pub(crate) fn left(&self, way: &str, limit: u32) -> Option<(u32, Timestamp)> {
        let sent = self.sends.get(way).copied().unwrap_or(0);
        (limit > 0).then_some((limit.saturating_sub(sent), self.ends))
    }

    fn is_over(&self, now: Timestamp) -> bool {
        match self.step() {
            Some(ProcessStep::Verified { until }) => *until <= now,
            _ => self.ends <= now,
        }
    }

    fn step(&self) -> Option<&ProcessStep> {
        match &self.flow {
            Flow::Registration { step, .. }
            | Flow::PasswordRecovery { step, .. }
            | Flow::AddressRecovery { step, .. } => Some(step),
            Flow::Login { .. } => None,
        }
    }
}

impl People {
    pub(crate) fn process_row(&self, id: ProcessId) -> RowId {
        self.rows.id(Process::KIND, &[id.0.as_bytes()])
    }

    /// Starts a process.
    pub(crate) fn open_process(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        flow: Flow,
    ) -> TxResult<ProcessId> {
        let id = ProcessId(uuid(self.random.as_ref()));
        let process = Process {
            flow,
            started: now,
            ends: now.plus(self.policy.processes.life),
            failed: 0,
            sends: BTreeMap::new(),
        };
        let place = Place::at(self.process_row(id)).due(now.plus(days(1)));
        self.rows.create(tx, self.tenant(), place, process)?;
        Ok(id)
    }

    /// The live process of that id, held; nothing when it is over.
    pub(crate) fn process(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Option<Stored<Process>>> {
        let found = self.rows.get::<Process>(tx, &self.process_row(id))?;
        Ok(found.filter(|process| !process.is_over(now)))
    }

    /// Counts a wrong code; with the last one the process is over.
    pub(crate) fn process_failed(
        &self,
        tx: &mut dyn Tx,
        process: &mut Stored<Process>,
        refusal: Refusal,
    ) -> TxResult<Refusal> {
        let Refusal::BadProof { left } = refusal else {
            return Ok(refusal);
        };
        process.failed += 1;
        if process.failed < self.policy.processes.wrong {
            self.rows.put(tx, process)?;
            return Ok(Refusal::BadProof { left });
        }
        self.close_process(tx, process)?;
        Ok(Refusal::BadProof { left: Some(0) })
    }

    /// Ends a process.
    pub(crate) fn close_process(&self, tx: &mut dyn Tx, process: &Stored<Process>) -> TxResult<()> {
        self.rows.remove::<Process>(tx, &process.id())?;
        Ok(())
    }

    pub(crate) fn verified(&self, now: Timestamp) -> ProcessStep {
        ProcessStep::Verified {
            until: now.plus(self.policy.processes.verified),
        }
    }
}

impl People {
    /// The slot of a process's token.
    pub(crate) fn process_slot(
        &self,
        operation: crate::proof::token::Operation,
        process: &Stored<Process>,
    ) -> RowId {
        self.token_slot(operation, &[&process.id().0])
    }
}
