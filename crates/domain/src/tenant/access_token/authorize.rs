//! Turns a token, or an operator of the server, into a grant.

use std::sync::Arc;

use super::{CLIENT_TOKENS, TokenForm};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::rows::Stored;
use crate::core::verdict::{Verdict, allowed};
use crate::proof::operator::{Operator, OperatorRight};
use crate::tenant::permission::{Grant, Need, OPERATOR, Permission, Rights, Standing, Wanted};
use crate::tenant::{Application, ApplicationId, TenantId, Tenants};

/// An operator's rights in an application: every right of the kind that `N` is of.
fn operator_standing<N: Need>(
    name: String,
    id: ApplicationId,
    application: Application,
) -> Standing {
    let every = Permission::full_access();
    Standing {
        tenant: application.tenant,
        application: id,
        application_name: application.name,
        client: OPERATOR,
        operator: Some(name),
        manager: N::WANTED == Wanted::Management,
        server_challenges_only: application.server_challenges_only,
        rights: Rights::of(every.iter().map(Permission::as_str), id),
    }
}

impl Tenants {
    /// The proof that the holder of this token may do `N`, now. `BadProof` for a rejected token, `Forbidden` for a valid
    /// token without the right.
    pub async fn authorize<N: Need>(
        self: &Arc<Self>,
        form: &dyn TokenForm,
        token: &str,
    ) -> Result<Grant<N>, Error> {
        let bad = || Error::Refused(Refusal::BadProof { left: None });
        let verified = self.verify_token(CLIENT_TOKENS, token).await?;
        let claims = verified.ok_or_else(bad)?;
        let facts = form.read(&claims).ok_or_else(bad)?;
        let ours = facts.is_for(&self.policy.issuer, form.audience());
        if !ours || !facts.is_timely(self.now()) {
            return Err(bad());
        }
        let found = self.rows.read(self.store.as_ref(), facts.client).await?;
        let client = found.filter(|client| facts.fits(client)).ok_or_else(bad)?;
        let standing = client.standing(facts.client, &facts.permissions.unwrap_or_default());
        Ok(Grant::check(standing)?)
    }

    /// A grant for an operator of the server in any tenant and application. Without an application it is for the
    /// tenant's management application.
    pub async fn grant_to_operator<N: Need>(
        self: &Arc<Self>,
        operator: &Operator,
        tenant: TenantId,
        application: Option<ApplicationId>,
    ) -> Result<Grant<N>, Error> {
        operator.may(OperatorRight::Manage)?;
        let name = operator.name().to_owned();
        self.ensure_default_tenant().await?;
        self.find(move |hub, tx| {
            let Some(record) = hub.rows.peek(tx, tenant)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            let id = application.unwrap_or(record.management);
            let found = hub.rows.peek(tx, id)?;
            let found = found.filter(|found: &Stored<Application>| found.tenant == tenant);
            let found = allowed!(found.ok_or(Refusal::UnknownSubject));
            let standing = operator_standing::<N>(name.clone(), id, found.value);
            Ok(Grant::check(standing).into())
        })
        .await
    }

    /// The issuer that tokens name.
    pub fn token_issuer(&self) -> &str {
        &self.policy.issuer
    }

    /// Where clients reach this server, without a slash at the end.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Timestamp;
    use crate::tenant::permission::{Execute, Manage, Never, ReadUsers};

    fn grant<N: Need>() -> Result<Grant<N>, Refusal> {
        let tenant = TenantId::parse(&"1".repeat(32)).unwrap();
        let application = Application::new(tenant, "Shop".to_owned(), Timestamp::from_millis(1));
        let id = ApplicationId::parse(&"2".repeat(32)).unwrap();
        Grant::check(operator_standing::<N>("ann".to_owned(), id, application))
    }

    #[test]
    fn an_operator_may_do_whatever_a_client_may() {
        assert!(grant::<Manage>().is_ok());
        assert!(grant::<Execute>().is_ok());
        assert!(grant::<ReadUsers>().is_ok());
    }

    #[test]
    fn an_operator_may_not_do_what_nobody_may() {
        assert!(matches!(grant::<Never>(), Err(Refusal::Forbidden { .. })));
    }

    #[test]
    fn the_grant_of_an_operator_is_for_one_application() {
        let grant = grant::<Execute>().unwrap();
        assert_eq!(grant.tenant().to_string(), "1".repeat(32));
        assert_eq!(grant.application().to_string(), "2".repeat(32));
        assert_eq!(grant.application_name(), "Shop");
        assert_eq!(grant.client(), OPERATOR);
    }
}
