//! Passkeys, our extension: enrolled, and asked for, beside the documented endpoints. Only where the
//! operator offers them.

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Timestamp;
use domain::wallet::step_up::PasskeyRefusal;
use domain::wallet::step_up::passkey::{PasskeyCall, PasskeyPolicy, Step};
use http::StatusCode;

use crate::call::{Body, Calling, Holder, ReadBackup, ReadFace, WriteDevices, WriteFace};
use crate::error::{self, Failure, Reply};
use crate::wire::{
    Allowed, Creation, CreationOptions, Done, ErrorBody, Face, Party, PasskeyForDevice,
    PasskeyForKeys, RegisterPasskey, Request, RequestOptions, Selection, User, Wanted,
};
use crate::{Wallets, value};

/// Options for making a passkey.
#[utoipa::path(post, operation_id = "challengeNewPasskey", path = "/auth/passkey/register/challenge", tag = "passkeys", security(("token" = [])), responses(
    (status = 200, description = "For `navigator.credentials.create`", body = CreationOptions),
    (status = 401, description = "Token missing, not acceptable, expired or too old", body = ErrorBody),
    (status = 403, description = "Scope missing", body = ErrorBody),
    (status = 404, description = "User not registered, or passkeys not offered", body = ErrorBody),
    (status = 409, description = "Passkey or face registered already", body = ErrorBody),
    (status = 429, description = "Too many challenges", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn offer(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<WriteFace>,
) -> Reply {
    let offer = wallets.offer_passkey(bearer).await;
    let offer = offer.map_err(error::of(&wallets))?;
    let policy = policy(&wallets)?;
    let wanted = |alg| Wanted {
        r#type: PUBLIC_KEY,
        alg,
    };
    let body = CreationOptions {
        public_key: Creation {
            challenge: URL_SAFE_NO_PAD.encode(offer.challenge),
            rp: Party {
                id: policy.party.id.clone(),
                name: policy.name.clone(),
            },
            user: User {
                id: URL_SAFE_NO_PAD.encode(offer.handle),
                name: offer.subject.clone(),
                display_name: offer.subject,
            },
            pub_key_cred_params: domain::wallet::step_up::passkey::ALGORITHMS
                .map(wanted)
                .into(),
            timeout: millis(offer.life),
            attestation: "none",
            authenticator_selection: Selection {
                resident_key: "preferred",
                user_verification: "required",
            },
        },
        ttl_seconds: offer.life.as_secs(),
    };
    Ok(web::json::reply(StatusCode::OK, &body))
}

/// Makes a new passkey the user's.
#[utoipa::path(post, operation_id = "registerPasskey", path = "/auth/passkey/register", tag = "passkeys", security(("token" = [])), request_body = RegisterPasskey, responses(
    (status = 201, description = "Registered", body = Done),
    (status = 400, description = "A value is malformed or absent", body = ErrorBody),
    (status = 401, description = "Token or challenge not acceptable", body = ErrorBody),
    (status = 403, description = "Scope missing, or refused", body = ErrorBody),
    (status = 404, description = "User not registered, or passkeys not offered", body = ErrorBody),
    (status = 409, description = "Passkey or face registered already", body = ErrorBody),
    (status = 413, description = "Body too large", body = ErrorBody),
    (status = 415, description = "Content type not supported", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn register(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<WriteFace>,
    Calling { caller, .. }: Calling,
    Body(RegisterPasskey { credential }): Body<RegisterPasskey>,
) -> Reply {
    let done = wallets
        .enrol_passkey(caller, bearer, credential.into())
        .await;
    done.map_err(error::of(&wallets))?;
    let body = Done::new("Passkey registered successfully");
    Ok(web::json::reply(StatusCode::CREATED, &body))
}

/// Whether a passkey is registered.
#[utoipa::path(get, operation_id = "showPasskey", path = "/v2/passkey", tag = "passkeys", security(("token" = [])), responses(
    (status = 200, body = Face),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 403, description = "Scope missing", body = ErrorBody),
    (status = 404, description = "User not registered, or passkeys not offered", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn show(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<ReadFace>,
) -> Reply {
    let state = wallets.passkey_state(&bearer).await;
    let state = state.map_err(error::of(&wallets))?;
    let body = Face {
        registered: state.since.is_some(),
        registered_at: state.since.map(Timestamp::rfc3339_seconds),
    };
    Ok(web::json::reply(StatusCode::OK, &body))
}

/// Options for showing the passkey, for one new device.
#[utoipa::path(post, operation_id = "challengePasskeyForDevice", path = "/auth/devices/register/challenge", tag = "passkeys", security(("token" = [])), request_body = PasskeyForDevice, responses(
    (status = 200, description = "For `navigator.credentials.get`", body = RequestOptions),
    (status = 400, description = "A value is malformed", body = ErrorBody),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 403, description = "Scope missing, or no passkey registered", body = ErrorBody),
    (status = 404, description = "User not registered, or passkeys not offered", body = ErrorBody),
    (status = 413, description = "Body too large", body = ErrorBody),
    (status = 415, description = "Content type not supported", body = ErrorBody),
    (status = 429, description = "Too many challenges", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn for_device(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<WriteDevices>,
    Body(PasskeyForDevice { device_id }): Body<PasskeyForDevice>,
) -> Reply {
    let device = value::device(&device_id)?;
    let step = Step::NewDevice(&device);
    let asked = wallets.call_for_passkey(bearer, step).await;
    options(&wallets, asked.map_err(error::of(&wallets))?)
}

/// Options for showing the passkey, for the recovery of these keyshares and no others.
#[utoipa::path(post, operation_id = "challengePasskeyForKeyshares", path = "/v2/keyshare/recover/challenge", tag = "passkeys", security(("token" = [])), request_body = PasskeyForKeys, responses(
    (status = 200, description = "For `navigator.credentials.get`", body = RequestOptions),
    (status = 400, description = "A value is malformed", body = ErrorBody),
    (status = 401, description = "Token missing, not acceptable, expired or too old", body = ErrorBody),
    (status = 403, description = "Scope missing, or no passkey registered", body = ErrorBody),
    (status = 404, description = "User not registered, or passkeys not offered", body = ErrorBody),
    (status = 413, description = "Body too large", body = ErrorBody),
    (status = 415, description = "Content type not supported", body = ErrorBody),
    (status = 429, description = "Too many challenges", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn for_keys(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<ReadBackup>,
    Body(PasskeyForKeys { key_ids }): Body<PasskeyForKeys>,
) -> Reply {
    let step = Step::Recovery(&key_ids);
    let asked = wallets.call_for_passkey(bearer, step).await;
    options(&wallets, asked.map_err(error::of(&wallets))?)
}

const PUBLIC_KEY: &str = "public-key";

fn options(wallets: &Wallets, asked: PasskeyCall) -> Reply {
    let body = RequestOptions {
        public_key: Request {
            challenge: URL_SAFE_NO_PAD.encode(asked.challenge),
            rp_id: policy(wallets)?.party.id.clone(),
            allow_credentials: vec![Allowed {
                r#type: PUBLIC_KEY,
                id: URL_SAFE_NO_PAD.encode(&asked.credential),
                transports: asked.transports,
            }],
            user_verification: "required",
            timeout: millis(asked.life),
        },
        ttl_seconds: asked.life.as_secs(),
    };
    Ok(web::json::reply(StatusCode::OK, &body))
}

/// The routes of this file are there only where there is a policy.
fn policy(wallets: &Wallets) -> Result<&PasskeyPolicy, Failure> {
    wallets.passkeys().ok_or_else(|| error::NO_ENDPOINT.into())
}

fn millis(life: std::time::Duration) -> u64 {
    life.as_secs() * 1000
}

/// The codes of passkeys, beside those of faces.
pub(crate) fn refused(refusal: PasskeyRefusal) -> error::Code {
    match refusal {
        PasskeyRefusal::Missing => error::PASSKEY_REQUIRED,
        PasskeyRefusal::Failed => error::PASSKEY_FAILED,
        PasskeyRefusal::Enrolled => error::PASSKEY_REGISTERED,
        PasskeyRefusal::NotEnrolled => error::PASSKEY_UNKNOWN,
    }
}
