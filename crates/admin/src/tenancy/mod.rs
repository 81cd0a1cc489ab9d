//! Tenants and what lives in them, for the operator, who needs no client of the tenant.
//!
//! Each handler's one use case is the one that the tenant's own management client would reach; only the
//! proof differs ([`Within`]).

pub(crate) mod application;
pub(crate) mod client;
pub(crate) mod role;
pub(crate) mod tenant;
pub(crate) mod user;

use admin_wire::{
    ApplicationRequest, ClientRequest, Name, RoleRequest, SecretRotation, UserRequest,
};
use axum::extract::FromRequestParts;
use axum::response::Response;
use domain::tenant::permission::{Grant, Need};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use web::path::PathError;

use crate::Shared;
use crate::auth::Operator;
use crate::call::Form;
use crate::error::Failure;
use crate::path::{ApplicationPath, ClientPath, MemberPath, RolePath, TenantPath, UserPath};
use crate::wire::Done;

/// Who changed something, as the audit trail names the surface.
pub(crate) const SURFACE: &str = "admin";

/// A call of the operator within one tenant, `/admin/v1/tenants/{tenantId}…`, or within one application of it.
pub(crate) struct Within<N, P> {
    pub(crate) grant: Grant<N>,
    pub(crate) path: P,
}

/// What a path names within a tenant.
pub(crate) trait Place: DeserializeOwned {
    /// Whether the call acts inside the application that the path names, so that the grant is for that one.
    const INSIDE: bool;
}

/// The tenant itself.
#[derive(Deserialize)]
pub(crate) struct Whole {}

/// `…/applications/{applicationId}/…`: what belongs to the application.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Inside(pub(crate) ApplicationPath);

impl Place for Whole {
    const INSIDE: bool = false;
}
impl Place for ApplicationPath {
    const INSIDE: bool = false;
}
impl Place for RolePath {
    const INSIDE: bool = false;
}
impl Place for UserPath {
    const INSIDE: bool = false;
}
impl Place for Inside {
    const INSIDE: bool = true;
}
impl Place for ClientPath {
    const INSIDE: bool = true;
}
impl Place for MemberPath {
    const INSIDE: bool = true;
}

impl<N: Need, P: Place> FromRequestParts<Shared> for Within<N, P> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, admin: &Shared) -> Result<Self, Failure> {
        let Operator(operator) = Operator::from_request_parts(parts, admin).await?;
        let TenantPath { tenant_id } = read(parts)?;
        let application = if P::INSIDE {
            let ApplicationPath { application_id } = read(parts)?;
            Some(application_id)
        } else {
            None
        };
        let tenants = &admin.services.tenants;
        let grant = tenants
            .grant_to_operator(&operator, tenant_id, application)
            .await?;
        let path = read(parts)?;
        Ok(Self { grant, path })
    }
}

fn read<T: DeserializeOwned>(parts: &Parts) -> Result<T, Failure> {
    web::path::params(parts).map_err(|error| match error {
        PathError::Encoding => Failure::invalid("the path is not UTF-8"),
        PathError::Value => Failure::Unknown,
    })
}

/// Bodies of this part of the API are answered with the parser's own reason.
macro_rules! forms {
    ($($form:ty),*) => {
        $(impl Form for $form {
            const BYTES: usize = 64 * 1024;

            fn problem(reason: &str) -> String {
                reason.to_owned()
            }
        })*
    };
}

forms!(
    ApplicationRequest,
    ClientRequest,
    Name,
    RoleRequest,
    SecretRotation,
    UserRequest
);

fn done() -> Response {
    web::json::reply(StatusCode::OK, &Done { done: true })
}
