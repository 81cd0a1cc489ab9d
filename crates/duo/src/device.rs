//! §7.2, §7.3, §7.6: devices.

use axum::extract::{FromRequestParts, State};
use domain::wallet::{DeviceProof, DeviceState, Newness};
use http::StatusCode;
use http::request::Parts;

use crate::call::{Body, Calling, Holder, ReadDevices, WriteDevices};
use crate::error::{self, Failure, Reply};
use crate::wire::{
    Challenge, DevicePath, Devices, Done, ErrorBody, FaceParts, ListedDevice, RegisterDevice,
};
use crate::{Wallets, value};

/// The parameters of the path.
pub(crate) struct Path(DevicePath);

impl FromRequestParts<Wallets> for Path {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Wallets) -> Result<Self, Failure> {
        let params = web::path::params(parts);
        params.map(Self).map_err(|_| error::DEVICE_MALFORMED.into())
    }
}

/// A challenge for a device key.
#[utoipa::path(get, operation_id = "challengeDevice", path = "/auth/devices/challenge/{deviceVerifyingKey}", tag = "devices", security(("token" = [])),
    params(DevicePath), responses(
    (status = 200, description = "To be signed within its time", body = Challenge),
    (status = 400, description = "Key malformed", body = ErrorBody),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 403, description = "Scope missing", body = ErrorBody),
    (status = 404, description = "User not registered", body = ErrorBody),
    (status = 429, description = "Too many challenges", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn challenge(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<WriteDevices>,
    Path(path): Path,
) -> Reply {
    let device = value::device(&path.device_verifying_key)?;
    let issued = wallets.issue_challenge(bearer, device).await;
    let issued = issued.map_err(error::of(&wallets))?;
    let body = Challenge {
        challenge: issued.hex,
        ttl_seconds: issued.life.as_secs(),
    };
    Ok(web::json::reply(StatusCode::OK, &body))
}

/// Registers the device that signed the challenge.
#[utoipa::path(post, operation_id = "registerDevice", path = "/auth/devices/register", tag = "devices", security(("token" = [])), request_body = RegisterDevice, responses(
    (status = 200, description = "Registered already", body = Done),
    (status = 201, description = "Registered", body = Done),
    (status = 400, description = "A value is malformed", body = ErrorBody),
    (status = 401, description = "Token, signature or challenge not acceptable", body = ErrorBody),
    (status = 403, description = "Scope missing, or face or passkey required or refused", body = ErrorBody),
    (status = 404, description = "User not registered", body = ErrorBody),
    (status = 409, description = "Another user's key", body = ErrorBody),
    (status = 413, description = "Body too large", body = ErrorBody),
    (status = 415, description = "Content type not supported", body = ErrorBody),
    (status = 429, description = "Too many calls or face attempts", body = ErrorBody),
    (status = 502, description = "Face verifier answered wrongly", body = ErrorBody),
    (status = 503, description = "Something needed is away", body = ErrorBody)))]
pub(crate) async fn register(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<WriteDevices>,
    Calling { caller, client }: Calling,
    Body(form): Body<RegisterDevice>,
) -> Reply {
    let device = value::device(&form.device_id)?;
    let signature = value::signature(&device, form.signature)?;
    let face = FaceParts {
        scan: form.face_scan,
        image: form.audit_trail_image,
        small_image: form.low_quality_audit_trail_image,
        agent: form.user_agent,
        session: form.session_id,
    };
    let proof = DeviceProof {
        device,
        signature,
        name: form.device_name,
        shown: value::shown(&wallets, face, form.passkey, client)?,
    };
    let done = wallets.register_device(caller, bearer, proof).await;
    let done = done.map_err(error::of(&wallets))?;
    let (status, message) = match done.done {
        Newness::New => (StatusCode::CREATED, "Device registered successfully"),
        Newness::Known => (StatusCode::OK, "Device already registered"),
    };
    let body = Done {
        scan_result_blob: done.for_client,
        ..Done::new(message)
    };
    Ok(web::json::reply(status, &body))
}

/// The user's devices, newest first.
#[utoipa::path(get, operation_id = "listDevices", path = "/v2/devices", tag = "devices", security(("token" = [])), responses(
    (status = 200, body = Devices),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 403, description = "Scope missing", body = ErrorBody),
    (status = 404, description = "User not registered", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn list(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<ReadDevices>,
) -> Reply {
    let devices = wallets.devices(&bearer).await;
    let devices = devices.map_err(error::of(&wallets))?;
    let devices = devices.into_iter().map(shown).collect();
    Ok(web::json::reply(StatusCode::OK, &Devices { devices }))
}

fn shown(device: DeviceState) -> ListedDevice {
    ListedDevice {
        device_verifying_key: device.key,
        device_name: device.name.unwrap_or_else(|| "Unknown device".to_owned()),
        is_active: device.active,
        created_at: device.added.rfc3339_seconds(),
    }
}
