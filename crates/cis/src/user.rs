//! Users, as far as device keys need them (§7).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::Tenants;
use domain::permission::{CreateUsers, EditUsers, Manage, ReadUsers};
use domain::tenant::MemberForm;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::SURFACE;
use crate::call::{Call, Malformed};
use crate::error::{self, USER, USER_OR_APPLICATION};
use crate::fields::Fields;
use crate::value::{self, EMAIL, PHONE, SHORT};
use crate::wire::{self, CreateUser, Envelope, OneUser};

type App = State<Arc<Tenants>>;

/// Makes a user, who becomes a member of the calling application.
#[utoipa::path(post, path = "/cis/v1/users", operation_id = "createUser", tag = "users",
    request_body = CreateUser, responses((status = 201, description = "The user", body = OneUser)))]
pub(crate) async fn create(State(keeper): App, call: Call<CreateUsers>) -> Response {
    let parsed = async {
        let (grant, fields) = call.fields().await?;
        Ok::<_, Malformed>((grant, form(fields)?))
    };
    let (grant, form) = match parsed.await {
        Ok(parsed) => parsed,
        Err(Malformed(response)) => return *response,
    };
    match keeper.create_member(SURFACE, grant, form).await {
        Ok(view) => error::json(
            StatusCode::CREATED,
            &Envelope {
                result: wire::user(view),
            },
        ),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// A user of the calling application.
#[utoipa::path(get, path = "/cis/v1/users/{user_id}", operation_id = "getUserById", tag = "users",
    params(("user_id" = String, Path)), responses((status = 200, description = "The user", body = OneUser)))]
pub(crate) async fn read(State(keeper): App, call: Call<ReadUsers>) -> Response {
    let user = call.user();
    match keeper.read_member(call.grant, user).await {
        Ok(view) => error::json(
            StatusCode::OK,
            &Envelope {
                result: wire::user(view),
            },
        ),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// A user of the calling application, by email without regard to case.
#[utoipa::path(get, path = "/cis/v1/users/email/{email}", operation_id = "getUserByEmail", tag = "users",
    params(("email" = String, Path)), responses((status = 200, description = "The user", body = OneUser)))]
pub(crate) async fn read_by_email(State(keeper): App, call: Call<ReadUsers>) -> Response {
    let email = call.email();
    match keeper.read_member_by_email(call.grant, email).await {
        Ok(view) => error::json(
            StatusCode::OK,
            &Envelope {
                result: wire::user(view),
            },
        ),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// Takes a user out of the calling application, device keys included.
#[utoipa::path(delete, path = "/cis/v1/users/{user_id}/apps", operation_id = "removeUserFromApp", tag = "users",
    params(("user_id" = String, Path)), responses((status = 204, description = "Out")))]
pub(crate) async fn expel(State(keeper): App, call: Call<EditUsers>) -> Response {
    let user = call.user();
    match keeper.expel_member(SURFACE, call.grant, user).await {
        Ok(()) => error::empty(StatusCode::NO_CONTENT),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// Deletes a user from the tenant, with all device keys.
#[utoipa::path(delete, path = "/cis/v1/manage/users/{user_id}", operation_id = "deleteUser", tag = "users",
    params(("user_id" = String, Path)), responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(State(keeper): App, call: Call<Manage>) -> Response {
    let user = call.user();
    match keeper.delete_member(SURFACE, call.grant, user).await {
        Ok(()) => error::empty(StatusCode::NO_CONTENT),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// Makes a user a member of one more application.
#[utoipa::path(put, path = "/cis/v1/manage/users/{user_id}/apps/{app_id}", operation_id = "addUserToApp",
    tag = "users", params(("user_id" = String, Path), ("app_id" = String, Path)),
    responses((status = 204, description = "A member")))]
pub(crate) async fn admit(State(keeper): App, call: Call<Manage>) -> Response {
    let (user, application) = (call.user(), call.application());
    let Some(application) = application else {
        return error::answer(
            &domain::Refusal::UnknownSubject.into(),
            USER_OR_APPLICATION,
            keeper.now(),
        );
    };
    match keeper
        .admit_member(SURFACE, call.grant, user, application)
        .await
    {
        Ok(()) => error::empty(StatusCode::NO_CONTENT),
        Err(error) => error::answer(&error, USER_OR_APPLICATION, keeper.now()),
    }
}

fn form(mut fields: Fields) -> Result<MemberForm, Malformed> {
    let email = fields.text_by("email", &EMAIL);
    let phone = fields.text_by("phone_number", &PHONE);
    let form = MemberForm {
        username: fields.text_by("username", &SHORT),
        external_id: fields.text_by("external_user_id", &SHORT),
        attributes: Value::Object(attributes(&mut fields)).to_string(),
        application_attributes: Value::Object(application_attributes(&mut fields)).to_string(),
        email,
        phone,
    };
    for name in ["credentials", "delegated_access"] {
        if fields.any(name).is_some() {
            fields.wrong::<()>(name, "is not supported");
        }
    }
    if form.email.is_none() && form.phone.is_none() {
        fields.wrong::<()>("email", "or phone_number should not be empty");
    }
    fields.finish()?;
    Ok(form)
}

fn attributes(fields: &mut Fields) -> Map<String, Value> {
    let mut kept = Map::new();
    for name in ["external_account_id", "birthday", "picture", "language"] {
        let text = fields.text_by(name, &SHORT);
        text.map(|text| kept.insert(name.to_owned(), text.into()));
    }
    let name = fields.inside("name", |inner| {
        texts(inner, &["title", "first_name", "last_name", "middle_name"])
    });
    name.map(|name| kept.insert("name".to_owned(), name.into()));
    let address = fields.inside("address", |inner| {
        let mut address = texts(
            inner,
            &["country", "state", "city", "street_address", "postal_code"],
        );
        if let Some(kind) = inner.text("type") {
            if ["Home", "Work", "Other"].contains(&kind.as_str()) {
                address.insert("type".to_owned(), kind.into());
            } else {
                inner.wrong::<()>(
                    "type",
                    "must be one of the following values: Home, Work, Other",
                );
            }
        }
        address
    });
    address.map(|address| kept.insert("address".to_owned(), address.into()));
    for (name, rule) in [
        ("secondary_emails", &EMAIL),
        ("secondary_phone_numbers", &PHONE),
    ] {
        let Some(texts) = fields.texts(name, 100) else {
            continue;
        };
        if texts.iter().all(|text| (rule.holds)(text)) {
            kept.insert(name.to_owned(), texts.into());
        } else {
            fields.wrong::<()>(name, rule.says);
        }
    }
    custom(fields, "custom_data", &mut kept);
    kept
}

fn application_attributes(fields: &mut Fields) -> Map<String, Value> {
    let mut kept = Map::new();
    custom(fields, "custom_app_data", &mut kept);
    kept
}

fn custom(fields: &mut Fields, name: &str, kept: &mut Map<String, Value>) {
    let text = value::custom(fields, name);
    text.map(|text| kept.insert(name.to_owned(), value::stored(&text)));
}

fn texts(fields: &mut Fields, names: &[&str]) -> Map<String, Value> {
    let mut kept = Map::new();
    for name in names {
        let text = fields.text_by(name, &SHORT);
        text.map(|text| kept.insert((*name).to_owned(), text.into()));
    }
    kept
}
