//! One call, taken apart (sheet 4.1): path, body, caller and member.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Response;
use domain::Caller;
use domain::vault::{Document, LoginName, VaultMember};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};
use web::body::BodyError;
use web::json::Duplicates;
use web::path::RawPath;

use crate::error::Fault;
use crate::front::Front;

/// Largest request body in bytes, for most calls.
const BODY: usize = 64 * 1024;
/// Longest time for sending it, in seconds.
const BODY_SECONDS: u64 = 30;
/// Digits of a path id.
const ID_DIGITS: usize = 16;

/// A call before anything of it is judged.
pub(crate) struct Call {
    /// The segments below the base path.
    path: Vec<String>,
    headers: HeaderMap,
    body: axum::body::Body,
    pub(crate) caller: Caller,
    member: Option<VaultMember>,
}

impl FromRequest<Arc<Front>> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, front: &Arc<Front>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(RawPath(path)) = RawPath::from_request_parts(&mut parts, front).await;
        let Ok(mut path) = path else {
            return Err(front.refuse(StatusCode::BAD_REQUEST, "Invalid path"));
        };
        let above = front.options.base_path.matches('/').count();
        path.drain(..above.min(path.len()));
        let Some(caller) = parts.extensions.remove::<Caller>() else {
            return Err(front.refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal error"));
        };
        let member = parts.extensions.remove::<VaultMember>();
        Ok(Self {
            path,
            headers: parts.headers,
            body,
            caller,
            member,
        })
    }
}

impl Call {
    /// A segment below the base path, empty when there is none.
    pub(crate) fn segment(&self, at: usize) -> String {
        self.path.get(at).cloned().unwrap_or_default()
    }

    /// The member that the gate let in.
    pub(crate) fn member(&self) -> Result<VaultMember, Fault> {
        // Without one the gate would have answered.
        let missing = || domain::Error::bug("a call for members came without one");
        self.member.clone().ok_or_else(|| Fault::Domain(missing()))
    }

    /// An id in the path. What no id can be is 0 here, and so unknown to everybody.
    pub(crate) fn id(&self, at: usize) -> Result<u64, Fault> {
        Ok(u64::try_from(self.signed_id(at)?).unwrap_or(0))
    }

    /// `-?[0-9]{1,16}`
    pub(crate) fn signed_id(&self, at: usize) -> Result<i64, Fault> {
        let text = self.segment(at);
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let sound = (1..=ID_DIGITS).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = sound.then(|| text.parse().ok()).flatten();
        number.ok_or(Fault::bad("Invalid id"))
    }

    pub(crate) async fn fields(self) -> Result<Fields, Fault> {
        self.fields_of(BODY).await
    }

    /// The fields of a call that carries a key: room for one as large as the plan allows.
    pub(crate) async fn key_fields(self) -> Result<Fields, Fault> {
        let plan = self
            .member
            .as_ref()
            .map_or(0, |member| member.plan().entry_bytes);
        let limit = BODY.max(plan.saturating_mul(2).saturating_add(16 * 1024));
        self.fields_of(limit).await
    }

    async fn fields_of(self, limit: usize) -> Result<Fields, Fault> {
        let bytes = match web::body::read(self.body, &self.headers, limit, BODY_SECONDS).await {
            Ok(bytes) => bytes,
            Err(BodyError::TooLarge) => {
                let text = "The request body is too large";
                return Err(Fault::Said(StatusCode::PAYLOAD_TOO_LARGE, text));
            }
            Err(BodyError::TooSlow) => return Err(Fault::bad("The request body came too slowly")),
            Err(BodyError::Broken) => return Err(Fault::bad("The request body is not complete")),
        };
        match web::json::object(&bytes, Duplicates::LastWins) {
            Ok(members) => Ok(Fields {
                members,
                bytes: bytes.to_vec(),
            }),
            Err(_) => Err(Fault::bad("The request body must be a JSON object")),
        }
    }

    /// The form that a page sent.
    pub(crate) async fn form(self) -> Option<Vec<(String, String)>> {
        let bytes = web::body::read(self.body, &self.headers, BODY, BODY_SECONDS)
            .await
            .ok()?;
        web::query::form(&bytes).ok()
    }
}

/// The members of a body. Null counts as absent.
pub(crate) struct Fields {
    members: Map<String, Value>,
    bytes: Vec<u8>,
}

impl Fields {
    /// A string that must be there, and not be empty.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<String, Fault> {
        self.optional_text(name)?.ok_or(Fault::Missing(name))
    }

    pub(crate) fn optional_text(&mut self, name: &'static str) -> Result<Option<String>, Fault> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(Fault::Missing(name)),
        }
    }

    /// A whole number in a range, if it is there.
    pub(crate) fn number(
        &mut self,
        name: &'static str,
        largest: u64,
    ) -> Result<Option<u64>, Fault> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().filter(|number| *number <= largest) {
                Some(number) => Ok(Some(number)),
                None => Err(Fault::Missing(name)),
            },
        }
    }

    pub(crate) fn name(&mut self) -> Result<LoginName, Fault> {
        let text = self.text("email")?;
        LoginName::parse(&text).ok_or(Fault::Missing("email"))
    }

    /// The object of that name.
    pub(crate) fn object(&mut self, name: &'static str) -> Result<Self, Fault> {
        match self.members.remove(name) {
            Some(Value::Object(members)) => Ok(Self {
                members,
                bytes: Vec::new(),
            }),
            _ => Err(Fault::Missing(name)),
        }
    }

    /// The whole body as the client wrote it, digits and all.
    pub(crate) fn document(&self) -> Result<Document, Fault> {
        let text = std::str::from_utf8(&self.bytes).ok();
        let document = text.and_then(Document::parse);
        document.ok_or(Fault::bad("The request body must be a JSON object"))
    }
}
