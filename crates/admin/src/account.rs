//! Accounts of people, as far as an operator may see and touch them. There is no way to read a password or a
//! code, and none to set one.

use admin_wire::{ErrorBody, Unlock};
use axum::extract::State;
use domain::person::account::Class;
use domain::person::operator::{AccountState, AddressState, LockoutState};
use http::StatusCode;

use crate::Shared;
use crate::auth::Operator;
use crate::call::{Body, Form, Path};
use crate::error::{Failure, Reply};
use crate::path::AccountPath;
use crate::wire::{Account, AccountAddress, AccountLock, Ended, Erased, NewSigningKeys, Unlocked};

/// What is said of any body that does not name a class.
const CLASS: &str = "class: login, password-recovery or signed-in";

impl Form for Unlock {
    fn problem(_: &str) -> String {
        CLASS.to_owned()
    }
}

/// State of an account: addresses masked, no secrets.
#[utoipa::path(get, operation_id = "showAccount", path = "/admin/v1/accounts/{accountId}", tag = "accounts",
    params(AccountPath), responses(
    (status = 200, body = Account), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn show(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Path(AccountPath { account_id }): Path<AccountPath>,
) -> Reply {
    let people = &admin.services.people;
    let state = people.person_state(&operator, account_id).await?;
    Ok(web::json::reply(StatusCode::OK, &shown(state)))
}

/// Forgets the wrong codes of a class; with the login its wrong passwords.
#[utoipa::path(post, operation_id = "unlockAccount", path = "/admin/v1/accounts/{accountId}/unlock", tag = "accounts", request_body = Unlock,
    params(AccountPath), responses(
    (status = 200, body = Unlocked), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn unlock(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Path(AccountPath { account_id }): Path<AccountPath>,
    Body(Unlock { class }): Body<Unlock>,
) -> Reply {
    let known = Class::ALL.into_iter().find(|known| known.name() == class);
    let known = known.ok_or(Failure::invalid(CLASS))?;
    let people = &admin.services.people;
    people.unlock_account(&operator, account_id, known).await?;
    let unlocked = Unlocked { unlocked: class };
    Ok(web::json::reply(StatusCode::OK, &unlocked))
}

/// Erases an account; its addresses are free again.
#[utoipa::path(delete, operation_id = "eraseAccount", path = "/admin/v1/accounts/{accountId}", tag = "accounts",
    params(AccountPath), responses(
    (status = 200, body = Erased), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn erase(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Path(AccountPath { account_id }): Path<AccountPath>,
) -> Reply {
    let people = &admin.services.people;
    people.erase_person(&operator, account_id).await?;
    let erased = account_id.0.to_string();
    Ok(web::json::reply(StatusCode::OK, &Erased { erased }))
}

/// Ends all sessions of an account.
#[utoipa::path(delete, operation_id = "endSessions", path = "/admin/v1/accounts/{accountId}/sessions", tag = "accounts",
    params(AccountPath), responses(
    (status = 200, body = Ended), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn end_sessions(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Path(AccountPath { account_id }): Path<AccountPath>,
) -> Reply {
    let people = &admin.services.people;
    let ended = people.end_account_sessions(&operator, account_id).await?;
    Ok(web::json::reply(StatusCode::OK, &Ended { ended }))
}

/// Signs people's tokens with new keys from now on; nobody is logged out.
#[utoipa::path(post, operation_id = "rotateAccountSigningKeys", path = "/admin/v1/accounts/signing-keys/rotate", tag = "accounts", responses(
    (status = 200, body = NewSigningKeys), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn rotate(State(admin): State<Shared>, Operator(operator): Operator) -> Reply {
    let kids = admin.services.people.rotate_person_keys(&operator).await?;
    Ok(web::json::reply(StatusCode::OK, &NewSigningKeys { kids }))
}

fn shown(state: AccountState) -> Account {
    Account {
        id: state.id,
        alias: state.alias,
        created: state.created,
        language: state.language,
        email: state.email.map(address),
        phone: state.phone.map(address),
        authenticator: state.authenticator,
        recovery_codes_left: state.recovery_codes_left as u64,
        anti_phishing_code: state.anti_phishing_code,
        restricted_until: state.restricted_until,
        sessions: state.sessions,
        locks: state.locks.into_iter().map(lock).collect(),
    }
}

fn address(state: AddressState) -> AccountAddress {
    AccountAddress {
        address: state.address,
        second_step: state.second_step,
        verified: state.verified,
    }
}

fn lock(state: LockoutState) -> AccountLock {
    AccountLock {
        class: state.class.to_owned(),
        wrong_in_a_row: state.wrong_in_a_row,
        locked_until: state.locked_until,
    }
}
