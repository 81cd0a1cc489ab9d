//! Managers who make, change, give and delete roles in any order: a client may always do exactly what a plain model of
//! the rules says.

use std::collections::BTreeSet;

use domain::tenant::permission::Permission;
use domain::tenant::{ClientChange, ClientId, RoleForm, RoleId};
use proptest::prelude::*;
use testkit::Kit;

use crate::owner::{Outcome, outcome};
use crate::tenant::{CONFLICT, Shop, UNKNOWN, permissions, role_form};

const NAMES: [&str; 4] = ["till", "desk", "office", "door"];
const TEXTS: [&str; 4] = [
    "devices:read",
    "devices:execute",
    "users:read",
    "users:edit",
];
const CLIENTS: usize = 2;

/// What a manager does. A number says which of the roles that ever were.
#[derive(Debug, Clone)]
enum Act {
    Create { name: usize, texts: BTreeSet<usize> },
    Rename { role: usize, name: usize },
    Allow { role: usize, texts: BTreeSet<usize> },
    Delete { role: usize },
    Give { client: usize, roles: Vec<usize> },
}

fn act() -> impl Strategy<Value = Act> {
    let role = 0..8_usize;
    let name = 0..NAMES.len();
    let texts = proptest::collection::btree_set(0..TEXTS.len(), 0..TEXTS.len());
    let roles = proptest::collection::vec(role.clone(), 0..4);
    prop_oneof![
        4 => (name.clone(), texts.clone()).prop_map(|(name, texts)| Act::Create { name, texts }),
        1 => (role.clone(), name).prop_map(|(role, name)| Act::Rename { role, name }),
        3 => (role.clone(), texts).prop_map(|(role, texts)| Act::Allow { role, texts }),
        2 => role.prop_map(|role| Act::Delete { role }),
        4 => (0..CLIENTS, roles).prop_map(|(client, roles)| Act::Give { client, roles }),
    ]
}

/// A role in the model. Its name and permissions are numbers, as in [`NAMES`] and [`TEXTS`].
#[derive(Debug, Clone)]
struct Held {
    id: RoleId,
    name: usize,
    texts: BTreeSet<usize>,
    deleted: bool,
}

struct Run {
    shop: Shop,
    clients: Vec<ClientId>,
    /// Every role that ever was.
    roles: Vec<Held>,
    /// The roles of each client, as places in `roles`.
    given: Vec<BTreeSet<usize>>,
}

fn chosen(texts: &BTreeSet<usize>) -> Vec<&'static str> {
    texts.iter().map(|text| TEXTS[*text]).collect()
}

impl Run {
    async fn new() -> Self {
        let shop = Shop::open(&Kit::new().await, "Shop").await;
        let grant = shop.grant().await;
        let form = domain::tenant::ClientForm::default();
        let second = shop
            .tenants
            .create_client("test", grant, shop.application, form);
        let clients = vec![shop.client, second.await.unwrap().client];
        Self {
            shop,
            clients,
            roles: Vec::new(),
            given: vec![BTreeSet::new(); CLIENTS],
        }
    }

    fn place(&self, at: usize) -> Option<usize> {
        (!self.roles.is_empty()).then(|| at % self.roles.len())
    }

    fn is_taken(&self, name: usize) -> bool {
        let mut live = self.roles.iter().filter(|role| !role.deleted);
        live.any(|role| role.name == name)
    }

    async fn step(&mut self, act: &Act) {
        match act {
            Act::Create { name, texts } => self.create(*name, texts).await,
            Act::Rename { role, name } => {
                if let Some(role) = self.place(*role) {
                    self.rename(role, *name).await;
                }
            }
            Act::Allow { role, texts } => {
                if let Some(role) = self.place(*role) {
                    self.allow(role, texts).await;
                }
            }
            Act::Delete { role } => {
                if let Some(role) = self.place(*role) {
                    self.delete(role).await;
                }
            }
            Act::Give { client, roles } => {
                let roles = roles.iter().filter_map(|role| self.place(*role)).collect();
                self.give(*client, roles).await;
            }
        }
    }

    async fn create(&mut self, name: usize, texts: &BTreeSet<usize>) {
        let made = self.shop.create_role(NAMES[name], &chosen(texts)).await;
        if self.is_taken(name) {
            assert_eq!(outcome(made), CONFLICT);
            return;
        }
        self.roles.push(Held {
            id: made.unwrap().id,
            name,
            texts: texts.clone(),
            deleted: false,
        });
    }

    async fn rename(&mut self, role: usize, name: usize) {
        let form = RoleForm {
            name: Some(NAMES[name].to_owned()),
            ..RoleForm::default()
        };
        let changed = self.shop.change_role(self.roles[role].id, form).await;
        let expected = match &self.roles[role] {
            held if held.deleted => UNKNOWN,
            held if held.name != name && self.is_taken(name) => CONFLICT,
            _ => Outcome::Done,
        };
        if expected == Outcome::Done {
            self.roles[role].name = name;
        }
        assert_eq!(outcome(changed), expected);
    }

    async fn allow(&mut self, role: usize, texts: &BTreeSet<usize>) {
        let form = role_form(None, &chosen(texts));
        let changed = self.shop.change_role(self.roles[role].id, form).await;
        if self.roles[role].deleted {
            assert_eq!(outcome(changed), UNKNOWN);
        } else {
            assert_eq!(outcome(changed), Outcome::Done);
            self.roles[role].texts.clone_from(texts);
        }
    }

    async fn delete(&mut self, role: usize) {
        let deleted = outcome(self.shop.delete_role(self.roles[role].id).await);
        if self.roles[role].deleted {
            assert_eq!(deleted, UNKNOWN);
        } else if self.given.iter().any(|roles| roles.contains(&role)) {
            assert_eq!(deleted, CONFLICT);
        } else {
            assert_eq!(deleted, Outcome::Done);
            self.roles[role].deleted = true;
        }
    }

    async fn give(&mut self, client: usize, roles: BTreeSet<usize>) {
        let ids: Vec<RoleId> = roles.iter().map(|role| self.roles[*role].id).collect();
        let change = ClientChange {
            roles: Some(ids),
            ..ClientChange::default()
        };
        let grant = self.shop.grant().await;
        let (application, id) = (self.shop.application, self.clients[client]);
        let tenants = &self.shop.tenants;
        let given = tenants.change_client("test", grant, application, id, change);
        let known = roles.iter().all(|role| !self.roles[*role].deleted);
        assert_eq!(given.await.is_ok(), known);
        if known {
            self.given[client] = roles;
        }
    }

    /// What a client may do: the union of its roles, or everything if it has none.
    fn expected(&self, client: usize) -> BTreeSet<Permission> {
        if self.given[client].is_empty() {
            return Permission::full_access().into_iter().collect();
        }
        let texts = self.given[client]
            .iter()
            .flat_map(|role| chosen(&self.roles[*role].texts));
        let texts: Vec<&str> = texts.collect();
        permissions(&texts).into_iter().collect()
    }

    /// The permissions of every token that a client may ask for tell what it may do.
    async fn compare(&self, after: &str) {
        for (client, id) in self.clients.iter().enumerate() {
            let grant = self.shop.grant().await;
            let application = self.shop.application;
            let view = self.shop.tenants.read_client(grant, application, *id).await;
            let expected: BTreeSet<RoleId> = self.given[client]
                .iter()
                .map(|role| self.roles[*role].id)
                .collect();
            let roles: BTreeSet<RoleId> = view.unwrap().roles.into_iter().collect();
            assert_eq!(roles, expected, "client {client} after {after}");
        }
        let issued = self.shop.ask(&self.shop.secret, &[]).await.unwrap();
        let carried: BTreeSet<Permission> = issued
            .permissions
            .iter()
            .map(|text| Permission::parse(text).unwrap())
            .collect();
        assert_eq!(carried, self.expected(0), "after {after}");
    }
}

proptest! {
    // Each case makes a tenant, a signing key and some hundred calls.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_client_may_do_what_its_roles_say(acts in proptest::collection::vec(act(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            let operator = run.shop.kit.operator();
            run.shop.tenants.rotate_token_key(&operator).await.unwrap();
            for act in &acts {
                run.step(act).await;
                run.compare(&format!("{act:?}")).await;
            }
        });
    }
}
