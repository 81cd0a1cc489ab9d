//! One call, taken apart (§2): path, query, headers, body and caller.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use domain::person::policy::Feature;
use domain::session::SignedIn;
use domain::{Caller, People};
use http::{HeaderMap, Uri, header};
use serde_json::{Map, Value};
use web::ClientAddr;
use web::auth::Bearer;
use web::body::BodyError;
use web::json::{Duplicates, JsonError};
use web::media::MediaType;

use crate::SURFACE;
use crate::error::Fault;
use crate::value;

/// Largest request body in bytes.
const BODY: usize = 16 * 1024;
/// Longest time for sending it, in seconds.
const BODY_SECONDS: u64 = 15;

/// A call before anything of it is judged.
pub(crate) struct Call {
    uri: Uri,
    headers: HeaderMap,
    body: axum::body::Body,
    pub(crate) caller: Caller,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let caller = Caller {
            surface: SURFACE,
            network: ClientAddr::of(&parts.extensions).network(),
            language: language(&parts.headers),
        };
        Ok(Self {
            uri: parts.uri,
            headers: parts.headers,
            body,
            caller,
        })
    }
}

impl Call {
    /// What the operator switched off is not there, whoever asks.
    pub(crate) fn needs(self, people: &People, feature: Feature) -> Result<Self, Fault> {
        people.offers(feature)?;
        Ok(self)
    }

    /// Who calls, by the access token.
    fn signed_in(
        &self,
        people: &Arc<People>,
    ) -> impl Future<Output = Result<SignedIn, Fault>> + Send + use<> {
        let people = Arc::clone(people);
        let token = match web::auth::bearer(&self.headers) {
            Bearer::Token(token) => Some(token.to_owned()),
            Bearer::Missing | Bearer::Malformed => None,
        };
        async move {
            let token = token.ok_or(Fault::Unauthorized)?;
            Ok(people.authenticate(&token).await?)
        }
    }

    /// Who calls, then what he sends: nobody else's fields are read.
    pub(crate) async fn of_account(
        self,
        people: &Arc<People>,
    ) -> Result<(SignedIn, Fields, Caller), Fault> {
        let who = self.signed_in(people).await?;
        let (fields, caller) = self.fields().await?;
        Ok((who, fields, caller))
    }

    /// The fields of query and body; where both name one, they must agree.
    pub(crate) async fn fields(self) -> Result<(Fields, Caller), Fault> {
        let pairs = web::query::pairs(&self.uri).map_err(|_| Fault::Malformed)?;
        let path = web::path::segments(&self.uri).map_err(|_| Fault::Malformed)?;
        let read = web::body::read(self.body, &self.headers, BODY, BODY_SECONDS).await;
        let bytes = read.map_err(|why| match why {
            BodyError::TooLarge => Fault::TooLarge,
            BodyError::TooSlow => Fault::TooSlow,
            BodyError::Broken => Fault::Malformed,
        })?;
        if !bytes.is_empty() && web::media::is_json(&self.headers) != MediaType::Json {
            return Err(Fault::MediaType);
        }
        let body = match web::json::object(&bytes, Duplicates::RefuseTop) {
            Ok(fields) => fields,
            Err(JsonError::Empty) => Map::new(),
            Err(JsonError::Syntax | JsonError::NotObject | JsonError::Duplicate(_)) => {
                return Err(Fault::Malformed);
            }
        };
        Ok((Fields { body, pairs, path }, self.caller))
    }
}

/// The fields of a call: unknown ones are ignored, null counts as absent, texts are texts.
pub(crate) struct Fields {
    body: Map<String, Value>,
    pairs: Vec<(String, String)>,
    path: Vec<String>,
}

impl Fields {
    /// A text of the body.
    pub(crate) fn optional(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.body.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Fault::Malformed),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<String, Fault> {
        self.optional(name)?.ok_or(Fault::Malformed)
    }

    /// A text of the body, read by `parse`.
    pub(crate) fn optional_as<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let text = self.optional(name)?;
        text.map(|text| parse(&text).ok_or(Fault::Malformed))
            .transpose()
    }

    /// The same, where it must be there.
    pub(crate) fn text_as<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Fault> {
        self.optional_as(name, parse)?.ok_or(Fault::Malformed)
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Fault> {
        match self.body.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(Fault::Malformed),
        }
    }

    /// A text of the query or the body, read by `parse`; both may be there if they mean the same.
    pub(crate) fn either<T: PartialEq>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Fault> {
        let body = self.optional(name)?;
        let query = self
            .pairs
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, text)| value::plus(text));
        let mut read = None;
        for text in query.chain(body) {
            let one = parse(&text).ok_or(Fault::Malformed)?;
            if read.as_ref().is_some_and(|known| *known != one) {
                return Err(Fault::Malformed);
            }
            read = Some(one);
        }
        read.ok_or(Fault::Malformed)
    }

    /// The last segment of the path.
    pub(crate) fn last_segment(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
}

/// The first language the caller names, for the messages he causes.
fn language(headers: &HeaderMap) -> String {
    let named = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let first = named
        .and_then(|text| text.split([',', ';', '-']).next())
        .unwrap_or_default()
        .trim();
    let plain =
        (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    if plain {
        first.to_ascii_lowercase()
    } else {
        "en".to_owned()
    }
}
