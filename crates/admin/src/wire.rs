//! The answers that clients only show to people. What clients send, and what they act on, is in `admin-wire`.
//!
//! Moments are texts in RFC 3339, unless a field says otherwise.

#![expect(clippy::struct_field_names, reason = "the names are the wire's")]

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    pub(crate) version: String,
    /// The server's clock.
    pub(crate) now: String,
    /// Whether a write would succeed now.
    pub(crate) ready: bool,
    pub(crate) guarded_keys: u64,
    /// People's accounts of the profile surface.
    pub(crate) accounts: u64,
    /// Messages that no provider took yet.
    pub(crate) waiting_letters: u64,
    pub(crate) roots: Vec<RootKey>,
}

/// A root key that seals what lies in the database.
#[derive(Serialize, ToSchema)]
pub(crate) struct RootKey {
    pub(crate) root: String,
    /// The version that this server seals with.
    pub(crate) version: u32,
    /// What was sealed with an older version: `none` (there is none), `walking` (is being sealed anew), `again`
    /// (all was; the database is looked through once more at `next_walk`), `done` (nothing of it is left).
    pub(crate) older: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_walk: Option<String>,
    /// Sealed anew so far.
    pub(crate) rows: u64,
    /// Rows that could not be opened: they were changed outside the server.
    pub(crate) unreadable: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Deleted {
    pub(crate) deleted: bool,
}

/// State of an account: addresses masked, no secrets.
#[derive(Serialize, ToSchema)]
pub(crate) struct Account {
    pub(crate) id: String,
    /// The keyed hash by which the audit trail may name the account.
    pub(crate) alias: String,
    pub(crate) created: String,
    pub(crate) language: String,
    pub(crate) email: Option<AccountAddress>,
    pub(crate) phone: Option<AccountAddress>,
    /// Whether an authenticator app is a second step.
    pub(crate) authenticator: bool,
    pub(crate) recovery_codes_left: u64,
    pub(crate) anti_phishing_code: bool,
    /// Until when the cool-down after a change restricts the account.
    pub(crate) restricted_until: Option<String>,
    pub(crate) sessions: u64,
    pub(crate) locks: Vec<AccountLock>,
}

/// An address, masked.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountAddress {
    pub(crate) address: String,
    pub(crate) second_step: bool,
    pub(crate) verified: String,
}

/// Wrong codes in a row of a class of operations.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountLock {
    pub(crate) class: String,
    pub(crate) wrong_in_a_row: u32,
    pub(crate) locked_until: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Unlocked {
    pub(crate) unlocked: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Ended {
    /// Number of sessions.
    pub(crate) ended: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Erased {
    /// The account's id.
    pub(crate) erased: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NewSigningKeys {
    /// Ids of the new keys: of access tokens, of refresh tokens.
    pub(crate) kids: Vec<String>,
}

/// What can be seen of an account from outside its vault.
#[derive(Serialize, ToSchema)]
pub(crate) struct VaultAccount {
    /// The keyed hash by which the audit trail names the account.
    pub(crate) alias: String,
    pub(crate) name: String,
    pub(crate) created: String,
    /// The plan that counts.
    pub(crate) plan: String,
    pub(crate) plan_is_default: bool,
    pub(crate) password_generation: u64,
    pub(crate) entries: u64,
    pub(crate) sessions: u64,
    pub(crate) public_key_fingerprint: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AccountDeleted {
    pub(crate) deleted: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Users {
    /// Newest first. The next page is behind the last one's issuer and subject.
    pub(crate) users: Vec<WalletUserState>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct WalletUserState {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// The keyed hash by which the audit trail names the user.
    pub(crate) alias: String,
    pub(crate) registered: String,
    pub(crate) devices: u64,
    pub(crate) keys: u64,
    /// Since when a face or a passkey is registered.
    pub(crate) enrolled_since: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Belongings {
    pub(crate) devices: Vec<DeviceView>,
    pub(crate) keys: Vec<KeyView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceView {
    pub(crate) device_key: String,
    pub(crate) name: Option<String>,
    pub(crate) active: bool,
    pub(crate) added: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct KeyView {
    pub(crate) key_id: String,
    pub(crate) created: String,
    pub(crate) backed_up: Option<String>,
    /// Characters of the current keyshare.
    pub(crate) chars: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Changed {
    pub(crate) changed: bool,
}

/// What was removed with a user.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErasedWalletUser {
    pub(crate) devices: u64,
    pub(crate) keys: u64,
    pub(crate) shares: u64,
    pub(crate) decisions: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    pub(crate) events: Vec<Event>,
}

/// One thing that happened, or was refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct Event {
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    /// The surface that it came in by.
    pub(crate) surface: String,
    /// What, as `noun.verb`.
    pub(crate) action: String,
    /// To what: an id or a keyed hash.
    pub(crate) subject: String,
    pub(crate) outcome: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) facts: BTreeMap<String, String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Words {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Tenants {
    pub(crate) tenants: Vec<TenantShown>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TenantShown {
    pub(crate) tenant_id: String,
    pub(crate) name: String,
    pub(crate) created_at: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    pub(crate) done: bool,
}

/// The id of the new signing key.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewSigningKey {
    pub(crate) kid: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Application {
    pub(crate) app_id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) require_server_challenge: bool,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Applications {
    pub(crate) applications: Vec<Application>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Client {
    pub(crate) client_id: String,
    pub(crate) app_id: String,
    pub(crate) name: String,
    pub(crate) role_ids: Vec<String>,
    pub(crate) token_ttl: u32,
    pub(crate) disabled: bool,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Clients {
    pub(crate) clients: Vec<Client>,
}

/// A client's secret, which is shown only in this answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewSecret {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Role {
    pub(crate) role_id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) permissions: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Roles {
    pub(crate) roles: Vec<Role>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct User {
    pub(crate) user_id: String,
    pub(crate) email: Option<String>,
    pub(crate) phone_number: Option<String>,
    pub(crate) external_user_id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) created_at: String,
}
