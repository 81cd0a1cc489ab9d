//! Processes: the steps of somebody who is not logged in, under a handle that proves nothing.
//!
//! Registration, login with a second step, password recovery and address recovery are processes. A process ends with
//! its last step, with too many wrong codes, with its time, or when the account it was started for has changed
//! meanwhile (the account's epoch). Nothing is left of it then, so a process that ended and one that never was look the
//! same.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::caller::Caller;
use crate::core::error::Refusal;
use crate::core::id::Id;
use crate::core::port::random::uuid;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::{Timestamp, days};
use crate::core::verdict::allowed;
use crate::person::People;
use crate::proof::token::{Operation, Sent, Token, TokenIssue};
use crate::proof::way::Way;

use super::address_recovery::AddressRecoveryFlow;
use super::login::LoginFlow;
use super::password_recovery::PasswordRecoveryFlow;
use super::registration::RegistrationFlow;

/// Names a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessId(pub Uuid);

/// Where a process stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ProcessStep {
    /// Nothing was sent, or a token was: its slot tells which.
    Open,
    /// The code was right. The next step must follow until then.
    Verified { until: Timestamp },
    /// The second code went to this address.
    NewAddressSent { way: Way },
}

impl ProcessStep {
    /// Refuses what is done before the first code was right.
    pub(crate) fn must_be_open(&self) -> Result<(), Refusal> {
        match self {
            Self::Open => Ok(()),
            Self::Verified { .. } | Self::NewAddressSent { .. } => Err(Refusal::WrongState),
        }
    }

    /// Refuses what follows directly on the first code.
    pub(crate) fn must_be_verified(&self) -> Result<(), Refusal> {
        match self {
            Self::Verified { .. } => Ok(()),
            Self::Open | Self::NewAddressSent { .. } => Err(Refusal::WrongState),
        }
    }
}

/// What a process is for, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Flow {
    Registration(RegistrationFlow),
    Login(LoginFlow),
    PasswordRecovery(PasswordRecoveryFlow),
    AddressRecovery(AddressRecoveryFlow),
}

/// The record of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) flow: Flow,
    started: Timestamp,
    ends: Timestamp,
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
    /// How long after a right code the next step may follow.
    pub verified: Duration,
    /// Wrong codes that end a process.
    pub wrong: u32,
}

/// No process lives longer, whatever is sent in it.
const LONGEST: Duration = Duration::from_secs(7_200);

/// What a wrong code does to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    GoesOn,
    /// It was the last one.
    Ends,
}

impl Process {
    fn new(flow: Flow, now: Timestamp, life: Duration) -> Self {
        Self {
            flow,
            started: now,
            ends: now.plus(life),
            failed: 0,
            sends: BTreeMap::new(),
        }
    }

    /// Counts a send to `way`, and lets the process live as long as the token.
    fn sent(&mut self, now: Timestamp, way: &str, life: Duration) {
        *self.sends.entry(way.to_owned()).or_default() += 1;
        let longest = self.started.plus(LONGEST).max(self.ends);
        self.ends = self.ends.max(now.plus(life)).min(longest);
    }

    /// Sends left to `way`, and when the process ends; `None` without a limit.
    fn left(&self, way: &str, limit: u32) -> Option<(u32, Timestamp)> {
        let sent = self.sends.get(way).copied().unwrap_or(0);
        (limit > 0).then_some((limit.saturating_sub(sent), self.ends))
    }

    /// Counts a wrong code. The one with the number `limit` is the last.
    fn fail(&mut self, limit: u32) -> Failure {
        self.failed += 1;
        if self.failed < limit {
            Failure::GoesOn
        } else {
            Failure::Ends
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        match self.step() {
            Some(ProcessStep::Verified { until }) => *until <= now,
            _ => self.ends <= now,
        }
    }

    fn step(&self) -> Option<&ProcessStep> {
        match &self.flow {
            Flow::Registration(flow) => Some(&flow.step),
            Flow::PasswordRecovery(flow) => Some(&flow.step),
            Flow::AddressRecovery(flow) => Some(&flow.step),
            Flow::Login(_) => None,
        }
    }
}

/// A token that is sent in a process.
pub(crate) struct ProcessSend<'a> {
    pub(crate) request: TokenIssue<'a>,
    /// The name under which the process counts the send.
    pub(crate) counted: &'a str,
}

impl People {
    fn process_row(&self, id: ProcessId) -> Id<Process> {
        self.rows.named(&[id.0.as_bytes()])
    }

    /// Starts a process.
    pub(crate) fn open_process(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        flow: Flow,
    ) -> TxResult<ProcessId> {
        let id = ProcessId(uuid(self.random.as_ref()));
        let process = Process::new(flow, now, self.policy.processes.life);
        let place = Place::at(self.process_row(id)).due(now.plus(days(1)));
        self.rows.create(tx, self.tenant(), place, process)?;
        Ok(id)
    }

    /// Returns the live process of that id, held; nothing when it is over.
    pub(crate) fn process(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Option<Stored<Process>>> {
        let found = self.rows.get(tx, self.process_row(id))?;
        Ok(found.filter(|process: &Stored<Process>| !process.is_over(now)))
    }

    /// Saves how far a process is.
    pub(crate) fn save_process(
        &self,
        tx: &mut dyn Tx,
        process: &mut Stored<Process>,
        flow: Flow,
    ) -> TxResult<()> {
        process.flow = flow;
        self.rows.put(tx, process)
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
        match process.fail(self.policy.processes.wrong) {
            Failure::GoesOn => {
                self.rows.put(tx, process)?;
                Ok(Refusal::BadProof { left })
            }
            Failure::Ends => {
                self.close_process(tx, process)?;
                Ok(Refusal::BadProof { left: Some(0) })
            }
        }
    }

    /// Ends a process.
    pub(crate) fn close_process(&self, tx: &mut dyn Tx, process: &Stored<Process>) -> TxResult<()> {
        self.rows.remove(tx, process.key())?;
        Ok(())
    }

    /// The step after a right code.
    pub(crate) fn verified(&self, now: Timestamp) -> ProcessStep {
        ProcessStep::Verified {
            until: now.plus(self.policy.processes.verified),
        }
    }

    /// The slot of a process's token.
    pub(crate) fn process_slot(
        &self,
        operation: Operation,
        process: &Stored<Process>,
    ) -> Id<Token> {
        self.token_slot(operation, &[process.key().as_bytes()])
    }

    /// Sends a token in a process, and counts the send. A refusal has changed nothing.
    pub(crate) fn send_in_process(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        process: &mut Stored<Process>,
        send: ProcessSend<'_>,
    ) -> TxResult<Result<Sent, Refusal>> {
        let limit = self.policy.tokens.sends_per_process;
        let request = TokenIssue {
            left: process.left(send.counted, limit),
            ..send.request
        };
        let issued = allowed!(self.issue_token(tx, now, caller, &request)?);
        process.sent(now, send.counted, issued.life);
        self.rows.put(tx, process)?;
        Ok(Ok(issued))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::person::WayKind;
    use crate::proof::account::tests::{EMAIL, at};

    const HOUR: Duration = Duration::from_secs(3_600);

    pub(crate) fn steps() -> [ProcessStep; 3] {
        [
            ProcessStep::Open,
            ProcessStep::Verified { until: at(100) },
            ProcessStep::NewAddressSent {
                way: Way::email(EMAIL),
            },
        ]
    }

    fn process(step: ProcessStep) -> Process {
        let flow = RegistrationFlow {
            way: Way::email(EMAIL),
            step,
            second_step: false,
            language: "en".to_owned(),
        };
        Process::new(Flow::Registration(flow), at(0), HOUR)
    }

    #[test]
    fn a_step_follows_only_on_the_one_before_it() {
        let open: Vec<_> = steps().iter().map(ProcessStep::must_be_open).collect();
        assert_eq!(
            open,
            [Ok(()), Err(Refusal::WrongState), Err(Refusal::WrongState)]
        );
        let verified: Vec<_> = steps().iter().map(ProcessStep::must_be_verified).collect();
        assert_eq!(
            verified,
            [Err(Refusal::WrongState), Ok(()), Err(Refusal::WrongState)]
        );
    }

    #[test]
    fn an_open_process_ends_with_its_life() {
        let process = process(ProcessStep::Open);
        assert!(!process.is_over(at(3_599)));
        assert!(process.is_over(at(3_600)));
    }

    #[test]
    fn after_a_right_code_the_next_step_has_its_own_time() {
        let mut process = process(ProcessStep::Verified { until: at(100) });
        assert!(!process.is_over(at(99)));
        assert!(process.is_over(at(100)));
        process = self::process(ProcessStep::Verified { until: at(9_000) });
        assert!(!process.is_over(at(8_999)), "whatever its life was");
    }

    #[test]
    fn a_process_lives_as_long_as_its_token_but_no_longer_than_two_hours() {
        let mut process = process(ProcessStep::Open);
        process.sent(at(0), EMAIL, Duration::from_secs(60));
        assert_eq!(process.ends, at(3_600), "a shorter life changes nothing");
        process.sent(at(3_000), EMAIL, Duration::from_secs(1_800));
        assert_eq!(process.ends, at(4_800));
        process.sent(at(4_700), EMAIL, HOUR);
        assert_eq!(process.ends, at(7_200));
    }

    #[test]
    fn a_life_that_is_longer_than_two_hours_is_not_cut() {
        let mut process = process(ProcessStep::Open);
        process.ends = at(10_000);
        process.sent(at(9_000), EMAIL, HOUR);
        assert_eq!(process.ends, at(10_000));
    }

    #[test]
    fn sends_are_counted_for_each_address() {
        let mut process = process(ProcessStep::Open);
        process.sent(at(0), EMAIL, Duration::ZERO);
        process.sent(at(0), EMAIL, Duration::ZERO);
        let ends = at(3_600);
        assert_eq!(process.left(EMAIL, 3), Some((1, ends)));
        assert_eq!(process.left(EMAIL, 1), Some((0, ends)));
        assert_eq!(process.left("b@example.com", 3), Some((3, ends)));
        assert_eq!(process.left(EMAIL, 0), None, "zero is no limit");
    }

    #[test]
    fn the_last_wrong_code_ends_a_process() {
        let mut process = process(ProcessStep::Open);
        let failures: Vec<_> = (0..3).map(|_| process.fail(3)).collect();
        assert_eq!(failures, [Failure::GoesOn, Failure::GoesOn, Failure::Ends]);
    }

    #[test]
    fn flows_are_stored_as_before() {
        let way = Way::email(EMAIL);
        let stored_way = serde_json::to_value(&way).unwrap();
        let bound = json!({ "account": vec![1; 16], "epoch": 0 });
        let bound_value = || serde_json::from_value(bound.clone()).unwrap();
        for (flow, stored) in [
            (
                process(ProcessStep::Open).flow,
                json!({ "Registration": {
                    "way": stored_way, "step": "Open", "second_step": false, "language": "en"
                } }),
            ),
            (
                Flow::Login(LoginFlow {
                    bound: bound_value(),
                    pending: Vec::new(),
                }),
                json!({ "Login": { "bound": bound, "pending": [] } }),
            ),
            (
                Flow::PasswordRecovery(PasswordRecoveryFlow {
                    way: way.clone(),
                    bound: None,
                    step: ProcessStep::Verified { until: at(1) },
                }),
                json!({ "PasswordRecovery": {
                    "way": stored_way, "bound": null, "step": { "Verified": { "until": 1_000 } }
                } }),
            ),
            (
                Flow::AddressRecovery(AddressRecoveryFlow {
                    bound: bound_value(),
                    lost: WayKind::Phone,
                    step: ProcessStep::NewAddressSent { way: way.clone() },
                }),
                json!({ "AddressRecovery": {
                    "bound": bound, "lost": "Phone", "step": { "NewAddressSent": { "way": stored_way } }
                } }),
            ),
        ] {
            assert_eq!(serde_json::to_value(&flow).unwrap(), stored);
            assert_eq!(serde_json::from_value::<Flow>(stored).unwrap(), flow);
        }
    }
}
