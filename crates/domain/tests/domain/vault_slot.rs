//! Slots and shares in detail: who may change and close which, and what a removed entry takes with it.

use std::time::Duration;

use domain::policy::Policy;
use domain::time::hours;
use domain::vault::{
    ApprovalDecision, EntryView, LoginName, NewEntry, Notify, Plan, SlotAnswer, SlotEdit,
    SlotNumber, Vault,
};
use domain::{Error, Refusal};
use testkit::Kit;

use crate::owner::{Outcome, caller, outcome};
use crate::vault::{UNKNOWN, User, open_kit, trail};
use crate::vault_entry::{ANN, BOB, edit_value, forbidden, switch};

const SECOND: Duration = Duration::from_secs(1);
const CARL: &str = "carl@example.org";
const FIXED: Outcome = Outcome::Refused(Refusal::WrongState);
const CONFLICT: Outcome = Outcome::Refused(Refusal::Conflict);
const KEPT: SlotEdit = SlotEdit {
    enabled: None,
    notify: None,
    value: None,
};

fn notify(notify: Notify) -> SlotEdit {
    SlotEdit {
        notify: Some(notify),
        ..KEPT
    }
}

/// Adds a plan with the name `Small`, which has what `change` makes of the default plan.
pub(crate) fn small_plan(change: impl FnOnce(&mut Plan)) -> impl FnOnce(&mut Policy) {
    let mut plan = Plan::default();
    change(&mut plan);
    move |policy| {
        let plans = &mut policy.vault.plans.by_name;
        plans.insert("Small".to_owned(), plan);
    }
}

/// Lets an operator give a user the small plan.
pub(crate) async fn gets_small(kit: &Kit, user: &User) {
    let (operator, plan) = (kit.operator(), Some("Small".to_owned()));
    let set = user
        .vaults
        .set_vault_plan(&operator, user.name.clone(), plan);
    set.await.unwrap();
}

/// Ann with an entry, and Bob.
async fn ann_and_bob(kit: &Kit) -> (User, u64, User) {
    let ann = User::joins(kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    (ann, entry, User::joins(kit, BOB).await)
}

impl User {
    async fn edit_slot(
        &self,
        entry: u64,
        slot: SlotNumber,
        edit: SlotEdit,
    ) -> Result<EntryView, Error> {
        let (member, at) = (self.member().await, (entry, slot));
        self.vaults.edit_slot(caller(), member, at, edit).await
    }

    /// Shares an entry with a user who accepts. Returns the number of the slot.
    async fn gives(&self, entry: u64, receiver: &User) -> u64 {
        let name = receiver.name.as_str();
        let request = self.share(entry, name).await.unwrap().unwrap();
        let view = receiver.accept(request).await.unwrap();
        view.slots[0].number.unwrap()
    }

    pub(crate) async fn remove_entry(&self, entry: u64) -> Result<(), Error> {
        let member = self.member().await;
        self.vaults.delete_entry(caller(), member, entry).await
    }
}

async fn count(kit: &Kit, event: &str) -> usize {
    let trail = trail(kit).await;
    trail.iter().filter(|known| *known == event).count()
}

#[tokio::test]
async fn a_changed_slot_keeps_its_identifier() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (slot, identifier) = ann.add_slot(entry, Notify::Never).await.unwrap();
    let edit = SlotEdit {
        value: Some("new".to_owned()),
        ..KEPT
    };
    let edited = ann.edit_slot(entry, SlotNumber::Numbered(slot), edit).await;
    let view = edited.unwrap().slots.pop().unwrap();
    assert_eq!((view.number, view.value.as_str()), (Some(slot), "new"));
    assert_eq!(view.identifier.as_deref(), Some(identifier.as_str()));
    match ann.read(&identifier).await.unwrap() {
        SlotAnswer::Now(reading) => assert_eq!(reading.slot, "new"),
        asked @ SlotAnswer::Asked { .. } => panic!("{asked:?}"),
    }
    assert_eq!(count(&kit, "slot.edit done").await, 1);
}

#[tokio::test]
async fn only_slots_of_outside_readers_are_changed() {
    let kit = open_kit(|_| {}).await;
    let (ann, entry, bob) = ann_and_bob(&kit).await;
    let of_bob = SlotNumber::Numbered(ann.gives(entry, &bob).await);
    let edit = || notify(Notify::OnUse);
    assert_eq!(
        outcome(ann.edit_slot(entry, SlotNumber::Own, edit()).await),
        FIXED
    );
    assert_eq!(outcome(ann.edit_slot(entry, of_bob, edit()).await), FIXED);
    assert_eq!(outcome(bob.edit_slot(entry, of_bob, edit()).await), UNKNOWN);
    let none = SlotNumber::Numbered(1);
    assert_eq!(outcome(ann.edit_slot(entry, none, edit()).await), UNKNOWN);
    let elsewhere = ann.edit_slot(entry + 1, of_bob, edit()).await;
    assert_eq!(outcome(elsewhere), UNKNOWN);
    assert_eq!(count(&kit, "slot.edit done").await, 0);
}

#[tokio::test]
async fn the_owners_own_slot_is_never_closed() {
    let kit = open_kit(|_| {}).await;
    let (ann, entry, bob) = ann_and_bob(&kit).await;
    ann.gives(entry, &bob).await;
    let close = async |user: &User| {
        let (member, own) = (user.member().await, (entry, SlotNumber::Own));
        user.vaults.delete_slot(caller(), member, own).await
    };
    assert_eq!(outcome(close(&ann).await), FIXED);
    assert_eq!(outcome(close(&bob).await), UNKNOWN);
    assert_eq!(ann.sees().await.entries[0].slots.len(), 2);
}

#[tokio::test]
async fn an_owner_closes_slots_of_receivers_and_may_share_again() {
    let kit = open_kit(|_| {}).await;
    let (ann, entry, bob) = ann_and_bob(&kit).await;
    let slot = ann.gives(entry, &bob).await;
    ann.close_slot(entry, slot).await.unwrap();
    assert_eq!(bob.sees().await, Vault::default());
    assert_eq!(outcome(bob.close_slot(entry, slot).await), UNKNOWN);
    assert_eq!(outcome(ann.close_slot(entry, slot).await), UNKNOWN);
    assert_eq!(count(&kit, "slot.delete done").await, 1);
    let again = ann.gives(entry, &bob).await;
    assert!(again > slot, "numbers are not used again");
}

#[tokio::test]
async fn a_receiver_neither_sees_nor_closes_the_slot_of_another() {
    let kit = open_kit(|_| {}).await;
    let (ann, entry, bob) = ann_and_bob(&kit).await;
    let carl = User::joins(&kit, CARL).await;
    let (of_bob, of_carl) = (ann.gives(entry, &bob).await, ann.gives(entry, &carl).await);
    let (outside, _) = ann.add_slot(entry, Notify::Never).await.unwrap();
    for slot in [of_carl, outside] {
        assert_eq!(outcome(bob.close_slot(entry, slot).await), UNKNOWN);
    }
    let seen = bob.sees().await.entries;
    let numbers: Vec<_> = seen[0].slots.iter().map(|slot| slot.number).collect();
    assert_eq!(numbers, [Some(of_bob)]);
    bob.close_slot(entry, of_bob).await.unwrap();
    assert_eq!(carl.sees().await.entries.len(), 1);
}

#[tokio::test]
async fn a_closed_slot_takes_waiting_readers_and_its_identifier_with_it() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (slot, identifier) = ann.add_slot(entry, Notify::Approve).await.unwrap();
    let (approved, token) = ann.ask(&kit, &identifier).await;
    let approve = ApprovalDecision::Approve;
    let decided = ann.vaults.decide_approval(caller(), token, approve).await;
    decided.unwrap();
    let (waiting, token) = ann.ask(&kit, &identifier).await;
    ann.close_slot(entry, slot).await.unwrap();
    assert_eq!(outcome(ann.read(&identifier).await), UNKNOWN);
    for reference in [approved, waiting] {
        assert_eq!(outcome(ann.check(&reference).await), UNKNOWN);
    }
    assert_eq!(outcome(ann.vaults.pending_approval(token).await), UNKNOWN);
    let (_, new) = ann.add_slot(entry, Notify::Never).await.unwrap();
    assert_ne!(new, identifier);
}

#[tokio::test]
async fn a_removed_entry_takes_slots_requests_and_waiting_readers_with_it() {
    let kit = open_kit(|_| {}).await;
    let (ann, entry, bob) = ann_and_bob(&kit).await;
    let carl = User::joins(&kit, CARL).await;
    let slot = ann.gives(entry, &bob).await;
    let request = ann.share(entry, CARL).await.unwrap().unwrap();
    let (_, open) = ann.add_slot(entry, Notify::Never).await.unwrap();
    let (_, asked) = ann.add_slot(entry, Notify::Approve).await.unwrap();
    let (reference, _) = ann.ask(&kit, &asked).await;
    ann.remove_entry(entry).await.unwrap();
    for user in [&ann, &bob, &carl] {
        assert_eq!(user.sees().await, Vault::default());
    }
    assert_eq!(outcome(bob.close_slot(entry, slot).await), UNKNOWN);
    assert_eq!(outcome(carl.accept(request).await), UNKNOWN);
    assert_eq!(outcome(ann.end(request).await), UNKNOWN);
    for identifier in [open, asked] {
        assert_eq!(outcome(ann.read(&identifier).await), UNKNOWN);
    }
    assert_eq!(outcome(ann.check(&reference).await), UNKNOWN);
    assert_eq!(outcome(ann.remove_entry(entry).await), UNKNOWN);
    let next = ann.add_entry().await.unwrap();
    assert!(next > entry, "numbers are not used again");
}

#[tokio::test]
async fn a_receiver_answers_no_request_for_a_disabled_entry() {
    let kit = open_kit(|_| {}).await;
    let (ann, entry, bob) = ann_and_bob(&kit).await;
    let request = ann.share(entry, BOB).await.unwrap().unwrap();
    ann.edit_entry(entry, switch(false)).await.unwrap();
    assert_eq!(bob.sees().await, Vault::default());
    assert_eq!(outcome(bob.accept(request).await), UNKNOWN);
    assert_eq!(outcome(bob.end(request).await), UNKNOWN);
    ann.edit_entry(entry, switch(true)).await.unwrap();
    assert_eq!(bob.sees().await.requests.len(), 1);
    ann.edit_entry(entry, switch(false)).await.unwrap();
    ann.end(request).await.unwrap();
    assert_eq!(ann.sees().await.requests, []);
    assert_eq!(count(&kit, "share.cancel done").await, 1);
}

#[tokio::test]
async fn a_request_is_nothing_to_a_third_person() {
    let kit = open_kit(|_| {}).await;
    let (ann, entry, bob) = ann_and_bob(&kit).await;
    let carl = User::joins(&kit, CARL).await;
    let request = ann.share(entry, BOB).await.unwrap().unwrap();
    assert_eq!(carl.sees().await, Vault::default());
    assert_eq!(outcome(carl.accept(request).await), UNKNOWN);
    assert_eq!(outcome(carl.end(request).await), UNKNOWN);
    bob.accept(request).await.unwrap();
}

#[tokio::test]
async fn of_two_acceptances_at_once_one_gets_the_slot() {
    let kit = open_kit(|_| {}).await;
    let (ann, entry, bob) = ann_and_bob(&kit).await;
    let request = ann.share(entry, BOB).await.unwrap().unwrap();
    let (one, other) = tokio::join!(bob.accept(request), bob.accept(request));
    let outcomes = [outcome(one), outcome(other)];
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert!(outcomes.contains(&UNKNOWN), "{outcomes:?}");
    assert_eq!(ann.sees().await.entries[0].slots.len(), 2);
}

#[tokio::test]
async fn of_two_requests_at_once_to_one_receiver_one_is_open() {
    let kit = open_kit(|_| {}).await;
    let (ann, entry, bob) = ann_and_bob(&kit).await;
    let (one, other) = tokio::join!(ann.share(entry, BOB), ann.share(entry, BOB));
    let outcomes = [outcome(one), outcome(other)];
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert!(outcomes.contains(&CONFLICT), "{outcomes:?}");
    assert_eq!(bob.sees().await.requests.len(), 1);
}

#[tokio::test]
async fn open_requests_and_slots_take_from_the_same_room() {
    let kit = open_kit(small_plan(|plan| plan.slots_per_entry = 1)).await;
    let (ann, entry, bob) = ann_and_bob(&kit).await;
    gets_small(&kit, &ann).await;
    let request = ann.share(entry, BOB).await.unwrap().unwrap();
    let full = forbidden("slots_per_entry");
    assert_eq!(outcome(ann.add_slot(entry, Notify::Never).await), full);
    // The request held the room for the slot that it becomes.
    bob.accept(request).await.unwrap();
    assert_eq!(outcome(ann.add_slot(entry, Notify::Never).await), full);
    assert_eq!(outcome(ann.share(entry, BOB).await), CONFLICT);
    let slot = bob.sees().await.entries[0].slots[0].number.unwrap();
    bob.close_slot(entry, slot).await.unwrap();
    ann.add_slot(entry, Notify::Never).await.unwrap();
    assert_eq!(outcome(ann.share(entry, BOB).await), full);
}

#[tokio::test]
async fn slots_keep_a_feature_that_the_plan_has_lost() {
    let lost = small_plan(|plan| {
        plan.notify_on_use = false;
        plan.approve_use = false;
    });
    let kit = open_kit(lost).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (slot, identifier) = ann.add_slot(entry, Notify::OnUse).await.unwrap();
    gets_small(&kit, &ann).await;
    let edit = async |edit| {
        let slot = SlotNumber::Numbered(slot);
        outcome(ann.edit_slot(entry, slot, edit).await)
    };
    assert_eq!(edit(notify(Notify::OnUse)).await, Outcome::Done);
    ann.read(&identifier).await.unwrap();
    assert_eq!(kit.courier.operations_to(ANN), ["USED"]);
    assert_eq!(
        edit(notify(Notify::Approve)).await,
        forbidden("approve_use")
    );
    assert_eq!(edit(notify(Notify::Never)).await, Outcome::Done);
    assert_eq!(
        edit(notify(Notify::OnUse)).await,
        forbidden("notify_on_use")
    );
}

#[tokio::test]
async fn what_is_above_a_smaller_plan_is_read_shrunk_and_removed() {
    let small = small_plan(|plan| {
        plan.entries = 1;
        plan.entry_bytes = 4;
        plan.sharing = false;
    });
    let kit = open_kit(small).await;
    let (ann, first, bob) = ann_and_bob(&kit).await;
    let second = ann.add_entry().await.unwrap();
    ann.gives(first, &bob).await;
    let request = ann.share(second, BOB).await.unwrap().unwrap();
    gets_small(&kit, &ann).await;
    assert_eq!(ann.sees().await.entries.len(), 2);
    assert_eq!(bob.sees().await.entries.len(), 1);
    bob.accept(request).await.unwrap();
    ann.edit_entry(first, edit_value("VALUE")).await.unwrap();
    ann.edit_entry(first, edit_value("")).await.unwrap();
    let grown = ann.edit_entry(first, edit_value("v")).await;
    assert_eq!(outcome(grown), forbidden("entry_bytes"));
    ann.remove_entry(second).await.unwrap();
    let tiny = || NewEntry {
        slot: "own".to_owned(),
        meta: String::new(),
        value: "v".to_owned(),
    };
    let add = async || {
        let member = ann.member().await;
        ann.vaults.create_entry(caller(), member, tiny()).await
    };
    assert_eq!(outcome(add().await), forbidden("entries"));
    ann.remove_entry(first).await.unwrap();
    add().await.unwrap();
}

#[tokio::test]
async fn a_call_that_acts_after_the_removal_of_its_account_creates_nothing() {
    let kit = open_kit(|_| {}).await;
    let (ann, entry, bob) = ann_and_bob(&kit).await;
    let request = ann.share(entry, BOB).await.unwrap().unwrap();
    let (late_ann, late_bob) = (ann.member().await, bob.member().await);
    bob.delete().await;
    let accepted = bob
        .vaults
        .accept_share(caller(), late_bob, request, "mine".to_owned())
        .await;
    assert_ne!(outcome(accepted), Outcome::Done);
    ann.delete().await;
    let expired = Outcome::Refused(Refusal::Expired);
    let texts = crate::vault_entry::texts();
    let created = ann.vaults.create_entry(caller(), late_ann.clone(), texts);
    assert_eq!(outcome(created.await), expired);
    let carl = User::joins(&kit, CARL).await;
    let to = (LoginName::parse(CARL).unwrap(), "wrapped".to_owned());
    let shared = ann
        .vaults
        .request_share(caller(), late_ann.clone(), entry, to);
    assert_eq!(outcome(shared.await), expired);
    let edited = ann
        .vaults
        .edit_entry(caller(), late_ann, entry, edit_value("new"));
    assert_eq!(outcome(edited.await), UNKNOWN);
    assert_eq!(carl.sees().await, Vault::default());
}

#[tokio::test]
async fn a_clock_that_was_put_back_hinders_no_new_slots() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let now = kit.services.now();
    kit.clock.advance(hours(1).checked_sub(SECOND).unwrap());
    let mut numbers = vec![ann.add_entry().await.unwrap()];
    kit.clock.set(now);
    for _ in 0..5 {
        numbers.push(ann.add_entry().await.unwrap());
    }
    let follow = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    assert!(follow, "each number is the next one: {numbers:?}");
    // The number after the one of an entry is that of the next entry.
    for entry in numbers.clone() {
        let (slot, _) = ann.add_slot(entry, Notify::Never).await.unwrap();
        assert!(slot > entry);
        numbers.push(slot);
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 12, "each number is used once");
}
