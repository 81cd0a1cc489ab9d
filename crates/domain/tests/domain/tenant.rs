//! Tenants, their applications, clients, roles and members: what managers may do, and who learns of it.

use std::sync::Arc;
use std::time::Duration;

use domain::tenant::Tenants;
use domain::tenant::permission::{
    CreateUsers, EditUsers, Grant, Manage, Need, Permission, ReadUsers,
};
use domain::tenant::{
    ApplicationChange, ApplicationForm, ApplicationId, ClientChange, ClientForm, ClientId,
    MemberForm, MemberView, NewSecret, RoleForm, RoleId, RoleView, TenantId, UserId,
};
use domain::trail::audit::Event;
use domain::{Error, Refusal};
use testkit::Kit;

use crate::owner::{Outcome, outcome};

pub(crate) const UNKNOWN: Outcome = Outcome::Refused(Refusal::UnknownSubject);
pub(crate) const CONFLICT: Outcome = Outcome::Refused(Refusal::Conflict);

/// A tenant with one application.
pub(crate) struct Shop {
    pub(crate) kit: Kit,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) tenant: TenantId,
    pub(crate) application: ApplicationId,
    pub(crate) client: ClientId,
    pub(crate) secret: String,
}

impl Shop {
    pub(crate) async fn open(kit: &Kit, name: &str) -> Self {
        let tenants = Arc::clone(&kit.services.tenants);
        let new = tenants
            .create_tenant(&kit.operator(), name.to_owned())
            .await;
        let mut shop = Self {
            kit: kit.clone(),
            tenants,
            tenant: new.unwrap().tenant,
            application: ApplicationId::parse(&"0".repeat(32)).unwrap(),
            client: ClientId::parse(&"0".repeat(32)).unwrap(),
            secret: String::new(),
        };
        let (application, first) = shop.create_application(name, &[]).await.unwrap();
        shop.application = application;
        shop.client = first.client;
        first.secret.expose().clone_into(&mut shop.secret);
        shop
    }

    /// An operator's grant in the shop's application.
    pub(crate) async fn grant<N: Need>(&self) -> Grant<N> {
        self.grant_in(self.application).await
    }

    pub(crate) async fn grant_in<N: Need>(&self, application: ApplicationId) -> Grant<N> {
        let operator = self.kit.operator();
        let granted = self
            .tenants
            .grant_to_operator(&operator, self.tenant, Some(application));
        granted.await.unwrap()
    }

    pub(crate) async fn create_application(
        &self,
        name: &str,
        roles: &[RoleId],
    ) -> Result<(ApplicationId, NewSecret), Error> {
        let operator = self.kit.operator();
        let grant = self
            .tenants
            .grant_to_operator(&operator, self.tenant, None)
            .await
            .unwrap();
        let form = ApplicationForm {
            name: name.to_owned(),
            first_client: ClientForm {
                roles: roles.to_vec(),
                ..ClientForm::default()
            },
            ..ApplicationForm::default()
        };
        let (view, new) = self.tenants.create_application("test", grant, form).await?;
        Ok((view.id, new))
    }

    pub(crate) async fn change_application(&self, change: ApplicationChange) -> Result<(), Error> {
        let grant = self.grant().await;
        let changed = self
            .tenants
            .change_application("test", grant, self.application, change);
        changed.await.map(|_| ())
    }

    pub(crate) async fn application_names(&self) -> Vec<String> {
        let grant = self.grant().await;
        let all = self.tenants.list_applications(grant).await.unwrap();
        all.into_iter().map(|view| view.name).collect()
    }

    pub(crate) async fn create_role(&self, name: &str, texts: &[&str]) -> Result<RoleView, Error> {
        let form = role_form(Some(name), texts);
        let grant = self.grant().await;
        self.tenants.create_role("test", grant, form).await
    }

    pub(crate) async fn change_role(&self, id: RoleId, form: RoleForm) -> Result<RoleView, Error> {
        let grant = self.grant().await;
        self.tenants.change_role("test", grant, id, form).await
    }

    pub(crate) async fn delete_role(&self, id: RoleId) -> Result<(), Error> {
        let grant = self.grant().await;
        self.tenants.delete_role("test", grant, id).await
    }

    pub(crate) async fn change_client(&self, change: ClientChange) -> Result<(), Error> {
        let grant = self.grant().await;
        let changed =
            self.tenants
                .change_client("test", grant, self.application, self.client, change);
        changed.await.map(|_| ())
    }

    pub(crate) async fn give_roles(&self, roles: &[RoleId]) -> Result<(), Error> {
        let roles = Some(roles.to_vec());
        self.change_client(ClientChange {
            roles,
            ..ClientChange::default()
        })
        .await
    }

    pub(crate) async fn create(&self, form: MemberForm) -> Result<MemberView, Error> {
        let grant: Grant<CreateUsers> = self.grant().await;
        self.tenants.create_member("test", grant, form).await
    }

    /// A person without any name.
    pub(crate) async fn somebody(&self) -> UserId {
        self.create(MemberForm::default()).await.unwrap().user
    }

    pub(crate) async fn read(
        &self,
        application: ApplicationId,
        user: &UserId,
    ) -> Result<MemberView, Error> {
        let grant: Grant<ReadUsers> = self.grant_in(application).await;
        self.tenants.read_member(grant, user.clone()).await
    }

    pub(crate) async fn expel(&self, user: &UserId) -> Result<(), Error> {
        let grant: Grant<EditUsers> = self.grant().await;
        self.tenants.expel_member("test", grant, user.clone()).await
    }

    pub(crate) async fn delete(&self, user: &UserId) -> Result<(), Error> {
        let grant: Grant<Manage> = self.grant().await;
        self.tenants
            .delete_member("test", grant, user.clone())
            .await
    }

    pub(crate) async fn admit(
        &self,
        user: &UserId,
        application: ApplicationId,
    ) -> Result<(), Error> {
        let grant: Grant<Manage> = self.grant().await;
        let admitted = self
            .tenants
            .admit_member("test", grant, user.clone(), application);
        admitted.await
    }

    /// What was recorded about this noun, oldest first.
    pub(crate) async fn events(&self, noun: &str) -> Vec<Event> {
        let operators = &self.kit.services.operators;
        let operator = self.kit.operator();
        let listed = operators.audit_events(&operator, None, 10_000);
        let mut events = listed.await.unwrap();
        events.retain(|event| event.action.starts_with(noun));
        events.reverse();
        events
    }

    /// The same as `action outcome`.
    pub(crate) async fn trail(&self, noun: &str) -> Vec<String> {
        let events = self.events(noun).await;
        let told = events
            .iter()
            .map(|event| format!("{} {}", event.action, event.outcome));
        told.collect()
    }
}

pub(crate) fn permissions(texts: &[&str]) -> Vec<Permission> {
    let parse = |text: &&str| Permission::parse(text).unwrap();
    texts.iter().map(parse).collect()
}

pub(crate) fn role_form(name: Option<&str>, texts: &[&str]) -> RoleForm {
    RoleForm {
        name: name.map(str::to_owned),
        description: None,
        permissions: Some(permissions(texts)),
    }
}

fn with_email(email: &str) -> MemberForm {
    MemberForm {
        email: Some(email.to_owned()),
        ..MemberForm::default()
    }
}

fn is_invalid<T>(result: &Result<T, Error>, of: &str) -> bool {
    matches!(result, Err(Error::Refused(Refusal::Invalid { field, .. })) if *field == of)
}

#[tokio::test]
async fn tenants_are_listed_after_the_servers_own() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let listed = shop.tenants.list_tenants(&kit.operator()).await.unwrap();
    let mut names: Vec<&str> = listed.iter().map(|tenant| tenant.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Shop", "default"]);
    let created = &shop.events("tenant.").await[0];
    assert_eq!(created.action, "tenant.create");
    assert_eq!(created.subject, shop.tenant.to_string());
    assert!(created.facts.contains_key("client"));
}

#[tokio::test]
async fn a_tenant_must_have_a_name() {
    let kit = Kit::new().await;
    let (tenants, operator) = (&kit.services.tenants, kit.operator());
    let made = tenants.create_tenant(&operator, String::new()).await;
    assert!(is_invalid(&made, "name"));
}

#[tokio::test]
async fn a_second_manager_is_recorded_and_an_unknown_tenant_gets_none() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let operator = shop.kit.operator();
    let new = shop
        .tenants
        .add_manager(&operator, shop.tenant, "two".to_owned());
    let new = new.await.unwrap();
    assert_eq!((new.view.name.as_str(), new.view.roles.len()), ("two", 0));
    let recorded = shop.events("client.create").await;
    assert_eq!(recorded[0].subject, new.client.to_string());
    assert_eq!(recorded[0].facts["tenant"], shop.tenant.to_string());
    let nobody = TenantId::parse(&"9".repeat(32)).unwrap();
    let refused = shop
        .tenants
        .add_manager(&operator, nobody, "two".to_owned());
    assert_eq!(outcome(refused.await), UNKNOWN);
}

#[tokio::test]
async fn the_servers_own_tenant_cannot_be_deleted() {
    let kit = Kit::new().await;
    let tenants = &kit.services.tenants;
    let listed = tenants.list_tenants(&kit.operator()).await.unwrap();
    let own = listed[0].tenant_id;
    let deleted = tenants.delete_tenant(&kit.operator(), own).await;
    assert!(is_invalid(&deleted, "tenant_id"));
    let listed = tenants.list_tenants(&kit.operator()).await.unwrap();
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn a_deleted_tenant_is_unknown_and_the_others_stay() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let other = Shop::open(&kit, "Other").await;
    shop.somebody().await;
    let operator = kit.operator();
    shop.tenants
        .delete_tenant(&operator, shop.tenant)
        .await
        .unwrap();
    let again = shop.tenants.delete_tenant(&operator, shop.tenant).await;
    assert_eq!(outcome(again), UNKNOWN);
    let granted = shop
        .tenants
        .grant_to_operator::<Manage>(&operator, shop.tenant, None);
    assert_eq!(outcome(granted.await), UNKNOWN);
    kit.run_jobs().await;
    assert_eq!(other.application_names().await, ["Other"]);
    let deleted = shop.trail("tenant.delete").await;
    assert_eq!(deleted, ["tenant.delete done"]);
}

#[tokio::test]
async fn a_manager_cannot_reach_the_application_of_another_tenant() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let other = Shop::open(&kit, "Other").await;
    let (tenants, foreign) = (&shop.tenants, other.application);
    let read = tenants.read_application(shop.grant().await, foreign).await;
    assert_eq!(outcome(read), UNKNOWN);
    let change = ApplicationChange::default();
    let grant = shop.grant().await;
    let changed = tenants.change_application("test", grant, foreign, change);
    assert_eq!(outcome(changed.await), UNKNOWN);
    let deleted = tenants.delete_application("test", shop.grant().await, foreign);
    assert_eq!(outcome(deleted.await), UNKNOWN);
    let listed = tenants.list_clients(shop.grant().await, foreign).await;
    assert_eq!(outcome(listed), UNKNOWN);
    let form = ClientForm::default();
    let created = tenants.create_client("test", shop.grant().await, foreign, form);
    assert_eq!(outcome(created.await), UNKNOWN);
    let read = tenants.read_client(shop.grant().await, foreign, other.client);
    assert_eq!(outcome(read.await), UNKNOWN);
    assert_eq!(other.application_names().await, ["Other"]);
}

#[tokio::test]
async fn an_application_with_an_unknown_role_is_not_created() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let other = Shop::open(&kit, "Other").await;
    let foreign = other.create_role("till", &["devices:read"]).await.unwrap();
    let unknown = RoleId::parse(&"9".repeat(32)).unwrap();
    for role in [unknown, foreign.id] {
        let made = shop.create_application("Kiosk", &[role]).await;
        assert!(is_invalid(&made, "role_ids"));
    }
    assert_eq!(shop.application_names().await, ["Shop"]);
    let created = shop.trail("application.create").await;
    assert_eq!(created.len(), 2, "one of each tenant");
}

#[tokio::test]
async fn a_change_of_an_application_is_seen_at_once() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let change = ApplicationChange {
        name: Some("Kiosk".to_owned()),
        ..ApplicationChange::default()
    };
    shop.change_application(change).await.unwrap();
    let grant: Grant<ReadUsers> = shop.grant().await;
    assert_eq!(grant.application_name(), "Kiosk");
    assert_eq!(shop.application_names().await, ["Kiosk"]);
    let nameless = ApplicationChange {
        name: Some("\n".to_owned()),
        ..ApplicationChange::default()
    };
    assert!(is_invalid(
        &shop.change_application(nameless).await,
        "app_name"
    ));
    assert_eq!(shop.trail("application.change").await.len(), 1);
}

#[tokio::test]
async fn a_job_removes_the_members_of_a_deleted_application() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let (kiosk, _) = shop.create_application("Kiosk", &[]).await.unwrap();
    let mut people = Vec::new();
    for _ in 0..51 {
        let user = shop.somebody().await;
        shop.admit(&user, kiosk).await.unwrap();
        people.push(user);
    }
    let grant = shop.grant().await;
    let deleted = shop
        .tenants
        .delete_application("test", grant, shop.application);
    deleted.await.unwrap();
    kit.run_jobs().await;
    let operator = kit.operator();
    let gone =
        shop.tenants
            .grant_to_operator::<ReadUsers>(&operator, shop.tenant, Some(shop.application));
    assert_eq!(outcome(gone.await), UNKNOWN);
    for user in &people {
        assert_eq!(outcome(shop.read(kiosk, user).await), Outcome::Done);
    }
}

#[tokio::test]
async fn a_role_s_name_is_taken_once_in_a_tenant() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let till = shop.create_role("till", &["devices:read"]).await.unwrap();
    assert_eq!(outcome(shop.create_role("till", &[]).await), CONFLICT);
    let other = Shop::open(&kit, "Other").await;
    assert!(other.create_role("till", &[]).await.is_ok());
    let desk = shop.create_role("desk", &[]).await.unwrap();
    let taken = shop
        .change_role(desk.id, role_form(Some("till"), &[]))
        .await;
    assert_eq!(outcome(taken), CONFLICT);
    // A role may keep its name, and a new name sets the old one free.
    let kept = shop.change_role(till.id, role_form(Some("till"), &["users:read"]));
    assert_eq!(
        kept.await.unwrap().permissions,
        permissions(&["users:read"])
    );
    let renamed = shop.change_role(till.id, role_form(Some("counter"), &[]));
    assert_eq!(renamed.await.unwrap().name, "counter");
    assert!(shop.create_role("till", &[]).await.is_ok());
    let listed = shop.tenants.list_roles(shop.grant().await).await.unwrap();
    let mut names: Vec<&str> = listed.iter().map(|role| role.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["counter", "desk", "till"]);
}

#[tokio::test]
async fn a_role_is_deleted_once_no_client_has_it() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let till = shop.create_role("till", &["devices:read"]).await.unwrap();
    shop.give_roles(&[till.id, till.id]).await.unwrap();
    assert_eq!(outcome(shop.delete_role(till.id).await), CONFLICT);
    shop.give_roles(&[]).await.unwrap();
    shop.delete_role(till.id).await.unwrap();
    assert_eq!(outcome(shop.delete_role(till.id).await), UNKNOWN);
    assert!(is_invalid(&shop.give_roles(&[till.id]).await, "role_ids"));
    assert!(
        shop.create_role("till", &[]).await.is_ok(),
        "the name is free"
    );
    assert_eq!(shop.trail("role.delete").await, ["role.delete done"]);
}

#[tokio::test]
async fn a_deleted_client_sets_its_roles_free() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let till = shop.create_role("till", &[]).await.unwrap();
    shop.give_roles(&[till.id]).await.unwrap();
    let delete = async || {
        let grant = shop.grant().await;
        let (application, client) = (shop.application, shop.client);
        shop.tenants
            .delete_client("test", grant, application, client)
            .await
    };
    delete().await.unwrap();
    assert_eq!(outcome(delete().await), UNKNOWN);
    shop.delete_role(till.id).await.unwrap();
    let left = shop
        .tenants
        .list_clients(shop.grant().await, shop.application);
    assert!(left.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_client_with_an_unknown_role_keeps_those_it_has() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let till = shop.create_role("till", &[]).await.unwrap();
    shop.give_roles(&[till.id]).await.unwrap();
    let unknown = RoleId::parse(&"9".repeat(32)).unwrap();
    let refused = shop.give_roles(&[till.id, unknown]).await;
    assert!(is_invalid(&refused, "role_ids"));
    let grant = shop.grant().await;
    let view = shop
        .tenants
        .read_client(grant, shop.application, shop.client);
    assert_eq!(view.await.unwrap().roles, [till.id]);
    assert_eq!(outcome(shop.delete_role(till.id).await), CONFLICT);
}

#[tokio::test]
async fn a_rotated_secret_belongs_to_the_same_client() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let grant = shop.grant().await;
    let (application, client) = (shop.application, shop.client);
    let overlap = Duration::from_secs(60);
    let rotated = shop
        .tenants
        .rotate_client_secret("test", grant, application, client, overlap)
        .await
        .unwrap();
    assert_eq!(rotated.client, client);
    assert_ne!(rotated.secret.expose(), shop.secret);
    let recorded = shop.events("client.rotate_secret").await;
    assert_eq!(recorded[0].subject, client.to_string());
    assert!(recorded[0].facts["by"].starts_with("operator "));
}

#[tokio::test]
async fn each_name_of_a_person_is_taken_once() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let ann = MemberForm {
        email: Some("ann@example.org".to_owned()),
        phone: Some("+431".to_owned()),
        external_id: Some("4711".to_owned()),
        username: Some("ann".to_owned()),
        ..MemberForm::default()
    };
    shop.create(ann.clone()).await.unwrap();
    let none = MemberForm::default;
    let taken = [
        with_email("ANN@example.org"),
        MemberForm {
            phone: ann.phone,
            ..none()
        },
        MemberForm {
            external_id: ann.external_id,
            ..none()
        },
        MemberForm {
            username: ann.username,
            ..with_email("bob@example.org")
        },
    ];
    for form in taken {
        assert_eq!(outcome(shop.create(form).await), CONFLICT);
    }
    // Nothing of a refused person is reserved, and other tenants have names of their own.
    assert!(shop.create(with_email("bob@example.org")).await.is_ok());
    let other = Shop::open(&kit, "Other").await;
    assert!(other.create(with_email("ann@example.org")).await.is_ok());
    assert_eq!(shop.trail("member.create").await.len(), 3);
}

#[tokio::test]
async fn of_two_people_with_one_address_at_once_one_is_created() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let create = || shop.create(with_email("ann@example.org"));
    let (one, other) = tokio::join!(create(), create());
    let outcomes = [outcome(one), outcome(other)];
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert!(outcomes.contains(&CONFLICT), "{outcomes:?}");
}

#[tokio::test]
async fn an_application_sees_its_own_members_only() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let (kiosk, _) = shop.create_application("Kiosk", &[]).await.unwrap();
    let ann = shop
        .create(with_email("ann@example.org"))
        .await
        .unwrap()
        .user;
    let by_email = async |application, email: &str| {
        let grant: Grant<ReadUsers> = shop.grant_in(application).await;
        let found = shop.tenants.read_member_by_email(grant, email.to_owned());
        found.await.map(|view| view.user)
    };
    let found = by_email(shop.application, "Ann@Example.ORG").await;
    assert_eq!(found.unwrap(), ann);
    assert_eq!(
        outcome(by_email(shop.application, "bob@example.org").await),
        UNKNOWN
    );
    assert_eq!(outcome(by_email(kiosk, "ann@example.org").await), UNKNOWN);
    assert_eq!(outcome(shop.read(kiosk, &ann).await), UNKNOWN);
    shop.admit(&ann, kiosk).await.unwrap();
    shop.admit(&ann, kiosk).await.unwrap();
    assert_eq!(
        shop.read(kiosk, &ann).await.unwrap().application_name,
        "Kiosk"
    );
    let admitted = shop.events("member.admit").await;
    assert_eq!(admitted.len(), 1, "the second call changed nothing");
    assert_eq!(admitted[0].facts["application"], kiosk.to_string());
}

#[tokio::test]
async fn nobody_is_admitted_to_an_application_of_another_tenant() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let other = Shop::open(&kit, "Other").await;
    let ann = shop.somebody().await;
    assert_eq!(outcome(shop.admit(&ann, other.application).await), UNKNOWN);
    let nobody = UserId::new("nobody".to_owned());
    let admitted = shop.admit(&nobody, shop.application).await;
    assert_eq!(outcome(admitted), UNKNOWN);
}

#[tokio::test]
async fn an_expelled_person_keeps_the_address_and_loses_the_username() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let form = MemberForm {
        username: Some("ann".to_owned()),
        ..with_email("ann@example.org")
    };
    let ann = shop.create(form).await.unwrap().user;
    shop.expel(&ann).await.unwrap();
    assert_eq!(outcome(shop.read(shop.application, &ann).await), UNKNOWN);
    assert_eq!(outcome(shop.expel(&ann).await), UNKNOWN);
    let address = shop.create(with_email("ann@example.org")).await;
    assert_eq!(outcome(address), CONFLICT);
    let username = MemberForm {
        username: Some("ann".to_owned()),
        ..MemberForm::default()
    };
    assert!(shop.create(username).await.is_ok());
    // The person of the tenant is still there and may come back.
    shop.admit(&ann, shop.application).await.unwrap();
    let view = shop.read(shop.application, &ann).await.unwrap();
    assert_eq!(view.email.as_deref(), Some("ann@example.org"));
    assert_eq!(view.username, None);
    assert_eq!(shop.trail("member.expel").await, ["member.expel done"]);
}

#[tokio::test]
async fn a_deleted_person_leaves_every_application_and_every_name() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let (kiosk, _) = shop.create_application("Kiosk", &[]).await.unwrap();
    let ann = shop
        .create(with_email("ann@example.org"))
        .await
        .unwrap()
        .user;
    shop.admit(&ann, kiosk).await.unwrap();
    shop.delete(&ann).await.unwrap();
    assert_eq!(outcome(shop.delete(&ann).await), UNKNOWN);
    for application in [shop.application, kiosk] {
        assert_eq!(outcome(shop.read(application, &ann).await), UNKNOWN);
    }
    assert!(shop.create(with_email("ann@example.org")).await.is_ok());
    assert_eq!(shop.trail("member.delete").await, ["member.delete done"]);
}
