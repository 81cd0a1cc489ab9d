//! §7.7: keys.

use std::sync::Arc;

use axum::extract::State;
use domain::Wallets;
use domain::federated::Login;
use domain::wallet::WalletKeyState;
use http::StatusCode;

use crate::call::{Call, Reply};
use crate::error;
use crate::wire::{Backup, ErrorBody, Keys, ListedKey};

/// The user's keys, newest first.
#[utoipa::path(get, operation_id = "listKeys", path = "/v2/keys", tag = "keys", security(("token" = [])), responses(
    (status = 200, body = Keys),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 404, description = "User not registered", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn list(State(wallets): State<Arc<Wallets>>, call: Call) -> Reply {
    let bearer = call.bearer(&wallets, None, Login::Whenever).await?;
    let keys = wallets.wallet_keys(&bearer).await;
    let keys = keys.map_err(|error| error::of(error, wallets.now()))?;
    let keys = keys.into_iter().map(shown).collect();
    Ok(web::json::reply(StatusCode::OK, &Keys { keys }))
}

fn shown(key: WalletKeyState) -> ListedKey {
    ListedKey {
        key_id: key.name,
        created_at: key.created.rfc3339_seconds(),
        backup: key.backed_up.map(|at| Backup {
            created_at: at.rfc3339_seconds(),
        }),
    }
}
