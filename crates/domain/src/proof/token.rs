//! One-time tokens: six digits that prove who reads an address, for one operation and one subject.
//!
//! 1. `Proofs::issue_token` spends the send budgets, overwrites the token that lived in the same slot,
//!    and queues the letter, all in the caller's transaction.
//! 2. `Proofs::prove` counts a wrong try and judges a code, in the transaction of its effect. A right
//!    code takes the token out of its slot, so of two parallel right codes one wins.
//!
//! A slot is named by operation and subject (a process, or an account and its session), so a token
//! can be used nowhere else. A token for somebody who does not exist is a decoy: nothing is sent and
//! nothing matches it, and everything else is the same.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::Refusal;
use crate::core::message::{Message, MessageKind};
use crate::core::port::random::bytes;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::secret::SecretText;
use crate::core::time::{Timestamp, days, hours};
use crate::core::verdict::undo;
use crate::letter::outbox::Posting;
use crate::limit::counted::{AtOnce, Finding, OnSuccess};
use crate::limit::lockout::{Drawn, counted};
use crate::limit::rate::{Rate, RateLog};
use crate::proof::Proofs;
use crate::proof::challenge::{Code, CodeMatch};
use crate::proof::way::{Way, WayKind};
use crate::trail::audit::Event;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    Registration,
    Login,
    PasswordRecovery,
    AddressRecovery,
    AddressRecoveryNew,
    PasswordChange,
    AddEmail,
    AddPhone,
    ChangeAddress,
    ChangeAddressNew,
    RemoveAddress,
    ChangePhrase,
    AddPhrase,
    SwitchOff,
}

impl Operation {
    pub const ALL: [Self; 14] = [
        Self::Registration,
        Self::Login,
        Self::PasswordRecovery,
        Self::AddressRecovery,
        Self::AddressRecoveryNew,
        Self::PasswordChange,
        Self::AddEmail,
        Self::AddPhone,
        Self::ChangeAddress,
        Self::ChangeAddressNew,
        Self::RemoveAddress,
        Self::ChangePhrase,
        Self::AddPhrase,
        Self::SwitchOff,
    ];

    /// As letters, templates and the audit trail name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registration => "REGISTRATION",
            Self::Login => "LOGIN",
            Self::PasswordRecovery => "PASSWORD_RECOVERY",
            Self::AddressRecovery => "USER_KEY_RECOVERY_VERIFICATION",
            Self::AddressRecoveryNew => "USER_KEY_RECOVERY_NEW_KEY",
            Self::PasswordChange => "PASSWORD_CHANGING",
            Self::AddEmail => "USER_KEY_ADDING_EMAIL",
            Self::AddPhone => "USER_KEY_ADDING_PHONE_NUMBER",
            Self::ChangeAddress => "USER_KEY_CHANGING",
            Self::ChangeAddressNew => "USER_KEY_CHANGING_NEW_KEY",
            Self::RemoveAddress => "USER_KEY_REMOVING",
            Self::ChangePhrase => "ANTI_PHISHING_CHANGING",
            Self::AddPhrase => "ANTI_PHISHING_ADDING",
            Self::SwitchOff => "MFA_DISABLING",
        }
    }

    /// Whether the caller has yet to prove that the address is his: then a limit of the address itself
    /// is kept silently, because an answer would tell whether the address is somebody's.
    fn address_is_unproved(self) -> bool {
        matches!(
            self,
            Self::Registration
                | Self::PasswordRecovery
                | Self::AddressRecoveryNew
                | Self::AddEmail
                | Self::AddPhone
                | Self::ChangeAddressNew
        )
    }
}

/// Whether a token can ever match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Aim {
    Real,
    Decoy,
}

/// The record of a live token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Token {
    id: [u8; 16],
    pub(crate) operation: Operation,
    /// Where it went, and what the consuming call will apply.
    pub(crate) way: Way,
    code: Code,
    aim: Aim,
    wrong: u32,
}

impl Record for Token {
    const KIND: Kind = "token";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// A wish to send a token.
pub(crate) struct TokenIssue<'a> {
    pub(crate) operation: Operation,
    /// Whose: see [`Proofs::token_slot`].
    pub(crate) slot: RowId,
    pub(crate) way: &'a Way,
    pub(crate) aim: Aim,
    /// What the budget of operation and address counts, when that is not the address.
    pub(crate) counted_as: &'a str,
    /// Language and anti-phishing code of the account, if there is one.
    pub(crate) language: &'a str,
    pub(crate) phrase: Option<&'a str>,
    /// Sends that the process has left for this address, and when it ends.
    pub(crate) left: Option<(u32, Timestamp)>,
    /// What the owner of a taken address is told instead.
    pub(crate) instead: Option<Message>,
}

/// A token was issued, as far as anybody may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub life: Duration,
    pub resend_after: Duration,
}

/// A code presented for a slot.
pub(crate) struct TokenProof<'a> {
    pub(crate) operation: Operation,
    pub(crate) slot: RowId,
    /// Where the token must have gone; `None`: wherever it went.
    pub(crate) way: Option<&'a Way>,
    pub(crate) text: &'a SecretText,
    /// The lockout of account and class.
    pub(crate) drawn: Option<Drawn>,
    pub(crate) then: OnSuccess,
}

/// The numbers of tokens. A pause or limit of zero is off.
#[derive(Debug, Clone)]
pub struct TokenPolicy {
    pub life_email: Duration,
    pub life_phone: Duration,
    pub tries: u32,
    pub pause: Duration,
    pub sends_per_process: u32,
    pub sends_per_operation_hour: u32,
    pub sends_per_address_hour: u32,
    pub sends_per_address_day: u32,
    pub sends_per_network_hour: u32,
}

impl TokenPolicy {
    pub fn life(&self, kind: WayKind) -> Duration {
        match kind {
            WayKind::Email => self.life_email,
            WayKind::Phone => self.life_phone,
        }
    }
}

impl Proofs {
    /// The slot of a token: one lives for each operation and each list of what else names its subject.
    pub(crate) fn token_slot(&self, operation: Operation, subject: &[&[u8]]) -> RowId {
        let mut parts = vec![operation.name().as_bytes()];
        parts.extend_from_slice(subject);
        self.rows.id(Token::KIND, &parts)
    }

    /// Step 1. A refusal has changed nothing.
    pub(crate) fn issue_token(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        issue: &TokenIssue<'_>,
    ) -> TxResult<Sent> {
        let policy = &self.policy.tokens;
        if let Some((0, until)) = issue.left {
            return Err(Refusal::Limited { until }.into());
        }
        let reaches = self.spend_token_sends(tx, now, caller, issue)?;
        let id = bytes(self.random.as_ref());
        let life = policy.life(issue.way.kind);
        let binding = binding(&id, issue.operation, &issue.slot, issue.way);
        let (code, text) = self.issue_code(now, life, &parts(&binding))?;
        let real = issue.aim == Aim::Real && reaches == Reach::Sends;
        let token = Token {
            id,
            operation: issue.operation,
            way: issue.way.clone(),
            code,
            aim: if real { Aim::Real } else { Aim::Decoy },
            wrong: 0,
        };
        self.replace_token(tx, now, issue.slot, token, life)?;
        let message = self.token_letter(caller, issue, &text, life);
        let instead = issue.instead.clone().filter(|_| reaches == Reach::Sends);
        let told = instead.as_ref().map_or("sent", |notice| &notice.operation);
        let first = self.is_first_this_hour(tx, now, told, &issue.way.norm)?;
        if real {
            self.post(tx, now, Posting::code(message, life, issue.slot))?;
        } else {
            self.post_decoy(tx, now, &message, instead.filter(|_| first))?;
        }
        let event = Event::new(caller.surface, now, "token.issue", issue.slot.alias())
            .by(caller)
            .fact("operation", issue.operation.name())
            .fact("destination", issue.way.masked());
        self.record(tx, event)?;
        Ok(Sent {
            life,
            resend_after: policy.pause,
        })
    }

    fn replace_token(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        slot: RowId,
        token: Token,
        life: Duration,
    ) -> TxResult<()> {
        let due = now.plus(life).plus(days(1));
        match self.rows.get::<Token>(tx, &slot)? {
            Some(mut old) => {
                old.value = token;
                old.place.due = Some(due);
                self.rows.put(tx, &mut old)
            }
            None => {
                self.rows
                    .create(tx, self.tenant(), Place::at(slot).due(due), token)?;
                Ok(())
            }
        }
    }

    fn token_letter(
        &self,
        caller: &Caller,
        issue: &TokenIssue<'_>,
        text: &SecretText,
        life: Duration,
    ) -> Message {
        Message {
            surface: caller.surface.to_owned(),
            channel: issue.way.kind.channel(),
            to: issue.way.given.clone(),
            kind: MessageKind::Code,
            operation: issue.operation.name().to_owned(),
            language: issue.language.to_owned(),
            code: Some(text.expose().to_owned()),
            link: None,
            anti_phishing_code: self.phrase_for(issue.way.kind, issue.phrase),
            facts: BTreeMap::from([("valid".to_owned(), format!("{}s", life.as_secs()))]),
        }
    }

    /// Spends the budgets of a send. Those that depend on the caller alone refuse; that of an unproved
    /// address keeps silent.
    fn spend_token_sends(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        issue: &TokenIssue<'_>,
    ) -> TxResult<Reach> {
        let (policy, limits) = (&self.policy.tokens, &self.shared);
        let (norm, name) = (issue.way.norm.as_bytes(), issue.operation.name());
        let pause = [Rate::per(u32::from(!policy.pause.is_zero()), policy.pause)];
        let operation = [Rate::per(policy.sends_per_operation_hour, hours(1))];
        let network = [Rate::per(policy.sends_per_network_hour, hours(1))];
        let address = [
            Rate::per(policy.sends_per_address_hour, hours(1)),
            Rate::per(policy.sends_per_address_day, days(1)),
        ];
        let address_row = self.rows.id(RateLog::KIND, &[b"tokens to", norm]);
        // What is no number is counted nowhere, which is a row like the others.
        let country = match issue.way.kind {
            WayKind::Phone => Some(issue.way.country().unwrap_or("nowhere")),
            WayKind::Email => None,
        };
        let mut loud: Vec<(RowId, &[Rate])> = vec![
            (
                self.rows
                    .id(RateLog::KIND, &[b"token pause", &issue.slot.0, norm]),
                &pause,
            ),
            (
                self.rows.id(
                    RateLog::KIND,
                    &[b"token sends", name.as_bytes(), issue.counted_as.as_bytes()],
                ),
                &operation,
            ),
            (
                self.rate_row("tokens for network", &caller.network),
                &network,
            ),
        ];
        let quiet = issue.operation.address_is_unproved();
        if !quiet {
            loud.push((address_row, &address));
        }
        let shared = [limits.network_messages];
        let (by_country, by_day) = ([limits.country_messages], [limits.day_messages]);
        loud.push((
            self.rate_row("messages for network", &caller.network),
            &shared,
        ));
        let country =
            country.map(|code| (self.rate_row("messages to country", code), &by_country[..]));
        let mut silent: Vec<(RowId, &[Rate])> = vec![(address_row, &address)];
        // Where a recovery's code goes is the account's own business, its country too.
        if issue.operation == Operation::PasswordRecovery {
            silent.extend(country);
        } else {
            loud.extend(country);
        }
        loud.push((self.rate_row("messages", ""), &by_day));
        self.spend_rates(tx, now, &loud)?.map_err(undo)?;
        if !quiet {
            return Ok(Reach::Sends);
        }
        Ok(match self.spend_rates(tx, now, &silent)? {
            Ok(()) => Reach::Sends,
            Err(_) => Reach::KeepsSilent,
        })
    }

    /// Step 2. `Err` as a value: the try is counted, and the caller's transaction must be committed.
    pub(crate) fn prove(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        proof: &TokenProof<'_>,
    ) -> TxResult<Result<Token, Refusal>> {
        let judge = |tx: &mut dyn Tx| {
            Ok(match self.judge_token(tx, now, proof)? {
                Ok(token) => Finding::Right(token),
                Err(left) => Finding::Wrong(left),
            })
        };
        let judged = match proof.drawn {
            Some(drawn) => self.judge_at_once(tx, now, &counted(drawn, proof.then), judge)?,
            None => judge(tx)?.uncounted(),
        };
        let judged = match judged {
            AtOnce::Right(token) => Ok(token),
            AtOnce::Wrong { why, .. } | AtOnce::Unjudged(why) => Err(why),
            AtOnce::Exhausted { until } | AtOnce::InFlight { until } => {
                return Ok(Err(Refusal::Exhausted { until }));
            }
        };
        let outcome = match &judged {
            Ok(_) => "done",
            Err(0) => "burned",
            Err(_) => "wrong",
        };
        let event = Event::new(caller.surface, now, "token.present", proof.slot.alias())
            .by(caller)
            .fact("operation", proof.operation.name())
            .outcome(outcome);
        self.record(tx, event)?;
        Ok(judged.map_err(|left| Refusal::BadProof { left: Some(left) }))
    }

    /// The token, taken out; or how many tries it has left.
    fn judge_token(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        proof: &TokenProof<'_>,
    ) -> TxResult<Result<Token, u32>> {
        let tries = self.policy.tokens.tries;
        let Some(mut token) = self.rows.get::<Token>(tx, &proof.slot)? else {
            return Ok(Err(0));
        };
        let fits = token.operation == proof.operation
            && now < token.code.expires
            && token.wrong < tries
            && proof.way.is_none_or(|way| way.same(&token.way));
        if !fits {
            return Ok(Err(0));
        }
        let binding = binding(&token.id, token.operation, &proof.slot, &token.way);
        let presented = self.present_code(now, &token.code, &parts(&binding), proof.text)?;
        if presented == CodeMatch::Right && token.aim == Aim::Real {
            self.rows.remove::<Token>(tx, &proof.slot)?;
            return Ok(Ok(token.value));
        }
        token.wrong += 1;
        let left = tries.saturating_sub(token.wrong);
        self.rows.put(tx, &mut token)?;
        Ok(Err(left))
    }

    /// Whether a token could still be used.
    pub(crate) fn drop_token(&self, tx: &mut dyn Tx, slot: RowId) -> TxResult<()> {
        self.rows.remove::<Token>(tx, &slot)?;
        Ok(())
    }
}

/// Whether a letter leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Sends,
    KeepsSilent,
}

type Binding<'a> = [&'a [u8]; 5];

/// What a code is bound to.
fn binding<'a>(
    id: &'a [u8; 16],
    operation: Operation,
    slot: &'a RowId,
    way: &'a Way,
) -> Binding<'a> {
    [
        id,
        operation.name().as_bytes(),
        &slot.0,
        way.kind.name().as_bytes(),
        way.norm.as_bytes(),
    ]
}

fn parts<'a>(binding: &Binding<'a>) -> Vec<&'a [u8]> {
    binding.to_vec()
}
