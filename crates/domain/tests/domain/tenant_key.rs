//! Device keys: how they are registered and changed, and which signatures count.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::tenant::device_key::{
    Checked, DeviceKeyChange, DeviceKeyForm, KeyName, PublicKey, SignedChallenge, Status,
};
use domain::tenant::permission::{
    DeleteKeys, EditKeys, Execute, Grant, ListKeys, ReadKeys, RegisterKeys,
};
use domain::tenant::{ApplicationChange, UserId};
use domain::{Error, Refusal};
use testkit::Kit;

use crate::owner::{Outcome, outcome};
use crate::tenant::{CONFLICT, Shop, UNKNOWN};

const NO_SUCH_KEY: Outcome = Outcome::Refused(Refusal::WrongState);

/// What precedes an uncompressed point of P-256 in a `SubjectPublicKeyInfo` (RFC 5480 §2).
const HEAD: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
const X: &str = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
const Y: &str = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
/// The same `x` with the other `y`.
const OTHER_Y: &str = "b01cbd1c01e58065711814b583f061e9d431cca994cea1313449bf97c840ae0a";
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// The base point of P-256. Its private key is 1, so that anybody can sign with it.
pub(crate) fn base_point() -> PublicKey {
    public_key(Y)
}

fn other_point() -> PublicKey {
    public_key(OTHER_Y)
}

fn public_key(y: &str) -> PublicKey {
    let spki = hex::decode(format!("{HEAD}04{X}{y}")).unwrap();
    PublicKey::from_spki(&spki).unwrap()
}

fn number(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}

/// `a + b` modulo the order of the curve. Both are below twice the order.
fn add(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    let order = number(ORDER);
    let mut sum = [0; 33];
    let mut carry = 0;
    for index in (0..32).rev() {
        let digits = u16::from(a[index]) + u16::from(b[index]) + carry;
        sum[index + 1] = digits.to_le_bytes()[0];
        carry = digits >> 8;
    }
    sum[0] = carry.to_le_bytes()[0];
    while sum[0] > 0 || sum[1..] >= order[..] {
        let mut borrow = 0;
        for index in (0..33).rev() {
            let digit = if index == 0 { 0 } else { order[index - 1] };
            let (first, low) = sum[index].overflowing_sub(digit);
            let (second, lower) = first.overflowing_sub(borrow);
            sum[index] = second;
            borrow = u8::from(low || lower);
        }
    }
    sum[1..].try_into().unwrap()
}

/// Signs with the private key 1 and the nonce 1: `r` is the base point's `x`, and `s` is the digest plus `r`.
pub(crate) fn signature(message: &[u8]) -> Vec<u8> {
    let r = number(X);
    [r, add(crypto::mac::sha256(message), r)].concat()
}

/// The coordinates of the public key that fits [`signature`].
pub(crate) fn coordinates() -> [[u8; 32]; 2] {
    [number(X), number(Y)]
}

pub(crate) fn sign(challenge: &str) -> SignedChallenge {
    SignedChallenge {
        challenge: challenge.to_owned(),
        signature: STANDARD.encode(signature(challenge.as_bytes())),
    }
}

pub(crate) fn wrong(challenge: &str) -> SignedChallenge {
    SignedChallenge {
        challenge: challenge.to_owned(),
        ..sign("another challenge")
    }
}

pub(crate) fn name(text: &str) -> KeyName {
    KeyName::parse(text.to_owned()).unwrap()
}

fn form(text: &str, public: PublicKey) -> DeviceKeyForm {
    DeviceKeyForm {
        name: name(text),
        public,
        label: None,
        custom: None,
        push: None,
    }
}

/// A person of a shop, with a key named "phone" unless said otherwise.
pub(crate) struct Person {
    pub(crate) shop: Shop,
    pub(crate) user: UserId,
}

impl Person {
    pub(crate) async fn without_keys(kit: &Kit) -> Self {
        let shop = Shop::open(kit, "Shop").await;
        let user = shop.somebody().await;
        Self { shop, user }
    }

    pub(crate) async fn of(kit: &Kit) -> Self {
        let person = Self::without_keys(kit).await;
        person.register("phone", base_point()).await.unwrap();
        person
    }

    pub(crate) async fn register(&self, name: &str, public: PublicKey) -> Result<(), Error> {
        let grant: Grant<RegisterKeys> = self.shop.grant().await;
        let (user, form) = (self.user.clone(), form(name, public));
        let tenants = &self.shop.tenants;
        tenants.register_device_key("test", grant, user, form).await
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        let grant: Grant<ListKeys> = self.shop.grant().await;
        let listed = self.shop.tenants.list_device_keys(grant, self.user.clone());
        let listed = listed.await.unwrap();
        listed.iter().map(|key| key.name.to_string()).collect()
    }

    pub(crate) async fn change(&self, key: &str, label: Option<&str>) -> Result<(), Error> {
        let grant: Grant<EditKeys> = self.shop.grant().await;
        let change = DeviceKeyChange {
            label: label.map(|label| Some(label.to_owned())),
            ..DeviceKeyChange::default()
        };
        let (tenants, user) = (&self.shop.tenants, self.user.clone());
        let changed = tenants.change_device_key("test", grant, user, name(key), change);
        changed.await
    }

    pub(crate) async fn set(&self, status: Status) {
        let grant: Grant<EditKeys> = self.shop.grant().await;
        let (tenants, user) = (&self.shop.tenants, self.user.clone());
        let set = tenants.set_device_key_status("test", grant, user, name("phone"), status);
        set.await.unwrap();
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        let grant: Grant<DeleteKeys> = self.shop.grant().await;
        let (tenants, user) = (&self.shop.tenants, self.user.clone());
        tenants
            .delete_device_key("test", grant, user, name(key))
            .await
    }

    pub(crate) async fn check_of(
        &self,
        key: &str,
        signed: SignedChallenge,
    ) -> Result<Checked, Error> {
        let grant: Grant<Execute> = self.shop.grant().await;
        let (tenants, user) = (&self.shop.tenants, self.user.clone());
        let checked = tenants.check_device_signature("test", grant, user, name(key), signed);
        checked.await
    }

    pub(crate) async fn check(&self, signed: SignedChallenge) -> Checked {
        self.check_of("phone", signed).await.unwrap()
    }

    /// A challenge of the server.
    pub(crate) async fn challenge(&self) -> String {
        let grant: Grant<Execute> = self.shop.grant().await;
        let (tenants, user) = (&self.shop.tenants, self.user.clone());
        let issued = tenants.issue_device_challenge("test", grant, user, name("phone"));
        issued.await.unwrap().text
    }

    /// The outcomes of the checks in the audit trail, sorted. A right one is written by a job.
    pub(crate) async fn outcomes(&self) -> Vec<String> {
        self.shop.kit.run_jobs().await;
        let events = self.shop.events("device_key.validate").await;
        let mut outcomes: Vec<String> = events.into_iter().map(|event| event.outcome).collect();
        outcomes.sort();
        outcomes
    }
}

#[tokio::test]
async fn a_key_is_registered_once_by_name_and_by_public_key() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    assert_eq!(
        outcome(ann.register("phone", other_point()).await),
        CONFLICT
    );
    assert_eq!(
        outcome(ann.register("tablet", base_point()).await),
        CONFLICT
    );
    ann.register("tablet", other_point()).await.unwrap();
    assert_eq!(ann.names().await, ["phone", "tablet"]);
    let events = ann.shop.events("device_key.").await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].facts["user"], ann.user.to_string());
    assert_eq!(
        events[0].facts["application"],
        ann.shop.application.to_string()
    );
    assert!(events[0].facts["by"].starts_with("operator "));
}

#[tokio::test]
async fn a_person_has_at_most_as_many_keys_as_the_policy_allows() {
    let one = |policy: &mut domain::policy::Policy| policy.device_keys.keys_per_member = 1;
    let kit = Kit::builder().policy(one).build().await;
    let ann = Person::of(&kit).await;
    assert_eq!(
        outcome(ann.register("tablet", other_point()).await),
        CONFLICT
    );
    ann.delete("phone").await.unwrap();
    ann.register("tablet", other_point()).await.unwrap();
}

#[tokio::test]
async fn of_two_keys_with_one_name_at_once_one_is_registered() {
    let kit = Kit::new().await;
    let ann = Person::without_keys(&kit).await;
    let (one, other) = tokio::join!(
        ann.register("phone", base_point()),
        ann.register("phone", other_point())
    );
    let outcomes = [outcome(one), outcome(other)];
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert!(outcomes.contains(&CONFLICT), "{outcomes:?}");
}

#[tokio::test]
async fn a_person_without_the_key_is_told_apart_from_an_unknown_person() {
    let kit = Kit::new().await;
    let ann = Person::without_keys(&kit).await;
    let nobody = Person {
        user: UserId::new("nobody".to_owned()),
        shop: Shop::open(&kit, "Other").await,
    };
    let read = async |of: &Person| {
        let grant: Grant<ReadKeys> = of.shop.grant().await;
        let read = of
            .shop
            .tenants
            .read_device_key(grant, of.user.clone(), name("phone"));
        outcome(read.await)
    };
    assert_eq!(read(&ann).await, NO_SUCH_KEY);
    assert_eq!(read(&nobody).await, UNKNOWN);
    for (person, refused) in [(&ann, NO_SUCH_KEY), (&nobody, UNKNOWN)] {
        assert_eq!(outcome(person.change("phone", None).await), refused);
        assert_eq!(outcome(person.delete("phone").await), refused);
        assert_eq!(outcome(person.check_of("phone", sign("a")).await), refused);
    }
    assert!(ann.names().await.is_empty());
    assert_eq!(
        outcome(nobody.register("phone", base_point()).await),
        UNKNOWN
    );
}

#[tokio::test]
async fn only_a_change_of_something_is_recorded() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    ann.change("phone", None).await.unwrap();
    assert!(ann.shop.trail("device_key.change").await.is_empty());
    ann.change("phone", Some("My phone")).await.unwrap();
    assert_eq!(ann.shop.trail("device_key.change").await.len(), 1);
    let grant: Grant<ReadKeys> = ann.shop.grant().await;
    let read = ann
        .shop
        .tenants
        .read_device_key(grant, ann.user.clone(), name("phone"));
    assert_eq!(read.await.unwrap().label.as_deref(), Some("My phone"));
}

#[tokio::test]
async fn a_deleted_key_may_be_registered_again() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    ann.delete("phone").await.unwrap();
    assert_eq!(outcome(ann.delete("phone").await), NO_SUCH_KEY);
    assert_eq!(outcome(ann.check_of("phone", sign("a")).await), NO_SUCH_KEY);
    ann.register("phone", base_point()).await.unwrap();
    assert_eq!(ann.check(sign("a")).await, Checked::Valid);
}

#[tokio::test]
async fn a_signature_counts_while_its_key_is_active() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    assert_eq!(ann.check(sign("a challenge")).await, Checked::Valid);
    assert_eq!(ann.check(wrong("a challenge")).await, Checked::Invalid);
    ann.set(Status::Blocked).await;
    assert_eq!(ann.check(sign("a challenge")).await, Checked::Invalid);
    ann.set(Status::Active).await;
    assert_eq!(ann.check(sign("a challenge")).await, Checked::Valid);
    assert_eq!(
        ann.outcomes().await,
        ["blocked", "valid", "valid", "wrong_signature"]
    );
}

#[tokio::test]
async fn blocking_a_blocked_key_is_recorded_and_changes_nothing() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    let read = async || {
        let grant: Grant<ReadKeys> = ann.shop.grant().await;
        let read = ann
            .shop
            .tenants
            .read_device_key(grant, ann.user.clone(), name("phone"));
        read.await.unwrap()
    };
    ann.set(Status::Blocked).await;
    let blocked = read().await;
    kit.clock.advance(Duration::from_secs(10));
    ann.set(Status::Blocked).await;
    assert_eq!(read().await, blocked);
    assert_eq!(ann.shop.trail("device_key.block").await.len(), 2);
}

#[tokio::test]
async fn too_many_wrong_signatures_stop_the_key_for_the_rest_of_the_minute() {
    let two = |policy: &mut domain::policy::Policy| policy.device_keys.misses_per_minute = 2;
    let kit = Kit::builder().policy(two).build().await;
    let ann = Person::of(&kit).await;
    let begin = kit.services.now();
    ann.check(wrong("a")).await;
    kit.clock.advance(Duration::from_secs(30));
    ann.check(wrong("b")).await;
    let until = begin.plus(Duration::from_secs(60));
    let limited = Outcome::Refused(Refusal::Limited { until });
    for signed in [wrong("c"), sign("c"), sign("dkc1.unknown")] {
        assert_eq!(outcome(ann.check_of("phone", signed).await), limited);
    }
    assert_eq!(
        ann.outcomes().await.len(),
        2,
        "what is refused is not recorded"
    );
    kit.clock.advance(Duration::from_secs(30));
    assert_eq!(ann.check(sign("c")).await, Checked::Valid);
}

#[tokio::test]
async fn a_challenge_of_the_server_is_good_for_one_check() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    let challenge = ann.challenge().await;
    assert_eq!(ann.check(sign(&challenge)).await, Checked::Valid);
    assert_eq!(ann.check(sign(&challenge)).await, Checked::Invalid);
    assert_eq!(ann.outcomes().await, ["unknown_challenge", "valid"]);
    let events = ann.shop.events("device_key.validate").await;
    assert!(
        events
            .iter()
            .all(|event| event.facts["challenge"] == "server")
    );
}

#[tokio::test]
async fn a_wrong_signature_uses_the_challenge_up() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    let challenge = ann.challenge().await;
    assert_eq!(ann.check(wrong(&challenge)).await, Checked::Invalid);
    assert_eq!(ann.check(sign(&challenge)).await, Checked::Invalid);
    assert_eq!(
        ann.outcomes().await,
        ["unknown_challenge", "wrong_signature"]
    );
}

#[tokio::test]
async fn of_two_checks_of_one_challenge_at_once_one_counts() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    let challenge = ann.challenge().await;
    let (one, other) = tokio::join!(ann.check(sign(&challenge)), ann.check(sign(&challenge)));
    assert_ne!(one, other);
}

#[tokio::test]
async fn a_challenge_expires() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    let (first, second) = (ann.challenge().await, ann.challenge().await);
    kit.clock.advance(Duration::from_secs(119));
    assert_eq!(ann.check(sign(&first)).await, Checked::Valid);
    kit.clock.advance(Duration::from_secs(1));
    assert_eq!(ann.check(sign(&second)).await, Checked::Invalid);
}

#[tokio::test]
async fn the_eleventh_challenge_replaces_the_oldest() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    let mut challenges = Vec::new();
    for _ in 0..11 {
        challenges.push(ann.challenge().await);
        kit.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(ann.check(sign(&challenges[0])).await, Checked::Invalid);
    for challenge in &challenges[1..] {
        assert_eq!(ann.check(sign(challenge)).await, Checked::Valid);
    }
}

#[tokio::test]
async fn a_challenge_is_for_one_key_and_blocking_drops_it() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    let bob = Person::of(&kit).await;
    let of_ann = ann.challenge().await;
    assert_eq!(bob.check(sign(&of_ann)).await, Checked::Invalid);
    ann.set(Status::Blocked).await;
    ann.set(Status::Active).await;
    assert_eq!(ann.check(sign(&of_ann)).await, Checked::Invalid);
}

#[tokio::test]
async fn an_application_may_accept_only_challenges_of_the_server() {
    let kit = Kit::new().await;
    let ann = Person::of(&kit).await;
    let only = ApplicationChange {
        server_challenges_only: Some(true),
        ..ApplicationChange::default()
    };
    ann.shop.change_application(only).await.unwrap();
    assert_eq!(ann.check(sign("a challenge")).await, Checked::Invalid);
    let challenge = ann.challenge().await;
    assert_eq!(ann.check(sign(&challenge)).await, Checked::Valid);
    assert_eq!(ann.outcomes().await, ["foreign_challenge", "valid"]);
}
