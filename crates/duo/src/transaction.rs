//! §7.10: decisions about the use of the user's keys.

use axum::extract::{FromRequestParts, State};
use domain::wallet::{KeyUseDecision, KeyUseQuery, KeyUseStatus};
use http::StatusCode;
use http::request::Parts;

use crate::call::{Holder, ReadTransactions};
use crate::error::{self, Failure, Reply};
use crate::wire::{ErrorBody, Transaction, TransactionQuery, Transactions};
use crate::{Wallets, value};

/// The user's transactions, newest first.
#[utoipa::path(get, operation_id = "listTransactions", path = "/transactions", tag = "keys", security(("token" = [])),
    params(TransactionQuery), responses(
    (status = 200, body = Transactions),
    (status = 400, description = "A value is malformed", body = ErrorBody),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 403, description = "Scope missing", body = ErrorBody),
    (status = 404, description = "User not registered", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn list(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<ReadTransactions>,
    query: TransactionQuery,
) -> Reply {
    let query = KeyUseQuery {
        limit: query.limit,
        after: query.cursor,
        key: query.key_id,
    };
    let page = wallets.decisions(&bearer, query).await;
    let page = page.map_err(error::of(&wallets))?;
    let body = Transactions {
        transactions: page.decisions.into_iter().map(shown).collect(),
        next_cursor: page.next.map(value::cursor),
    };
    Ok(web::json::reply(StatusCode::OK, &body))
}

/// Each name at most once; unknown names are ignored.
impl FromRequestParts<Wallets> for TransactionQuery {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Wallets) -> Result<Self, Failure> {
        let pairs = web::query::pairs(&parts.uri).map_err(|_| error::MALFORMED)?;
        let times = |name: &str| pairs.iter().filter(|pair| pair.0 == name).count();
        if ["limit", "cursor", "key_id"]
            .into_iter()
            .any(|name| times(name) > 1)
        {
            return Err(error::MALFORMED.into());
        }
        web::query::typed(pairs).map_err(|_| error::MALFORMED.into())
    }
}

fn shown(decision: KeyUseDecision) -> Transaction {
    Transaction {
        id: decision.id,
        key_id: decision.key,
        device_verifying_key: decision.device,
        instance: decision.instance,
        status: match decision.status {
            KeyUseStatus::Approved => "approved",
            KeyUseStatus::Rejected => "rejected",
        },
        created_at: decision.at.rfc3339_seconds(),
        setup: decision.setup,
    }
}
