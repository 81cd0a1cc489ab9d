//! §7.7: keys.

use axum::extract::State;
use domain::wallet::WalletKeyState;
use http::StatusCode;

use crate::Wallets;
use crate::call::{AnyScope, Holder};
use crate::error::{self, Reply};
use crate::wire::{Backup, ErrorBody, Keys, ListedKey};

/// The user's keys, newest first.
#[utoipa::path(get, operation_id = "listKeys", path = "/v2/keys", tag = "keys", security(("token" = [])), responses(
    (status = 200, body = Keys),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 404, description = "User not registered", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn list(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<AnyScope>,
) -> Reply {
    let keys = wallets.wallet_keys(&bearer).await;
    let keys = keys.map_err(error::of(&wallets))?;
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
