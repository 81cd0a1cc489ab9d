//! Checks the proof that a client brings for a token, and counts the wrong ones.

use std::sync::Arc;

use super::{ClientProof, TokenRequest, assertion};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::RowId;
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::limit::rate::Rate;
use crate::tenant::{Authentication, Client, ClientId, Tenants};
use crate::trail::audit::Event;

/// The rates that a wrong proof counts against.
type FailureRates = [(RowId, Rate); 2];

/// The id of the client that a request is from, as the request or its assertion spells it.
fn named_client(request: &TokenRequest) -> String {
    let claimed = || match &request.proof {
        ClientProof::Secret(_) => None,
        ClientProof::Assertion { token, .. } => assertion::claimed_client(token),
    };
    request.client.clone().or_else(claimed).unwrap_or_default()
}

/// What the audit trail calls the client of a wrong proof. It keeps only an id: any other text may be a secret in the
/// wrong field.
fn failed_subject(named: &str) -> String {
    ClientId::parse(named).map_or_else(|| "unknown".to_owned(), |id| id.to_string())
}

/// The client, if it proved who it is and is not disabled.
fn accepted(client: Option<Stored<Client>>, shown: Authentication) -> Option<Stored<Client>> {
    client.filter(|client| shown == Authentication::Right && !client.disabled)
}

impl Tenants {
    /// The client that the request is from. `BadProof` if it does not prove that, `Limited` after too many wrong proofs.
    pub(super) async fn proven_client(
        self: &Arc<Self>,
        now: Timestamp,
        caller: &Caller,
        request: &TokenRequest,
    ) -> Result<Stored<Client>, Error> {
        let named = named_client(request);
        let rates = self.failure_rates(&named, caller);
        for (row, rate) in &rates {
            self.read_rate(*row, now, &[*rate]).await?;
        }
        match self.check_proof(now, &named, &request.proof).await? {
            Some(client) => Ok(client),
            None => self.refuse_proof(now, caller, &named, rates).await,
        }
    }

    async fn check_proof(
        self: &Arc<Self>,
        now: Timestamp,
        named: &str,
        proof: &ClientProof,
    ) -> Result<Option<Stored<Client>>, Error> {
        let id = self.id_of_client(named);
        let client = self.rows.read(self.store.as_ref(), id).await?;
        let shown = match (&client, proof) {
            (Some(client), ClientProof::Secret(secret)) => client.present_secret(now, secret),
            (None, ClientProof::Secret(secret)) => Client::pretend_to_compare(secret),
            (Some(client), ClientProof::Assertion { token, audiences }) => {
                self.present_assertion(now, client, token, audiences)
                    .await?
            }
            (None, ClientProof::Assertion { .. }) => Authentication::Wrong,
        };
        Ok(accepted(client, shown))
    }

    /// The id that a text spells. A text of another form becomes an id that no client has, so that looking it up costs
    /// the same.
    fn id_of_client(&self, named: &str) -> ClientId {
        let nobody = || -> Id<Client> { self.rows.named(&[named.as_bytes()]) };
        ClientId::parse(named).unwrap_or_else(|| ClientId::of(nobody()))
    }

    fn failure_rates(&self, named: &str, caller: &Caller) -> FailureRates {
        let policy = &self.policy;
        let (client, network) = (named.as_bytes(), caller.network.as_bytes());
        let pair = self.rows.id("rate", &[b"client failures", client, network]);
        let network = self.rate_row("client failures of network", &caller.network);
        [
            (pair, policy.failures_per_client),
            (network, policy.failures_per_network),
        ]
    }

    /// Counts and records a wrong proof, and refuses it.
    async fn refuse_proof<T: Send + 'static>(
        self: &Arc<Self>,
        now: Timestamp,
        caller: &Caller,
        named: &str,
        rates: FailureRates,
    ) -> Result<T, Error> {
        let event = Event::new(caller.surface, now, "token.issue", failed_subject(named))
            .by(caller)
            .outcome("refused");
        self.conclude(move |hub, tx| {
            let [(pair, per_pair), (network, per_network)] = rates;
            let spent = [(pair, &[per_pair][..]), (network, &[per_network][..])];
            allowed!(hub.spend_rates(tx, now, &spent)?);
            hub.record(tx, event.clone())?;
            Ok(Verdict::Refused(Refusal::BadProof { left: None }))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rows::{Place, Rows, Scope};
    use crate::core::secret::SecretText;
    use crate::tenant::client::tests::client;

    fn request(client: Option<&str>, proof: ClientProof) -> TokenRequest {
        TokenRequest {
            client: client.map(str::to_owned),
            proof,
            resource: None,
            scope: Vec::new(),
        }
    }

    fn secret() -> ClientProof {
        ClientProof::Secret(SecretText::new("a secret".to_owned()))
    }

    fn no_token() -> ClientProof {
        ClientProof::Assertion {
            token: "no token".to_owned(),
            audiences: Vec::new(),
        }
    }

    fn stored(disabled: bool) -> Stored<Client> {
        let client = Client {
            disabled,
            ..client()
        };
        let place = Place::at(RowId([3; 16]));
        Rows::blank(Scope(RowId([1; 16])), place, client)
    }

    #[test]
    fn the_request_names_the_client_before_its_assertion_does() {
        assert_eq!(named_client(&request(Some("a"), secret())), "a");
        assert_eq!(named_client(&request(Some("a"), no_token())), "a");
        assert_eq!(named_client(&request(None, secret())), "");
        assert_eq!(named_client(&request(None, no_token())), "");
    }

    #[test]
    fn the_audit_trail_keeps_an_id_and_no_other_text() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(failed_subject(id), id);
        for text in ["", "a secret in the wrong field", &id.to_uppercase()] {
            assert_eq!(failed_subject(text), "unknown", "{text:?}");
        }
    }

    #[test]
    fn only_a_client_that_is_known_enabled_and_proved_is_accepted() {
        use Authentication::{Right, Wrong};
        assert!(accepted(Some(stored(false)), Right).is_some());
        assert!(accepted(Some(stored(false)), Wrong).is_none());
        assert!(accepted(Some(stored(true)), Right).is_none());
        assert!(accepted(None, Right).is_none());
    }
}
