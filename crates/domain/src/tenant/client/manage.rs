//! What managers of a tenant do with its clients.

use std::sync::Arc;
use std::time::Duration;

use super::roles::check_roles;
use super::secret::new_secret;
use super::{Client, ClientChange, ClientView, NewSecret};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{Page, Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::verdict::{Verdict, allowed};
use crate::tenant::permission::{Grant, Manage};
use crate::tenant::{ApplicationId, ClientId, Tenants, check_text};

impl Tenants {
    /// The clients of an application, oldest first.
    pub async fn list_clients(
        self: &Arc<Self>,
        grant: Grant<Manage>,
        application: ApplicationId,
    ) -> Result<Vec<ClientView>, Error> {
        self.find(move |hub, tx| {
            let found = hub.rows.peek(tx, application)?;
            if found.is_none_or(|found| found.tenant != grant.tenant()) {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            }
            let clients = hub.rows.children(tx, &application.row(), Page::ALL)?;
            Ok(Verdict::Done(clients.iter().map(view).collect()))
        })
        .await
    }

    /// One client. `UnknownSubject` for one of another application.
    pub async fn read_client(
        self: &Arc<Self>,
        grant: Grant<Manage>,
        application: ApplicationId,
        id: ClientId,
    ) -> Result<ClientView, Error> {
        self.find(move |hub, tx| {
            let found = hub.rows.peek(tx, id)?;
            let own = found.filter(|found| found.is_of(grant.tenant(), application));
            Ok(own.as_ref().map(view).ok_or(Refusal::UnknownSubject).into())
        })
        .await
    }

    /// Changes a client. `Invalid` if a role is unknown, or if a management client is to have a role.
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
        self.conclude(move |hub, tx| {
            let mut client = allowed!(hub.own_client(tx, &grant, application, id)?);
            if let Some(roles) = &change.roles {
                allowed!(check_roles(&client, roles));
                let roles = allowed!(hub.wanted_roles(tx, client.tenant, roles)?);
                hub.give_roles(tx, &mut client, &roles)?;
            }
            client.change(change.clone(), now);
            hub.rows.put(tx, &mut client)?;
            hub.record(tx, grant.event(surface, now, "client.change", &id))?;
            Ok(Verdict::Done(view(&client)))
        })
        .await
    }

    /// Deletes a client. Its tokens are refused from then on.
    pub async fn delete_client(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        application: ApplicationId,
        id: ClientId,
    ) -> Result<(), Error> {
        let now = self.now();
        self.conclude(move |hub, tx| {
            let client = allowed!(hub.own_client(tx, &grant, application, id)?);
            hub.drop_client(tx, &client)?;
            hub.record(tx, grant.event(surface, now, "client.delete", &id))?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Gives a client a new secret. The secrets before it work for `overlap` longer.
    pub async fn rotate_client_secret(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        application: ApplicationId,
        id: ClientId,
        overlap: Duration,
    ) -> Result<NewSecret, Error> {
        let now = self.now();
        self.conclude(move |hub, tx| {
            let mut client = allowed!(hub.own_client(tx, &grant, application, id)?);
            let secret = new_secret(hub.random.as_ref());
            client.rotate_secret(now, overlap, &secret);
            hub.rows.put(tx, &mut client)?;
            hub.record(tx, grant.event(surface, now, "client.rotate_secret", &id))?;
            Ok(Verdict::Done(NewSecret {
                client: id,
                secret,
                view: view(&client),
            }))
        })
        .await
    }

    /// Loads a client of the manager's tenant and holds it until the transaction ends.
    fn own_client(
        &self,
        tx: &mut dyn Tx,
        grant: &Grant<Manage>,
        application: ApplicationId,
        id: ClientId,
    ) -> TxResult<Result<Stored<Client>, Refusal>> {
        let found = self.rows.get(tx, id)?;
        Ok(found
            .filter(|found: &Stored<Client>| found.is_of(grant.tenant(), application))
            .ok_or(Refusal::UnknownSubject))
    }
}

fn view(client: &Stored<Client>) -> ClientView {
    ClientView::of(ClientId::of(client.key()), client)
}
