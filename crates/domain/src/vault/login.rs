//! Logins: the client proves that it knows the password, and neither sends nor shows it.
//!
//! 1. [`Vaults::start_login`] answers a name with a salt, a public number and a reference. A name without an
//!    account gets a decoy from the same work, stable for the name.
//! 2. [`Vaults::finish_login`] is an attempt at two budgets: the name's from this network, and the name's from
//!    anywhere. It takes the reference away when a try was reserved, whatever comes of it.
//! 3. The proof is judged on the bounded pool, outside any transaction.
//! 4. A wrong proof stays counted; a right one takes its try back and starts a session.

mod finish;

use std::sync::Arc;

use crypto::Key;
use crypto::srp::{self, ServerHandshake, Verifier};
use serde::{Deserialize, Serialize};

use super::LoginName;
use super::account::VaultLogin;
use super::application::VaultApplication;
use super::document::Document;
use super::plan::Plan;
use super::profile::Credential;
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::roots::Root;
use crate::core::port::store::Kind;
use crate::core::port::store::{Order, Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Scope, Stored};
use crate::core::time::Timestamp;
use crate::limit::hashing::HashQueue;
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

impl Found {
    /// An account comes before a registration that waits under its name, and a decoy stands in for both.
    fn of(
        login: Option<VaultLogin>,
        pending: Option<Credential>,
        decoy: &Credential,
        scope: Scope,
    ) -> Self {
        if let Some(login) = login {
            return Self {
                credential: login.credential,
                subject: Subject::Account(login.account.row().0),
                generation: login.generation,
                scope,
            };
        }
        let (credential, subject) = match pending {
            Some(credential) => (credential, Subject::Unconfirmed),
            None => (decoy.clone(), Subject::Nobody),
        };
        Self {
            credential,
            subject,
            generation: 0,
            scope,
        }
    }
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
            if hub.rows.peek::<VaultLogin>(tx, Id::new(row))?.is_none() {
                let (salt, verifier) = hub.decoy(b"")?;
                let login = VaultLogin {
                    account: Id::new(row),
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
        let row = self.login_of(&name).row();
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
        let place = Place::at(self.bearer::<Handshake>(&reference))
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
        let login = self.rows.peek::<VaultLogin>(tx, Id::new(row))?;
        let other = if login.is_some() {
            self.absent_row()
        } else {
            self.decoy_row()
        };
        let stand_in = self.rows.peek::<VaultLogin>(tx, Id::new(other))?;
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
        let login = login.map(|login| login.value);
        let pending = pending.map(|pending| pending.value.credential);
        Ok(Found::of(login, pending, decoy, scope))
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

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope = Scope(RowId([5; 16]));

    fn credential(salt: &str) -> Credential {
        Credential {
            salt: salt.to_owned(),
            verifier: "12".to_owned(),
        }
    }

    fn found(login: Option<VaultLogin>, pending: Option<Credential>) -> Found {
        Found::of(login, pending, &credential("decoy"), SCOPE)
    }

    #[test]
    fn an_account_comes_before_a_registration_that_waits() {
        let login = || VaultLogin {
            account: Id::new(RowId([3; 16])),
            credential: credential("account"),
            generation: 4,
        };
        for pending in [None, Some(credential("pending"))] {
            let found = found(Some(login()), pending);
            assert_eq!(found.credential, credential("account"));
            assert_eq!(found.subject, Subject::Account([3; 16]));
            assert_eq!((found.generation, found.scope), (4, SCOPE));
        }
    }

    #[test]
    fn a_registration_that_waits_is_answered_with_its_own_salt() {
        let found = found(None, Some(credential("pending")));
        assert_eq!(found.credential, credential("pending"));
        assert_eq!((found.subject, found.generation), (Subject::Unconfirmed, 0));
    }

    #[test]
    fn a_name_without_either_is_answered_with_the_decoy() {
        let found = found(None, None);
        assert_eq!(found.credential, credential("decoy"));
        assert_eq!((found.subject, found.generation), (Subject::Nobody, 0));
    }

    #[test]
    fn a_handshake_is_stored_under_the_names_that_other_releases_know() {
        let handshake = Handshake {
            secret: "ab".to_owned(),
            verifier: "12".to_owned(),
            subject: Subject::Account([3; 16]),
            generation: 4,
            name: [1; 16],
            expires: Timestamp::from_millis(9),
        };
        let expected = serde_json::json!({
            "secret": "ab", "verifier": "12", "subject": {"Account": vec![3; 16]},
            "generation": 4, "name": vec![1; 16], "expires": 9,
        });
        assert_eq!(serde_json::to_value(&handshake).unwrap(), expected);
    }
}
