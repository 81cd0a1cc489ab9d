//! What is left of each kind of row when an older database is accepted.
//!
//! - A budget keeps at most one try, and every subject gets one, also one whose budget was not begun yet.
//! - What works once, or for a while, is ended: codes, challenges, tokens, sessions, locks, waiting letters.
//! - Everything else stays as the older database has it, changes that it has forgotten included: a
//!   removed address, a blocked key and a changed PIN are back. The operators' page says so.

use std::time::Duration;

use crate::core::keeper::Keeper;
use crate::core::port::store::{Kind, RowId, Tx, TxResult};
use crate::core::rows::{Place, Record};
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKey;
use crate::guarded_key::contact::Contact;
use crate::letter::message::MessageKind;
use crate::letter::outbox::Waiting;
use crate::limit::budget::{GuessBudget, GuessLimits, Lost};
use crate::limit::lockout::{Drawn, Growth, LockRules, Lockout};
use crate::person::account::{Account, Class};
use crate::person::policy::PersonPolicy;
use crate::vault::account::Login;

/// Rows in one transaction.
const PAGE: usize = 200;

/// Of a lockout whose subject cannot be told; those of accounts were burned with them.
const UNKNOWN_RULES: LockRules = LockRules {
    first: 0,
    every: 0,
    lock: Duration::ZERO,
    growth: Growth::Flat,
    hard_stop: 0,
    within: None,
};

/// What happens to the rows of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is ended.
    Ended,
    /// Its code and its lock are ended, and its budget is burned.
    Contact,
    /// Its budget is burned, or begun burned.
    GuardedKey,
    Login,
    Budget,
    /// Its lockouts are burned, its recovery codes are ended, and codes of its app up to now.
    Account,
    Lockout,
    /// Ended if there is a code in it; news still go out.
    Letter,
    /// The refusals of a step-up that it may have forgotten are counted.
    Attempts,
}

/// In the order of the walk.
const ORDER: &[(Kind, Fate)] = &[
    (Account::KIND, Fate::Account),
    (Contact::KIND, Fate::Contact),
    (GuardedKey::KIND, Fate::GuardedKey),
    (Login::KIND, Fate::Login),
    (GuessBudget::KIND, Fate::Budget),
    (Lockout::KIND, Fate::Lockout),
    (Waiting::KIND, Fate::Letter),
    ("wallet_user", Fate::Attempts),
    ("address_change", Fate::Ended),
    ("device_challenge", Fate::Ended),
    ("owner_link", Fate::Ended),
    ("process", Fate::Ended),
    ("reminder", Fate::Ended),
    ("session", Fate::Ended),
    ("token", Fate::Ended),
    ("vault_application", Fate::Ended),
    ("vault_approval", Fate::Ended),
    ("vault_approval_link", Fate::Ended),
    ("vault_handshake", Fate::Ended),
    ("vault_session", Fate::Ended),
    ("vault_web_pass", Fate::Ended),
    ("wallet_challenge", Fate::Ended),
    ("wallet_passkey_call", Fate::Ended),
    ("wallet_setup", Fate::Ended),
];

/// Kinds that stay as they are. Together with [`ORDER`] it must name every kind: a test looks.
#[cfg(test)]
const KEPT: &[Kind] = &[
    // Content and names.
    "data_key",
    "tenant",
    "application",
    "client",
    "role",
    "role_use",
    "role_name",
    "member",
    "membership",
    "member_name",
    "removal",
    "device_key",
    "device_key_print",
    "signing_key",
    "identity",
    "decoy",
    "vault_account",
    "vault_entry",
    "vault_guest",
    "vault_identifier",
    "vault_number",
    "wallet_user",
    "wallet_device",
    "wallet_key",
    "wallet_share",
    "wallet_enrolment",
    "wallet_passkey",
    "wallet_decision",
    // The trail.
    "audit",
    "audit_link",
    "audit_head",
    "era",
    "resealing",
    // Numbers of calls and letters: they bound costs, not guesses.
    "rate",
    "quota",
    "vault_notice",
    // Filled by their users, above.
    "wallet_attempts",
    // What was used before is judged by its age instead.
    "spent_assertion",
    "wallet_evidence",
];

/// What one page came to.
pub(super) struct Page {
    pub(super) burned: u64,
    /// Where the next begins; `None`: that was the last.
    pub(super) next: Option<(usize, RowId)>,
}

impl Keeper {
    pub(super) fn burn_page(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        (at, after): (usize, RowId),
    ) -> TxResult<Page> {
        let Some((kind, fate)) = ORDER.get(at) else {
            return Ok(Page {
                burned: 0,
                next: None,
            });
        };
        let found = tx.scan(Some((kind, after)), PAGE)?;
        let full = found.len() == PAGE;
        let rows: Vec<RowId> = found
            .iter()
            .take_while(|row| row.kind == *kind)
            .map(|row| row.row.id)
            .collect();
        for id in &rows {
            self.burn_row(tx, now, lost, (kind, *fate), *id)?;
        }
        let next = match rows.last() {
            Some(end) if full && rows.len() == found.len() => (at, *end),
            _ => (at + 1, RowId([0; 16])),
        };
        Ok(Page {
            burned: rows.len() as u64,
            next: (next.0 < ORDER.len()).then_some(next),
        })
    }

    fn burn_row(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        (kind, fate): (Kind, Fate),
        id: RowId,
    ) -> TxResult<()> {
        let policy = &self.policy.guarded_key;
        match fate {
            Fate::Ended => tx.remove(kind, &id).map(|_| ()),
            Fate::Contact => {
                if let Some(mut contact) = self.rows.get::<Contact>(tx, &id)? {
                    let (code, lock) = (contact.waiting.take(), contact.lock.take());
                    if code.is_some() || lock.is_some() {
                        self.rows.put(tx, &mut contact)?;
                    }
                }
                let place = Place::at(self.budget_row(id));
                self.burn_budget(tx, now, lost, place, &policy.code_guesses())
            }
            Fate::GuardedKey => {
                let place = Place::at(self.budget_row(id));
                self.burn_budget(tx, now, lost, place, &policy.guesses)
            }
            Fate::Login => {
                let limits = self.policy.vault.failures_from_anywhere;
                let place = self.login_budget_place(now, &id, &limits);
                self.burn_budget(tx, now, lost, place, &limits)
            }
            Fate::Budget => {
                // Whose it is cannot be told; those with a count in a row were burned with their subjects.
                let limits = policy.code_guesses();
                self.burn_budget(tx, now, lost, Place::at(id), &limits)
            }
            Fate::Account => self.burn_account(tx, now, lost, id),
            Fate::Lockout => {
                if let Some(mut lockout) = self.rows.get::<Lockout>(tx, &id)? {
                    let before = lockout.value.clone();
                    lockout.burn(&UNKNOWN_RULES, lost);
                    if lockout.value != before {
                        self.rows.put(tx, &mut lockout)?;
                    }
                }
                Ok(())
            }
            Fate::Letter => {
                let letter = self.rows.get::<Waiting>(tx, &id)?;
                let has_code =
                    letter.is_some_and(|letter| letter.message().kind == MessageKind::Code);
                if has_code {
                    self.rows.remove::<Waiting>(tx, &id)?;
                }
                Ok(())
            }
            Fate::Attempts => self.burn_attempts(tx, now, id),
        }
    }

    fn burn_account(&self, tx: &mut dyn Tx, now: Timestamp, lost: Lost, id: RowId) -> TxResult<()> {
        let Some(mut account) = self.rows.get::<Account>(tx, &id)? else {
            return Ok(());
        };
        let mut drawn: Vec<Drawn> = Vec::new();
        for way in account.ways() {
            drawn.extend(self.login_lockouts(way, "").into_iter().skip(1));
        }
        for class in Class::ALL {
            let rows = self.class_rows(&account, class);
            drawn.extend(rows.into_iter().map(|row| (row, PersonPolicy::CODES)));
        }
        for (row, rules) in drawn {
            let mut lockout = self.lockout(tx, now, row)?;
            let before = lockout.value.clone();
            lockout.burn(&rules, lost);
            if lockout.value != before {
                self.rows.put(tx, &mut lockout)?;
            }
        }
        if let Some(authenticator) = &mut account.authenticator {
            authenticator.end_codes(now);
            self.rows.put(tx, &mut account)?;
        }
        Ok(())
    }

    fn burn_budget(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        place: Place,
        limits: &GuessLimits,
    ) -> TxResult<()> {
        if let Some(mut budget) = self.rows.get::<GuessBudget>(tx, &place.id)? {
            let before = budget.value.clone();
            budget.burn(now, limits, lost);
            if budget.value != before {
                self.rows.put(tx, &mut budget)?;
            }
            return Ok(());
        }
        let mut budget = GuessBudget::default();
        budget.burn(now, limits, lost);
        self.rows.create(tx, self.tenant(), place, budget)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn kinds_in(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                kinds_in(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let named = |line: &str| {
                    let (_, rest) = line.split_once("const KIND: &'static str = \"")?;
                    Some(rest.split_once('"')?.0.to_owned())
                };
                found.extend(text.lines().filter_map(named));
                let data_key = text.contains("const DATA_KEY: Kind = \"data_key\"");
                found.extend(data_key.then(|| "data_key".to_owned()));
            }
        }
    }

    /// A new kind that nobody thought about here would come back whole out of an old backup.
    #[test]
    fn every_kind_of_row_has_its_fate() {
        let mut found = BTreeSet::new();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        kinds_in(&sources, &mut found);
        assert!(found.len() > 40, "the kinds are found: {found:?}");
        let decided: BTreeSet<&str> = ORDER
            .iter()
            .map(|(kind, _)| *kind)
            .chain(KEPT.iter().copied())
            .collect();
        let forgotten: Vec<&String> = found
            .iter()
            .filter(|kind| !decided.contains(kind.as_str()))
            .collect();
        assert!(
            forgotten.is_empty(),
            "decide in rollback/burn.rs what happens to {forgotten:?} when an older database is accepted"
        );
    }
}
