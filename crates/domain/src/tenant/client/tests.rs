use super::*;
use crate::core::id::Id;
use crate::core::port::store::RowId;
use crate::core::rows::{Place, Rows, Scope};
use crate::tenant::permission::Verb;

const BEGIN: Timestamp = Timestamp::from_millis(1_000);
const LATER: Timestamp = Timestamp::from_millis(2_000);
const SCOPE: Scope = Scope(RowId([1; 16]));

fn tenant() -> TenantId {
    TenantId::in_scope(SCOPE)
}

fn stored(application: Application) -> Stored<Application> {
    Rows::blank(SCOPE, Place::at(RowId([2; 16])), application)
}

fn role(byte: u8, name: &str, permissions: &[&str]) -> Stored<Role> {
    let parse = |text: &&str| Permission::parse(text).unwrap();
    let role = Role {
        tenant: tenant(),
        name: name.to_owned(),
        description: None,
        permissions: permissions.iter().map(parse).collect(),
        created: BEGIN,
    };
    Rows::blank(SCOPE, Place::at(RowId([byte; 16])), role)
}

fn of(application: Application, form: ClientForm) -> Client {
    let secret = SecretText::new("a secret".to_owned());
    Client::new(&stored(application), form, &secret, BEGIN)
}

/// A client of an ordinary application.
pub(crate) fn client() -> Client {
    let application = Application::new(tenant(), "Shop".to_owned(), BEGIN);
    of(application, ClientForm::named("till"))
}

fn manager() -> Client {
    let application = Application::management(tenant(), BEGIN);
    of(application, ClientForm::named("manager"))
}

fn texts(client: &Client) -> Vec<&str> {
    client.permissions.iter().map(Permission::as_str).collect()
}

fn json(client: &Client) -> serde_json::Value {
    serde_json::to_value(client).unwrap()
}

#[test]
fn a_new_client_has_full_access_to_its_application_and_one_secret() {
    let made = client();
    assert_eq!(made.permissions, Permission::full_access());
    assert_eq!((made.manager, made.disabled), (false, false));
    assert_eq!(
        (made.application_name.as_str(), made.token_life),
        ("Shop", 3600)
    );
    assert_eq!((made.created, made.updated), (BEGIN, BEGIN));
    let secret = SecretText::new("a secret".to_owned());
    assert_eq!(made.present_secret(BEGIN, &secret), Authentication::Right);
}

#[test]
fn a_client_of_the_management_application_has_no_permissions() {
    let made = manager();
    assert!(made.manager);
    assert!(made.permissions.is_empty());
}

#[test]
fn roles_replace_full_access_by_the_union_of_their_permissions() {
    let mut changed = client();
    let till = role(1, "till", &["devices:read", "devices:execute"]);
    let desk = role(2, "desk", &["users:read", "devices:read"]);
    changed.set_roles(&[till, desk]);
    assert_eq!(changed.role_names, ["till", "desk"]);
    assert_eq!(
        texts(&changed),
        ["devices:execute", "devices:read", "users:read"]
    );
    let row = |byte| RoleId::of(Id::new(RowId([byte; 16])));
    assert_eq!(changed.roles, [row(1), row(2)]);
}

#[test]
fn a_role_without_permissions_leaves_no_permission() {
    let mut changed = client();
    changed.set_roles(&[role(1, "nothing", &[])]);
    assert!(changed.permissions.is_empty());
}

#[test]
fn a_client_that_loses_its_last_role_has_full_access_again() {
    let mut changed = client();
    changed.set_roles(&[role(1, "till", &["devices:read"])]);
    changed.set_roles(&[]);
    assert_eq!(json(&changed), json(&client()));
}

#[test]
fn a_change_of_nothing_touches_only_the_time() {
    let mut changed = client();
    changed.change(ClientChange::default(), LATER);
    assert_eq!(changed.updated, LATER);
    changed.updated = BEGIN;
    assert_eq!(json(&changed), json(&client()));
}

#[test]
fn each_value_of_a_change_replaces_the_one_before() {
    let mut changed = client();
    let change = ClientChange {
        name: Some("kiosk".to_owned()),
        description: Some("at the door".to_owned()),
        redirect_uris: Some(vec!["https://kiosk.example/".to_owned()]),
        roles: None,
        token_life: Some(60),
        resources: Some(vec!["https://api.example".to_owned()]),
        keys: Some(Vec::new()),
        disabled: Some(true),
    };
    changed.change(change, LATER);
    assert_eq!(changed.name, "kiosk");
    assert_eq!(changed.description.as_deref(), Some("at the door"));
    assert_eq!(changed.redirect_uris, ["https://kiosk.example/"]);
    assert_eq!((changed.token_life, changed.disabled), (60, true));
    assert_eq!(changed.resources, ["https://api.example"]);
    assert_eq!(changed.permissions, client().permissions);
}

#[test]
fn a_client_repeats_the_name_and_the_setting_of_its_application() {
    let mut changed = client();
    let mut application = Application::new(tenant(), "Kiosk".to_owned(), BEGIN);
    application.server_challenges_only = true;
    changed.copy_from(&application);
    assert_eq!(changed.application_name, "Kiosk");
    assert!(changed.server_challenges_only);
}

#[test]
fn a_client_belongs_to_one_application_of_one_tenant() {
    let made = client();
    let other = TenantId::in_scope(Scope(RowId([9; 16])));
    let elsewhere = ApplicationId::of(Id::new(RowId([9; 16])));
    assert!(made.is_of(tenant(), made.application));
    assert!(!made.is_of(other, made.application));
    assert!(!made.is_of(tenant(), elsewhere));
}

#[test]
fn a_caller_may_do_what_both_its_token_and_its_client_cover() {
    let mut known = client();
    known.set_roles(&[role(1, "till", &["devices:read", "devices:edit"])]);
    let id = ClientId::of(Id::new(RowId([3; 16])));
    let token = ["devices:read".to_owned(), "devices:delete".to_owned()];
    let standing = known.standing(id, &token);
    assert_eq!((standing.client, standing.operator), (id, None));
    for verb in Verb::ALL {
        let allowed = standing.rights.to_devices(verb);
        assert_eq!(allowed, verb == Verb::Read, "{verb:?}");
        assert!(!standing.rights.to_users(verb), "{verb:?}");
    }
    let nothing = known.standing(id, &[]);
    assert_eq!(nothing.rights, Rights::default());
}

#[test]
fn a_view_tells_everything_but_the_secrets() {
    let known = client();
    let id = ClientId::of(Id::new(RowId([3; 16])));
    let view = ClientView::of(id, &known);
    assert_eq!((view.id, view.tenant), (id, tenant()));
    assert_eq!((view.name.as_str(), view.token_life), ("till", 3600));
    let secret = json(&known)["secrets"][0]["hash"].to_string();
    assert!(!format!("{view:?}").contains(secret.trim_matches('"')));
}

#[test]
fn a_rotated_secret_is_accepted_beside_the_old_one_for_a_while() {
    let mut known = client();
    let new = SecretText::new("another".to_owned());
    known.rotate_secret(BEGIN, Duration::from_secs(1), &new);
    let old = SecretText::new("a secret".to_owned());
    assert_eq!(known.present_secret(BEGIN, &old), Authentication::Right);
    assert_eq!(known.present_secret(LATER, &old), Authentication::Wrong);
    assert_eq!(known.present_secret(LATER, &new), Authentication::Right);
}
