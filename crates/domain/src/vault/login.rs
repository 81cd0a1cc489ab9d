//! Logins: the client proves that it knows the password, and neither sends nor shows it.
//!
//! 1. [`Vaults::start_login`] answers a name with a salt, a public number and a reference. Who has no
//!    account gets a decoy out of the same work, stable for the name.
//! 2. [`Vaults::finish_login`] takes the reference, whatever comes of it, and reserves a try in two
//!    budgets: the name's from this network, and the name's from anywhere. Refused there, nothing is computed.
//! 3. The proof is judged on the bounded pool, outside any transaction.
//! 4. The try is settled: a wrong proof stays counted, a right one takes its try back and is given a session.
//!
//! Steps 2 to 4 run in a task of their own: a caller who hangs up leaves no try unsettled.

use std::sync::Arc;
use std::time::Duration;

use crypto::Key;
use crypto::srp::{self, ClientProof, ClientPublic, ClientPublicError, ServerHandshake, Verifier};
use serde::{Deserialize, Serialize};

use super::LoginName;
use super::account::{Credential, VaultAccount, VaultLogin};
use super::document::Document;
use super::joining::VaultApplication;
use super::plan::Plan;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::roots::Root;
use crate::core::port::store::Kind;
use crate::core::port::store::{Order, Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Scope, Stored};
use crate::core::time::Timestamp;
use crate::limit::budget::{GuessBudget, GuessLimits};
use crate::limit::counter::{Counter as _, Reserve, TryId};
use crate::limit::hashing::HashQueue;
use crate::proof::bearer::has_form;
use crate::trail::audit::Event;
use crate::vault::Vaults;

const REFERENCE_DIGITS: usize = 32;

/// The record between the two steps, found by the keyed hash of its reference.
///
/// It holds the verifier itself, so that the second step does the same work for a name without an account.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Handshake {
    secret: String,
    verifier: String,
    subject: Subject,
    generation: u64,
    /// The two budgets of the name, from here and from anywhere; the network is that of the second step.
    name: [u8; 16],
    expires: Timestamp,
}

impl Record for Handshake {
    const KIND: Kind = "vault_handshake";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// Who would be signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Subject {
    Account([u8; 16]),
    /// Registered, and not confirmed yet.
    Unconfirmed,
    Nobody,
}

/// The answer to a name.
#[derive(Debug, Clone)]
pub struct LoginChallenge {
    pub salt: String,
    /// The server's public number, 2048 hex digits.
    pub public: String,
    pub reference: String,
}

/// What the client sends back.
#[derive(Debug, Clone)]
pub struct LoginProof {
    pub public: String,
    pub proof: String,
    pub reference: String,
}

/// A successful login.
#[derive(Debug, Clone)]
pub struct Welcome {
    /// The server's proof, 128 hex digits.
    pub proof: String,
    pub token: String,
    pub plan: Plan,
    /// The client's object, credential included.
    pub document: Document,
}

/// What a name was found to lead to, out of equal work for every name.
struct Found {
    credential: Credential,
    subject: Subject,
    generation: u64,
    scope: Scope,
}

/// A taken reference with its reserved tries.
struct Attempt {
    handshake: Handshake,
    tries: [(RowId, TryId); 2],
}

enum Taken {
    Attempt(Box<Attempt>),
    Refused(Refusal),
    /// All tries left are in flight elsewhere; nothing was taken.
    Wait,
}

impl Vaults {
    /// Prepares, once, what the first login would otherwise wait for, and what stands in for a login row
    /// where there is none.
    pub async fn prepare_logins(self: &Arc<Self>) -> Result<(), Error> {
        self.logins_ready
            .get_or_try_init(|| self.stand_in_for_logins())
            .await?;
        Ok(())
    }

    async fn stand_in_for_logins(self: &Arc<Self>) -> Result<(), Error> {
        let ticket = self.hashes.admit(HashQueue::Handshake)?;
        ticket.run(|_| srp::prepare()).await?;
        let row = self.decoy_row();
        self.write(move |hub, tx| {
            if hub.rows.peek::<VaultLogin>(tx, &row)?.is_none() {
                let (salt, verifier) = hub.decoy(b"")?;
                let login = VaultLogin {
                    account: row.0,
                    credential: Credential::of(&salt, &verifier),
                    generation: 1,
                };
                hub.rows
                    .create(tx, hub.tenant(), Place::at(row).of(row), login)?;
            }
            Ok(())
        })
        .await
    }

    /// Step 1.
    pub async fn start_login(self: &Arc<Self>, name: LoginName) -> Result<LoginChallenge, Error> {
        self.prepare_logins().await?;
        let now = self.now();
        let ticket = self.hashes.admit(HashQueue::Handshake)?;
        let row = self.login_row(&name);
        let decoy = self.decoy(name.normalised().as_bytes())?;
        let decoy = Credential::of(&decoy.0, &decoy.1);
        let found = self
            .read(move |hub, tx| hub.look_up(tx, now, row, &decoy))
            .await?;
        self.rows.remember(self.store.as_ref(), found.scope).await?;
        let verifier = Verifier::parse(&found.credential.verifier).map_err(Error::bug)?;
        let random = Arc::clone(&self.random);
        let (secret, public) = ticket
            .run(move |_| {
                loop {
                    let secret = Key::new(bytes(random.as_ref()));
                    if let Some(handshake) = ServerHandshake::start(&verifier, &secret) {
                        return (
                            hex::encode(secret.expose()),
                            hex::encode(handshake.public()),
                        );
                    }
                }
            })
            .await?;
        drop(ticket);
        let Found {
            credential: Credential { salt, verifier },
            subject,
            generation,
            ..
        } = found;
        let expires = now.plus(self.policy.handshake_life);
        let reference = self.fresh_bearer::<16>();
        let place = Place::at(self.bearer_row(Handshake::KIND, &reference))
            .of(row)
            .due(expires);
        let handshake = Handshake {
            secret,
            verifier,
            subject,
            generation,
            name: row.0,
            expires,
        };
        self.write(move |hub, tx| {
            hub.rows
                .create(tx, hub.tenant(), place, handshake.clone())
                .map(|_| ())
        })
        .await?;
        Ok(LoginChallenge {
            salt,
            public,
            reference,
        })
    }

    /// One row that is there, one that is not, and the newest unconfirmed registration: for every name.
    fn look_up(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        row: RowId,
        decoy: &Credential,
    ) -> TxResult<Found> {
        let login = self.rows.peek::<VaultLogin>(tx, &row)?;
        let other = if login.is_some() {
            self.absent_row()
        } else {
            self.decoy_row()
        };
        let stand_in = self.rows.peek::<VaultLogin>(tx, &other)?;
        let newest = Page {
            order: Order::Descending,
            after: None,
            limit: 1,
        };
        let pending = self.rows.children::<VaultApplication>(tx, &row, newest)?;
        let pending = pending
            .into_iter()
            .next()
            .filter(|pending| now < pending.expires);
        let scope = login
            .as_ref()
            .or(stand_in.as_ref())
            .map_or(self.tenant(), Stored::scope);
        let nobody = Found {
            credential: decoy.clone(),
            subject: Subject::Nobody,
            generation: 0,
            scope,
        };
        Ok(match (login, pending) {
            (Some(login), _) => {
                let VaultLogin {
                    account,
                    credential,
                    generation,
                } = login.value;
                Found {
                    credential,
                    subject: Subject::Account(account),
                    generation,
                    scope,
                }
            }
            (None, Some(pending)) => {
                let credential = pending.value.credential;
                Found {
                    credential,
                    subject: Subject::Unconfirmed,
                    ..nobody
                }
            }
            (None, None) => nobody,
        })
    }

    /// Steps 2 to 4.
    pub async fn finish_login(
        self: &Arc<Self>,
        caller: Caller,
        proof: LoginProof,
    ) -> Result<Welcome, Error> {
        let this = Arc::clone(self);
        tokio::spawn(async move { this.judge_login(caller, proof).await })
            .await
            .map_err(Error::bug)?
    }

    async fn judge_login(
        self: Arc<Self>,
        caller: Caller,
        proof: LoginProof,
    ) -> Result<Welcome, Error> {
        let LoginProof {
            public,
            proof,
            reference,
        } = proof;
        let Ok(proof) = ClientProof::parse(&proof) else {
            return Err(Refusal::Invalid {
                field: "M1",
                why: "must be 128 hex digits",
            }
            .into());
        };
        let public = match ClientPublic::parse(&public) {
            Ok(public) => Some(public),
            Err(ClientPublicError::Refused) => None,
            Err(ClientPublicError::Format) => {
                return Err(Refusal::Invalid {
                    field: "A",
                    why: "must be 2 to 2048 hex digits",
                }
                .into());
            }
        };
        let row = self.bearer_row(Handshake::KIND, &reference);
        if !has_form(&reference, REFERENCE_DIGITS) {
            return Err(Refusal::Expired.into());
        }
        let store = self.store.as_ref();
        let Some(known) = self.rows.read::<Handshake>(store, row).await? else {
            return Err(Refusal::Expired.into());
        };
        let _turn = self.turns.join(RowId(known.name)).await?;
        let ticket = self.hashes.admit(HashQueue::Handshake)?;
        let Attempt { handshake, tries } = self.take_attempt(&caller, row).await?;
        let work = handshake.clone();
        let judged = ticket
            .run(move |_| prove(&work, public.as_ref(), &proof))
            .await??;
        drop(ticket);
        let now = self.now();
        let settled = self.write(move |hub, tx| {
            hub.settle_login(tx, now, &caller, (&handshake, &tries), judged.as_ref())
        });
        settled.await?.map_err(Error::Refused)
    }

    async fn take_attempt(self: &Arc<Self>, caller: &Caller, row: RowId) -> Result<Attempt, Error> {
        #[expect(
            clippy::disallowed_methods,
            reason = "measures a wait, which no use case decides on"
        )]
        let started = tokio::time::Instant::now();
        loop {
            let (now, pause) = (self.now(), self.random_u64() % 20);
            let caller = caller.clone();
            let ids = [self.random_u64(), self.random_u64()];
            match self
                .write(move |hub, tx| hub.take_in(tx, now, &caller, row, ids))
                .await?
            {
                Taken::Attempt(attempt) => return Ok(*attempt),
                Taken::Refused(refusal) => return Err(refusal.into()),
                Taken::Wait if started.elapsed() > self.shared.wait => {
                    return Err(Error::Busy { seconds: 1 });
                }
                Taken::Wait => {
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "waits for tries in flight on another node"
                    )]
                    tokio::time::sleep(Duration::from_millis(5 + pause)).await;
                }
            }
        }
    }

    /// Step 2: takes the reference and a try of each budget, or neither.
    fn take_in(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        row: RowId,
        ids: [u64; 2],
    ) -> TxResult<Taken> {
        let Some(handshake) = self.rows.get::<Handshake>(tx, &row)? else {
            return Ok(Taken::Refused(Refusal::Expired));
        };
        if handshake.expires <= now {
            return Ok(Taken::Refused(Refusal::Expired));
        }
        let mut budgets = Vec::with_capacity(2);
        let mut tries = Vec::with_capacity(2);
        for ((subject, limits), id) in self.budgets_of(&handshake, caller).into_iter().zip(ids) {
            let mut budget = self.login_budget(tx, now, subject, &limits)?;
            match budget.reserve(now, &limits, TryId(id)) {
                Reserve::Granted => tries.push((subject, TryId(id))),
                Reserve::Exhausted { until } => {
                    return Ok(Taken::Refused(Refusal::Exhausted { until }));
                }
                Reserve::Wait => return Ok(Taken::Wait),
            }
            budgets.push(budget);
        }
        for budget in &mut budgets {
            self.rows.put(tx, budget)?;
        }
        if !self.rows.remove::<Handshake>(tx, &row)? {
            return Ok(Taken::Refused(Refusal::Expired));
        }
        let tries = tries
            .try_into()
            .map_err(|_| Error::bug("a login has two budgets"))?;
        Ok(Taken::Attempt(Box::new(Attempt {
            handshake: handshake.value,
            tries,
        })))
    }

    /// Step 4.
    fn settle_login(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        (handshake, tries): (&Handshake, &[(RowId, TryId); 2]),
        judged: Option<&String>,
    ) -> TxResult<Result<Welcome, Refusal>> {
        let account = match (judged, handshake.subject) {
            (Some(_), Subject::Account(id)) => self.rows.get::<VaultAccount>(tx, &RowId(id))?,
            _ => None,
        };
        // An account that was removed, or got another password meanwhile, is as a wrong password.
        let account = account.filter(|account| account.generation == handshake.generation);
        let unconfirmed = judged.is_some() && handshake.subject == Subject::Unconfirmed;
        let right = account.is_some() || unconfirmed;
        for ((subject, reservation), (_, limits)) in
            tries.iter().zip(self.budgets_of(handshake, caller))
        {
            let mut budget = self.login_budget(tx, now, *subject, &limits)?;
            if right {
                budget.withdraw(*reservation);
            } else {
                budget.fail(now, &limits, *reservation);
            }
            self.rows.put(tx, &mut budget)?;
        }
        let event = Event::new(
            caller.surface,
            now,
            "account.login",
            RowId(handshake.name).alias(),
        )
        .by(caller);
        let (Some(account), Some(proof)) = (account, judged) else {
            self.record(
                tx,
                event.outcome(if unconfirmed { "unconfirmed" } else { "wrong" }),
            )?;
            return Ok(Err(if unconfirmed {
                Refusal::Blocked
            } else {
                Refusal::BadProof { left: None }
            }));
        };
        let token = self.issue_session(tx, now, &account)?;
        self.record(tx, event)?;
        Ok(Ok(Welcome {
            proof: proof.clone(),
            token,
            plan: self.policy.plans.named(account.plan.as_deref()),
            document: account.value.document,
        }))
    }

    fn budgets_of(&self, handshake: &Handshake, caller: &Caller) -> [(RowId, GuessLimits); 2] {
        let policy = &self.policy;
        let here = self.rows.id(
            GuessBudget::KIND,
            &[b"login from", &handshake.name, caller.network.as_bytes()],
        );
        let anywhere = self.login_anywhere_row(&handshake.name);
        [
            (here, policy.failures_from_network),
            (anywhere, policy.failures_from_anywhere),
        ]
    }

    fn login_anywhere_row(&self, name: &[u8; 16]) -> RowId {
        self.rows.id(GuessBudget::KIND, &[b"login", name])
    }

    /// Where the budget of a login name lies that all networks share.
    pub(crate) fn login_budget_place(
        &self,
        now: Timestamp,
        login: &RowId,
        limits: &GuessLimits,
    ) -> Place {
        Place::at(self.login_anywhere_row(&login.0)).due(budget_due(now, limits))
    }

    /// A budget that is forgotten once nothing in it counts any more: names are free to invent.
    fn login_budget(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        row: RowId,
        limits: &GuessLimits,
    ) -> TxResult<Stored<GuessBudget>> {
        let due = budget_due(now, limits);
        match self.rows.get::<GuessBudget>(tx, &row)? {
            Some(mut budget) => {
                budget.place.due = Some(due);
                Ok(budget)
            }
            None => self.rows.create(
                tx,
                self.tenant(),
                Place::at(row).due(due),
                GuessBudget::default(),
            ),
        }
    }

    fn decoy(&self, name: &[u8]) -> Result<(srp::Salt, Verifier), Error> {
        // Always the first version of the root: the salt of a name must never change.
        let secret = self.roots.prf(Root::Index, 1, &[b"login decoy"])?;
        Ok(srp::decoy(&secret, name))
    }

    fn decoy_row(&self) -> RowId {
        self.rows.id(VaultLogin::KIND, &[b"decoy", b"present"])
    }

    fn absent_row(&self) -> RowId {
        self.rows.id(VaultLogin::KIND, &[b"decoy", b"absent"])
    }
}

fn budget_due(now: Timestamp, limits: &GuessLimits) -> Timestamp {
    now.plus(limits.window).plus(Duration::from_secs(60))
}

/// Step 3: the server's proof in hex, for a right one.
fn prove(
    handshake: &Handshake,
    public: Option<&ClientPublic>,
    proof: &ClientProof,
) -> Result<Option<String>, Error> {
    let Some(public) = public else {
        return Ok(None);
    };
    let verifier = Verifier::parse(&handshake.verifier).map_err(Error::bug)?;
    let secret = hex::decode(&handshake.secret).map_err(Error::bug)?;
    let secret = Key::from_slice(&secret)
        .ok_or_else(|| Error::bug("a handshake's secret has another length"))?;
    let started = ServerHandshake::start(&verifier, &secret);
    let started = started.ok_or_else(|| Error::bug("a handshake cannot be taken up again"))?;
    Ok(started.prove(public, proof).ok().map(hex::encode))
}
