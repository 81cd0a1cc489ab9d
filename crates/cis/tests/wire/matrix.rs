//! Every call × every permission × every kind of token × tenants and applications (§2.4, §4, §7.2).

use domain::tenant::permission::Verb;
use serde_json::{Value, json};

use crate::world::{App, Manager, World};

/// Who may make a call.
#[derive(Clone, Copy)]
enum Opens {
    /// A client with one of these verbs on `apps`, its own application, or this subject.
    Client(&'static str, &'static [&'static str]),
    /// A management client, whatever its permissions.
    Manager,
    Nobody,
}

/// Method, path, body, who may. Nothing that is named exists, so that a call that is let through changes
/// nothing: it is answered 404, or 400 for want of a body.
const CALLS: &[(&str, &str, Opens)] = &[
    (
        "POST",
        "/cis/v1/users/no/device-keys",
        Opens::Client("devices", &["create"]),
    ),
    (
        "GET",
        "/cis/v1/users/no/device-keys",
        Opens::Client("devices", &["read", "list"]),
    ),
    (
        "GET",
        "/cis/v1/users/no/device-keys/no",
        Opens::Client("devices", &["read"]),
    ),
    (
        "PUT",
        "/cis/v1/users/no/device-keys/no",
        Opens::Client("devices", &["edit"]),
    ),
    (
        "DELETE",
        "/cis/v1/users/no/device-keys/no",
        Opens::Client("devices", &["delete"]),
    ),
    (
        "POST",
        "/cis/v1/users/no/device-keys/no/validate",
        Opens::Client("devices", &["execute"]),
    ),
    (
        "POST",
        "/cis/v1/users/no/device-keys/no/challenge",
        Opens::Client("devices", &["execute"]),
    ),
    (
        "PUT",
        "/cis/v1/users/no/device-keys/no/block",
        Opens::Client("devices", &["edit"]),
    ),
    (
        "PUT",
        "/cis/v1/users/no/device-keys/no/unblock",
        Opens::Client("devices", &["edit"]),
    ),
    ("GET", "/cis/v1/users/me/device-keys", Opens::Nobody),
    ("POST", "/cis/v1/users", Opens::Client("users", &["create"])),
    ("GET", "/cis/v1/users/no", Opens::Client("users", &["read"])),
    (
        "GET",
        "/cis/v1/users/email/no",
        Opens::Client("users", &["read"]),
    ),
    (
        "DELETE",
        "/cis/v1/users/no/apps",
        Opens::Client("users", &["edit"]),
    ),
    ("DELETE", "/cis/v1/manage/users/no", Opens::Manager),
    ("PUT", "/cis/v1/manage/users/no/apps/no", Opens::Manager),
    ("POST", "/cis/v1/applications", Opens::Manager),
    ("GET", "/cis/v1/applications", Opens::Manager),
    ("GET", "/cis/v1/applications/no", Opens::Manager),
    ("PUT", "/cis/v1/applications/no", Opens::Manager),
    ("DELETE", "/cis/v1/applications/no", Opens::Manager),
    ("POST", "/cis/v1/applications/no/clients", Opens::Manager),
    ("GET", "/cis/v1/applications/no/clients/no", Opens::Manager),
    ("PUT", "/cis/v1/applications/no/clients/no", Opens::Manager),
    (
        "DELETE",
        "/cis/v1/applications/no/clients/no",
        Opens::Manager,
    ),
    ("POST", "/cis/v1/client-roles", Opens::Manager),
    ("GET", "/cis/v1/client-roles", Opens::Manager),
    ("PUT", "/cis/v1/client-roles/no", Opens::Manager),
    ("DELETE", "/cis/v1/client-roles/no", Opens::Manager),
];

/// One token and what it can do.
struct Held {
    name: String,
    token: String,
    /// `subject:verb`, with `own` for the own application's id.
    permissions: Vec<String>,
    manager: bool,
}

impl Held {
    fn opens(&self, opens: Opens) -> bool {
        match opens {
            Opens::Manager => self.manager,
            Opens::Nobody => false,
            Opens::Client(subject, verbs) => {
                let one = |verb: &&str| {
                    let any = ["apps", "own", subject];
                    any.iter()
                        .any(|subject| self.permissions.contains(&format!("{subject}:{verb}")))
                };
                !self.manager && verbs.iter().any(one)
            }
        }
    }
}

#[test]
fn every_route_is_in_the_matrix() {
    let pattern = |path: &str| -> Vec<String> {
        path.split('/')
            .map(|segment| {
                if segment.starts_with('{') {
                    "no".to_owned()
                } else {
                    segment.to_owned()
                }
            })
            .collect()
    };
    let description = cis::openapi();
    let paths = description["paths"].as_object().expect("paths");
    for (path, item) in paths {
        let open = path.contains("/oidc/");
        for method in item.as_object().expect("operations").keys() {
            let known = CALLS.iter().any(|(known, target, _)| {
                known.eq_ignore_ascii_case(method) && pattern(target) == pattern(path)
            });
            assert!(open != known, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn calls_permissions_and_kinds_of_token() {
    let world = World::new().await;
    let manager = world.tenant("Matrix").await;
    let app = world.app(&manager, "One").await;
    let other = world.app(&manager, "Two").await;
    let mut tokens = vec![
        Held {
            name: "manager".into(),
            token: manager.token.clone(),
            permissions: vec![],
            manager: true,
        },
        Held {
            name: "no role".into(),
            token: app.token.clone(),
            permissions: all("apps"),
            manager: false,
        },
    ];
    for subject in ["apps", "own", "other", "devices", "users", "sessions"] {
        for verb in Verb::ALL.map(Verb::name) {
            let written = match subject {
                "own" => format!("{}:{verb}", app.id),
                "other" => format!("{}:{verb}", other.id),
                plain => format!("{plain}:{verb}"),
            };
            let token = world.limited(&manager, &app, &[&written]).await;
            let permissions = vec![format!("{subject}:{verb}")];
            tokens.push(Held {
                name: permissions[0].clone(),
                token,
                permissions,
                manager: false,
            });
            // Narrowed from full access to the same, where that covers it.
            let narrowed = world.ask_token(&app.client, &app.secret, &written).await;
            if ["other", "sessions"].contains(&subject) {
                assert_eq!(narrowed.status, 400, "{written}");
                continue;
            }
            let permissions = vec![format!("{subject}:{verb}")];
            let name = format!("narrowed to {}", permissions[0]);
            tokens.push(Held {
                name,
                token: narrowed.member("access_token"),
                permissions,
                manager: false,
            });
        }
    }
    let token = world.limited(&manager, &app, &[]).await;
    tokens.push(Held {
        name: "empty role".into(),
        token,
        permissions: vec![],
        manager: false,
    });
    for (method, path, opens) in CALLS {
        for held in &tokens {
            let answer = world.call(method, path, &held.token, &json!({})).await;
            let through = ![401, 403].contains(&answer.status.as_u16());
            assert_eq!(
                through,
                held.opens(*opens),
                "{method} {path} with {}: {}",
                held.name,
                answer.status
            );
            assert!(
                through || answer.status == 403,
                "{method} {path} with {}",
                held.name
            );
        }
        for bad in [
            "",
            "Bearer",
            "Bearer x",
            "Basic eDp4",
            &format!("Token {}", app.token),
        ] {
            let headers = [("authorization", bad)];
            let headers = if bad.is_empty() {
                &headers[..0]
            } else {
                &headers
            };
            let answer = world.http.send(method, path, headers, "").await;
            assert_eq!(answer.status, 401, "{method} {path} with {bad:?}");
        }
    }
}

fn all(subject: &str) -> Vec<String> {
    Verb::ALL
        .iter()
        .map(|verb| format!("{subject}:{}", verb.name()))
        .collect()
}

/// Everything that exists of one tenant, and a call for each of it.
struct Estate {
    manager: Manager,
    app: App,
    user: String,
    role: String,
}

impl Estate {
    async fn new(world: &World, name: &str) -> Self {
        let manager = world.tenant(name).await;
        let app = world.app(&manager, name).await;
        let user = world.user(&app.token).await;
        let public = vector_key();
        assert_eq!(
            world
                .register(&app.token, &user, "key", &public)
                .await
                .status,
            201
        );
        let body = json!({ "role_name": "role", "permissions": [] });
        let role = world
            .call("POST", "/cis/v1/client-roles", &manager.token, &body)
            .await;
        let role = role.json()["result"]["role_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        Self {
            manager,
            app,
            user,
            role,
        }
    }

    fn device_calls(&self) -> Vec<(&'static str, String, Value)> {
        let keys = format!("/cis/v1/users/{}/device-keys", self.user);
        let register = json!({ "key_id": "new", "public_key": vector_key() });
        let check = json!({ "challenge": "x", "signature": "x" });
        vec![
            ("POST", keys.clone(), register),
            ("GET", keys.clone(), Value::Null),
            ("GET", format!("{keys}/key"), Value::Null),
            (
                "PUT",
                format!("{keys}/key"),
                json!({ "display_name": "taken over" }),
            ),
            ("DELETE", format!("{keys}/key"), Value::Null),
            ("POST", format!("{keys}/key/validate"), check),
            ("POST", format!("{keys}/key/challenge"), json!({})),
            ("PUT", format!("{keys}/key/block"), Value::Null),
            ("PUT", format!("{keys}/key/unblock"), Value::Null),
            ("GET", format!("/cis/v1/users/{}", self.user), Value::Null),
            (
                "DELETE",
                format!("/cis/v1/users/{}/apps", self.user),
                Value::Null,
            ),
        ]
    }

    fn management_calls(&self) -> Vec<(&'static str, String, Value)> {
        let app = format!("/cis/v1/applications/{}", self.app.id);
        let client = format!("{app}/clients/{}", self.app.client);
        let role = format!("/cis/v1/client-roles/{}", self.role);
        vec![
            (
                "DELETE",
                format!("/cis/v1/manage/users/{}", self.user),
                Value::Null,
            ),
            ("GET", app.clone(), Value::Null),
            ("PUT", app.clone(), json!({ "app_name": "taken over" })),
            ("DELETE", app.clone(), Value::Null),
            (
                "POST",
                format!("{app}/clients"),
                json!({ "name": "x", "redirect_uris": [] }),
            ),
            ("GET", client.clone(), Value::Null),
            ("PUT", client.clone(), json!({ "name": "taken over" })),
            ("DELETE", client, Value::Null),
            ("PUT", role.clone(), json!({ "permissions": ["apps:read"] })),
            ("DELETE", role, Value::Null),
        ]
    }

    async fn state(&self, world: &World) -> Vec<String> {
        let keys = format!("/cis/v1/users/{}/device-keys", self.user);
        let app = format!("/cis/v1/applications/{}", self.app.id);
        let client = format!("{app}/clients/{}", self.app.client);
        let mut state = vec![world.get(&keys, &self.app.token).await.text()];
        for path in [
            &app,
            &client,
            "/cis/v1/client-roles",
            "/cis/v1/applications",
        ] {
            state.push(world.get(path, &self.manager.token).await.text());
        }
        state
    }
}

fn vector_key() -> String {
    let text = include_str!("../../../crypto/tests/vectors/device-keys-vectors.json");
    let file: Value = serde_json::from_str(text).expect("JSON");
    file["keys"][0]["public_key"]
        .as_str()
        .expect("a text")
        .to_owned()
}

#[tokio::test]
async fn what_belongs_to_others_is_unknown_and_stays_untouched() {
    let world = World::new().await;
    let victim = Estate::new(&world, "Victim").await;
    let stranger = Estate::new(&world, "Stranger").await;
    let neighbour = world.app(&victim.manager, "Neighbour").await;
    let before = victim.state(&world).await;
    let full = [
        ("another tenant", &stranger.app.token),
        ("another application", &neighbour.token),
    ];
    for (who, token) in full {
        for (method, path, body) in victim.device_calls() {
            let answer = world.call(method, &path, token, &body).await;
            assert_eq!(
                answer.status,
                404,
                "{method} {path} from {who}: {}",
                answer.text()
            );
            assert_eq!(
                answer.text(),
                "{\"message\":\"User not found\",\"error_code\":404}",
                "{method} {path}"
            );
        }
    }
    for (method, path, body) in victim.management_calls() {
        let answer = world
            .call(method, &path, &stranger.manager.token, &body)
            .await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
    }
    // Letting somebody else's person in, and one's own person in elsewhere.
    for (user, app) in [
        (&victim.user, &stranger.app.id),
        (&stranger.user, &victim.app.id),
    ] {
        let path = format!("/cis/v1/manage/users/{user}/apps/{app}");
        let answer = world
            .call("PUT", &path, &stranger.manager.token, &Value::Null)
            .await;
        assert_eq!(answer.status, 404, "{path}");
    }
    // Somebody else's role.
    let body = json!({ "name": "x", "redirect_uris": [], "role_ids": [victim.role] });
    let path = format!("/cis/v1/applications/{}/clients", stranger.app.id);
    assert_eq!(
        world
            .call("POST", &path, &stranger.manager.token, &body)
            .await
            .status,
        400
    );
    assert_eq!(victim.state(&world).await, before);
}
