//! Vaults under calls at the same time: one of two rivals wins, and nothing is left half done.

use domain::policy::Policy;
use domain::vault::{ApprovalDecision, Approved, Document, Edit, Notify, SlotAnswer, Vault};
use domain::{Error, Refusal};
use testkit::{Backing, Kit};

use crate::owner::{Outcome, caller, outcome};
use crate::vault::{NAMES, UNKNOWN, User, object};
use crate::vault_entry::{ANN, BOB, forbidden, reading};

testkit::on_every_store!(
    of_approval_and_denial_one_counts,
    the_last_place_among_waiting_readers_is_given_once,
    the_last_room_for_a_slot_is_given_once,
    an_entry_is_deleted_once,
    an_entry_that_is_deleted_while_a_share_is_accepted_is_gone_for_both,
    a_receiver_who_accepts_while_leaving_the_server_leaves_no_slot,
    two_who_share_with_each_other_both_succeed,
    two_who_share_with_each_other_leave_together,
    a_name_is_registered_once,
    a_web_pass_is_taken_once,
    of_two_new_passwords_one_counts,
    an_edit_and_a_new_password_are_both_whole,
);

async fn kit(backing: &Backing, change: impl FnOnce(&mut Policy)) -> Kit {
    let open = |policy: &mut Policy| policy.vault.confirm_addresses = false;
    let kit = Kit::builder().store(backing.store());
    kit.policy(open).policy(change).build().await
}

/// Checks that one of two rivals succeeded, and the other one got that refusal.
fn one_won<T, U>(one: Result<T, Error>, other: Result<U, Error>, lost: &Outcome) {
    let outcomes = [outcome(one), outcome(other)];
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert!(outcomes.contains(lost), "{outcomes:?}");
}

async fn of_approval_and_denial_one_counts(backing: Backing) {
    let kit = kit(&backing, |_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (_, identifier) = ann.add_slot(entry, Notify::Approve).await.unwrap();
    let (reference, token) = ann.ask(&kit, &identifier).await;
    let decide = |decision| {
        ann.vaults
            .decide_approval(caller(), token.clone(), decision)
    };
    let (approved, denied) = tokio::join!(
        decide(ApprovalDecision::Approve),
        decide(ApprovalDecision::Deny)
    );
    let granted = approved.is_ok();
    one_won(approved, denied, &UNKNOWN);
    match ann.check(&reference).await {
        Ok(answer) => assert!(granted && answer == Approved::Yes(reading())),
        refused => assert!(!granted && outcome(refused) == UNKNOWN),
    }
}

async fn the_last_place_among_waiting_readers_is_given_once(backing: Backing) {
    let one = |policy: &mut Policy| policy.vault.pending_approvals_per_slot = 1;
    let kit = kit(&backing, one).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (_, identifier) = ann.add_slot(entry, Notify::Approve).await.unwrap();
    let until = kit
        .services
        .now()
        .plus(testkit::kit::policy().vault.approval_life);
    let (one, other) = tokio::join!(ann.read(&identifier), ann.read(&identifier));
    let now = |answer: &Result<SlotAnswer, Error>| matches!(answer, Ok(SlotAnswer::Now(_)));
    assert!(!now(&one) && !now(&other), "nobody reads without asking");
    one_won(one, other, &Outcome::Refused(Refusal::Limited { until }));
    assert_eq!(kit.courier.operations_to(ANN), ["ASKED"]);
}

async fn the_last_room_for_a_slot_is_given_once(backing: Backing) {
    let one = |policy: &mut Policy| {
        for plan in policy.vault.plans.by_name.values_mut() {
            plan.slots_per_entry = 1;
        }
    };
    let kit = kit(&backing, one).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let entry = ann.add_entry().await.unwrap();
    let (slot, request) = tokio::join!(ann.add_slot(entry, Notify::Never), ann.share(entry, BOB));
    one_won(slot, request, &forbidden("slots_per_entry"));
    let used = ann.sees().await;
    // The owner's own slot does not count.
    assert_eq!(used.entries[0].slots.len() + used.requests.len(), 2);
    assert_eq!(bob.sees().await.requests.len(), used.requests.len());
}

async fn an_entry_is_deleted_once(backing: Backing) {
    let kit = kit(&backing, |_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (one, other) = tokio::join!(ann.remove_entry(entry), ann.remove_entry(entry));
    one_won(one, other, &UNKNOWN);
    assert_eq!(ann.sees().await, Vault::default());
}

async fn an_entry_that_is_deleted_while_a_share_is_accepted_is_gone_for_both(backing: Backing) {
    let kit = kit(&backing, |_| {}).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let entry = ann.add_entry().await.unwrap();
    let request = ann.share(entry, BOB).await.unwrap().unwrap();
    let (accepted, deleted) = tokio::join!(bob.accept(request), ann.remove_entry(entry));
    deleted.unwrap();
    let accepted = outcome(accepted);
    assert!(
        accepted == Outcome::Done || accepted == UNKNOWN,
        "{accepted:?}"
    );
    for user in [&ann, &bob] {
        assert_eq!(user.sees().await, Vault::default());
    }
    // No row of the entry that is gone stands in the way of a new one.
    let again = ann.add_entry().await.unwrap();
    let request = ann.share(again, BOB).await.unwrap().unwrap();
    bob.accept(request).await.unwrap();
}

async fn a_receiver_who_accepts_while_leaving_the_server_leaves_no_slot(backing: Backing) {
    let kit = kit(&backing, |_| {}).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let entry = ann.add_entry().await.unwrap();
    let request = ann.share(entry, BOB).await.unwrap().unwrap();
    let (accepting, leaving) = (bob.member().await, bob.member().await);
    let accepted = bob
        .vaults
        .accept_share(caller(), accepting, request, "mine".to_owned());
    let left = bob.vaults.delete_account(caller(), leaving);
    let (accepted, left) = tokio::join!(accepted, left);
    left.unwrap();
    drop(accepted);
    let seen = ann.sees().await;
    assert_eq!((seen.entries[0].slots.len(), seen.requests.len()), (1, 0));
}

async fn two_who_share_with_each_other_both_succeed(backing: Backing) {
    let kit = kit(&backing, |_| {}).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let (of_ann, of_bob) = (
        ann.add_entry().await.unwrap(),
        bob.add_entry().await.unwrap(),
    );
    let (one, other) = tokio::join!(ann.share(of_ann, BOB), bob.share(of_bob, ANN));
    let (to_bob, to_ann) = (one.unwrap().unwrap(), other.unwrap().unwrap());
    let (one, other) = tokio::join!(bob.accept(to_bob), ann.accept(to_ann));
    one.unwrap();
    other.unwrap();
    for user in [&ann, &bob] {
        assert_eq!(user.sees().await.entries.len(), 2);
    }
}

async fn two_who_share_with_each_other_leave_together(backing: Backing) {
    let kit = kit(&backing, |_| {}).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    for (user, other) in [(&ann, &bob), (&bob, &ann)] {
        let entry = user.add_entry().await.unwrap();
        let to = other.name.as_str();
        let request = user.share(entry, to).await.unwrap().unwrap();
        other.accept(request).await.unwrap();
    }
    tokio::join!(ann.delete(), bob.delete());
    for name in [ANN, BOB] {
        let again = User::joins(&kit, name).await;
        assert_eq!(again.sees().await, Vault::default());
    }
}

async fn a_name_is_registered_once(backing: Backing) {
    let kit = kit(&backing, |_| {}).await;
    let (one, other) = (User::of(&kit, ANN, 7), User::of(&kit, ANN, 8));
    let (first, second) = tokio::join!(one.register(), other.register());
    let winner = if first.is_ok() { &one } else { &other };
    one_won(first, second, &Outcome::Refused(Refusal::Conflict));
    winner.login().await.unwrap();
}

async fn a_web_pass_is_taken_once(backing: Backing) {
    let kit = kit(&backing, |_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let member = ann.member().await;
    let pass = ann.vaults.issue_web_pass(caller(), member).await.unwrap();
    let take = || ann.vaults.take_web_pass(caller(), pass.clone());
    let (one, other) = tokio::join!(take(), take());
    one_won(one, other, &UNKNOWN);
}

async fn of_two_new_passwords_one_counts(backing: Backing) {
    let kit = kit(&backing, |_| {}).await;
    let mut ann = User::joins(&kit, ANN).await;
    // Both were let in before either was done.
    let members = (ann.member().await, ann.member().await);
    let edit = |member, password| {
        let (vaults, edit) = (&ann.vaults, Edit::Replace(object(password)));
        vaults.edit_account(caller(), member, edit, &NAMES)
    };
    let (one, other) = tokio::join!(edit(members.0, 8), edit(members.1, 9));
    let (password, lost) = if one.is_ok() { (8, 9) } else { (9, 8) };
    one_won(one, other, &Outcome::Refused(Refusal::Replayed));
    ann.password = lost;
    let wrong = Outcome::Refused(Refusal::BadProof { left: None });
    assert_eq!(outcome(ann.login().await), wrong);
    ann.password = password;
    ann.login().await.unwrap();
}

async fn an_edit_and_a_new_password_are_both_whole(backing: Backing) {
    let kit = kit(&backing, |_| {}).await;
    let mut ann = User::joins(&kit, ANN).await;
    let members = (ann.member().await, ann.member().await);
    let news = Document::parse(r#"{"own":1}"#).unwrap();
    let edit = |member, edit| {
        let vaults = &ann.vaults;
        vaults.edit_account(caller(), member, edit, &NAMES)
    };
    let (merged, replaced) = tokio::join!(
        edit(members.0, Edit::Merge(news)),
        edit(members.1, Edit::Replace(object(8)))
    );
    replaced.unwrap();
    // The merge came first, and was replaced; or it came too late.
    let merged = outcome(merged);
    let late = Outcome::Refused(Refusal::Replayed);
    assert!(merged == Outcome::Done || merged == late, "{merged:?}");
    ann.password = 8;
    assert_eq!(ann.login().await.unwrap().document, object(8));
}
