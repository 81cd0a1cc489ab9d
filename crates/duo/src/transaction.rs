//! §7.10: decisions about the use of the user's keys.

use std::sync::Arc;

use axum::extract::State;
use domain::Wallets;
use domain::federated::Login;
use domain::wallet::{KeyUseDecision, KeyUseQuery, KeyUseStatus, WalletKeyId};
use http::{StatusCode, Uri};

use crate::call::{Call, Reply};
use crate::error::{self, Code};
use crate::value;
use crate::wire::{ErrorBody, Transaction, Transactions};

/// The user's transactions, newest first.
#[utoipa::path(get, operation_id = "listTransactions", path = "/transactions", tag = "keys", security(("token" = [])),
    params(("limit" = Option<u8>, Query, description = "1 to 200, 50 when absent", minimum = 1, maximum = 200),
           ("cursor" = Option<String>, Query, description = "From the page before"),
           ("key_id" = Option<String>, Query, description = "Only of this key")), responses(
    (status = 200, body = Transactions),
    (status = 400, description = "A value is malformed", body = ErrorBody),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 403, description = "Scope missing", body = ErrorBody),
    (status = 404, description = "User not registered", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn list(State(wallets): State<Arc<Wallets>>, call: Call) -> Reply {
    let bearer = call
        .bearer(&wallets, Some("read:transactions"), Login::Whenever)
        .await?;
    let query = query(&call.uri)?;
    let page = wallets.decisions(&bearer, query).await;
    let page = page.map_err(|error| error::of(error, wallets.now()))?;
    let body = Transactions {
        transactions: page.decisions.into_iter().map(shown).collect(),
        next_cursor: page.next.map(value::cursor),
    };
    Ok(web::json::reply(StatusCode::OK, &body))
}

/// Each name at most once; unknown names are ignored.
fn query(uri: &Uri) -> Result<KeyUseQuery, Code> {
    let pairs = web::query::pairs(uri).map_err(|_| error::MALFORMED)?;
    let one = |name: &str| {
        let mut values = pairs
            .iter()
            .filter(|pair| pair.0 == name)
            .map(|pair| pair.1.as_str());
        match (values.next(), values.next()) {
            (first, None) => Ok(first),
            _ => Err(error::MALFORMED),
        }
    };
    let limit = match one("limit")? {
        None => 50,
        Some(text) => {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| digits);
            number
                .filter(|number| (1..=200).contains(number))
                .ok_or(error::MALFORMED)?
        }
    };
    let after = match one("cursor")? {
        None => None,
        Some(text) => Some(value::parse_cursor(text).ok_or(error::MALFORMED)?),
    };
    let key = match one("key_id")? {
        None => None,
        Some(text) => Some(WalletKeyId::parse(text).ok_or(error::MALFORMED)?),
    };
    Ok(KeyUseQuery { limit, after, key })
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
