//! Values by the rules of §5, §7 and §8.2.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Wallets;
use domain::secret::SecretText;
use domain::step_up::passkey::{Assertion, NewPasskey};
use domain::step_up::{Evidence, Shown};
use domain::wallet::{DeviceId, DeviceProof, EncryptedShare, WalletKeyId};
use serde_json::{Map, Value};

use crate::error::{self, Code};

/// Longest scan, in characters.
const SCAN: usize = 16 * 1024 * 1024;
/// Longest image, in characters.
const IMAGE: usize = 4 * 1024 * 1024;
/// Longest agent, in characters.
const AGENT: usize = 1024;
/// Longest part of a passkey, in characters.
const BINARY: usize = 32 * 1024;
/// Most hints how an authenticator is reached.
const TRANSPORTS: usize = 8;
/// Most keys in one call.
const KEYS: usize = 32;

pub(crate) type Members = Map<String, Value>;

/// A text that must be there.
pub(crate) fn text(members: &mut Members, name: &str) -> Result<String, Code> {
    match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(error::MALFORMED),
    }
}

/// A text, null, or nothing at all.
fn optional(members: &mut Members, name: &str) -> Result<Option<String>, Code> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(error::MALFORMED),
    }
}

/// §5.1
pub(crate) fn device(text: &str) -> Result<DeviceId, Code> {
    DeviceId::parse(text).map_err(|_| error::DEVICE_MALFORMED)
}

/// §5.3
pub(crate) fn signature(device: &DeviceId, text: String) -> Result<String, Code> {
    if DeviceProof::is_well_formed(device, &text) {
        Ok(text)
    } else {
        Err(error::MALFORMED)
    }
}

/// §7.3: 1 to 64 printable characters after trimming.
pub(crate) fn device_name(members: &mut Members) -> Result<Option<String>, Code> {
    let Some(name) = optional(members, "device_name")? else {
        return Ok(None);
    };
    let name = name.trim();
    let unprintable =
        |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}');
    if (1..=64).contains(&name.chars().count()) && !name.contains(unprintable) {
        Ok(Some(name.to_owned()))
    } else {
        Err(error::MALFORMED)
    }
}

/// §8.2: the four fields, `None` unless all of them are there and none is empty.
pub(crate) fn evidence(members: &mut Members, client: IpAddr) -> Result<Option<Evidence>, Code> {
    let scan = encoded(members, "face_scan", SCAN)?;
    let image = encoded(members, "audit_trail_image", IMAGE)?;
    let small_image = encoded(members, "low_quality_audit_trail_image", IMAGE)?;
    let agent = optional(members, "user_agent")?.filter(|text| !text.is_empty());
    let agent = agent.map_or(Ok(None), |text| self::agent(text).map(Some))?;
    let session = optional(members, "session_id")?.filter(|text| !text.is_empty());
    if session
        .as_deref()
        .is_some_and(|text| !is_printable(text, AGENT))
    {
        return Err(error::MALFORMED);
    }
    let (Some(scan), Some(image), Some(small_image), Some(agent)) =
        (scan, image, small_image, agent)
    else {
        return Ok(None);
    };
    Ok(Some(Evidence {
        scan,
        image,
        small_image,
        agent,
        session,
        client: client.to_string(),
    }))
}

/// Everything that may show the owner. A passkey is looked at only where passkeys are offered.
pub(crate) fn shown(
    wallets: &Wallets,
    members: &mut Members,
    client: IpAddr,
) -> Result<Shown, Code> {
    let evidence = evidence(members, client)?;
    let passkey = match members.remove("passkey") {
        Some(Value::Object(passkey)) if wallets.passkeys().is_some() => Some(assertion(passkey)?),
        None | Some(Value::Null) => None,
        Some(_) if wallets.passkeys().is_none() => None,
        Some(_) => return Err(error::MALFORMED),
    };
    Ok(Shown { evidence, passkey })
}

/// `AuthenticationResponseJSON`: of its members those that decide.
fn assertion(mut passkey: Members) -> Result<Assertion, Code> {
    let credential = binary(&mut passkey, "id")?;
    let mut response = response(&mut passkey)?;
    let handle = match optional(&mut response, "userHandle")? {
        None => None,
        Some(text) => Some(decoded(&text)?),
    };
    Ok(Assertion {
        credential,
        client_data: binary(&mut response, "clientDataJSON")?,
        authenticator_data: binary(&mut response, "authenticatorData")?,
        signature: binary(&mut response, "signature")?,
        handle,
    })
}

/// `RegistrationResponseJSON`, in the member `credential`.
pub(crate) fn new_passkey(members: &mut Members) -> Result<NewPasskey, Code> {
    let Some(Value::Object(mut passkey)) = members.remove("credential") else {
        return Err(error::MALFORMED);
    };
    let mut response = response(&mut passkey)?;
    Ok(NewPasskey {
        client_data: binary(&mut response, "clientDataJSON")?,
        attestation: binary(&mut response, "attestationObject")?,
        transports: transports(&mut response)?,
    })
}

fn response(passkey: &mut Members) -> Result<Members, Code> {
    let kind = text(passkey, "type")?;
    match passkey.remove("response") {
        Some(Value::Object(response)) if kind == "public-key" => Ok(response),
        _ => Err(error::MALFORMED),
    }
}

/// Hints for the client, handed back as they came: at most eight short words.
fn transports(response: &mut Members) -> Result<Vec<String>, Code> {
    let listed = match response.remove("transports") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(listed)) if listed.len() <= TRANSPORTS => listed,
        Some(_) => return Err(error::MALFORMED),
    };
    let word = |value: &Value| {
        let text = value.as_str().filter(|text| (1..=32).contains(&text.len()));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        let text = text.filter(|text| text.bytes().all(plain));
        text.map(str::to_owned)
    };
    let words: Option<Vec<String>> = listed.iter().map(word).collect();
    words.ok_or(error::MALFORMED)
}

/// Bytes in base64url without padding.
fn binary(members: &mut Members, name: &str) -> Result<Vec<u8>, Code> {
    decoded(&text(members, name)?)
}

fn decoded(text: &str) -> Result<Vec<u8>, Code> {
    let fits = (1..=BINARY).contains(&text.len());
    let bytes = fits.then(|| URL_SAFE_NO_PAD.decode(text).ok());
    bytes.flatten().ok_or(error::MALFORMED)
}

/// §8.2: it becomes an outbound header, so nothing but printable ASCII.
pub(crate) fn agent(text: String) -> Result<String, Code> {
    if is_printable(&text, AGENT) {
        Ok(text)
    } else {
        Err(error::MALFORMED)
    }
}

fn is_printable(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

fn encoded(members: &mut Members, name: &str, longest: usize) -> Result<Option<SecretText>, Code> {
    let Some(text) = optional(members, name)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    let fits = text.len() <= longest && text.bytes().all(allowed);
    let text = SecretText::new(text);
    if fits {
        Ok(Some(text))
    } else {
        Err(error::MALFORMED)
    }
}

/// §7.9: 1 to 32 ids, repeats allowed.
pub(crate) fn key_ids(members: &mut Members) -> Result<Vec<WalletKeyId>, Code> {
    let Some(Value::Array(ids)) = members.remove("key_ids") else {
        return Err(error::MALFORMED);
    };
    if !(1..=KEYS).contains(&ids.len()) {
        return Err(error::MALFORMED);
    }
    let ids: Option<Vec<WalletKeyId>> = ids
        .iter()
        .map(|id| id.as_str().and_then(WalletKeyId::parse))
        .collect();
    ids.ok_or(error::MALFORMED)
}

/// §7.8: 1 to 32 shares of different keys, opaque printable ASCII. Length is judged last.
pub(crate) fn shares(members: &mut Members, longest: usize) -> Result<Vec<EncryptedShare>, Code> {
    let Some(Value::Array(entries)) = members.remove("keyshares") else {
        return Err(error::MALFORMED);
    };
    if !(1..=KEYS).contains(&entries.len()) {
        return Err(error::MALFORMED);
    }
    let mut shares: Vec<EncryptedShare> = Vec::with_capacity(entries.len());
    for entry in entries {
        let share = share(entry)?;
        if shares.iter().any(|other| other.key == share.key) {
            return Err(error::MALFORMED);
        }
        shares.push(share);
    }
    if shares.iter().any(|share| share.text.len() > longest) {
        return Err(error::SHARE_TOO_LONG);
    }
    Ok(shares)
}

fn share(entry: Value) -> Result<EncryptedShare, Code> {
    let Value::Object(mut members) = entry else {
        return Err(error::MALFORMED);
    };
    let key = WalletKeyId::parse(&text(&mut members, "key_id")?).ok_or(error::MALFORMED)?;
    let text = text(&mut members, "encrypted_keyshare")?;
    if is_printable(&text, usize::MAX) {
        Ok(EncryptedShare { key, text })
    } else {
        Err(error::MALFORMED)
    }
}

/// §12: 32 bytes in hex, in lower case from here on.
pub(crate) fn instance(members: &mut Members) -> Result<String, Code> {
    let text = text(members, "instance")?;
    let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(error::MALFORMED)
    }
}

/// §12: an object of tag → array of texts.
pub(crate) fn setup(members: &mut Members) -> Result<Members, Code> {
    let Some(Value::Object(setup)) = members.remove("setup") else {
        return Err(error::MALFORMED);
    };
    let texts = |value: &Value| {
        value
            .as_array()
            .is_some_and(|list| list.iter().all(Value::is_string))
    };
    if setup.values().all(texts) {
        Ok(setup)
    } else {
        Err(error::MALFORMED)
    }
}

/// A cursor for the client: opaque, and worth nothing to anybody else.
pub(crate) fn cursor(at: (i64, [u8; 16])) -> String {
    let mut bytes = at.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&at.1);
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn parse_cursor(text: &str) -> Option<(i64, [u8; 16])> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (rank, id) = bytes.split_first_chunk::<8>()?;
    Some((i64::from_be_bytes(*rank), id.try_into().ok()?))
}
