//! Values by the rules of §5, §7 and §8.2. `None` is a value against its rule.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::secret::SecretText;
use domain::wallet::step_up::passkey::Assertion;
use domain::wallet::step_up::{Evidence, Shown};
use domain::wallet::{DeviceId, DeviceProof, EncryptedShare, WalletKeyId};
use serde_json::Value;

use crate::Wallets;
use crate::error::{self, Code};
use crate::wire::{FaceParts, Keyshare, Setup, ShownPasskey};

/// Longest scan, in characters.
pub(crate) const SCAN: usize = 16 * 1024 * 1024;
/// Longest image, in characters.
pub(crate) const IMAGE: usize = 4 * 1024 * 1024;
/// Longest part of a passkey, in characters.
pub(crate) const BINARY: usize = 32 * 1024;
/// Longest agent, in characters.
const AGENT: usize = 1024;
/// Most hints how an authenticator is reached.
const TRANSPORTS: usize = 8;
/// Most keys in one call.
const KEYS: usize = 32;

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
pub(crate) fn device_name(text: &str) -> Option<String> {
    let name = text.trim();
    let unprintable =
        |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}');
    let sound = (1..=64).contains(&name.chars().count()) && !name.contains(unprintable);
    sound.then(|| name.to_owned())
}

/// §8.2: the evidence, `None` unless all four parts are there.
pub(crate) fn evidence(parts: FaceParts, client: IpAddr) -> Option<Evidence> {
    Some(Evidence {
        scan: parts.scan?,
        image: parts.image?,
        small_image: parts.small_image?,
        agent: parts.agent?,
        session: parts.session,
        client: client.to_string(),
    })
}

/// Everything that may show the owner. A passkey is looked at only where passkeys are offered.
pub(crate) fn shown(
    wallets: &Wallets,
    parts: FaceParts,
    passkey: Option<Value>,
    client: IpAddr,
) -> Result<Shown, Code> {
    let passkey = match passkey {
        Some(Value::Object(members)) if wallets.passkeys().is_some() => {
            let passkey = web::json::typed::<ShownPasskey>(members);
            Some(Assertion::from(passkey.map_err(|_| error::MALFORMED)?))
        }
        Some(_) if wallets.passkeys().is_some() => return Err(error::MALFORMED),
        Some(_) | None => None,
    };
    let evidence = evidence(parts, client);
    Ok(Shown { evidence, passkey })
}

/// Hints for the client, handed back as they came: at most eight short words.
pub(crate) fn transports(words: Vec<String>) -> Option<Vec<String>> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    let sound = |word: &String| (1..=32).contains(&word.len()) && word.bytes().all(plain);
    (words.len() <= TRANSPORTS && words.iter().all(sound)).then_some(words)
}

/// §8.2: it becomes an outbound header, so nothing but printable ASCII.
pub(crate) fn agent(text: String) -> Option<String> {
    is_printable(&text, AGENT).then_some(text)
}

fn is_printable(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// A part of the face data.
pub(crate) fn encoded(text: String, longest: usize) -> Option<SecretText> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    let fits = text.len() <= longest && text.bytes().all(allowed);
    let text = SecretText::new(text);
    fits.then_some(text)
}

/// §7.9: 1 to 32 ids, repeats allowed.
pub(crate) fn key_ids(texts: &[String]) -> Option<Vec<WalletKeyId>> {
    let ids = texts.iter().map(|text| WalletKeyId::parse(text));
    (1..=KEYS).contains(&texts.len()).then(|| ids.collect())?
}

/// §7.8: printable ASCII of any length, which is judged last.
pub(crate) fn share(text: String) -> Option<String> {
    is_printable(&text, usize::MAX).then_some(text)
}

/// §7.8: 1 to 32 shares of different keys.
pub(crate) fn shares(entries: Vec<Keyshare>, longest: usize) -> Result<Vec<EncryptedShare>, Code> {
    if !(1..=KEYS).contains(&entries.len()) {
        return Err(error::MALFORMED);
    }
    let mut shares: Vec<EncryptedShare> = Vec::with_capacity(entries.len());
    for entry in entries {
        let (key, text) = (entry.key_id, entry.encrypted_keyshare);
        if shares.iter().any(|other| other.key == key) {
            return Err(error::MALFORMED);
        }
        shares.push(EncryptedShare { key, text });
    }
    if shares.iter().any(|share| share.text.len() > longest) {
        return Err(error::SHARE_TOO_LONG);
    }
    Ok(shares)
}

/// §12: 32 bytes in hex, in lower case from here on.
pub(crate) fn instance(text: &str) -> Option<String> {
    let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| text.to_ascii_lowercase())
}

/// §12: an object of tag → array of texts.
pub(crate) fn setup(setup: Setup) -> Option<Setup> {
    let texts = |value: &Value| {
        value
            .as_array()
            .is_some_and(|list| list.iter().all(Value::is_string))
    };
    setup.values().all(texts).then_some(setup)
}

/// §7.10: 1 to 200, in digits.
pub(crate) fn limit(text: &str) -> Option<usize> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits)?;
    (1..=200).contains(&number).then_some(number)
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
