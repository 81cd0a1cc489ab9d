//! Applications (§8).

use axum::extract::State;
use domain::tenant::permission::Manage;
use domain::tenant::{ApplicationChange, ApplicationForm, ApplicationView, ClientForm, NewSecret};
use http::StatusCode;

use crate::call::{Body, Granted, Path};
use crate::client;
use crate::error::{self, APPLICATION, Failure, Reply};
use crate::fields::{Fields, Form};
use crate::value::{NAME, SHORT};
use crate::wire::{
    Application, ApplicationPath, Applications, ChangeApplication, CreateApplication,
    DeviceKeySettings, OneApplication,
};
use crate::{SURFACE, Tenants};

/// What the original knows beside and this server does not need: may be sent, and is ignored.
const IGNORED: &[&str] = &[
    "resources",
    "client_type",
    "authentication_protocol",
    "response_types",
    "token_endpoint_auth_method",
    "pkce",
    "subdomain",
    "default_custom_claims",
    "device_authorization",
    "ciba_authorization",
    "supported_prompts",
    "authentication_configuration",
    "session_expiration",
    "enforce_par",
    "logo",
    "fapi_version_compliancy",
    "allow_sso_only",
    "sso_group_id",
    "is_public_sign_up",
    "client_group_id",
];

/// Makes an application with its first client, whose secret is shown only in this answer.
#[utoipa::path(post, path = "/cis/v1/applications", operation_id = "createApplication", tag = "administration",
    request_body = CreateApplication,
    responses((status = 201, description = "The application", body = OneApplication)))]
pub(crate) async fn create(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Body(form): Body<CreateApplication>,
) -> Reply {
    let created = tenants
        .create_application(SURFACE, grant, form.into())
        .await;
    let (view, new) = created.map_err(error::of(&tenants, APPLICATION))?;
    let result = render(view, Some(new));
    Ok(error::json(StatusCode::CREATED, &OneApplication { result }))
}

/// All applications of the tenant, oldest first.
#[utoipa::path(get, path = "/cis/v1/applications", operation_id = "getApplications", tag = "administration",
    responses((status = 200, description = "The applications", body = Applications)))]
pub(crate) async fn list(State(tenants): State<Tenants>, Granted(grant): Granted<Manage>) -> Reply {
    let views = tenants.list_applications(grant).await;
    let views = views.map_err(error::of(&tenants, APPLICATION))?;
    let result = views.into_iter().map(|view| render(view, None)).collect();
    Ok(error::json(StatusCode::OK, &Applications { result }))
}

/// One application.
#[utoipa::path(get, path = "/cis/v1/applications/{app_id}", operation_id = "getApplication", tag = "administration",
    params(ApplicationPath),
    responses((status = 200, description = "The application", body = OneApplication)))]
pub(crate) async fn read(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Path(ApplicationPath { app_id }): Path<ApplicationPath>,
) -> Reply {
    let id = app_id.ok_or(Failure::Unknown(APPLICATION))?;
    let view = tenants.read_application(grant, id).await;
    let result = render(view.map_err(error::of(&tenants, APPLICATION))?, None);
    Ok(error::json(StatusCode::OK, &OneApplication { result }))
}

/// Changes an application. What is not sent stays.
#[utoipa::path(put, path = "/cis/v1/applications/{app_id}", operation_id = "updateApplication",
    tag = "administration", request_body = ChangeApplication, params(ApplicationPath),
    responses((status = 200, description = "The application", body = OneApplication)))]
pub(crate) async fn change(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Path(ApplicationPath { app_id }): Path<ApplicationPath>,
    Body(change): Body<ChangeApplication>,
) -> Reply {
    let id = app_id.ok_or(Failure::Unknown(APPLICATION))?;
    let view = tenants
        .change_application(SURFACE, grant, id, change.into())
        .await;
    let result = render(view.map_err(error::of(&tenants, APPLICATION))?, None);
    Ok(error::json(StatusCode::OK, &OneApplication { result }))
}

/// Deletes an application with its clients, memberships and device keys.
#[utoipa::path(delete, path = "/cis/v1/applications/{app_id}", operation_id = "deleteApplication",
    tag = "administration", params(ApplicationPath),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Path(ApplicationPath { app_id }): Path<ApplicationPath>,
) -> Reply {
    let id = app_id.ok_or(Failure::Unknown(APPLICATION))?;
    let deleted = tenants.delete_application(SURFACE, grant, id).await;
    deleted.map_err(error::of(&tenants, APPLICATION))?;
    Ok(error::empty(StatusCode::NO_CONTENT))
}

impl Form for CreateApplication {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required_by("app_name", &NAME);
        let client_display_name = fields.text_by("client_display_name", &SHORT);
        let redirect_uris = fields.texts("redirect_uris", 100);
        let app_description = fields.text_by("app_description", &SHORT);
        let first_client = fields.inside("first_client", first_client);
        let device_keys = settings(fields);
        fields.ignore(IGNORED);
        Some(Self {
            app_name: name?,
            client_display_name,
            redirect_uris,
            app_description,
            first_client,
            device_keys,
        })
    }
}

impl From<CreateApplication> for ApplicationForm {
    fn from(form: CreateApplication) -> Self {
        Self {
            name: form.app_name,
            display_name: form.client_display_name,
            description: form.app_description,
            redirect_uris: form.redirect_uris.unwrap_or_default(),
            server_challenges_only: form
                .device_keys
                .is_some_and(|settings| settings.require_server_challenge),
            first_client: form.first_client.unwrap_or_default(),
        }
    }
}

impl Form for ChangeApplication {
    fn read(fields: &mut Fields) -> Option<Self> {
        let change = Self {
            app_name: fields.text_by("app_name", &NAME),
            app_description: fields.text_by("app_description", &SHORT),
            device_keys: settings(fields),
        };
        fields.ignore(&["client_display_name", "redirect_uris"]);
        fields.ignore(IGNORED);
        Some(change)
    }
}

impl From<ChangeApplication> for ApplicationChange {
    fn from(change: ChangeApplication) -> Self {
        Self {
            name: change.app_name,
            description: change.app_description,
            server_challenges_only: change
                .device_keys
                .map(|settings| settings.require_server_challenge),
        }
    }
}

fn first_client(fields: &mut Fields) -> ClientForm {
    let default = ClientForm::default();
    ClientForm {
        name: fields.text_by("name", &NAME).unwrap_or(default.name),
        redirect_uris: fields.texts("redirect_uris", 100).unwrap_or_default(),
        roles: client::roles(fields).unwrap_or_default(),
        token_life: client::token_life(fields).unwrap_or(default.token_life),
        ..ClientForm::default()
    }
}

fn settings(fields: &mut Fields) -> Option<DeviceKeySettings> {
    let require = fields.inside("device_keys", |inner| {
        inner.flag("require_server_challenge")
    });
    require
        .flatten()
        .map(|require_server_challenge| DeviceKeySettings {
            require_server_challenge,
        })
}

fn render(view: ApplicationView, new: Option<NewSecret>) -> Application {
    Application {
        app_id: view.id.to_string(),
        tenant_id: view.tenant.to_string(),
        app_name: view.name,
        app_description: view.description,
        client_display_name: view.display_name,
        client_id: new.as_ref().map(|new| new.client.to_string()),
        client_secret: new.map(|new| new.secret.expose().to_owned()),
        redirect_uris: view.redirect_uris,
        device_keys: DeviceKeySettings {
            require_server_challenge: view.server_challenges_only,
        },
        created_at: view.created.rfc3339(),
        updated_at: view.updated.rfc3339(),
    }
}
