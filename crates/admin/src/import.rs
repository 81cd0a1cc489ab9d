//! Taking over the two tables of the original Photon key server.
//!
//! JSON lines, as `DynamoDB` exports them (`{"Item":{"id":{"S":"…"},…}}`) or plain (`{"id":"…",…}`). A row
//! with an `encryptionKey` is a key, any other a user. Users do not name their key: they are found by the
//! hash of their address when they next appear. Locks are not taken over, counters are.

use admin_wire::{ErrorBody, FailedLine, Imported};
use axum::extract::{Request, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::guarded_key::{GuardedKeyId, ImportedContact, ImportedKey};
use domain::{Error, Refusal, Timestamp};
use http::StatusCode;
use serde_json::{Map, Value};

use crate::Shared;
use crate::auth::Operator;
use crate::error::{Failure, Reply};

const BODY: usize = 16 * 1024 * 1024;
const BODY_SECONDS: u64 = 120;
const SURFACE: &str = "photon";

enum Item {
    Key(ImportedKey),
    User(ImportedContact),
}

/// Takes over rows of the original key server: JSON lines, at most 16 MiB a call.
#[utoipa::path(post, operation_id = "importPhoton", path = "/admin/v1/import/photon", tag = "import", request_body(content = String,
    content_type = "application/x-ndjson"), responses(
    (status = 200, body = Imported), (status = 401, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn take_over(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    request: Request,
) -> Reply {
    let (parts, body) = request.into_parts();
    let read = web::body::read(body, &parts.headers, BODY, BODY_SECONDS).await;
    let bytes = read.map_err(|_| Failure::TooLarge)?;
    let keys = &admin.services.guarded_keys;
    let mut done = Imported::default();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let (outcome, count) = match item(line) {
            Ok(Item::Key(key)) => (
                keys.import_key(&operator, SURFACE, key).await,
                &mut done.keys,
            ),
            Ok(Item::User(user)) => (
                keys.import_contact(&operator, SURFACE, user).await,
                &mut done.users,
            ),
            Err(why) => {
                done.failed.push(FailedLine { line: at + 1, why });
                continue;
            }
        };
        match outcome {
            Ok(()) => *count += 1,
            Err(Error::Refused(Refusal::Conflict)) => done.skipped += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(web::json::reply(StatusCode::OK, &done))
}

fn item(line: &[u8]) -> Result<Item, String> {
    let value: Value =
        serde_json::from_slice(line).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(mut row) = value else {
        return Err("not an object".to_owned());
    };
    if let Some(Value::Object(inner)) = row.remove("Item") {
        row = inner
            .into_iter()
            .map(|(name, value)| (name, plain(value)))
            .collect();
    } else {
        row = row
            .into_iter()
            .map(|(name, value)| (name, plain(value)))
            .collect();
    }
    let failed = row.get("invalidCount").and_then(Value::as_u64).unwrap_or(0);
    let failed = u32::try_from(failed).map_err(|_| "invalidCount is too large")?;
    let first_failure = moment(&row, "firstInvalid")?;
    if row.contains_key("encryptionKey") {
        let id = text(&row, "id")?;
        Ok(Item::Key(ImportedKey {
            id: GuardedKeyId(uuid::Uuid::parse_str(id).map_err(|_| "id is not a UUID")?),
            content: bytes(&row, "encryptionKey")?
                .try_into()
                .map_err(|_| "encryptionKey is not 32 bytes")?,
            salt: bytes(&row, "salt")?,
            pin_hash: bytes(&row, "pin")?,
            failed,
            first_failure,
        }))
    } else {
        let verified = row
            .get("verified")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        Ok(Item::User(ImportedContact {
            hash: bytes(&row, "id")?,
            verified,
            failed,
            first_failure,
        }))
    }
}

/// `DynamoDB` wraps every value in an object that names its type.
fn plain(value: Value) -> Value {
    let Value::Object(mut typed) = value else {
        return value;
    };
    match (typed.remove("S"), typed.remove("N"), typed.remove("BOOL")) {
        (Some(text), _, _) => text,
        (_, Some(Value::String(number)), _) => {
            number.parse::<i64>().map_or(Value::Null, Value::from)
        }
        (_, Some(number), _) => number,
        (_, _, Some(truth)) => truth,
        _ => Value::Null,
    }
}

fn text<'a>(row: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    row.get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("{name} is missing"))
}

fn bytes(row: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(text(row, name)?)
        .map_err(|_| format!("{name} is not base64"))
}

/// A moment as text, or as milliseconds since 1970.
fn moment(row: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, String> {
    match row.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Timestamp::parse(text)
            .map(Some)
            .ok_or_else(|| format!("{name} is no date")),
        Some(value) => match value.as_i64() {
            Some(millis) => Ok(Some(Timestamp::from_millis(millis))),
            None => Err(format!("{name} is no date")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = r#"{"id":"8bfd90a9-949b-42e6-aae4-1690ce339721","encryptionKey":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","pin":"S4ysSX7HTDuI94BavlJV0EG2QKjYfiHseYrJ5J5fIK8=","salt":"KhepHQfa0cNlA88ESlGfVuvWjkvCypkVbVdLseXGpRg=","lockedUntil":null,"firstInvalid":"2020-11-16T13:56:45.848Z","invalidCount":3}"#;
    const TYPED: &str = r#"{"Item":{"id":{"S":"ImS3Zs1tdXD/1O95aQ8kVvVXNxW1bwSg+Z/ov9WVaEw="},"op":{"S":"verify"},"verified":{"BOOL":true},"invalidCount":{"N":"2"},"firstInvalid":{"NULL":true}}}"#;

    #[test]
    fn reads_both_spellings() {
        let Ok(Item::Key(key)) = item(KEY.as_bytes()) else {
            panic!("a key")
        };
        assert_eq!(
            (key.failed, key.first_failure.is_some(), key.salt.len()),
            (3, true, 32)
        );
        let Ok(Item::User(user)) = item(TYPED.as_bytes()) else {
            panic!("a user")
        };
        assert_eq!((user.failed, user.verified, user.hash.len()), (2, true, 32));
    }

    #[test]
    fn says_what_is_wrong_with_a_line() {
        for (line, why) in [
            ("[]", "object"),
            ("{", "JSON"),
            ("{\"id\":\"%\"}", "base64"),
            ("{}", "missing"),
        ] {
            let Err(told) = item(line.as_bytes()) else {
                panic!("{line}")
            };
            assert!(told.contains(why), "{told}");
        }
    }
}
