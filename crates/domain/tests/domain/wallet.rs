//! Wallets: each use case through the service, each refusal, what is recorded and who is told.

use domain::policy::Policy;
use domain::proof::federated::{FederatedUser, Login, TokenNeed};
use domain::secret::SecretText;
use domain::wallet::Wallets;
use domain::wallet::step_up::{Evidence, Shown, StepUpRefusal};
use domain::wallet::{
    DeviceId, DeviceProof, EncryptedShare, KeyNotice, KeyUse, KeyUseQuery, KeyUseStatus, Newness,
    SigningAnswer, WalletKeyId,
};
use domain::{Caller, Error, Refusal};
use serde_json::{Value, json};
use testkit::issuer::{AUDIENCE, ISSUER};
use testkit::{Kit, TestDevice};

use crate::guarded_key::outcomes;

pub(crate) const ANNA_MAIL: &str = "anna@example.com";

pub(crate) fn caller() -> Caller {
    testkit::kit::caller("test")
}

pub(crate) fn refused<T>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was not refused"),
    }
}

pub(crate) fn key_id(name: &str) -> WalletKeyId {
    WalletKeyId::parse(name).unwrap()
}

pub(crate) fn device_id(device: &TestDevice) -> DeviceId {
    DeviceId::parse(&device.id()).unwrap()
}

/// A face: `scan` is accepted once, and shows the person `image`.
pub(crate) fn face(scan: &str, image: &str) -> Evidence {
    let secret = |text: &str| SecretText::new(text.to_owned());
    Evidence {
        scan: secret(scan),
        image: secret(image),
        small_image: secret(image),
        agent: "agent".to_owned(),
        session: None,
        client: "192.0.2.1".to_owned(),
    }
}

pub(crate) fn shown(scan: &str, image: &str) -> Shown {
    Shown {
        evidence: Some(face(scan, image)),
        passkey: None,
    }
}

/// A federated user who calls.
pub(crate) struct Person<'k> {
    pub(crate) kit: &'k Kit,
    pub(crate) bearer: FederatedUser,
}

impl<'k> Person<'k> {
    /// Somebody whose issuer has verified an address, and who is registered here.
    pub(crate) async fn registered(kit: &'k Kit, subject: &str) -> Self {
        let person = Self::unregistered(kit, subject).await;
        let bearer = person.bearer.clone();
        let wallets = &kit.services.wallets;
        let newness = wallets.register_user(caller(), bearer).await.unwrap();
        assert_eq!(newness, Newness::New);
        person
    }

    pub(crate) async fn unregistered(kit: &'k Kit, subject: &str) -> Self {
        let email = json!({"email": format!("{subject}@example.com"), "email_verified": true});
        Self::with_claims(kit, subject, &email).await
    }

    /// Somebody whose token has these claims besides.
    pub(crate) async fn with_claims(kit: &'k Kit, subject: &str, more: &Value) -> Self {
        let now = kit.services.now().seconds();
        let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "scope": "all", "iat": now,
            "exp": now + 3600});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let need = TokenNeed {
            scope: None,
            login: Login::Whenever,
        };
        let token = kit.issuer.sign(&claims);
        let bearer = kit.services.wallets.bearer(&token, need).await.unwrap();
        Self { kit, bearer }
    }

    pub(crate) fn wallets(&self) -> &std::sync::Arc<Wallets> {
        &self.kit.services.wallets
    }

    pub(crate) fn bearer(&self) -> FederatedUser {
        self.bearer.clone()
    }

    pub(crate) async fn proof(&self, device: &TestDevice, shown: Shown) -> DeviceProof {
        let id = device_id(device);
        let issued = self.wallets().issue_challenge(self.bearer(), id.clone());
        let signature = device.sign(&issued.await.unwrap().hex);
        DeviceProof {
            device: id,
            signature,
            name: Some("phone".to_owned()),
            shown,
        }
    }

    pub(crate) async fn prove(&self, proof: DeviceProof) -> Result<Newness, Error> {
        let wallets = self.wallets();
        let registered = wallets.register_device(caller(), self.bearer(), proof);
        registered.await.map(|registered| registered.done)
    }

    pub(crate) async fn add(&self, device: &TestDevice, shown: Shown) -> Result<Newness, Error> {
        let proof = self.proof(device, shown).await;
        self.prove(proof).await
    }

    pub(crate) async fn active(&self) -> Vec<bool> {
        let devices = self.wallets().devices(&self.bearer).await.unwrap();
        devices.iter().map(|device| device.active).collect()
    }

    pub(crate) async fn enrol(&self, scan: &str) -> Result<(), Error> {
        let wallets = self.wallets();
        let enrolled = wallets.enrol(caller(), self.bearer(), face(scan, "me"));
        enrolled.await.map(|enrolled| enrolled.done)
    }

    pub(crate) async fn keep(&self, shares: &[(&str, &str)]) -> Result<(), Error> {
        let shares = shares.iter().map(|(key, text)| EncryptedShare {
            key: key_id(key),
            text: (*text).to_owned(),
        });
        let wallets = self.wallets();
        wallets
            .keep_shares(caller(), self.bearer(), shares.collect())
            .await
    }

    pub(crate) async fn recover(
        &self,
        keys: &[&str],
        shown: Shown,
    ) -> Result<Vec<Option<String>>, Error> {
        let keys = keys.iter().map(|key| key_id(key)).collect();
        let wallets = self.wallets();
        let recovered = wallets.recover_shares(caller(), self.bearer(), keys, shown);
        let shares = recovered.await?.done.into_iter();
        Ok(shares.map(|recovered| recovered.share).collect())
    }

    /// Makes a key with a signing server.
    pub(crate) async fn make_key(&self, device: &TestDevice, name: &str) -> SigningAnswer {
        let (wallets, id) = (self.wallets(), device_id(device));
        let instance = "ab".repeat(32);
        wallets
            .allow_making(caller(), id.clone(), instance.clone())
            .await
            .unwrap();
        let notice = KeyNotice {
            device: id,
            key: key_id(name),
            instance,
        };
        wallets.note_key(caller(), notice).await.unwrap()
    }
}

pub(crate) async fn use_keys(kit: &Kit, device: &TestDevice, keys: &[&str]) -> SigningAnswer {
    let wanted = KeyUse {
        device: device_id(device),
        keys: keys.iter().map(|key| key_id(key)).collect(),
        instance: "ab".repeat(32),
        setup: Some(json!({"amount": 5})),
    };
    let wallets = &kit.services.wallets;
    wallets.allow_use(caller(), wanted).await.unwrap()
}

pub(crate) async fn kit_with(change: impl FnOnce(&mut Policy)) -> Kit {
    Kit::builder().policy(change).build().await
}

#[tokio::test]
async fn a_user_is_registered_once_and_known_afterwards() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let again = anna.wallets().register_user(caller(), anna.bearer()).await;
    assert_eq!(again.unwrap(), Newness::Known);
    assert_eq!(outcomes(&kit, "user.register").await, ["done"]);
}

#[tokio::test]
async fn whoever_is_not_registered_can_do_nothing() {
    let kit = Kit::new().await;
    let nobody = Person::unregistered(&kit, "nobody").await;
    let wallets = nobody.wallets();
    let unknown = Refusal::UnknownSubject;
    let id = device_id(&TestDevice::new(0));
    let challenge = wallets.issue_challenge(nobody.bearer(), id).await;
    assert_eq!(refused(challenge), unknown);
    assert_eq!(refused(wallets.devices(&nobody.bearer).await), unknown);
    assert_eq!(refused(wallets.wallet_keys(&nobody.bearer).await), unknown);
    assert_eq!(refused(wallets.enrolment(&nobody.bearer).await), unknown);
    assert_eq!(refused(nobody.keep(&[("key", "share")]).await), unknown);
    let shares = nobody.recover(&["key"], shown("scan", "me")).await;
    assert_eq!(refused(shares), unknown);
    assert_eq!(refused(nobody.enrol("scan").await), unknown);
    assert!(kit.verifier.asked().is_empty(), "nobody was asked about");
}

#[tokio::test]
async fn a_device_is_registered_by_its_signature_and_its_owner_is_told() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let device = TestDevice::new(0);
    let added = anna.add(&device, Shown::default()).await;
    assert_eq!(added.unwrap(), Newness::New);
    let listed = anna.wallets().devices(&anna.bearer).await.unwrap();
    assert_eq!(listed[0].key, device.id());
    assert_eq!(listed[0].name.as_deref(), Some("phone"));
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["device_added"]);
    let again = anna.add(&device, Shown::default()).await;
    assert_eq!(again.unwrap(), Newness::Known);
    assert_eq!(outcomes(&kit, "device.add").await, ["done"]);
}

#[tokio::test]
async fn a_wrong_signature_uses_the_challenge_up() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let device = TestDevice::new(0);
    let right = anna.proof(&device, Shown::default()).await;
    let wrong = DeviceProof {
        device: device_id(&device),
        signature: device.sign("something else"),
        name: None,
        shown: Shown::default(),
    };
    let refusal = refused(anna.prove(wrong).await);
    assert_eq!(refusal, Refusal::BadProof { left: None });
    assert_eq!(refused(anna.prove(right).await), Refusal::Expired);
    assert_eq!(outcomes(&kit, "device.add").await, ["wrong signature"]);
    assert!(kit.courier.letters().is_empty());
}

#[tokio::test]
async fn a_challenge_expires_and_a_newer_one_replaces_it() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let device = TestDevice::new(0);
    let replaced = anna.proof(&device, Shown::default()).await;
    let late = anna.proof(&device, Shown::default()).await;
    let refusal = refused(anna.prove(replaced).await);
    assert_eq!(refusal, Refusal::BadProof { left: None });
    assert_eq!(refused(anna.prove(late).await), Refusal::Expired);
    let late = anna.proof(&device, Shown::default()).await;
    kit.clock.advance(std::time::Duration::from_secs(300));
    assert_eq!(refused(anna.prove(late).await), Refusal::Expired);
}

#[tokio::test]
async fn a_device_belongs_to_one_user_world_wide() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let bert = Person::registered(&kit, "bert").await;
    let device = TestDevice::new(0);
    anna.add(&device, Shown::default()).await.unwrap();
    let refusal = refused(bert.add(&device, Shown::default()).await);
    assert_eq!(refusal, Refusal::Conflict);
    assert_eq!(
        outcomes(&kit, "device.add").await,
        ["another user's key", "done"]
    );
}

#[tokio::test]
async fn of_parallel_registrations_with_one_signature_one_is_new() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let device = TestDevice::new(0);
    let first = anna.proof(&device, Shown::default()).await;
    let second = DeviceProof {
        device: first.device.clone(),
        signature: first.signature.clone(),
        name: None,
        shown: Shown::default(),
    };
    // Either may come first.
    let (one, two) = tokio::join!(anna.prove(first), anna.prove(second));
    let (new, late) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(new.unwrap(), Newness::New);
    assert_eq!(refused(late), Refusal::Expired);
}

#[tokio::test]
async fn a_single_device_switches_the_older_ones_off() {
    let kit = kit_with(|policy| policy.wallet.single_device = true).await;
    let anna = Person::registered(&kit, "anna").await;
    anna.add(&TestDevice::new(0), Shown::default())
        .await
        .unwrap();
    anna.add(&TestDevice::new(1), Shown::default())
        .await
        .unwrap();
    assert_eq!(anna.active().await, [true, false], "newest first");
    let back = anna.add(&TestDevice::new(0), Shown::default()).await;
    assert_eq!(back.unwrap(), Newness::New);
    assert_eq!(anna.active().await, [true, false]);
}

#[tokio::test]
async fn too_many_calls_are_refused_and_count_nothing_else() {
    let kit = kit_with(|policy| policy.wallet.challenges.count = 1).await;
    let anna = Person::registered(&kit, "anna").await;
    let proof = anna.proof(&TestDevice::new(0), Shown::default()).await;
    let id = device_id(&TestDevice::new(0));
    let second = anna.wallets().issue_challenge(anna.bearer(), id).await;
    assert!(matches!(refused(second), Refusal::Limited { .. }));
    assert_eq!(anna.prove(proof).await.unwrap(), Newness::New);
}

#[tokio::test]
async fn an_enrolled_owner_must_step_up_for_a_new_device() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    anna.enrol("first").await.unwrap();
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["person_enrolled"]);
    let device = TestDevice::new(0);
    let proof = anna.proof(&device, Shown::default()).await;
    let again = DeviceProof {
        device: proof.device.clone(),
        signature: proof.signature.clone(),
        name: None,
        shown: shown("second", "me"),
    };
    let missing = Refusal::StepUp(StepUpRefusal::Missing);
    assert_eq!(refused(anna.prove(proof).await), missing);
    let added = anna.prove(again).await.unwrap();
    assert_eq!(added, Newness::New, "the same signature works again");
    assert_eq!(outcomes(&kit, "device.add").await, ["done", "refused"]);
}

#[tokio::test]
async fn somebody_else_adds_no_device() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    anna.enrol("first").await.unwrap();
    let refusal = refused(anna.add(&TestDevice::new(0), shown("x", "thief")).await);
    let failed = StepUpRefusal::Failed { for_client: None };
    assert_eq!(refusal, Refusal::StepUp(failed));
    assert!(anna.active().await.is_empty());
    let told = kit.courier.operations_to(ANNA_MAIL);
    assert_eq!(told, ["person_enrolled"]);
}

#[tokio::test]
async fn a_second_enrolment_is_refused_and_the_verifier_is_not_asked() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    anna.enrol("first").await.unwrap();
    let asked = kit.verifier.asked().len();
    let refusal = refused(anna.enrol("second").await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::Enrolled));
    assert_eq!(kit.verifier.asked().len(), asked);
}

#[tokio::test]
async fn an_enrolment_that_the_verifier_refused_can_be_tried_again() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    for scan in ["no", "odd", "away"] {
        assert!(matches!(
            refused(anna.enrol(scan).await),
            Refusal::StepUp(_)
        ));
        let state = anna.wallets().enrolment(&anna.bearer).await.unwrap();
        assert_eq!(state.since, None, "{scan}");
    }
    anna.enrol("yes").await.unwrap();
    let state = anna.wallets().enrolment(&anna.bearer).await.unwrap();
    assert_eq!(state.since, Some(kit.services.now()));
    let expected = [
        "done",
        "refused",
        "verifier unreachable",
        "verifier untrustworthy",
    ];
    assert_eq!(outcomes(&kit, "person.enrol").await, expected);
}

#[tokio::test]
async fn a_key_belongs_to_the_user_of_the_device_that_made_it() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let device = TestDevice::new(0);
    anna.add(&device, Shown::default()).await.unwrap();
    assert_eq!(anna.make_key(&device, "AB").await, SigningAnswer::Allow);
    let keys = anna.wallets().wallet_keys(&anna.bearer).await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].name, "ab", "hex is kept in lower case");
    assert_eq!(use_keys(&kit, &device, &["ab"]).await, SigningAnswer::Allow);
    assert_eq!(anna.make_key(&device, "ab").await, SigningAnswer::Allow);
    assert_eq!(outcomes(&kit, "key.note").await, ["done"]);
}

#[tokio::test]
async fn a_key_is_noted_only_within_the_hour_after_its_device_was_allowed_to_make_one() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let device = TestDevice::new(0);
    anna.add(&device, Shown::default()).await.unwrap();
    let notice = || KeyNotice {
        device: device_id(&device),
        key: key_id("ab"),
        instance: "ab".repeat(32),
    };
    let wallets = anna.wallets();
    let early = wallets.note_key(caller(), notice()).await.unwrap();
    assert_eq!(early, SigningAnswer::Reject);
    let id = device_id(&device);
    wallets
        .allow_making(caller(), id, "ab".repeat(32))
        .await
        .unwrap();
    kit.clock.advance(domain::time::hours(1));
    let late = wallets.note_key(caller(), notice()).await.unwrap();
    assert_eq!(late, SigningAnswer::Reject);
    assert_eq!(outcomes(&kit, "key.note").await, ["no setup", "no setup"]);
}

#[tokio::test]
async fn another_users_device_neither_takes_a_key_over_nor_uses_it() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let bert = Person::registered(&kit, "bert").await;
    let (hers, his) = (TestDevice::new(0), TestDevice::new(1));
    anna.add(&hers, Shown::default()).await.unwrap();
    bert.add(&his, Shown::default()).await.unwrap();
    anna.make_key(&hers, "ab").await;
    assert_eq!(bert.make_key(&his, "ab").await, SigningAnswer::Reject);
    assert_eq!(use_keys(&kit, &his, &["ab"]).await, SigningAnswer::Reject);
    let both = use_keys(&kit, &hers, &["ab", "cd"]).await;
    assert_eq!(both, SigningAnswer::Reject, "one key is nobody's");
    assert_eq!(use_keys(&kit, &hers, &[]).await, SigningAnswer::Reject);
    let stranger = TestDevice::new(2);
    assert_eq!(
        use_keys(&kit, &stranger, &["ab"]).await,
        SigningAnswer::Reject
    );
    let events = outcomes(&kit, "key.use").await;
    assert_eq!(
        events, ["refused"; 3],
        "none about a device that is unknown"
    );
}

#[tokio::test]
async fn a_user_reads_its_decisions_page_by_page_and_by_key() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let device = TestDevice::new(0);
    anna.add(&device, Shown::default()).await.unwrap();
    anna.make_key(&device, "ab").await;
    for keys in [["ab"], ["cd"], ["ab"]] {
        use_keys(&kit, &device, &keys).await;
        kit.clock.advance(std::time::Duration::from_secs(1));
    }
    let query = |after, key: Option<&str>| KeyUseQuery {
        limit: 2,
        after,
        key: key.map(key_id),
    };
    let wallets = anna.wallets();
    let first = wallets.decisions(&anna.bearer, query(None, None)).await;
    let first = first.unwrap();
    let statuses: Vec<KeyUseStatus> = first.decisions.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [KeyUseStatus::Approved, KeyUseStatus::Rejected]);
    let rest = wallets
        .decisions(&anna.bearer, query(first.next, None))
        .await;
    let rest = rest.unwrap();
    assert_eq!((rest.decisions.len(), rest.next), (1, None));
    let of_key = wallets
        .decisions(&anna.bearer, query(None, Some("AB")))
        .await;
    assert_eq!(of_key.unwrap().decisions.len(), 2);
}

/// Somebody enrolled with a device, and a key that is called `ab`.
pub(crate) async fn with_key(kit: &Kit) -> Person<'_> {
    let anna = Person::registered(kit, "anna").await;
    let device = TestDevice::new(0);
    anna.add(&device, Shown::default()).await.unwrap();
    anna.make_key(&device, "ab").await;
    anna.enrol("first").await.unwrap();
    kit.courier.forget();
    anna
}

#[tokio::test]
async fn a_share_comes_back_after_a_step_up_and_its_owner_is_told() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    anna.keep(&[("ab", "one")]).await.unwrap();
    anna.keep(&[("ab", "two")]).await.unwrap();
    let keys = ["ab", "unknown", "ab"];
    let shares = anna.recover(&keys, shown("second", "me")).await.unwrap();
    assert_eq!(shares, [Some("two".to_owned()), None]);
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["shares_recovered"]);
    assert_eq!(outcomes(&kit, "share.recover").await, ["done"]);
}

#[tokio::test]
async fn without_a_right_step_up_no_share_comes_back_and_nobody_is_told() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    anna.keep(&[("ab", "one")]).await.unwrap();
    let missing = refused(anna.recover(&["ab"], Shown::default()).await);
    assert_eq!(missing, Refusal::StepUp(StepUpRefusal::Missing));
    for (scan, image) in [("no", "me"), ("x", "thief"), ("first", "me")] {
        let refusal = refused(anna.recover(&["ab"], shown(scan, image)).await);
        let failed = StepUpRefusal::Failed { for_client: None };
        assert_eq!(refusal, Refusal::StepUp(failed), "{scan} {image}");
    }
    assert!(kit.courier.letters_to(ANNA_MAIL).is_empty());
    assert_eq!(outcomes(&kit, "share.recover").await, ["refused"; 4]);
}

#[tokio::test]
async fn the_operators_program_hears_of_every_recovery_where_it_is_wanted() {
    let kit = kit_with(|policy| policy.wallet.tell_operator = true).await;
    let anna = with_key(&kit).await;
    anna.recover(&["ab"], shown("no", "me")).await.unwrap_err();
    anna.recover(&["ab"], shown("yes", "me")).await.unwrap();
    let heard: Vec<String> = kit
        .courier
        .letters_to("operator")
        .into_iter()
        .map(|letter| letter.message.facts["outcome"].clone())
        .collect();
    assert_eq!(heard, ["refused", "done"]);
}

#[tokio::test]
async fn without_any_verifier_no_share_can_come_back() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    kit.verifier.switch_off();
    let refusal = refused(anna.recover(&["ab"], shown("x", "me")).await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::NoVerifier));
}

#[tokio::test]
async fn shares_are_stored_all_or_none() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let refusal = refused(anna.keep(&[("ab", "one"), ("unknown", "two")]).await);
    assert_eq!(refusal, Refusal::Forbidden { need: "key" });
    let shares = anna.recover(&["ab"], shown("x", "me")).await.unwrap();
    assert_eq!(shares, [None]);
    assert!(outcomes(&kit, "share.keep").await.is_empty());
}

#[tokio::test]
async fn nobody_stores_a_share_for_another_users_key_or_gets_it() {
    let kit = kit_with(|policy| policy.wallet.known_keys_only = false).await;
    let anna = with_key(&kit).await;
    anna.keep(&[("ab", "one")]).await.unwrap();
    let bert = Person::registered(&kit, "bert").await;
    bert.enrol("bert").await.unwrap();
    let refusal = refused(bert.keep(&[("ab", "garbage")]).await);
    assert_eq!(refusal, Refusal::Forbidden { need: "key" });
    bert.keep(&[("his-own", "two")]).await.unwrap();
    let keys = ["ab", "his-own"];
    let shares = bert.recover(&keys, shown("y", "me")).await.unwrap();
    assert_eq!(shares, [None, Some("two".to_owned())]);
}

#[tokio::test]
async fn a_user_who_could_never_step_up_stores_no_share() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let refusal = refused(anna.keep(&[("ab", "one")]).await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::NotEnrolled));
}

#[tokio::test]
async fn an_operator_switches_a_device_off_once_and_its_owner_is_told() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let device = TestDevice::new(0);
    anna.add(&device, Shown::default()).await.unwrap();
    anna.make_key(&device, "ab").await;
    kit.courier.forget();
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let off = || wallets.deactivate_device(&operator, caller(), device_id(&device));
    off().await.unwrap();
    assert_eq!(anna.active().await, [false]);
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["device_removed"]);
    assert_eq!(
        use_keys(&kit, &device, &["ab"]).await,
        SigningAnswer::Reject
    );
    assert_eq!(anna.make_key(&device, "cd").await, SigningAnswer::Reject);
    assert_eq!(refused(off().await), Refusal::Conflict);
    let unknown = device_id(&TestDevice::new(1));
    let unknown = wallets
        .deactivate_device(&operator, caller(), unknown)
        .await;
    assert_eq!(refused(unknown), Refusal::UnknownSubject);
    assert_eq!(outcomes(&kit, "device.deactivate").await, ["done"]);
}

#[tokio::test]
async fn an_operator_removes_an_enrolment_here_and_at_the_verifier() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let remove = || wallets.remove_enrolment(&operator, caller(), ISSUER, "anna");
    remove().await.unwrap();
    assert_eq!(kit.verifier.people(), 0);
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["person_removed"]);
    assert_eq!(refused(remove().await), Refusal::UnknownSubject);
    anna.enrol("again").await.unwrap();
}

#[tokio::test]
async fn an_erased_user_is_gone_with_everything() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    anna.keep(&[("ab", "one")]).await.unwrap();
    use_keys(&kit, &TestDevice::new(0), &["ab"]).await;
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let erase = || wallets.erase_user(&operator, caller(), ISSUER, "anna");
    let erased = erase().await.unwrap();
    let counted = (erased.devices, erased.keys, erased.shares, erased.decisions);
    assert_eq!(counted, (1, 1, 1, 1));
    assert_eq!(kit.verifier.people(), 0);
    assert_eq!(refused(erase().await), Refusal::UnknownSubject);
    let devices = anna.wallets().devices(&anna.bearer).await;
    assert_eq!(refused(devices), Refusal::UnknownSubject);
}

#[tokio::test]
async fn an_operator_lists_users_newest_first_after_one_that_is_named() {
    let kit = Kit::new().await;
    for subject in ["anna", "bert", "carl"] {
        Person::registered(&kit, subject).await;
        kit.clock.advance(std::time::Duration::from_secs(1));
    }
    let (wallets, operator) = (&kit.services.wallets, kit.operator());
    let listed = async |after: Option<&str>, limit| {
        let after = after.map(|subject| (ISSUER.to_owned(), subject.to_owned()));
        let users = wallets.wallet_users(&operator, after, limit).await?;
        Ok(users.into_iter().map(|user| user.subject).collect())
    };
    let first: Result<Vec<String>, Error> = listed(None, 2).await;
    assert_eq!(first.unwrap(), ["carl", "bert"]);
    assert_eq!(listed(Some("bert"), 2).await.unwrap(), ["anna"]);
    assert_eq!(
        refused(listed(Some("nobody"), 2).await),
        Refusal::UnknownSubject
    );
}
