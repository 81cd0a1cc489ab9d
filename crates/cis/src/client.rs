//! Clients of an application (§8).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::permission::Manage;
use domain::signing::{Algorithm, PublicNumbers};
use domain::tenant::{AssertionKey, ClientChange, ClientForm, RoleId};
use domain::{Refusal, Tenants};
use http::StatusCode;
use serde_json::Value;

use crate::SURFACE;
use crate::call::{Call, Malformed};
use crate::error::{self, APPLICATION, CLIENT};
use crate::fields::Fields;
use crate::value::{NAME, SHORT};
use crate::wire::{ChangeClient, Client, CreateClient, HIDDEN};

type App = State<Arc<Tenants>>;

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

/// Makes a client; its secret is shown this once.
#[utoipa::path(post, path = "/cis/v1/applications/{app_id}/clients", operation_id = "createClient",
    tag = "administration", request_body = CreateClient, params(("app_id" = String, Path)),
    responses((status = 201, description = "The client", body = Client)))]
pub(crate) async fn create(State(keeper): App, call: Call<Manage>) -> Response {
    let application = call.application();
    let parsed = async {
        let (grant, mut fields) = call.fields().await?;
        fields.demand("name");
        fields.demand("redirect_uris");
        Ok::<_, Malformed>((grant, form(change_of(fields)?)))
    };
    let (grant, form) = match parsed.await {
        Ok(parsed) => parsed,
        Err(Malformed(response)) => return *response,
    };
    let Some(application) = application else {
        return unknown(&keeper);
    };
    match keeper
        .create_client(SURFACE, grant, application, form)
        .await
    {
        Ok(new) => error::json(
            StatusCode::CREATED,
            &Client::of(new.view, new.secret.expose()),
        ),
        Err(error) => error::answer(&error, APPLICATION, keeper.now()),
    }
}

/// One client, without its secret.
#[utoipa::path(get, path = "/cis/v1/applications/{app_id}/clients/{client_id}", operation_id = "getClient",
    tag = "administration", params(("app_id" = String, Path), ("client_id" = String, Path)),
    responses((status = 200, description = "The client", body = Client)))]
pub(crate) async fn read(State(keeper): App, call: Call<Manage>) -> Response {
    let (Some(application), Some(id)) = (call.application(), call.client()) else {
        return unknown(&keeper);
    };
    match keeper.read_client(call.grant, application, id).await {
        Ok(view) => error::json(StatusCode::OK, &Client::of(view, HIDDEN)),
        Err(error) => error::answer(&error, CLIENT, keeper.now()),
    }
}

/// Changes a client. What is not sent stays.
#[utoipa::path(put, path = "/cis/v1/applications/{app_id}/clients/{client_id}", operation_id = "updateClient",
    tag = "administration", request_body = ChangeClient,
    params(("app_id" = String, Path), ("client_id" = String, Path)),
    responses((status = 200, description = "The client", body = Client)))]
pub(crate) async fn change(State(keeper): App, call: Call<Manage>) -> Response {
    let (application, id) = (call.application(), call.client());
    let parsed = async {
        let (grant, fields) = call.fields().await?;
        Ok::<_, Malformed>((grant, change_of(fields)?))
    };
    let (grant, change) = match parsed.await {
        Ok(parsed) => parsed,
        Err(Malformed(response)) => return *response,
    };
    let (Some(application), Some(id)) = (application, id) else {
        return unknown(&keeper);
    };
    match keeper
        .change_client(SURFACE, grant, application, id, change)
        .await
    {
        Ok(view) => error::json(StatusCode::OK, &Client::of(view, HIDDEN)),
        Err(error) => error::answer(&error, CLIENT, keeper.now()),
    }
}

/// Deletes a client; its tokens are worth nothing from then on.
#[utoipa::path(delete, path = "/cis/v1/applications/{app_id}/clients/{client_id}", operation_id = "deleteClient",
    tag = "administration", params(("app_id" = String, Path), ("client_id" = String, Path)),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(State(keeper): App, call: Call<Manage>) -> Response {
    let (Some(application), Some(id)) = (call.application(), call.client()) else {
        return unknown(&keeper);
    };
    match keeper
        .delete_client(SURFACE, call.grant, application, id)
        .await
    {
        Ok(()) => error::empty(StatusCode::NO_CONTENT),
        Err(error) => error::answer(&error, CLIENT, keeper.now()),
    }
}

fn change_of(mut fields: Fields) -> Result<ClientChange, Malformed> {
    let change = ClientChange {
        name: fields.text_by("name", &NAME),
        description: fields.text_by("description", &SHORT),
        redirect_uris: fields.texts("redirect_uris", 100),
        roles: roles(&mut fields),
        token_life: token_life(&mut fields),
        resources: fields.texts("resources", 100),
        keys: keys(&mut fields),
        disabled: None,
    };
    fields.ignore(IGNORED);
    fields.finish()?;
    Ok(change)
}

fn form(change: ClientChange) -> ClientForm {
    let default = ClientForm::default();
    ClientForm {
        name: change.name.unwrap_or(default.name),
        description: change.description,
        redirect_uris: change.redirect_uris.unwrap_or_default(),
        roles: change.roles.unwrap_or_default(),
        token_life: change.token_life.unwrap_or(default.token_life),
        resources: change.resources.unwrap_or_default(),
        keys: change.keys.unwrap_or_default(),
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

fn unknown(keeper: &Tenants) -> Response {
    error::answer(&Refusal::UnknownSubject.into(), CLIENT, keeper.now())
}
