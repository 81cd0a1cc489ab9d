//! Clients: the programs of a tenant's back end, and the rights they have at this moment.
//!
//! A client's row repeats what every call needs: its application's name and setting, and the union of
//! its roles' permissions. Whoever changes an application or a role rewrites the rows of its clients in
//! the same transaction, so one row tells the rights of this moment, without a read per role.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jws::{Algorithm, PublicNumbers, VerifyingKey};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::application::Application;
use super::role::{Role, RoleUse};
use super::{ApplicationId, ClientId, RoleId, TenantId, check_text};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::tenant::Tenants;
use crate::tenant::permission::{Grant, Manage, Permission, Rights, Standing};
use crate::trail::audit::Event;

/// The record of a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    pub(crate) tenant: TenantId,
    pub(crate) application: ApplicationId,
    pub(crate) application_name: String,
    pub(crate) server_challenges_only: bool,
    /// Of a management application.
    pub(crate) manager: bool,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) roles: Vec<RoleId>,
    pub(crate) role_names: Vec<String>,
    /// The union over the roles; without any role, everything in the own application.
    pub(crate) permissions: Vec<Permission>,
    /// Seconds that a token lives.
    pub(crate) token_life: u32,
    pub(crate) resources: Vec<String>,
    pub(crate) secrets: Vec<SecretHash>,
    pub(crate) keys: Vec<AssertionKey>,
    pub(crate) disabled: bool,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

impl Record for Client {
    const KIND: Kind = "client";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// SHA-256 of a secret of 256 random bits, which needs no slow hash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SecretHash {
    hash: String,
    /// Set when a newer secret replaces this one.
    expires: Option<Timestamp>,
}

impl SecretHash {
    fn of(secret: &SecretText) -> Self {
        Self {
            hash: hash(secret),
            expires: None,
        }
    }
}

/// A public key whose holder may sign assertions for the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionKey {
    pub kid: Option<String>,
    algorithm: String,
    /// `n` and `e`, or `x` and `y`, in base64url.
    numbers: [String; 2],
}

impl AssertionKey {
    /// The algorithms that an assertion may be signed with.
    const ALGORITHMS: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256];

    /// A key that this algorithm may use; weak ones are refused.
    pub fn new(kid: Option<String>, algorithm: Algorithm, numbers: &PublicNumbers) -> Option<Self> {
        if !Self::ALGORITHMS.contains(&algorithm) {
            return None;
        }
        VerifyingKey::new(algorithm, numbers).ok()?;
        let texts = match numbers {
            PublicNumbers::Rsa { n, e } => [URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e)],
            PublicNumbers::P256 { x, y } => [URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)],
        };
        Some(Self {
            kid,
            algorithm: algorithm.name().to_owned(),
            numbers: texts,
        })
    }

    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    pub fn numbers(&self) -> &[String; 2] {
        &self.numbers
    }

    pub(crate) fn verifying(&self) -> Option<VerifyingKey> {
        let algorithm = Algorithm::named(&self.algorithm)?;
        let [first, second] = &self.numbers;
        let first = URL_SAFE_NO_PAD.decode(first).ok()?;
        let second = URL_SAFE_NO_PAD.decode(second).ok()?;
        let numbers = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => PublicNumbers::Rsa {
                n: first,
                e: second,
            },
            Algorithm::Es256 => PublicNumbers::P256 {
                x: first.try_into().ok()?,
                y: second.try_into().ok()?,
            },
            _ => return None,
        };
        VerifyingKey::new(algorithm, &numbers).ok()
    }
}

/// How a client shows who it is.
#[derive(Debug)]
pub(crate) enum Authentication {
    Right,
    Wrong,
}

/// A new client. The default: no roles, so full access to its own application; tokens of an hour.
#[derive(Debug, Clone)]
pub struct ClientForm {
    pub name: String,
    pub description: Option<String>,
    pub redirect_uris: Vec<String>,
    pub roles: Vec<RoleId>,
    pub token_life: u32,
    pub resources: Vec<String>,
    pub keys: Vec<AssertionKey>,
}

impl Default for ClientForm {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            description: None,
            redirect_uris: Vec::new(),
            roles: Vec::new(),
            token_life: 3600,
            resources: Vec::new(),
            keys: Vec::new(),
        }
    }
}

/// What to change; absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct ClientChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub redirect_uris: Option<Vec<String>>,
    pub roles: Option<Vec<RoleId>>,
    pub token_life: Option<u32>,
    pub resources: Option<Vec<String>>,
    pub keys: Option<Vec<AssertionKey>>,
    /// Off: its tokens and its secrets are worth nothing until it is on again.
    pub disabled: Option<bool>,
}

/// A new secret, shown this once.
#[derive(Debug)]
pub struct NewSecret {
    pub client: ClientId,
    pub secret: SecretText,
    /// The client it is for.
    pub view: ClientView,
}

/// A client as its manager sees it: without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientView {
    pub id: ClientId,
    pub tenant: TenantId,
    pub application: ApplicationId,
    pub name: String,
    pub description: Option<String>,
    pub redirect_uris: Vec<String>,
    pub roles: Vec<RoleId>,
    pub token_life: u32,
    pub resources: Vec<String>,
    pub keys: Vec<AssertionKey>,
    pub disabled: bool,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl Client {
    /// The rights of this moment, of a token that carries these permissions.
    pub(crate) fn standing(&self, id: ClientId, token: &[String]) -> Standing {
        let own = Rights::of(
            self.permissions.iter().map(Permission::as_str),
            self.application,
        );
        let carried = Rights::of(token.iter().map(String::as_str), self.application);
        Standing {
            tenant: self.tenant,
            application: self.application,
            application_name: self.application_name.clone(),
            client: id,
            operator: None,
            manager: self.manager,
            server_challenges_only: self.server_challenges_only,
            rights: own & carried,
        }
    }

    /// Compares with every live secret, in constant time.
    pub(crate) fn present_secret(&self, now: Timestamp, secret: &SecretText) -> Authentication {
        let presented = hash(secret);
        let mut right = subtle::Choice::from(0);
        for known in &self.secrets {
            let live = known.expires.is_none_or(|expires| now < expires);
            right |= presented.as_bytes().ct_eq(known.hash.as_bytes())
                & subtle::Choice::from(u8::from(live));
        }
        if bool::from(right) {
            Authentication::Right
        } else {
            Authentication::Wrong
        }
    }

    /// The work of [`Client::present_secret`], for a client that does not exist.
    pub(crate) fn pretend_to_compare(secret: &SecretText) -> Authentication {
        let presented = hash(secret);
        let nothing = "0".repeat(presented.len());
        std::hint::black_box(presented.as_bytes().ct_eq(nothing.as_bytes()));
        Authentication::Wrong
    }

    fn view(&self, id: RowId) -> ClientView {
        let this = self.clone();
        ClientView {
            id: ClientId(id),
            tenant: this.tenant,
            application: this.application,
            name: this.name,
            description: this.description,
            redirect_uris: this.redirect_uris,
            roles: this.roles,
            token_life: this.token_life,
            resources: this.resources,
            keys: this.keys,
            disabled: this.disabled,
            created: this.created,
            updated: this.updated,
        }
    }
}

fn hash(secret: &SecretText) -> String {
    URL_SAFE_NO_PAD.encode(crypto::mac::sha256(secret.expose().as_bytes()))
}

impl Tenants {
    /// Makes a client of an application; its secret is shown this once.
    pub async fn create_client(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        application: ApplicationId,
        form: ClientForm,
    ) -> Result<NewSecret, Error> {
        check_text("name", &form.name)?;
        let now = self.now();
        self.write(move |hub, tx| {
            let application = hub.own_application(tx, grant.tenant(), application)?;
            let new = hub.add_client(tx, now, &application, form.clone())?;
            hub.record(
                tx,
                client_event(surface, now, "client.create", new.client, &grant),
            )?;
            Ok(new)
        })
        .await
    }

    /// The clients of an application, oldest first.
    pub async fn list_clients(
        self: &Arc<Self>,
        grant: Grant<Manage>,
        application: ApplicationId,
    ) -> Result<Vec<ClientView>, Error> {
        self.read(move |hub, tx| {
            let found = hub.rows.peek::<Application>(tx, &application.0)?;
            if found.is_none_or(|found| found.tenant != grant.tenant()) {
                return Err(Refusal::UnknownSubject.into());
            }
            let clients = hub.rows.children::<Client>(tx, &application.0, Page::ALL)?;
            Ok(clients
                .iter()
                .map(|client| client.view(client.id()))
                .collect())
        })
        .await
    }

    pub async fn read_client(
        self: &Arc<Self>,
        grant: Grant<Manage>,
        application: ApplicationId,
        id: ClientId,
    ) -> Result<ClientView, Error> {
        self.read(move |hub, tx| {
            let found = hub.rows.peek::<Client>(tx, &id.0)?;
            let own = found.filter(|found| is_of(found, &grant, application));
            own.map(|own| own.view(id.0))
                .ok_or_else(|| Refusal::UnknownSubject.into())
        })
        .await
    }

    pub async fn change_client(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        application: ApplicationId,
        id: ClientId,
        change: ClientChange,
    ) -> Result<ClientView, Error> {
        if let Some(name) = &change.name {
            check_text("name", name)?;
        }
        let now = self.now();
        self.write(move |hub, tx| {
            let mut client = hub.own_client(tx, &grant, application, id)?;
            let change = change.clone();
            if let Some(roles) = change.roles {
                hub.give_roles(tx, &mut client, roles)?;
            }
            let value = &mut client.value;
            value.name = change.name.unwrap_or(std::mem::take(&mut value.name));
            value.description = change.description.or(value.description.take());
            value.redirect_uris = change
                .redirect_uris
                .unwrap_or(std::mem::take(&mut value.redirect_uris));
            value.token_life = change.token_life.unwrap_or(value.token_life);
            value.resources = change
                .resources
                .unwrap_or(std::mem::take(&mut value.resources));
            value.keys = change.keys.unwrap_or(std::mem::take(&mut value.keys));
            value.disabled = change.disabled.unwrap_or(value.disabled);
            value.updated = now;
            hub.rows.put(tx, &mut client)?;
            hub.record(tx, client_event(surface, now, "client.change", id, &grant))?;
            Ok(client.view(id.0))
        })
        .await
    }

    /// Deletes a client. Its tokens are worth nothing from then on.
    pub async fn delete_client(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        application: ApplicationId,
        id: ClientId,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let client = hub.own_client(tx, &grant, application, id)?;
            hub.drop_client(tx, &client)?;
            hub.record(tx, client_event(surface, now, "client.delete", id, &grant))
        })
        .await
    }

    /// Gives a client a new secret; the ones before work for `overlap` longer.
    pub async fn rotate_client_secret(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        application: ApplicationId,
        id: ClientId,
        overlap: Duration,
    ) -> Result<NewSecret, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let mut client = hub.own_client(tx, &grant, application, id)?;
            let ends = now.plus(overlap);
            client
                .secrets
                .retain(|secret| secret.expires.is_none_or(|expires| now < expires));
            for secret in &mut client.secrets {
                secret.expires = Some(secret.expires.map_or(ends, |expires| expires.min(ends)));
            }
            let secret = hub.new_secret();
            client.secrets.push(SecretHash::of(&secret));
            hub.rows.put(tx, &mut client)?;
            hub.record(
                tx,
                client_event(surface, now, "client.rotate_secret", id, &grant),
            )?;
            Ok(NewSecret {
                client: id,
                secret,
                view: client.view(id.0),
            })
        })
        .await
    }

    pub(crate) fn add_client(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        application: &Stored<Application>,
        form: ClientForm,
    ) -> TxResult<NewSecret> {
        let secret = self.new_secret();
        let client = Client {
            tenant: application.tenant,
            application: ApplicationId(application.id()),
            application_name: application.name.clone(),
            server_challenges_only: application.server_challenges_only,
            manager: application.management,
            name: form.name,
            description: form.description,
            redirect_uris: form.redirect_uris,
            roles: Vec::new(),
            role_names: Vec::new(),
            permissions: if application.management {
                Vec::new()
            } else {
                Permission::full_access()
            },
            token_life: form.token_life,
            resources: form.resources,
            secrets: vec![SecretHash::of(&secret)],
            keys: form.keys,
            disabled: false,
            created: now,
            updated: now,
        };
        let place = Place::at(self.rows.random_id())
            .of(application.id())
            .ranked(now.millis());
        let mut stored = self
            .rows
            .create(tx, application.tenant.scope(), place, client)?;
        if !form.roles.is_empty() {
            self.give_roles(tx, &mut stored, form.roles)?;
            self.rows.put(tx, &mut stored)?;
        }
        Ok(NewSecret {
            client: ClientId(stored.id()),
            secret,
            view: stored.view(stored.id()),
        })
    }

    /// Removes a client with its ties to roles.
    pub(crate) fn drop_client(&self, tx: &mut dyn Tx, client: &Stored<Client>) -> TxResult<()> {
        for role in &client.roles {
            self.rows
                .remove::<RoleUse>(tx, &self.role_use_row(*role, ClientId(client.id())))?;
        }
        self.rows.remove::<Client>(tx, &client.id())?;
        Ok(())
    }

    /// Replaces the roles of a loaded client, which the caller saves. Roles are held, so that a change
    /// of one of them comes before or after, never between.
    fn give_roles(
        &self,
        tx: &mut dyn Tx,
        client: &mut Stored<Client>,
        roles: Vec<RoleId>,
    ) -> TxResult<()> {
        if client.manager && !roles.is_empty() {
            return Err(Refusal::Invalid {
                field: "role_ids",
                why: "a management client has no roles",
            }
            .into());
        }
        let id = ClientId(client.id());
        for role in client.roles.clone() {
            self.rows
                .remove::<RoleUse>(tx, &self.role_use_row(role, id))?;
        }
        let mut wanted = roles;
        wanted.sort_unstable();
        wanted.dedup();
        for role in &wanted {
            let known = self
                .rows
                .get::<Role>(tx, &role.0)?
                .filter(|known| known.tenant == client.tenant);
            if known.is_none() {
                return Err(Refusal::Invalid {
                    field: "role_ids",
                    why: "names an unknown role",
                }
                .into());
            }
            let place = Place::at(self.role_use_row(*role, id)).of(role.0);
            self.rows
                .create(tx, client.scope(), place, RoleUse { client: id })?;
        }
        client.roles = wanted;
        self.materialise(tx, client)
    }

    /// Writes the union of the roles into the client's row.
    pub(crate) fn materialise(&self, tx: &mut dyn Tx, client: &mut Stored<Client>) -> TxResult<()> {
        let mut permissions = Vec::new();
        let mut names = Vec::new();
        for role in client.roles.clone() {
            let Some(role) = self.rows.peek::<Role>(tx, &role.0)? else {
                return Err(Error::bug("a client has a role that is gone").into());
            };
            names.push(role.name.clone());
            permissions.extend(role.value.permissions);
        }
        if client.roles.is_empty() && !client.manager {
            permissions = Permission::full_access();
        } else {
            permissions.sort();
            permissions.dedup();
        }
        client.role_names = names;
        client.permissions = permissions;
        Ok(())
    }

    fn own_client(
        &self,
        tx: &mut dyn Tx,
        grant: &Grant<Manage>,
        application: ApplicationId,
        id: ClientId,
    ) -> TxResult<Stored<Client>> {
        let found = self.rows.get::<Client>(tx, &id.0)?;
        found
            .filter(|found| is_of(found, grant, application))
            .ok_or_else(|| Refusal::UnknownSubject.into())
    }

    fn new_secret(&self) -> SecretText {
        SecretText::new(URL_SAFE_NO_PAD.encode(bytes::<32>(self.random.as_ref())))
    }
}

fn is_of(client: &Client, grant: &Grant<Manage>, application: ApplicationId) -> bool {
    client.tenant == grant.tenant() && client.application == application
}

fn client_event(
    surface: &'static str,
    now: Timestamp,
    action: &str,
    id: ClientId,
    grant: &Grant<Manage>,
) -> Event {
    Event::new(surface, now, action, id.to_string()).fact("by", grant.actor())
}
