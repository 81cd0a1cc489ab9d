//! Tenants and what lives in them, for the operator, who needs no client of the tenant.
//!
//! Each handler's one use case is the one that the tenant's own management client would reach; only the
//! proof differs ([`Within`]).

#![expect(clippy::struct_field_names, reason = "the names are the wire's")]

pub(crate) mod application;
pub(crate) mod client;
pub(crate) mod role;
pub(crate) mod tenant;
pub(crate) mod user;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Response;
use domain::permission::{Grant, Need};
use domain::tenant::{ApplicationId, ClientId, RoleId, TenantId, UserId};
use domain::{Error, Refusal};
use http::HeaderMap;
use serde::de::DeserializeOwned;
use web::json::Duplicates;
use web::path::RawPath;

use crate::auth::Operator;
use crate::{Admin, error};

/// Who changed something, as the audit trail names the surface.
pub(crate) const SURFACE: &str = "admin";

/// Largest request body in bytes.
const BODY: usize = 64 * 1024;

/// A call of the operator within one tenant, or one application of it: `/admin/v1/tenants/{tenantId}…`,
/// `…/applications/{applicationId}…`.
pub(crate) struct Within<N> {
    pub(crate) grant: Grant<N>,
    path: Vec<String>,
    headers: HeaderMap,
    body: Body,
}

impl<N: Need> FromRequest<Arc<Admin>> for Within<N> {
    type Rejection = Response;

    async fn from_request(request: Request, admin: &Arc<Admin>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Operator(operator) = Operator::from_request_parts(&mut parts, admin).await?;
        let Ok(RawPath(path)) = RawPath::from_request_parts(&mut parts, admin).await;
        let path = path.map_err(|_| error::invalid("the path is not UTF-8"))?;
        let answer = |error: Error| error::answer(&error, admin.services.now());
        let unknown = || answer(Refusal::UnknownSubject.into());
        let tenant = TenantId::parse(segment(&path, 3)).ok_or_else(unknown)?;
        // Only what happens inside an application is checked against it here.
        let inside = path.get(4).is_some_and(|noun| noun == "applications") && path.len() > 6;
        let application = if inside {
            Some(ApplicationId::parse(segment(&path, 5)).ok_or_else(unknown)?)
        } else {
            None
        };
        let grant = admin
            .services
            .tenants
            .grant_to_operator(&operator, tenant, application)
            .await
            .map_err(answer)?;
        Ok(Self {
            grant,
            path,
            headers: parts.headers,
            body,
        })
    }
}

impl<N> Within<N> {
    pub(crate) fn application(&self) -> Option<ApplicationId> {
        ApplicationId::parse(segment(&self.path, 5))
    }

    pub(crate) fn client(&self) -> Option<ClientId> {
        ClientId::parse(segment(&self.path, 7))
    }

    pub(crate) fn role(&self) -> Option<RoleId> {
        RoleId::parse(segment(&self.path, 5))
    }

    /// `…/users/{userId}`, wherever it stands.
    pub(crate) fn user(&self) -> UserId {
        let at = self
            .path
            .iter()
            .position(|segment| segment == "users")
            .unwrap_or_default();
        UserId::new(segment(&self.path, at + 1).to_owned())
    }

    pub(crate) async fn body<T: DeserializeOwned>(self) -> Result<(Grant<N>, T), Response> {
        let parsed = parse(&self.headers, self.body).await?;
        Ok((self.grant, parsed))
    }
}

fn segment(path: &[String], at: usize) -> &str {
    path.get(at).map(String::as_str).unwrap_or_default()
}

/// One strict JSON object with known members.
pub(crate) async fn parse<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Response> {
    let Ok(bytes) = web::body::read(body, headers, BODY, 15).await else {
        return Err(error::too_large());
    };
    let fields = web::json::object(&bytes, Duplicates::RefuseAll)
        .map_err(|_| error::invalid("the body must be one JSON object"))?;
    serde_json::from_value(fields.into()).map_err(|why| error::invalid(&why.to_string()))
}

/// The answer for an id of another form, which names nothing.
pub(crate) fn unknown(admin: &Admin) -> Response {
    error::answer(&Refusal::UnknownSubject.into(), admin.services.now())
}
