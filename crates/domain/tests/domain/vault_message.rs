//! Messages to the owners of vaults: what they say, and what a full limit keeps back.

use std::time::Duration;

use domain::limit::rate::Rate;
use domain::policy::Policy;
use domain::time::hours;
use domain::vault::{Approved, Document, LoginName, Notify, Profile, SlotAnswer};
use domain::{Caller, Error};
use testkit::Kit;

use crate::owner::{caller, outcome};
use crate::vault::{MESSAGES, NAMES, UNKNOWN, User, applicant, object, open_kit, trail};
use crate::vault_entry::{ANN, ASKED, BOB, USED};

/// The name with which an applicant of [`applicant`] applies.
const APPLICANT: &str = crate::vault::ANN;

fn one_an_hour(policy: &mut Policy) {
    policy.limits.network_messages = Rate::per(1, hours(1));
}

fn from_elsewhere() -> Caller {
    Caller {
        network: "192.0.2.1/32".to_owned(),
        language: "de".to_owned(),
        ..caller()
    }
}

async fn register(kit: &Kit, from: Caller, name: &str, object: Document) -> Result<(), Error> {
    let profile = Profile::check(object, &NAMES).unwrap();
    let (name, vaults) = (LoginName::parse(name).unwrap(), &kit.services.vaults);
    vaults.register(from, name, profile, &MESSAGES).await
}

/// An entry of Ann's with a slot. Returns Ann and the identifier.
async fn with_slot(kit: &Kit, notify: Notify) -> (User, String) {
    let ann = User::joins(kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (_, identifier) = ann.add_slot(entry, notify).await.unwrap();
    (ann, identifier)
}

fn untold(kit: &Kit) -> Vec<Option<String>> {
    let letters = kit.courier.letters_to(ANN).into_iter();
    let facts = letters.map(|letter| letter.message.facts);
    facts.map(|facts| facts.get("untold").cloned()).collect()
}

#[tokio::test]
async fn a_confirmation_says_who_asked_from_where_and_how_long_its_link_works() {
    let kit = Kit::builder().build().await;
    let now = kit.services.now();
    let (_, token) = applicant(&kit, 7).await;
    let message = kit.courier.letters_to(APPLICANT).remove(0).message;
    let base = testkit::kit::policy().vault.base_url;
    assert_eq!(message.operation, "CONFIRM");
    assert_eq!(message.link, Some(format!("{base}/confirm/{token}")));
    assert_eq!((token.len(), message.code), (64, None));
    assert_eq!(message.facts["network"], "127.0.0.1");
    assert_eq!(message.facts["at"], now.rfc3339());
    let until = now.plus(testkit::kit::policy().vault.confirm_life);
    assert_eq!(message.facts["until"], until.rfc3339());
}

#[tokio::test]
async fn the_owner_of_a_taken_name_gets_no_link() {
    let kit = Kit::builder().build().await;
    let (ann, token) = applicant(&kit, 7).await;
    let confirmed = ann.vaults.confirm_application(caller(), token).await;
    confirmed.unwrap();
    register(&kit, from_elsewhere(), APPLICANT, object(8))
        .await
        .unwrap();
    let letters = kit.courier.letters_to(APPLICANT);
    let message = &letters.last().unwrap().message;
    assert_eq!(
        (message.operation.as_str(), &message.link),
        ("TAKEN", &None)
    );
    assert_eq!(message.facts["network"], "192.0.2.1");
    assert!(!message.facts.contains_key("until"));
    assert_eq!(message.language, "en", "the language of the owner");
}

#[tokio::test]
async fn a_message_to_an_applicant_is_in_the_language_of_the_call() {
    let kit = Kit::builder().build().await;
    register(&kit, from_elsewhere(), ANN, object(7))
        .await
        .unwrap();
    let message = kit.courier.letters_to(ANN).remove(0).message;
    assert_eq!(message.language, "de");
}

#[tokio::test]
async fn a_network_over_its_limit_gets_the_same_answer_and_causes_no_message() {
    let kit = Kit::builder().policy(one_an_hour).build().await;
    register(&kit, caller(), ANN, object(7)).await.unwrap();
    register(&kit, caller(), BOB, object(7)).await.unwrap();
    assert!(kit.courier.letters_to(BOB).is_empty());
    let limited = "account.apply_limited done".to_owned();
    assert!(trail(&kit).await.contains(&limited));
    register(&kit, from_elsewhere(), BOB, object(7))
        .await
        .unwrap();
    assert_eq!(kit.courier.operations_to(BOB), ["CONFIRM"]);
    kit.clock.advance(hours(1));
    register(&kit, caller(), BOB, object(7)).await.unwrap();
    assert_eq!(kit.courier.letters_to(BOB).len(), 2);
}

#[tokio::test]
async fn the_limit_of_a_day_counts_messages_to_all_addresses() {
    let one_a_day = |policy: &mut Policy| {
        policy.limits.day_messages = Rate::per(1, hours(24));
    };
    let kit = Kit::builder().policy(one_a_day).build().await;
    register(&kit, caller(), ANN, object(7)).await.unwrap();
    register(&kit, from_elsewhere(), BOB, object(7))
        .await
        .unwrap();
    assert_eq!(kit.courier.letters().len(), 1);
    kit.clock.advance(hours(24));
    register(&kit, from_elsewhere(), BOB, object(7))
        .await
        .unwrap();
    assert_eq!(kit.courier.operations_to(BOB), ["CONFIRM"]);
}

#[tokio::test]
async fn a_reader_waits_in_vain_while_no_message_may_leave() {
    let kit = open_kit(one_an_hour).await;
    let (ann, identifier) = with_slot(&kit, Notify::Approve).await;
    ann.ask(&kit, &identifier).await;
    let asked = ann.read(&identifier).await.unwrap();
    let SlotAnswer::Asked { reference, seconds } = asked else {
        panic!("nobody was asked: {asked:?}");
    };
    assert_eq!(seconds, 600, "the answer is as with a message");
    assert_eq!(kit.courier.operations_to(ANN), ["ASKED"]);
    assert_eq!(ann.check(&reference).await.unwrap(), Approved::NotYet);
    kit.clock.advance(Duration::from_secs(600));
    assert_eq!(outcome(ann.check(&reference).await), UNKNOWN);
}

#[tokio::test]
async fn uses_that_a_full_network_kept_back_are_told_later() {
    let kit = open_kit(one_an_hour).await;
    let (ann, identifier) = with_slot(&kit, Notify::OnUse).await;
    for _ in 0..3 {
        ann.read(&identifier).await.unwrap();
    }
    assert_eq!(untold(&kit), [None]);
    kit.clock.advance(hours(1));
    ann.read(&identifier).await.unwrap();
    assert_eq!(untold(&kit), [None, Some("2".to_owned())]);
}

#[tokio::test]
async fn each_slot_has_a_limit_of_its_own() {
    let kit = open_kit(|policy| policy.vault.notices_per_slot.count = 1).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (first, identifier) = ann.add_slot(entry, Notify::OnUse).await.unwrap();
    let (second, other) = ann.add_slot(entry, Notify::OnUse).await.unwrap();
    for identifier in [&identifier, &identifier, &other] {
        ann.read(identifier).await.unwrap();
    }
    let letters = kit.courier.letters_to(ANN).into_iter();
    let slots: Vec<String> = letters
        .map(|letter| letter.message.facts["slot"].clone())
        .collect();
    assert_eq!(slots, [first.to_string(), second.to_string()]);
    assert_eq!(untold(&kit), [None, None]);
}

#[tokio::test]
async fn a_notice_says_what_was_read_from_where_in_the_language_of_the_owner() {
    let kit = open_kit(|_| {}).await;
    let (ann, identifier) = with_slot(&kit, Notify::OnUse).await;
    let read = ann
        .vaults
        .read_slot(from_elsewhere(), identifier, (&USED, &ASKED));
    read.await.unwrap();
    let message = kit.courier.letters_to(ANN).remove(0).message;
    let entry = ann.sees().await.entries[0].number;
    assert_eq!(message.facts["entry"], entry.to_string());
    assert_eq!(message.facts["network"], "192.0.2.1");
    assert_eq!(message.facts["at"], kit.services.now().rfc3339());
    assert_eq!((message.language.as_str(), message.link), ("en", None));
}
