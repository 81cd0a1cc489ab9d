//! The second step of a login: takes the reference away, judges the proof and settles the try.

use std::sync::Arc;
use std::time::Duration;

use crypto::Key;
use crypto::srp::{ClientProof, ClientPublic, ClientPublicError, ServerHandshake, Verifier};

use super::{Handshake, LoginProof, REFERENCE_DIGITS, Subject, Welcome};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::limit::attempt::{Attempt, Begun, OpenTry, Opening, Reservation, Settled};
use crate::limit::budget::{GuessBudget, GuessLimits};
use crate::limit::counted::{Counted, OnSuccess};
use crate::limit::familiar::CallerStanding;
use crate::limit::hashing::{HashQueue, Ticket};
use crate::proof::bearer::has_form;
use crate::trail::audit::Event;
use crate::vault::Vaults;
use crate::vault::account::VaultAccount;

impl Vaults {
    /// Steps 2 to 4.
    pub async fn finish_login(
        self: &Arc<Self>,
        caller: Caller,
        proof: LoginProof,
    ) -> Result<Welcome, Error> {
        let proof = ParsedProof::parse(&proof)?;
        let store = self.store.as_ref();
        let row = self.bearer::<Handshake>(&proof.reference);
        let Some(known) = self.rows.read(store, row).await? else {
            return Err(Refusal::Expired.into());
        };
        let attempt = LoginAttempt {
            caller,
            row,
            name: RowId(known.name),
            public: proof.public,
            proof: proof.proof,
        };
        self.attempt(self, attempt).await
    }

    /// What counts the tries at a login name: those from the caller's network, and those from anywhere. A right
    /// proof takes its own try back and forgets no failures. Of the tries from anywhere strangers have a part only.
    fn login_budgets(
        &self,
        handshake: &Handshake,
        caller: &Caller,
        standing: CallerStanding,
    ) -> Vec<Counted<GuessBudget>> {
        let policy = &self.policy;
        let network = caller.network.as_bytes();
        let here = [b"login from".as_slice(), &handshake.name, network];
        let here = self.rows.named(&here);
        let anywhere = self.login_anywhere_row(&handshake.name);
        [
            (
                here,
                policy.failures_from_network.by(CallerStanding::Familiar),
            ),
            (anywhere, policy.failures_from_anywhere.by(standing)),
        ]
        .map(|(row, rules)| {
            Counted::new(row, rules, OnSuccess::Keep).kept(budget_life(&rules.limits))
        })
        .into()
    }

    fn login_anywhere_row(&self, name: &[u8; 16]) -> Id<GuessBudget> {
        self.rows.named(&[b"login", name])
    }

    /// Where the budget of a login name lies that all networks share.
    pub(crate) fn login_budget_place(
        &self,
        now: Timestamp,
        login: &RowId,
        limits: &GuessLimits,
    ) -> Place {
        Place::at(self.login_anywhere_row(&login.0)).due(now.plus(budget_life(limits)))
    }
}

/// How long a budget is kept after its last change: until nothing in it counts any more. Names are free to invent,
/// so their budgets must not stay.
fn budget_life(limits: &GuessLimits) -> Duration {
    limits.window + Duration::from_secs(60)
}

/// What a client sent back, parsed.
struct ParsedProof {
    /// `None`: a number that SRP forbids. It is counted as a wrong proof.
    public: Option<ClientPublic>,
    proof: ClientProof,
    reference: String,
}

impl ParsedProof {
    fn parse(shown: &LoginProof) -> Result<Self, Refusal> {
        let malformed = |field, why| Refusal::Invalid { field, why };
        let proof = ClientProof::parse(&shown.proof)
            .map_err(|_| malformed("proof", "must be 128 hex digits"))?;
        let public = match ClientPublic::parse(&shown.public) {
            Ok(public) => Some(public),
            Err(ClientPublicError::Refused) => None,
            Err(ClientPublicError::Format) => {
                return Err(malformed("public", "must be 2 to 2048 hex digits"));
            }
        };
        if !has_form(&shown.reference, REFERENCE_DIGITS) {
            return Err(Refusal::Expired);
        }
        Ok(Self {
            public,
            proof,
            reference: shown.reference.clone(),
        })
    }
}

/// One try at the password behind the handshake at `row`.
struct LoginAttempt {
    caller: Caller,
    row: Id<Handshake>,
    name: RowId,
    public: Option<ClientPublic>,
    proof: ClientProof,
}

/// A judged login: its handshake, and the server's proof in hex if the client's was right.
struct JudgedLogin {
    handshake: Handshake,
    proof: Option<String>,
}

impl Attempt<Vaults> for LoginAttempt {
    type Counter = GuessBudget;
    type Loaded = Handshake;
    type Judged = JudgedLogin;
    type Done = Welcome;

    const QUEUE: Option<HashQueue> = Some(HashQueue::Handshake);

    fn line(&self) -> Option<RowId> {
        Some(self.name)
    }

    /// Takes the reference and a try of each budget, or neither.
    fn begin(
        &self,
        hub: &Vaults,
        tx: &mut dyn Tx,
        opening: &Opening<'_>,
    ) -> TxResult<Begun<GuessBudget, Handshake, Welcome>> {
        let found = hub.rows.get(tx, self.row)?;
        let Some(handshake) = found.filter(|found| opening.now < found.expires) else {
            return Ok(Begun::Refused(Refusal::Expired));
        };
        let name = RowId(handshake.name);
        let standing = hub.standing(tx, opening.now, name, &self.caller)?;
        let budgets = hub.login_budgets(&handshake, &self.caller, standing);
        let reservation = opening.reserve(tx, budgets)?;
        if matches!(reservation, Reservation::Granted(_)) {
            hub.rows.remove(tx, self.row)?;
        }
        Ok(reservation.begin(handshake.value))
    }

    async fn check(
        &self,
        _hub: &Arc<Vaults>,
        handshake: Handshake,
        place: Option<&Ticket>,
    ) -> Result<JudgedLogin, Error> {
        let place = place.ok_or_else(|| Error::bug("a proof is judged without a place"))?;
        let (public, proof) = (self.public.clone(), self.proof.clone());
        place
            .run(move |_| {
                let proof = prove(&handshake, public.as_ref(), &proof)?;
                Ok(JudgedLogin { handshake, proof })
            })
            .await?
    }

    fn settle(
        &self,
        hub: &Vaults,
        tx: &mut dyn Tx,
        open: OpenTry<'_, GuessBudget>,
        judged: &JudgedLogin,
    ) -> TxResult<Settled<Welcome>> {
        let JudgedLogin { handshake, proof } = judged;
        let account = match (proof, handshake.subject) {
            (Some(_), Subject::Account(id)) => {
                hub.rows.get::<VaultAccount>(tx, Id::new(RowId(id)))?
            }
            _ => None,
        };
        let generation = account.as_ref().map(|account| account.generation);
        let outcome = outcome(handshake, proof.is_some(), generation);
        let now = open.now;
        let closed = match outcome {
            LoginOutcome::Wrong => open.fail(tx)?,
            LoginOutcome::Unconfirmed | LoginOutcome::Right => open.succeed(tx)?,
        };
        let alias = self.name.alias();
        let event = Event::new(self.caller.surface, now, "account.login", alias).by(&self.caller);
        let (LoginOutcome::Right, Some(account), Some(proof)) = (outcome, account, proof) else {
            let (told, refusal) = match outcome {
                LoginOutcome::Unconfirmed => ("unconfirmed", Refusal::Blocked),
                _ => ("wrong", Refusal::BadProof { left: None }),
            };
            hub.record(tx, event.outcome(told))?;
            return Ok(closed.answer(refusal));
        };
        hub.make_familiar(tx, now, self.name, &self.caller)?;
        let token = hub.issue_session(tx, now, &account)?;
        hub.record(tx, event)?;
        Ok(closed.answer(Verdict::Done(Welcome {
            proof: proof.clone(),
            token,
            plan: hub.policy.plans.named(account.plan.as_deref()),
            document: account.value.document,
        })))
    }
}

/// What a login came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoginOutcome {
    Right,
    /// The proof was right, and the registration is not confirmed yet.
    Unconfirmed,
    Wrong,
}

/// Judges a login whose proof was `right`. `generation`: of the account as it is now, if it is still there. An
/// account that was removed, or got another password meanwhile, is as a wrong password.
fn outcome(handshake: &Handshake, right: bool, generation: Option<u64>) -> LoginOutcome {
    match handshake.subject {
        Subject::Account(_) if right && generation == Some(handshake.generation) => {
            LoginOutcome::Right
        }
        Subject::Unconfirmed if right => LoginOutcome::Unconfirmed,
        Subject::Account(_) | Subject::Unconfirmed | Subject::Nobody => LoginOutcome::Wrong,
    }
}

/// Step 3: the server's proof in hex if the client's is right.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(subject: Subject) -> Handshake {
        Handshake {
            secret: String::new(),
            verifier: String::new(),
            subject,
            generation: 3,
            name: [1; 16],
            expires: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn a_login_is_right_only_for_the_password_that_the_account_has_now() {
        let account = Subject::Account([2; 16]);
        for (subject, right, generation, expected) in [
            (account, true, Some(3), LoginOutcome::Right),
            (account, false, Some(3), LoginOutcome::Wrong),
            // The password was replaced, or the account was removed, since the first step.
            (account, true, Some(4), LoginOutcome::Wrong),
            (account, true, None, LoginOutcome::Wrong),
            (Subject::Unconfirmed, true, None, LoginOutcome::Unconfirmed),
            (Subject::Unconfirmed, false, None, LoginOutcome::Wrong),
            // A decoy's proof may happen to be right; it opens nothing.
            (Subject::Nobody, true, None, LoginOutcome::Wrong),
            (Subject::Nobody, false, None, LoginOutcome::Wrong),
        ] {
            let judged = outcome(&handshake(subject), right, generation);
            assert_eq!(judged, expected, "{subject:?} {right} {generation:?}");
        }
    }

    #[test]
    fn a_budget_outlives_its_window() {
        let limits = GuessLimits {
            failures: 10,
            window: Duration::from_secs(900),
            in_a_row: 0,
        };
        assert!(budget_life(&limits) > limits.window);
    }

    fn shown(proof: &str, public: &str, reference: &str) -> LoginProof {
        LoginProof {
            proof: proof.to_owned(),
            public: public.to_owned(),
            reference: reference.to_owned(),
        }
    }

    #[test]
    fn what_a_client_sends_back_is_looked_at_field_by_field() {
        let (proof, reference) = ("ab".repeat(64), "0".repeat(REFERENCE_DIGITS));
        let field = |shown: &LoginProof| match ParsedProof::parse(shown) {
            Err(Refusal::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other:?}"),
            Ok(_) => None,
        };
        assert_eq!(field(&shown("", "", "")), Some("proof"));
        assert_eq!(field(&shown(&proof, "xyz", "")), Some("public"));
        assert_eq!(field(&shown(&proof, "abcd", &reference)), None);
        let no_reference = ParsedProof::parse(&shown(&proof, "abcd", "short"));
        assert!(matches!(no_reference, Err(Refusal::Expired)));
    }

    #[test]
    fn a_public_number_that_srp_forbids_is_a_wrong_proof_and_not_a_malformed_one() {
        let (proof, reference) = ("ab".repeat(64), "0".repeat(REFERENCE_DIGITS));
        let parsed = ParsedProof::parse(&shown(&proof, "00", &reference)).unwrap();
        assert!(parsed.public.is_none());
    }

    #[test]
    fn a_handshake_that_cannot_be_taken_up_again_is_a_bug() {
        let parsed = |proof: &str, public: &str| {
            let reference = "0".repeat(REFERENCE_DIGITS);
            ParsedProof::parse(&shown(proof, public, &reference)).unwrap()
        };
        let sent = parsed(&"ab".repeat(64), "abcd");
        for (verifier, secret) in [("12", "00"), ("12", "xyz"), ("", "")] {
            let broken = Handshake {
                secret: secret.to_owned(),
                verifier: verifier.to_owned(),
                ..handshake(Subject::Nobody)
            };
            let judged = prove(&broken, sent.public.as_ref(), &sent.proof);
            assert!(matches!(judged, Err(Error::Bug(_))), "{verifier} {secret}");
        }
    }

    #[test]
    fn a_proof_that_does_not_match_or_has_no_public_number_is_wrong() {
        let kept = Handshake {
            secret: "11".repeat(32),
            verifier: "1234".to_owned(),
            ..handshake(Subject::Nobody)
        };
        let reference = "0".repeat(REFERENCE_DIGITS);
        for public in ["abcd", "00"] {
            let sent = shown(&"ab".repeat(64), public, &reference);
            let sent = ParsedProof::parse(&sent).unwrap();
            let judged = prove(&kept, sent.public.as_ref(), &sent.proof).unwrap();
            assert_eq!(judged, None, "{public}");
        }
    }
}
