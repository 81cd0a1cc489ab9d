//! What must hold with many callers and two nodes on one database, on every engine.

use std::collections::BTreeMap;
use std::future::Future;

use domain::policy::Policy;
use serde_json::{Value, json};
use testkit::{Answer, Backing, Client, Kit, TestDevice, TestPasskey, on_every_store};

use crate::setting::{self, ALL_SCOPES};

on_every_store!(
    of_parallel_first_calls_one_is_new,
    a_challenge_is_used_once_over_two_nodes,
    a_key_raced_for_by_two_users_has_one_owner,
    parallel_scans_never_pass_the_limit,
    a_scan_is_accepted_once_over_two_nodes,
    ownership_of_a_key_never_moves,
    a_backup_is_whole_at_its_limits,
    a_passkey_challenge_is_used_once_over_two_nodes,
    parallel_wrong_passkeys_never_pass_the_limit,
);

/// Two nodes over one database: clock, issuer and verifier are the same, chance is not.
pub(crate) struct Nodes {
    pub(crate) kit: Kit,
    clients: [Client; 2],
}

impl Nodes {
    pub(crate) async fn start(backing: &Backing) -> Self {
        Self::with(backing, |_| {}).await
    }

    async fn with(backing: &Backing, policy: fn(&mut Policy)) -> Self {
        let kit = Kit::builder().store(backing.store()).policy(policy);
        let kit = kit.build().await;
        let other = Kit::builder()
            .store(backing.another_node())
            .policy(policy)
            .clock(kit.clock.clone())
            .issuer(kit.issuer.clone())
            .verifier(kit.verifier.clone())
            .seed(2)
            .build()
            .await;
        let clients = [kit.client(setting::routes), other.client(setting::routes)];
        Self { kit, clients }
    }

    pub(crate) async fn call(
        &self,
        node: usize,
        subject: &str,
        line: &str,
        body: Option<Value>,
    ) -> Answer {
        let (method, path) = line.split_once(' ').expect("METHOD /path");
        let now = self.kit.services.now();
        let token = self.kit.issuer.token(subject, ALL_SCOPES, now);
        let bearer = format!("Bearer {token}");
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let headers = [("authorization", bearer.as_str())];
        self.clients[node % 2]
            .send(method, path, &headers, body)
            .await
    }

    pub(crate) async fn register(&self, subject: &str) {
        let answer = self
            .call(0, subject, "POST /auth/users/register", None)
            .await;
        assert_eq!(answer.status, 201);
    }

    /// A signed registration of `device`, on a fresh challenge.
    async fn proof(&self, subject: &str, device: &TestDevice) -> Value {
        let line = format!("GET /auth/devices/challenge/{}", device.id());
        let challenge = self.call(0, subject, &line, None).await.member("challenge");
        json!({"device_id": device.id(), "signature": device.sign(&challenge)})
    }

    pub(crate) async fn bind(&self, subject: &str, device: &TestDevice) {
        let proof = self.proof(subject, device).await;
        let answer = self
            .call(1, subject, "POST /auth/devices/register", Some(proof))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    async fn enrol(&self, subject: &str, scan: &str) {
        let answer = self
            .call(0, subject, "POST /auth/face/register", Some(face(scan)))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    async fn hook(&self, node: usize, name: &str, body: Value) -> String {
        let path = format!("/hooks/duo/{name}");
        let answer = self.clients[node % 2]
            .send("POST", &path, &[], body.to_string())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }
}

fn face(scan: &str) -> Value {
    json!({"face_scan": scan, "audit_trail_image": "Zm9v", "low_quality_audit_trail_image": "YmFy",
        "user_agent": "app"})
}

/// `count` calls at once, by their statuses.
async fn at_once<F: Future<Output = Answer>>(
    count: usize,
    call: impl Fn(usize) -> F,
) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    let mut calls: Vec<_> = (0..count).map(|at| Box::pin(call(at))).collect();
    // Polled together on one task: every one is under way before the first ends.
    let answers = std::future::poll_fn(move |context| {
        let mut done = Vec::new();
        calls.retain_mut(|call| match call.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                done.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        for answer in done {
            *statuses.entry(answer.status.as_u16()).or_insert(0) += 1;
        }
        if calls.is_empty() {
            std::task::Poll::Ready(std::mem::take(&mut statuses))
        } else {
            std::task::Poll::Pending
        }
    });
    answers.await
}

async fn of_parallel_first_calls_one_is_new(backing: Backing) {
    let nodes = Nodes::start(&backing).await;
    let statuses = at_once(16, |at| {
        nodes.call(at, "ana", "POST /auth/users/register", None)
    })
    .await;
    assert_eq!(statuses, BTreeMap::from([(200, 15), (201, 1)]));
}

async fn a_challenge_is_used_once_over_two_nodes(backing: Backing) {
    let nodes = Nodes::start(&backing).await;
    nodes.register("ana").await;
    let proof = nodes.proof("ana", &TestDevice::fresh()).await;
    let statuses = at_once(8, |at| {
        let body = Some(proof.clone());
        nodes.call(at, "ana", "POST /auth/devices/register", body)
    })
    .await;
    assert_eq!(statuses, BTreeMap::from([(201, 1), (401, 7)]));
}

async fn a_key_raced_for_by_two_users_has_one_owner(backing: Backing) {
    let nodes = Nodes::start(&backing).await;
    let device = TestDevice::fresh();
    let mut proofs = Vec::new();
    for user in ["ana", "bob"] {
        nodes.register(user).await;
        proofs.push((user, nodes.proof(user, &device).await));
    }
    let statuses = at_once(2, |at| {
        let (user, proof) = &proofs[at];
        let body = Some(proof.clone());
        nodes.call(at, user, "POST /auth/devices/register", body)
    })
    .await;
    assert_eq!(statuses, BTreeMap::from([(201, 1), (409, 1)]));
}

async fn parallel_scans_never_pass_the_limit(backing: Backing) {
    let nodes = Nodes::start(&backing).await;
    nodes.register("ana").await;
    nodes.enrol("ana", "yes").await;
    let asked = nodes.kit.verifier.asked().len();
    let statuses = at_once(20, |at| {
        let mut body = face(&format!("no{at}"));
        body["key_ids"] = json!(["a"]);
        nodes.call(at, "ana", "POST /v2/keyshare/recover", Some(body))
    })
    .await;
    assert_eq!(statuses, BTreeMap::from([(403, 5), (429, 15)]));
    assert_eq!(nodes.kit.verifier.asked().len() - asked, 5);
}

async fn a_scan_is_accepted_once_over_two_nodes(backing: Backing) {
    let nodes = Nodes::start(&backing).await;
    nodes.register("ana").await;
    nodes.enrol("ana", "yes").await;
    let statuses = at_once(4, |at| {
        let mut body = face("same");
        body["key_ids"] = json!(["a"]);
        nodes.call(at, "ana", "POST /v2/keyshare/recover", Some(body))
    })
    .await;
    // 404: the one that passed, and has nothing to recover.
    assert_eq!(statuses, BTreeMap::from([(403, 3), (404, 1)]));
}

async fn ownership_of_a_key_never_moves(backing: Backing) {
    let nodes = Nodes::start(&backing).await;
    let devices = [TestDevice::fresh(), TestDevice::fresh()];
    let (key, instance) = ("11".repeat(32), "22".repeat(32));
    for (user, device) in ["ana", "bob"].iter().zip(&devices) {
        nodes.register(user).await;
        nodes.bind(user, device).await;
        let setup = json!({"token": device.id(), "setup": {}, "instance": instance});
        assert_eq!(nodes.hook(0, "dkg-setup", setup).await, "\"ok\"");
    }
    let notices = at_once(8, |at| {
        let notice =
            json!({"token": devices[at / 2 % 2].id(), "key_id": key, "instance": instance});
        let nodes = &nodes;
        async move {
            let path = "/hooks/duo/key-id";
            nodes.clients[at % 2]
                .send("POST", path, &[], notice.to_string())
                .await
        }
    })
    .await;
    assert_eq!(notices, BTreeMap::from([(200, 8)]));
    let mut owners = 0;
    for (at, device) in devices.iter().enumerate() {
        let wanted =
            json!({"token": device.id(), "setup": {"key_id": [key]}, "instance": instance});
        owners += usize::from(nodes.hook(at, "dsg-setup", wanted).await == "\"ok\"");
    }
    assert_eq!(owners, 1);
}

async fn a_backup_is_whole_at_its_limits(backing: Backing) {
    let nodes = Nodes::start(&backing).await;
    let device = TestDevice::fresh();
    let (key, instance) = ("11".repeat(32), "22".repeat(32));
    nodes.register("ana").await;
    nodes.bind("ana", &device).await;
    let setup = json!({"token": device.id(), "setup": {}, "instance": instance});
    assert_eq!(nodes.hook(0, "dkg-setup", setup).await, "\"ok\"");
    let notice = json!({"token": device.id(), "key_id": key, "instance": instance});
    assert_eq!(nodes.hook(1, "key-id", notice).await, "\"ok\"");
    nodes.enrol("ana", "yes").await;
    let longest = "~".repeat(1_048_576);
    for (text, status) in [(longest.clone(), 200), (format!("{longest}~"), 413)] {
        let body = json!({"keyshares": [{"key_id": key, "encrypted_keyshare": text}]});
        let answer = nodes
            .call(1, "ana", "POST /v2/keyshare/backup", Some(body))
            .await;
        assert_eq!(answer.status, status);
    }
    let padding = |length: usize| {
        let body = json!({"keyshares": [{"key_id": key, "encrypted_keyshare": "x"}], "pad": ""});
        let room = length - body.to_string().len();
        json!({"keyshares": [{"key_id": key, "encrypted_keyshare": "x"}], "pad": "p".repeat(room)})
    };
    for (length, status) in [(8 * 1024 * 1024, 200), (8 * 1024 * 1024 + 1, 413)] {
        let body = padding(length);
        let answer = nodes
            .call(0, "ana", "POST /v2/keyshare/backup", Some(body))
            .await;
        assert_eq!(answer.status, status, "{length}");
    }
    for (length, status) in [(24 * 1024 * 1024 + 1, 413), (24 * 1024 * 1024, 403)] {
        let mut body = face("no");
        body["key_ids"] = json!([key]);
        body["pad"] = json!("");
        let room = length - body.to_string().len();
        body["pad"] = json!("p".repeat(room));
        let answer = nodes
            .call(0, "ana", "POST /v2/keyshare/recover", Some(body))
            .await;
        assert_eq!(answer.status, status, "{length}");
    }
    let mut body = face("yes2");
    body["key_ids"] = json!([key]);
    let answer = nodes
        .call(0, "ana", "POST /v2/keyshare/recover", Some(body))
        .await;
    assert_eq!(answer.json()["keyshares"][0]["encrypted_keyshare"], "x");
}

/// Somebody with a passkey instead of a face, who wants to recover.
async fn with_passkey(backing: &Backing) -> (Nodes, TestPasskey) {
    let nodes = Nodes::with(backing, |policy| {
        policy.wallet.passkeys = Some(TestPasskey::policy());
    })
    .await;
    nodes.kit.verifier.switch_off();
    nodes.register("ana").await;
    let offer = nodes.call(1, "ana", "POST /auth/passkey/register/challenge", None);
    let challenge = passkey_challenge(&offer.await);
    let mut passkey = TestPasskey::new(0);
    let body = json!({"credential": passkey.create(&challenge)});
    let made = nodes.call(0, "ana", "POST /auth/passkey/register", Some(body));
    let made = made.await;
    assert_eq!(made.status, 201, "{}", made.text());
    (nodes, passkey)
}

impl Nodes {
    async fn recovery_challenge(&self) -> String {
        let body = json!({"key_ids": ["a"]});
        let call = self.call(0, "ana", "POST /v2/keyshare/recover/challenge", Some(body));
        passkey_challenge(&call.await)
    }
}

fn passkey_challenge(answer: &Answer) -> String {
    let challenge = answer.json()["publicKey"]["challenge"].clone();
    challenge.as_str().expect("options").to_owned()
}

async fn a_passkey_challenge_is_used_once_over_two_nodes(backing: Backing) {
    let (nodes, mut passkey) = with_passkey(&backing).await;
    let challenge = nodes.recovery_challenge().await;
    // Eight different signatures for one challenge, each of them right.
    let shown: Vec<Value> = (0..8).map(|_| passkey.get(&challenge)).collect();
    let statuses = at_once(8, |at| {
        let body = json!({"key_ids": ["a"], "passkey": shown[at]});
        nodes.call(at, "ana", "POST /v2/keyshare/recover", Some(body))
    })
    .await;
    // 404: the one that passed, and has nothing to recover.
    assert_eq!(statuses, BTreeMap::from([(401, 7), (404, 1)]));
}

async fn parallel_wrong_passkeys_never_pass_the_limit(backing: Backing) {
    let (nodes, mut passkey) = with_passkey(&backing).await;
    passkey.flags &= !0x04;
    let mut shown = Vec::new();
    for _ in 0..20 {
        let challenge = nodes.recovery_challenge().await;
        shown.push(passkey.get(&challenge));
    }
    let statuses = at_once(20, |at| {
        let body = json!({"key_ids": ["a"], "passkey": shown[at]});
        nodes.call(at, "ana", "POST /v2/keyshare/recover", Some(body))
    })
    .await;
    assert_eq!(statuses, BTreeMap::from([(403, 5), (429, 15)]));
}
