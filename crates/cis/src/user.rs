//! Users, as far as device keys need them (§7).

use axum::extract::State;
use domain::tenant::MemberForm;
use domain::tenant::permission::{CreateUsers, EditUsers, Manage, ReadUsers};
use http::StatusCode;
use serde_json::{Map, Value};

use crate::call::{Body, Granted, Path};
use crate::error::{self, Failure, Reply, USER, USER_OR_APPLICATION};
use crate::fields::{Fields, Form, Rule};
use crate::value::{self, EMAIL, PHONE, SHORT};
use crate::wire::{CreateUser, EmailPath, MembershipPath, OneUser, UserPath};
use crate::{SURFACE, Tenants};

/// Makes a user, who becomes a member of the calling application.
#[utoipa::path(post, path = "/cis/v1/users", operation_id = "createUser", tag = "users",
    request_body = CreateUser, responses((status = 201, description = "The user", body = OneUser)))]
pub(crate) async fn create(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<CreateUsers>,
    Body(form): Body<CreateUser>,
) -> Reply {
    let view = tenants.create_member(SURFACE, grant, form.into()).await;
    let view = view.map_err(error::of(&tenants, USER))?;
    Ok(error::json(StatusCode::CREATED, &OneUser::from(view)))
}

/// A user of the calling application.
#[utoipa::path(get, path = "/cis/v1/users/{user_id}", operation_id = "getUserById", tag = "users",
    params(UserPath), responses((status = 200, description = "The user", body = OneUser)))]
pub(crate) async fn read(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<ReadUsers>,
    Path(UserPath { user_id }): Path<UserPath>,
) -> Reply {
    let view = tenants.read_member(grant, user_id).await;
    let view = view.map_err(error::of(&tenants, USER))?;
    Ok(error::json(StatusCode::OK, &OneUser::from(view)))
}

/// A user of the calling application, by email without regard to case.
#[utoipa::path(get, path = "/cis/v1/users/email/{email}", operation_id = "getUserByEmail", tag = "users",
    params(EmailPath), responses((status = 200, description = "The user", body = OneUser)))]
pub(crate) async fn read_by_email(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<ReadUsers>,
    Path(EmailPath { email }): Path<EmailPath>,
) -> Reply {
    let view = tenants.read_member_by_email(grant, email).await;
    let view = view.map_err(error::of(&tenants, USER))?;
    Ok(error::json(StatusCode::OK, &OneUser::from(view)))
}

/// Takes a user out of the calling application, device keys included.
#[utoipa::path(delete, path = "/cis/v1/users/{user_id}/apps", operation_id = "removeUserFromApp", tag = "users",
    params(UserPath), responses((status = 204, description = "Out")))]
pub(crate) async fn expel(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<EditUsers>,
    Path(UserPath { user_id }): Path<UserPath>,
) -> Reply {
    let expelled = tenants.expel_member(SURFACE, grant, user_id).await;
    expelled.map_err(error::of(&tenants, USER))?;
    Ok(error::empty(StatusCode::NO_CONTENT))
}

/// Deletes a user from the tenant, with all device keys.
#[utoipa::path(delete, path = "/cis/v1/manage/users/{user_id}", operation_id = "deleteUser", tag = "users",
    params(UserPath), responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Path(UserPath { user_id }): Path<UserPath>,
) -> Reply {
    let deleted = tenants.delete_member(SURFACE, grant, user_id).await;
    deleted.map_err(error::of(&tenants, USER))?;
    Ok(error::empty(StatusCode::NO_CONTENT))
}

/// Makes a user a member of one more application.
#[utoipa::path(put, path = "/cis/v1/manage/users/{user_id}/apps/{app_id}", operation_id = "addUserToApp",
    tag = "users", params(MembershipPath),
    responses((status = 204, description = "A member")))]
pub(crate) async fn admit(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Path(MembershipPath { user_id, app_id }): Path<MembershipPath>,
) -> Reply {
    let application = app_id.ok_or(Failure::Unknown(USER_OR_APPLICATION))?;
    let admitted = tenants
        .admit_member(SURFACE, grant, user_id, application)
        .await;
    admitted.map_err(error::of(&tenants, USER_OR_APPLICATION))?;
    Ok(error::empty(StatusCode::NO_CONTENT))
}

impl Form for CreateUser {
    fn read(fields: &mut Fields) -> Option<Self> {
        let names = ["title", "first_name", "last_name", "middle_name"];
        let user = Self {
            email: fields.text_by("email", &EMAIL),
            phone_number: fields.text_by("phone_number", &PHONE),
            username: fields.text_by("username", &SHORT),
            external_user_id: fields.text_by("external_user_id", &SHORT),
            external_account_id: fields.text_by("external_account_id", &SHORT),
            birthday: fields.text_by("birthday", &SHORT),
            picture: fields.text_by("picture", &SHORT),
            language: fields.text_by("language", &SHORT),
            name: fields.inside("name", |inner| texts(inner, &names)),
            address: fields.inside("address", address),
            secondary_emails: list_by(fields, "secondary_emails", &EMAIL),
            secondary_phone_numbers: list_by(fields, "secondary_phone_numbers", &PHONE),
            custom_data: value::custom(fields, "custom_data"),
            custom_app_data: value::custom(fields, "custom_app_data"),
        };
        for name in ["credentials", "delegated_access"] {
            if fields.any(name).is_some() {
                fields.wrong::<()>(name, "is not supported");
            }
        }
        if user.email.is_none() && user.phone_number.is_none() {
            fields.wrong::<()>("email", "or phone_number should not be empty");
        }
        Some(user)
    }
}

impl From<CreateUser> for MemberForm {
    fn from(user: CreateUser) -> Self {
        let attributes = [
            (
                "external_account_id",
                user.external_account_id.map(Value::from),
            ),
            ("birthday", user.birthday.map(Value::from)),
            ("picture", user.picture.map(Value::from)),
            ("language", user.language.map(Value::from)),
            ("name", user.name.map(Value::from)),
            ("address", user.address.map(Value::from)),
            ("secondary_emails", user.secondary_emails.map(Value::from)),
            (
                "secondary_phone_numbers",
                user.secondary_phone_numbers.map(Value::from),
            ),
            (
                "custom_data",
                user.custom_data.as_deref().map(value::stored),
            ),
        ];
        let application_attributes = [(
            "custom_app_data",
            user.custom_app_data.as_deref().map(value::stored),
        )];
        Self {
            email: user.email,
            phone: user.phone_number,
            external_id: user.external_user_id,
            username: user.username,
            attributes: kept(attributes),
            application_attributes: kept(application_attributes),
        }
    }
}

/// The given members of an object, as it is stored.
fn kept<const N: usize>(members: [(&str, Option<Value>); N]) -> String {
    let given = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect()).to_string()
}

fn address(fields: &mut Fields) -> Map<String, Value> {
    let names = ["country", "state", "city", "street_address", "postal_code"];
    let mut address = texts(fields, &names);
    if let Some(kind) = fields.text("type") {
        if ["Home", "Work", "Other"].contains(&kind.as_str()) {
            address.insert("type".to_owned(), kind.into());
        } else {
            fields.wrong::<()>(
                "type",
                "must be one of the following values: Home, Work, Other",
            );
        }
    }
    address
}

fn list_by(fields: &mut Fields, name: &str, rule: &Rule) -> Option<Vec<String>> {
    let texts = fields.texts(name, 100)?;
    if texts.iter().all(|text| (rule.holds)(text)) {
        Some(texts)
    } else {
        fields.wrong(name, rule.says)
    }
}

fn texts(fields: &mut Fields, names: &[&str]) -> Map<String, Value> {
    let mut kept = Map::new();
    for name in names {
        let text = fields.text_by(name, &SHORT);
        text.map(|text| kept.insert((*name).to_owned(), text.into()));
    }
    kept
}
