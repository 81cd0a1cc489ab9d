//! Accounts with a vault: how they begin, change and end, and who learns of it.

use std::sync::Arc;

use crypto::Key;
use crypto::srp::ClientHandshake;
use domain::policy::Policy;
use domain::time::{days, hours};
use domain::trail::audit::Event;
use domain::vault::Vaults;
use domain::vault::{
    Applied, Confirmed, Document, Edit, LoginName, LoginProof, MessageTemplate, Names, Profile,
    RegistrationMessages, VaultMember, VaultStanding, Welcome,
};
use domain::{Error, Refusal};
use testkit::Kit;

use crate::owner::{Outcome, caller, outcome};

pub(crate) const NAMES: Names = Names {
    document: "object",
    credential: "login",
    reserved: "server",
};
pub(crate) const MESSAGES: RegistrationMessages = RegistrationMessages {
    confirm: MessageTemplate {
        operation: "CONFIRM",
        page: "/confirm/",
    },
    taken: MessageTemplate {
        operation: "TAKEN",
        page: "",
    },
};
pub(crate) const ANN: &str = "Ann@example.org";
const SALT: &str = "00112233445566778899aabbccddeeff";
pub(crate) const UNKNOWN: Outcome = Outcome::Refused(Refusal::UnknownSubject);

/// Somebody with a client of the vault. The password is one byte.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) vaults: Arc<Vaults>,
    pub(crate) name: LoginName,
    pub(crate) password: u8,
    pub(crate) token: String,
}

/// A server on which a registered address needs no confirmation.
pub(crate) async fn open_kit(change: impl FnOnce(&mut Policy)) -> Kit {
    let open = |policy: &mut Policy| {
        policy.vault.confirm_addresses = false;
        change(policy);
    };
    Kit::builder().policy(open).build().await
}

pub(crate) fn secret(byte: u8) -> Key {
    Key::from_slice(&[byte; 32]).unwrap()
}

fn verifier(password: u8) -> String {
    let client = ClientHandshake::new([password; 64], secret(1));
    hex::encode(client.verifier().unwrap().as_bytes())
}

/// The object of an account with this password.
pub(crate) fn object(password: u8) -> Document {
    let text = format!(
        r#"{{"login":{{"salt":"{SALT}","verifier":"{}"}},"keys":{{"pub":"a key"}}}}"#,
        verifier(password)
    );
    Document::parse(&text).unwrap()
}

/// What the use cases of vaults have recorded, oldest first.
async fn events(kit: &Kit) -> Vec<Event> {
    let operator = kit.operator();
    let listed = kit.services.operators.audit_events(&operator, None, 10_000);
    let mut events = listed.await.unwrap();
    events.retain(|event| event.surface == "test" && !event.action.starts_with("message."));
    events.reverse();
    events
}

/// What happened, in the order of time, as `action outcome`.
pub(crate) async fn trail(kit: &Kit) -> Vec<String> {
    let mut told = Vec::new();
    for event in events(kit).await {
        told.push(format!("{} {}", event.action, event.outcome));
    }
    told.sort();
    told
}

fn token_of(link: &str) -> String {
    link.rsplit('/').next().unwrap().to_owned()
}

impl User {
    pub(crate) fn of(kit: &Kit, name: &str, password: u8) -> Self {
        Self {
            vaults: Arc::clone(&kit.services.vaults),
            name: LoginName::parse(name).unwrap(),
            password,
            token: String::new(),
        }
    }

    /// Registers without confirmation, and logs in.
    pub(crate) async fn joins(kit: &Kit, name: &str) -> Self {
        let mut user = Self::of(kit, name, 7);
        user.register().await.unwrap();
        user.token = user.login().await.unwrap().token;
        user
    }

    pub(crate) async fn register(&self) -> Result<(), Error> {
        let profile = Profile::check(object(self.password), &NAMES).unwrap();
        let name = self.name.clone();
        self.vaults
            .register(caller(), name, profile, &MESSAGES)
            .await
    }

    pub(crate) async fn login(&self) -> Result<Welcome, Error> {
        let challenge = self.vaults.start_login(self.name.clone()).await?;
        let client = ClientHandshake::new([self.password; 64], secret(9));
        let server = hex::decode(&challenge.public).unwrap();
        let proof = LoginProof {
            public: hex::encode(client.public().unwrap().as_slice()),
            proof: hex::encode(client.prove(&server).unwrap()),
            reference: challenge.reference,
        };
        self.vaults.finish_login(caller(), proof).await
    }

    pub(crate) async fn standing(&self) -> VaultStanding {
        let entrance = self.vaults.enter(&caller(), Some(&self.token)).await;
        entrance.unwrap().standing
    }

    pub(crate) async fn member(&self) -> VaultMember {
        match self.standing().await {
            VaultStanding::Member(member) => *member,
            other => panic!("no member: {other:?}"),
        }
    }

    pub(crate) async fn edit(&self, edit: Edit) -> Result<(), Error> {
        let member = self.member().await;
        self.vaults
            .edit_account(caller(), member, edit, &NAMES)
            .await
    }

    pub(crate) async fn delete(&self) {
        let member = self.member().await;
        self.vaults.delete_account(caller(), member).await.unwrap();
    }
}

/// A user who has registered at a server that confirms addresses, and the token in the link.
pub(crate) async fn applicant(kit: &Kit, password: u8) -> (User, String) {
    let user = User::of(kit, ANN, password);
    user.register().await.unwrap();
    let token = token_of(&kit.courier.link_to(ANN).unwrap());
    (user, token)
}

#[tokio::test]
async fn an_account_begins_with_a_confirmed_address() {
    let kit = Kit::new().await;
    let (mut ann, token) = applicant(&kit, 7).await;
    assert_eq!(kit.courier.operations_to(ANN), ["CONFIRM"]);
    let blocked = Outcome::Refused(Refusal::Blocked);
    assert_eq!(outcome(ann.login().await), blocked, "not confirmed yet");
    let applied = Applied {
        name: ANN.to_owned(),
        language: "en".to_owned(),
        network: "127.0.0.1".to_owned(),
        at: kit.services.now(),
    };
    let shown = ann.vaults.pending_application(token.clone()).await.unwrap();
    assert_eq!(shown, applied);
    let confirmed = ann.vaults.confirm_application(caller(), token.clone());
    assert_eq!(confirmed.await.unwrap(), Confirmed::Joined(applied));
    // The link is used up.
    let shown = ann.vaults.pending_application(token.clone()).await;
    assert_eq!(outcome(shown), UNKNOWN);
    let again = ann.vaults.confirm_application(caller(), token).await;
    assert_eq!(outcome(again), UNKNOWN);
    ann.token = ann.login().await.unwrap().token;
    assert_eq!(ann.member().await.plan().name, "Default");
    assert_eq!(
        trail(&kit).await,
        [
            "account.apply done",
            "account.create done",
            "account.login done",
            "account.login unconfirmed"
        ]
    );
}

#[tokio::test]
async fn a_taken_name_is_answered_alike_and_its_owner_is_told_once_a_day() {
    let kit = Kit::new().await;
    let (ann, token) = applicant(&kit, 7).await;
    let confirmed = ann.vaults.confirm_application(caller(), token).await;
    confirmed.unwrap();
    kit.courier.forget();
    let thief = User::of(&kit, "ann@EXAMPLE.org", 8);
    thief.register().await.unwrap();
    thief.register().await.unwrap();
    assert_eq!(kit.courier.operations_to(ANN), ["TAKEN"]);
    assert_eq!(kit.courier.link_to(ANN), None);
    kit.clock.advance(days(1));
    thief.register().await.unwrap();
    assert_eq!(kit.courier.operations_to(ANN), ["TAKEN", "TAKEN"]);
    let applied = "account.apply_taken done".to_owned();
    let events = trail(&kit).await;
    assert_eq!(events.iter().filter(|event| **event == applied).count(), 3);
    assert!(ann.login().await.is_ok(), "the password is the owner's");
}

#[tokio::test]
async fn applications_with_different_passwords_end_each_other() {
    let kit = Kit::new().await;
    let (ann, of_ann) = applicant(&kit, 7).await;
    let (thief, of_thief) = applicant(&kit, 8).await;
    let confirmed = ann.vaults.confirm_application(caller(), of_thief.clone());
    let confirmed = confirmed.await.unwrap();
    assert!(matches!(confirmed, Confirmed::Contested(applied) if applied.name == ANN));
    for token in [of_ann, of_thief] {
        let again = ann.vaults.confirm_application(caller(), token).await;
        assert_eq!(outcome(again), UNKNOWN);
    }
    let wrong = Outcome::Refused(Refusal::BadProof { left: None });
    assert_eq!(outcome(thief.login().await), wrong);
    assert!(
        trail(&kit)
            .await
            .contains(&"account.create contested".to_owned())
    );
    // The owner tries again, alone.
    let (ann, token) = applicant(&kit, 7).await;
    let confirmed = ann.vaults.confirm_application(caller(), token).await;
    assert!(matches!(confirmed, Ok(Confirmed::Joined(_))));
}

#[tokio::test]
async fn the_same_password_again_is_no_rival_and_only_the_first_link_counts() {
    let kit = Kit::new().await;
    let (ann, first) = applicant(&kit, 7).await;
    let (_, second) = applicant(&kit, 7).await;
    let confirmed = ann.vaults.confirm_application(caller(), first).await;
    assert!(matches!(confirmed, Ok(Confirmed::Joined(_))));
    let other = ann.vaults.confirm_application(caller(), second).await;
    assert_eq!(outcome(other), UNKNOWN);
}

#[tokio::test]
async fn an_application_ends_with_its_time() {
    let kit = Kit::new().await;
    let (ann, token) = applicant(&kit, 7).await;
    kit.clock.advance(days(1));
    let shown = ann.vaults.pending_application(token.clone()).await;
    assert_eq!(outcome(shown), UNKNOWN);
    let confirmed = ann.vaults.confirm_application(caller(), token).await;
    assert_eq!(outcome(confirmed), UNKNOWN);
    let wrong = Outcome::Refused(Refusal::BadProof { left: None });
    assert_eq!(outcome(ann.login().await), wrong);
}

#[tokio::test]
async fn of_two_confirmations_at_once_one_creates_the_account() {
    let kit = Kit::new().await;
    let (ann, token) = applicant(&kit, 7).await;
    let confirm = || ann.vaults.confirm_application(caller(), token.clone());
    let (one, other) = tokio::join!(confirm(), confirm());
    let outcomes = [outcome(one), outcome(other)];
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert!(outcomes.contains(&UNKNOWN), "{outcomes:?}");
}

#[tokio::test]
async fn an_address_gets_only_so_many_confirmations_a_day() {
    let kit = Kit::new().await;
    let ann = User::of(&kit, ANN, 7);
    for _ in 0..7 {
        ann.register().await.unwrap();
    }
    assert_eq!(kit.courier.letters_to(ANN).len(), 5);
    let trail = trail(&kit).await;
    let count = |action: &str| trail.iter().filter(|event| *event == action).count();
    assert_eq!(count("account.apply done"), 5);
    assert_eq!(count("account.apply_limited done"), 2);
}

#[tokio::test]
async fn malformed_tokens_are_unknown() {
    let kit = Kit::new().await;
    let vaults = &kit.services.vaults;
    for token in ["", "zz", &"A".repeat(64), &"0".repeat(63)] {
        let shown = vaults.pending_application(token.to_owned()).await;
        assert_eq!(outcome(shown), UNKNOWN, "{token}");
        let confirmed = vaults.confirm_application(caller(), token.to_owned());
        assert_eq!(outcome(confirmed.await), UNKNOWN, "{token}");
        let taken = vaults.take_web_pass(caller(), token.to_owned()).await;
        assert_eq!(outcome(taken), UNKNOWN, "{token}");
    }
    assert!(events(&kit).await.is_empty());
}

#[tokio::test]
async fn without_confirmation_a_taken_name_is_refused() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let other = User::of(&kit, "ANN@example.org", 8);
    let taken = Outcome::Refused(Refusal::Conflict);
    assert_eq!(outcome(other.register().await), taken);
    assert!(ann.login().await.is_ok());
    assert!(kit.courier.letters().is_empty());
}

#[tokio::test]
async fn a_session_ends_with_its_time() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    kit.clock.advance(hours(1));
    assert!(matches!(ann.standing().await, VaultStanding::Unknown));
    let absent = ann.vaults.enter(&caller(), None).await.unwrap();
    assert!(matches!(absent.standing, VaultStanding::Absent));
    let other = ann.vaults.enter(&caller(), Some("no token")).await.unwrap();
    assert!(matches!(other.standing, VaultStanding::Unknown));
}

#[tokio::test]
async fn calls_are_counted_against_the_plan_of_the_account() {
    let limited = |policy: &mut Policy| {
        for plan in policy.vault.plans.by_name.values_mut() {
            plan.calls_per_hour = 2;
        }
    };
    let kit = open_kit(limited).await;
    let ann = User::joins(&kit, ANN).await;
    let enter = async || ann.vaults.enter(&caller(), Some(&ann.token)).await;
    for remaining in [1, 0] {
        let meter = enter().await.unwrap().meter;
        assert_eq!((meter.admitted, meter.remaining), (true, remaining));
    }
    assert!(!enter().await.unwrap().meter.admitted);
    kit.clock.advance(hours(1));
    let over = enter().await.unwrap();
    assert!(matches!(over.standing, VaultStanding::Unknown));
    assert!(over.meter.admitted, "the network has a count of its own");
}

#[tokio::test]
async fn an_edit_keeps_the_session_and_comes_back_at_login() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let news = Document::parse(r#"{"note":[1.50,null]}"#).unwrap();
    ann.edit(Edit::Merge(news)).await.unwrap();
    ann.member().await;
    let document = ann.login().await.unwrap().document;
    let note = document.member("note").map(Document::text);
    assert_eq!(note.as_deref(), Some("[1.50,null]"));
    assert!(trail(&kit).await.contains(&"account.edit done".to_owned()));
}

#[tokio::test]
async fn a_refused_edit_changes_nothing_and_leaves_no_event() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let before = events(&kit).await.len();
    let reserved = Document::parse(r#"{"server":1}"#).unwrap();
    let refused = ann.edit(Edit::Merge(reserved)).await;
    assert_eq!(
        outcome(refused),
        Outcome::Refused(Refusal::Invalid {
            field: "server",
            why: "is reserved"
        })
    );
    assert_eq!(events(&kit).await.len(), before);
    assert_eq!(ann.login().await.unwrap().document, object(7));
}

#[tokio::test]
async fn a_new_password_ends_sessions_passes_and_the_old_password() {
    let kit = open_kit(|_| {}).await;
    let mut ann = User::joins(&kit, ANN).await;
    let stale = ann.member().await;
    let pass = ann.vaults.issue_web_pass(caller(), stale.clone()).await;
    ann.edit(Edit::Replace(object(8))).await.unwrap();
    assert!(matches!(ann.standing().await, VaultStanding::Superseded));
    let taken = ann.vaults.take_web_pass(caller(), pass.unwrap()).await;
    assert_eq!(outcome(taken), UNKNOWN);
    // A call that was let in before the change, and acts after it.
    let late = ann.vaults.issue_web_pass(caller(), stale).await;
    assert_eq!(outcome(late), Outcome::Refused(Refusal::Replayed));
    let wrong = Outcome::Refused(Refusal::BadProof { left: None });
    assert_eq!(outcome(ann.login().await), wrong);
    ann.password = 8;
    ann.token = ann.login().await.unwrap().token;
    ann.member().await;
    assert!(
        trail(&kit)
            .await
            .contains(&"account.new_password done".to_owned())
    );
}

#[tokio::test]
async fn a_deleted_account_is_gone_and_its_name_is_free() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let stale = ann.member().await;
    ann.delete().await;
    assert!(matches!(ann.standing().await, VaultStanding::Unknown));
    let late = ann.vaults.delete_account(caller(), stale).await;
    assert_eq!(outcome(late), Outcome::Refused(Refusal::Expired));
    let wrong = Outcome::Refused(Refusal::BadProof { left: None });
    assert_eq!(outcome(ann.login().await), wrong);
    User::joins(&kit, ANN).await;
    let trail = trail(&kit).await;
    let created = "account.create done".to_owned();
    assert_eq!(trail.iter().filter(|event| **event == created).count(), 2);
    assert!(trail.contains(&"account.delete done".to_owned()));
}

#[tokio::test]
async fn a_web_pass_opens_the_page_once_in_time() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let issue = async || {
        let member = ann.member().await;
        ann.vaults.issue_web_pass(caller(), member).await.unwrap()
    };
    let older = issue().await;
    let pass = issue().await;
    let taken = ann.vaults.take_web_pass(caller(), older).await;
    assert_eq!(outcome(taken), UNKNOWN, "a new pass ends the older one");
    let take = || ann.vaults.take_web_pass(caller(), pass.clone());
    let overview = take().await.unwrap();
    assert_eq!((overview.name.as_str(), overview.sessions), (ANN, 1));
    assert_eq!((overview.entries, overview.slots), (0, 0));
    assert_eq!(outcome(take().await), UNKNOWN);
    let late = issue().await;
    kit.clock
        .advance(testkit::kit::policy().vault.web_pass_life);
    let taken = ann.vaults.take_web_pass(caller(), late).await;
    assert_eq!(outcome(taken), UNKNOWN);
}

#[tokio::test]
async fn an_operator_sees_changes_and_removes_accounts_by_name() {
    let add_plan = |policy: &mut Policy| {
        let plans = &mut policy.vault.plans.by_name;
        plans.insert("Large".to_owned(), domain::vault::Plan::default());
    };
    let kit = open_kit(add_plan).await;
    let (operator, vaults) = (kit.operator(), &kit.services.vaults);
    let name = LoginName::parse(ANN).unwrap();
    let large = Some("Large".to_owned());
    let state = vaults.vault_account_state(&operator, name.clone()).await;
    assert_eq!(outcome(state), UNKNOWN);
    let set = vaults.set_vault_plan(&operator, name.clone(), large.clone());
    assert_eq!(outcome(set.await), UNKNOWN);
    let deleted = vaults.delete_vault_account(&operator, name.clone()).await;
    assert_eq!(outcome(deleted), UNKNOWN);
    let ann = User::joins(&kit, ANN).await;
    let gone = Some("Gone".to_owned());
    let set = vaults.set_vault_plan(&operator, name.clone(), gone).await;
    assert!(matches!(
        set,
        Err(Error::Refused(Refusal::Invalid { field: "plan", .. }))
    ));
    let set = vaults.set_vault_plan(&operator, name.clone(), large);
    assert!(!set.await.unwrap().plan_is_default);
    let state = vaults.vault_account_state(&operator, name.clone()).await;
    let state = state.unwrap();
    assert_eq!((state.entries, state.sessions), (0, 1));
    let set = vaults.set_vault_plan(&operator, name.clone(), None);
    assert!(set.await.unwrap().plan_is_default);
    vaults.delete_vault_account(&operator, name).await.unwrap();
    assert!(matches!(ann.standing().await, VaultStanding::Unknown));
}
