//! Clients of an application (§8).

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::proof::signing::{Algorithm, PublicNumbers};
use domain::tenant::permission::Manage;
use domain::tenant::{AssertionKey, ClientChange, ClientForm, RoleId};
use http::StatusCode;
use serde_json::Value;

use crate::call::{Body, Granted, Path};
use crate::error::{self, APPLICATION, CLIENT, Failure, Reply};
use crate::fields::{Fields, Form};
use crate::value::{NAME, SHORT};
use crate::wire::{
    ApplicationPath, ChangeClient, Client, ClientPath, CreateClient, HIDDEN, TokenExpiration,
};
use crate::{SURFACE, Tenants};

/// What the original knows beside and this server does not need: may be sent, and is ignored.
const IGNORED: &[&str] = &[
    "client_type",
    "response_types",
    "token_endpoint_auth_method",
    "pkce",
    "device_authorization",
    "ciba_authorization",
    "authentication_protocol",
    "client_group_id",
    "default_custom_claims",
    "supported_prompts",
    "session_expiration",
    "enforce_par",
    "fapi_version_compliancy",
];

/// Makes a client. Its secret is shown only in this answer.
#[utoipa::path(post, path = "/cis/v1/applications/{app_id}/clients", operation_id = "createClient",
    tag = "administration", request_body = CreateClient, params(ApplicationPath),
    responses((status = 201, description = "The client", body = Client)))]
pub(crate) async fn create(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Path(ApplicationPath { app_id }): Path<ApplicationPath>,
    Body(form): Body<CreateClient>,
) -> Reply {
    let application = app_id.ok_or(Failure::Unknown(CLIENT))?;
    let new = tenants
        .create_client(SURFACE, grant, application, form.into())
        .await;
    let new = new.map_err(error::of(&tenants, APPLICATION))?;
    let client = Client::of(new.view, new.secret.expose());
    Ok(error::json(StatusCode::CREATED, &client))
}

/// One client, without its secret.
#[utoipa::path(get, path = "/cis/v1/applications/{app_id}/clients/{client_id}", operation_id = "getClient",
    tag = "administration", params(ClientPath),
    responses((status = 200, description = "The client", body = Client)))]
pub(crate) async fn read(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Path(path): Path<ClientPath>,
) -> Reply {
    let application = path.app_id.ok_or(Failure::Unknown(CLIENT))?;
    let id = path.client_id.ok_or(Failure::Unknown(CLIENT))?;
    let view = tenants.read_client(grant, application, id).await;
    let view = view.map_err(error::of(&tenants, CLIENT))?;
    Ok(error::json(StatusCode::OK, &Client::of(view, HIDDEN)))
}

/// Changes a client. What is not sent stays.
#[utoipa::path(put, path = "/cis/v1/applications/{app_id}/clients/{client_id}", operation_id = "updateClient",
    tag = "administration", request_body = ChangeClient,
    params(ClientPath),
    responses((status = 200, description = "The client", body = Client)))]
pub(crate) async fn change(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Path(path): Path<ClientPath>,
    Body(change): Body<ChangeClient>,
) -> Reply {
    let application = path.app_id.ok_or(Failure::Unknown(CLIENT))?;
    let id = path.client_id.ok_or(Failure::Unknown(CLIENT))?;
    let view = tenants
        .change_client(SURFACE, grant, application, id, change.into())
        .await;
    let view = view.map_err(error::of(&tenants, CLIENT))?;
    Ok(error::json(StatusCode::OK, &Client::of(view, HIDDEN)))
}

/// Deletes a client; its tokens are worth nothing from then on.
#[utoipa::path(delete, path = "/cis/v1/applications/{app_id}/clients/{client_id}", operation_id = "deleteClient",
    tag = "administration", params(ClientPath),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Path(path): Path<ClientPath>,
) -> Reply {
    let application = path.app_id.ok_or(Failure::Unknown(CLIENT))?;
    let id = path.client_id.ok_or(Failure::Unknown(CLIENT))?;
    let deleted = tenants.delete_client(SURFACE, grant, application, id).await;
    deleted.map_err(error::of(&tenants, CLIENT))?;
    Ok(error::empty(StatusCode::NO_CONTENT))
}

impl Form for ChangeClient {
    fn read(fields: &mut Fields) -> Option<Self> {
        let change = Self {
            name: fields.text_by("name", &NAME),
            description: fields.text_by("description", &SHORT),
            redirect_uris: fields.texts("redirect_uris", 100),
            role_ids: roles(fields),
            token_expiration: token_life(fields)
                .map(|access_token_ttl| TokenExpiration { access_token_ttl }),
            resources: fields.texts("resources", 100),
            authentication_configuration: keys(fields),
        };
        fields.ignore(IGNORED);
        Some(change)
    }
}

impl From<ChangeClient> for ClientChange {
    fn from(change: ChangeClient) -> Self {
        Self {
            name: change.name,
            description: change.description,
            redirect_uris: change.redirect_uris,
            roles: change.role_ids,
            token_life: change.token_expiration.map(|life| life.access_token_ttl),
            resources: change.resources,
            keys: change.authentication_configuration,
            disabled: None,
        }
    }
}

impl Form for CreateClient {
    fn read(fields: &mut Fields) -> Option<Self> {
        fields.demand("name");
        fields.demand("redirect_uris");
        let form = ChangeClient::read(fields)?;
        Some(Self {
            name: form.name?,
            redirect_uris: form.redirect_uris?,
            description: form.description,
            role_ids: form.role_ids,
            token_expiration: form.token_expiration,
            resources: form.resources,
            authentication_configuration: form.authentication_configuration,
        })
    }
}

impl From<CreateClient> for ClientForm {
    fn from(form: CreateClient) -> Self {
        let token_life = form.token_expiration.map(|life| life.access_token_ttl);
        Self {
            name: form.name,
            description: form.description,
            redirect_uris: form.redirect_uris,
            roles: form.role_ids.unwrap_or_default(),
            token_life: token_life.unwrap_or(Self::default().token_life),
            resources: form.resources.unwrap_or_default(),
            keys: form.authentication_configuration.unwrap_or_default(),
        }
    }
}

/// An id of another form is as unknown as one that is not there: 400 (§8).
pub(crate) fn roles(fields: &mut Fields) -> Option<Vec<RoleId>> {
    let texts = fields.texts("role_ids", 100)?;
    match texts.iter().map(|text| RoleId::parse(text)).collect() {
        Some(roles) => Some(roles),
        None => fields.wrong("role_ids", "names an unknown role"),
    }
}

pub(crate) fn token_life(fields: &mut Fields) -> Option<u32> {
    fields
        .inside("token_expiration", |inner| {
            inner.number("access_token_ttl", 1..=86_400)
        })
        .flatten()
}

/// `{"jwks": {"keys": […]}}`: RSA of 2048 bits and more (`RS256`, `PS256`), or P-256 (`ES256`).
fn keys(fields: &mut Fields) -> Option<Vec<AssertionKey>> {
    let configured = fields.any("authentication_configuration")?;
    let list = configured.pointer("/jwks/keys").and_then(Value::as_array);
    let keys = list
        .filter(|list| list.len() <= 20)
        .and_then(|list| list.iter().map(assertion_key).collect());
    match keys {
        Some(keys) => Some(keys),
        None => fields.wrong(
            "authentication_configuration",
            "must hold at most 20 usable public keys in jwks.keys",
        ),
    }
}

fn assertion_key(jwk: &Value) -> Option<AssertionKey> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let number = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    // A private key in the wrong field must not be taken, let alone kept.
    if jwk.get("d").is_some() {
        return None;
    }
    let (default, numbers) = match text("kty")? {
        "RSA" => (
            "RS256",
            PublicNumbers::Rsa {
                n: number("n")?,
                e: number("e")?,
            },
        ),
        "EC" if text("crv") == Some("P-256") => {
            let (x, y) = (number("x")?.try_into().ok()?, number("y")?.try_into().ok()?);
            ("ES256", PublicNumbers::P256 { x, y })
        }
        _ => return None,
    };
    let algorithm = Algorithm::named(text("alg").unwrap_or(default))?;
    AssertionKey::new(text("kid").map(str::to_owned), algorithm, &numbers)
}
