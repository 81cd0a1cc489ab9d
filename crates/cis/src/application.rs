//! Applications (§8).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::permission::Manage;
use domain::tenant::{ApplicationChange, ApplicationForm, ApplicationView, ClientForm, NewSecret};
use domain::{Refusal, Tenants};
use http::StatusCode;

use crate::SURFACE;
use crate::call::{Call, Malformed};
use crate::client;
use crate::error::{self, APPLICATION};
use crate::fields::Fields;
use crate::value::{NAME, SHORT};
use crate::wire::{
    Application, Applications, ChangeApplication, CreateApplication, DeviceKeySettings,
    OneApplication,
};

type App = State<Arc<Tenants>>;

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

/// Makes an application with its first client, whose secret is shown this once.
#[utoipa::path(post, path = "/cis/v1/applications", operation_id = "createApplication", tag = "administration",
    request_body = CreateApplication,
    responses((status = 201, description = "The application", body = OneApplication)))]
pub(crate) async fn create(State(keeper): App, call: Call<Manage>) -> Response {
    let parsed = async {
        let (grant, fields) = call.fields().await?;
        Ok::<_, Malformed>((grant, form(fields)?))
    };
    let (grant, form) = match parsed.await {
        Ok(parsed) => parsed,
        Err(Malformed(response)) => return *response,
    };
    match keeper.create_application(SURFACE, grant, form).await {
        Ok((view, new)) => {
            let result = render(view, Some(new));
            error::json(StatusCode::CREATED, &OneApplication { result })
        }
        Err(error) => error::answer(&error, APPLICATION, keeper.now()),
    }
}

/// All applications of the tenant, oldest first.
#[utoipa::path(get, path = "/cis/v1/applications", operation_id = "getApplications", tag = "administration",
    responses((status = 200, description = "The applications", body = Applications)))]
pub(crate) async fn list(State(keeper): App, call: Call<Manage>) -> Response {
    match keeper.list_applications(call.grant).await {
        Ok(views) => {
            let result = views.into_iter().map(|view| render(view, None)).collect();
            error::json(StatusCode::OK, &Applications { result })
        }
        Err(error) => error::answer(&error, APPLICATION, keeper.now()),
    }
}

/// One application.
#[utoipa::path(get, path = "/cis/v1/applications/{app_id}", operation_id = "getApplication", tag = "administration",
    params(("app_id" = String, Path)),
    responses((status = 200, description = "The application", body = OneApplication)))]
pub(crate) async fn read(State(keeper): App, call: Call<Manage>) -> Response {
    let Some(id) = call.application() else {
        return unknown(&keeper);
    };
    match keeper.read_application(call.grant, id).await {
        Ok(view) => error::json(
            StatusCode::OK,
            &OneApplication {
                result: render(view, None),
            },
        ),
        Err(error) => error::answer(&error, APPLICATION, keeper.now()),
    }
}

/// Changes an application. What is not sent stays.
#[utoipa::path(put, path = "/cis/v1/applications/{app_id}", operation_id = "updateApplication",
    tag = "administration", request_body = ChangeApplication, params(("app_id" = String, Path)),
    responses((status = 200, description = "The application", body = OneApplication)))]
pub(crate) async fn change(State(keeper): App, call: Call<Manage>) -> Response {
    let id = call.application();
    let parsed = async {
        let (grant, fields) = call.fields().await?;
        Ok::<_, Malformed>((grant, change_of(fields)?))
    };
    let (grant, change) = match parsed.await {
        Ok(parsed) => parsed,
        Err(Malformed(response)) => return *response,
    };
    let Some(id) = id else {
        return unknown(&keeper);
    };
    match keeper.change_application(SURFACE, grant, id, change).await {
        Ok(view) => error::json(
            StatusCode::OK,
            &OneApplication {
                result: render(view, None),
            },
        ),
        Err(error) => error::answer(&error, APPLICATION, keeper.now()),
    }
}

/// Deletes an application with its clients, memberships and device keys.
#[utoipa::path(delete, path = "/cis/v1/applications/{app_id}", operation_id = "deleteApplication",
    tag = "administration", params(("app_id" = String, Path)),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(State(keeper): App, call: Call<Manage>) -> Response {
    let Some(id) = call.application() else {
        return unknown(&keeper);
    };
    match keeper.delete_application(SURFACE, call.grant, id).await {
        Ok(()) => error::empty(StatusCode::NO_CONTENT),
        Err(error) => error::answer(&error, APPLICATION, keeper.now()),
    }
}

fn form(mut fields: Fields) -> Result<ApplicationForm, Malformed> {
    let name = fields.required_by("app_name", &NAME).unwrap_or_default();
    let display_name = fields.text_by("client_display_name", &SHORT);
    let redirect_uris = fields.texts("redirect_uris", 100).unwrap_or_default();
    let description = fields.text_by("app_description", &SHORT);
    let first_client = fields.inside("first_client", |inner| {
        let name = inner
            .text_by("name", &NAME)
            .unwrap_or_else(|| ClientForm::default().name);
        let redirect_uris = inner.texts("redirect_uris", 100).unwrap_or_default();
        let roles = client::roles(inner).unwrap_or_default();
        let token_life = client::token_life(inner).unwrap_or(ClientForm::default().token_life);
        ClientForm {
            name,
            redirect_uris,
            roles,
            token_life,
            ..ClientForm::default()
        }
    });
    let server_challenges_only = settings(&mut fields).unwrap_or(false);
    fields.ignore(IGNORED);
    fields.finish()?;
    let first_client = first_client.unwrap_or_default();
    Ok(ApplicationForm {
        name,
        display_name,
        description,
        redirect_uris,
        server_challenges_only,
        first_client,
    })
}

fn change_of(mut fields: Fields) -> Result<ApplicationChange, Malformed> {
    let change = ApplicationChange {
        name: fields.text_by("app_name", &NAME),
        description: fields.text_by("app_description", &SHORT),
        server_challenges_only: settings(&mut fields),
    };
    fields.ignore(&["client_display_name", "redirect_uris"]);
    fields.ignore(IGNORED);
    fields.finish()?;
    Ok(change)
}

fn settings(fields: &mut Fields) -> Option<bool> {
    fields
        .inside("device_keys", |inner| {
            inner.flag("require_server_challenge")
        })
        .flatten()
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

fn unknown(keeper: &Tenants) -> Response {
    error::answer(&Refusal::UnknownSubject.into(), APPLICATION, keeper.now())
}
