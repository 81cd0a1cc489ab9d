//! §7.8, §7.9: keyshares.

use axum::extract::State;
use http::StatusCode;

use crate::call::{Body, Calling, Holder, ReadBackup, WriteBackup};
use crate::error::{self, Reply};
use crate::wire::{
    BackupShares, Done, ErrorBody, FaceParts, RecoverShares, Recovered, RecoveredShare,
};
use crate::{Wallets, value};

/// Keeps encrypted keyshares: all or none.
#[utoipa::path(post, operation_id = "backupKeyshares", path = "/v2/keyshare/backup", tag = "keyshares", security(("token" = [])), request_body = BackupShares, responses(
    (status = 200, description = "Kept", body = Done),
    (status = 400, description = "A value is malformed", body = ErrorBody),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 403, description = "Scope missing, or no face or passkey enrolled", body = ErrorBody),
    (status = 404, description = "User not registered, or a key not the user's", body = ErrorBody),
    (status = 413, description = "Body or keyshare too long", body = ErrorBody),
    (status = 415, description = "Content type not supported", body = ErrorBody),
    (status = 429, description = "Too many calls", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn backup(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<WriteBackup>,
    Calling { caller, .. }: Calling,
    Body(BackupShares { keyshares }): Body<BackupShares>,
) -> Reply {
    let shares = value::shares(keyshares, wallets.longest_share())?;
    let kept = wallets.keep_shares(caller, bearer, shares).await;
    kept.map_err(error::of(&wallets))?;
    let body = Done::new("Keyshares backed up successfully");
    Ok(web::json::reply(StatusCode::OK, &body))
}

/// Gives keyshares back, to the owner in person.
#[utoipa::path(post, operation_id = "recoverKeyshares", path = "/v2/keyshare/recover", tag = "keyshares", security(("token" = [])), request_body = RecoverShares, responses(
    (status = 200, description = "All of them", body = Recovered),
    (status = 207, description = "Some of them", body = Recovered),
    (status = 400, description = "A value is malformed", body = ErrorBody),
    (status = 401, description = "Token missing, not acceptable, expired or too old", body = ErrorBody),
    (status = 403, description = "Scope missing, or face or passkey not enrolled, required or refused", body = ErrorBody),
    (status = 404, description = "User not registered, or no keyshare", body = ErrorBody),
    (status = 413, description = "Body too large", body = ErrorBody),
    (status = 415, description = "Content type not supported", body = ErrorBody),
    (status = 429, description = "Too many calls or face attempts", body = ErrorBody),
    (status = 502, description = "Face verifier answered wrongly", body = ErrorBody),
    (status = 503, description = "Something needed is away", body = ErrorBody)))]
pub(crate) async fn recover(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<ReadBackup>,
    Calling { caller, client }: Calling,
    Body(form): Body<RecoverShares>,
) -> Reply {
    let face = FaceParts {
        scan: form.face_scan,
        image: form.audit_trail_image,
        small_image: form.low_quality_audit_trail_image,
        agent: form.user_agent,
        session: form.session_id,
    };
    let shown = value::shown(&wallets, face, form.passkey, client)?;
    let found = wallets
        .recover_shares(caller, bearer, form.key_ids, shown)
        .await;
    let found = found.map_err(error::of(&wallets))?;
    let keyshares: Vec<RecoveredShare> = found.done.into_iter().map(listed).collect();
    let missing = keyshares.iter().filter(|one| one.error.is_some()).count();
    if missing == keyshares.len() {
        return Err(error::NO_BACKUP.into());
    }
    let (status, message) = match missing {
        0 => (StatusCode::OK, None),
        _ => (
            StatusCode::MULTI_STATUS,
            Some("Some keyshares could not be recovered"),
        ),
    };
    let body = Recovered {
        success: missing == 0,
        message,
        keyshares,
        scan_result_blob: found.for_client,
    };
    Ok(web::json::reply(status, &body))
}

fn listed(one: domain::wallet::RecoveredShare) -> RecoveredShare {
    let error = one.share.is_none().then(|| error::NO_BACKUP.problem());
    RecoveredShare {
        key_id: one.key.as_str().to_owned(),
        encrypted_keyshare: one.share,
        error,
    }
}
