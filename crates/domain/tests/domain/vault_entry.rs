//! Entries of a vault: who may read and change them, and what their owners are told and asked.

use std::time::Duration;

use domain::time::hours;
use domain::vault::{
    ApprovalDecision, Approved, EntryEdit, EntryView, LoginName, MessageTemplate, NewEntry, Notify,
    Reading, ShareFault, SlotAnswer, SlotEdit, SlotNumber,
};
use domain::{Error, Refusal};
use testkit::Kit;

use crate::owner::{Outcome, caller, outcome};
use crate::vault::{UNKNOWN, User, open_kit, trail};

pub(crate) const ANN: &str = "ann@example.org";
pub(crate) const BOB: &str = "bob@example.org";
pub(crate) const USED: MessageTemplate = MessageTemplate {
    operation: "USED",
    page: "",
};
pub(crate) const ASKED: MessageTemplate = MessageTemplate {
    operation: "ASKED",
    page: "/approve/",
};

pub(crate) const fn forbidden(need: &'static str) -> Outcome {
    Outcome::Refused(Refusal::Forbidden { need })
}

pub(crate) fn texts() -> NewEntry {
    NewEntry {
        slot: "own".to_owned(),
        meta: "meta".to_owned(),
        value: "value".to_owned(),
    }
}

pub(crate) fn edit_value(value: &str) -> EntryEdit {
    EntryEdit {
        enabled: None,
        meta: None,
        value: Some(value.to_owned()),
    }
}

pub(crate) fn switch(enabled: bool) -> EntryEdit {
    EntryEdit {
        enabled: Some(enabled),
        meta: None,
        value: None,
    }
}

impl User {
    pub(crate) async fn add_entry(&self) -> Result<u64, Error> {
        let member = self.member().await;
        let created = self.vaults.create_entry(caller(), member, texts()).await;
        created.map(|entry| entry.number)
    }

    pub(crate) async fn edit_entry(&self, entry: u64, edit: EntryEdit) -> Result<EntryView, Error> {
        let member = self.member().await;
        self.vaults.edit_entry(caller(), member, entry, edit).await
    }

    /// Adds a slot for an outside reader. Returns its number and its identifier.
    pub(crate) async fn add_slot(
        &self,
        entry: u64,
        notify: Notify,
    ) -> Result<(u64, String), Error> {
        let (member, slot) = (self.member().await, ("text".to_owned(), notify));
        let view = self.vaults.create_slot(caller(), member, entry, slot);
        let slot = view.await?.slots.pop().unwrap();
        Ok((slot.number.unwrap(), slot.identifier.unwrap()))
    }

    pub(crate) async fn close_slot(&self, entry: u64, slot: u64) -> Result<(), Error> {
        let (member, slot) = (self.member().await, SlotNumber::Numbered(slot));
        self.vaults
            .delete_slot(caller(), member, (entry, slot))
            .await
    }

    pub(crate) async fn read(&self, identifier: &str) -> Result<SlotAnswer, Error> {
        let identifier = identifier.to_owned();
        self.vaults
            .read_slot(caller(), identifier, (&USED, &ASKED))
            .await
    }

    /// Asks the owner of a slot. Returns the reader's reference and the token in the owner's link.
    pub(crate) async fn ask(&self, kit: &Kit, identifier: &str) -> (String, String) {
        match self.read(identifier).await.unwrap() {
            SlotAnswer::Asked { reference, .. } => {
                let link = kit.courier.link_to(ANN).unwrap();
                (reference, link.rsplit('/').next().unwrap().to_owned())
            }
            SlotAnswer::Now(reading) => panic!("nobody was asked: {reading:?}"),
        }
    }

    pub(crate) async fn check(&self, reference: &str) -> Result<Approved, Error> {
        self.vaults.check_approval(reference.to_owned()).await
    }

    /// Offers an entry. Returns the number of the request.
    pub(crate) async fn share(
        &self,
        entry: u64,
        with: &str,
    ) -> Result<Result<u64, ShareFault>, Error> {
        let to = (LoginName::parse(with).unwrap(), "wrapped".to_owned());
        let member = self.member().await;
        let shared = self.vaults.request_share(caller(), member, entry, to).await;
        shared.map(|shared| shared.map(|request| request.number))
    }

    pub(crate) async fn accept(&self, request: u64) -> Result<EntryView, Error> {
        let (member, slot) = (self.member().await, "mine".to_owned());
        self.vaults
            .accept_share(caller(), member, request, slot)
            .await
    }

    pub(crate) async fn end(&self, request: u64) -> Result<(), Error> {
        let member = self.member().await;
        self.vaults.end_share(caller(), member, request).await
    }

    pub(crate) async fn sees(&self) -> domain::vault::Vault {
        self.vaults.list_vault(self.member().await).await.unwrap()
    }
}

pub(crate) fn reading() -> Reading {
    Reading {
        slot: "text".to_owned(),
        meta: "meta".to_owned(),
        value: "value".to_owned(),
    }
}

#[tokio::test]
async fn an_owner_adds_changes_and_removes_entries() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let (first, second) = (
        ann.add_entry().await.unwrap(),
        ann.add_entry().await.unwrap(),
    );
    assert!(first < second);
    let edited = ann.edit_entry(first, edit_value("new")).await.unwrap();
    assert_eq!(
        (edited.meta.as_str(), edited.value.as_str()),
        ("meta", "new")
    );
    assert_eq!(ann.sees().await.entries.len(), 2);
    let member = ann.member().await;
    let removed = ann.vaults.delete_entry(caller(), member, first).await;
    removed.unwrap();
    let left: Vec<u64> = ann
        .sees()
        .await
        .entries
        .iter()
        .map(|one| one.number)
        .collect();
    assert_eq!(left, [second]);
    let trail = trail(&kit).await;
    for action in ["entry.create done", "entry.edit done", "entry.delete done"] {
        assert!(trail.contains(&action.to_owned()), "{action}");
    }
}

#[tokio::test]
async fn entries_of_others_are_unknown() {
    let kit = open_kit(|_| {}).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let entry = ann.add_entry().await.unwrap();
    let (slot, _) = ann.add_slot(entry, Notify::Never).await.unwrap();
    let edited = bob.edit_entry(entry, edit_value("new")).await;
    assert_eq!(outcome(edited), UNKNOWN);
    assert_eq!(outcome(bob.add_slot(entry, Notify::Never).await), UNKNOWN);
    assert_eq!(outcome(bob.close_slot(entry, slot).await), UNKNOWN);
    let shared = bob.share(entry, ANN).await.unwrap();
    assert_eq!(shared, Err(ShareFault::UnknownEntry));
    let deleted = bob.vaults.delete_entry(caller(), bob.member().await, entry);
    assert_eq!(outcome(deleted.await), UNKNOWN);
    assert_eq!(bob.sees().await, domain::vault::Vault::default());
    assert_eq!(ann.sees().await.entries[0].value, "value");
}

#[tokio::test]
async fn a_plan_limits_entries_bytes_slots_and_features() {
    let kit = open_kit(|policy| {
        for plan in policy.vault.plans.by_name.values_mut() {
            plan.entries = 1;
            plan.entry_bytes = "metavalue".len();
            plan.slots_per_entry = 1;
            plan.approve_use = false;
            plan.sharing = false;
        }
    })
    .await;
    let (ann, _bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let entry = ann.add_entry().await.unwrap();
    assert_eq!(outcome(ann.add_entry().await), forbidden("entries"));
    let larger = ann.edit_entry(entry, edit_value("value1")).await;
    assert_eq!(outcome(larger), forbidden("entry_bytes"));
    let asking = ann.add_slot(entry, Notify::Approve).await;
    assert_eq!(outcome(asking), forbidden("approve_use"));
    let shared = ann.share(entry, BOB).await;
    assert_eq!(outcome(shared), forbidden("sharing"));
    let found = ann
        .vaults
        .find_receiver(ann.member().await, LoginName::parse(BOB).unwrap());
    assert_eq!(outcome(found.await), forbidden("sharing"));
    ann.add_slot(entry, Notify::OnUse).await.unwrap();
    let second = ann.add_slot(entry, Notify::Never).await;
    assert_eq!(outcome(second), forbidden("slots_per_entry"));
}

#[tokio::test]
async fn of_two_entries_at_once_a_plan_with_room_for_one_takes_one() {
    let kit = open_kit(|policy| {
        for plan in policy.vault.plans.by_name.values_mut() {
            plan.entries = 1;
        }
    })
    .await;
    let ann = User::joins(&kit, ANN).await;
    let (one, other) = tokio::join!(ann.add_entry(), ann.add_entry());
    let outcomes = [outcome(one), outcome(other)];
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert!(outcomes.contains(&forbidden("entries")), "{outcomes:?}");
    assert_eq!(ann.sees().await.entries.len(), 1);
}

#[tokio::test]
async fn an_outside_reader_needs_the_identifier_of_an_open_slot() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (slot, identifier) = ann.add_slot(entry, Notify::Never).await.unwrap();
    let open = ann.read(&identifier).await.unwrap();
    assert_eq!(open, SlotAnswer::Now(reading()));
    for other in ["", "no identifier", &"0".repeat(32)] {
        assert_eq!(outcome(ann.read(other).await), UNKNOWN, "{other}");
    }
    ann.edit_entry(entry, switch(false)).await.unwrap();
    assert_eq!(outcome(ann.read(&identifier).await), UNKNOWN);
    ann.edit_entry(entry, switch(true)).await.unwrap();
    let off = SlotEdit {
        enabled: Some(false),
        notify: None,
        value: None,
    };
    let (member, at) = (ann.member().await, (entry, SlotNumber::Numbered(slot)));
    let edited = ann.vaults.edit_slot(caller(), member, at, off).await;
    assert!(!edited.unwrap().slots[1].enabled);
    assert_eq!(outcome(ann.read(&identifier).await), UNKNOWN);
    ann.close_slot(entry, slot).await.unwrap();
    assert_eq!(outcome(ann.read(&identifier).await), UNKNOWN);
    assert!(kit.courier.letters().is_empty(), "nobody is told");
}

#[tokio::test]
async fn an_owner_who_wants_it_is_told_of_each_use_within_the_limit() {
    let kit = open_kit(|policy| policy.vault.notices_per_slot.count = 2).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (_, identifier) = ann.add_slot(entry, Notify::OnUse).await.unwrap();
    for _ in 0..5 {
        let open = ann.read(&identifier).await.unwrap();
        assert_eq!(open, SlotAnswer::Now(reading()));
    }
    assert_eq!(kit.courier.operations_to(ANN), ["USED", "USED"]);
    kit.clock.advance(hours(1));
    ann.read(&identifier).await.unwrap();
    let messages = kit.courier.letters_to(ANN);
    let untold = &messages.last().unwrap().message.facts["untold"];
    assert_eq!((messages.len(), untold.as_str()), (3, "3"));
    let read = "slot.read done".to_owned();
    let trail = trail(&kit).await;
    assert_eq!(trail.iter().filter(|event| **event == read).count(), 6);
}

#[tokio::test]
async fn a_reader_waits_until_the_owner_approves() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (slot, identifier) = ann.add_slot(entry, Notify::Approve).await.unwrap();
    let (reference, token) = ann.ask(&kit, &identifier).await;
    assert_eq!(kit.courier.operations_to(ANN), ["ASKED"]);
    assert_eq!(ann.check(&reference).await.unwrap(), Approved::NotYet);
    let question = ann.vaults.pending_approval(token.clone()).await.unwrap();
    assert_eq!((question.entry, question.slot), (entry, slot));
    assert_eq!(question.network, "127.0.0.1");
    let decide = |decision| {
        ann.vaults
            .decide_approval(caller(), token.clone(), decision)
    };
    let decided = decide(ApprovalDecision::Approve).await.unwrap();
    assert_eq!(decided, question);
    // The decision is final, and the link is used up.
    assert_eq!(outcome(decide(ApprovalDecision::Deny).await), UNKNOWN);
    let shown = ann.vaults.pending_approval(token.clone()).await;
    assert_eq!(outcome(shown), UNKNOWN);
    for _ in 0..2 {
        let approved = ann.check(&reference).await.unwrap();
        assert_eq!(approved, Approved::Yes(reading()));
    }
    kit.clock.advance(Duration::from_secs(600));
    assert_eq!(outcome(ann.check(&reference).await), UNKNOWN);
    let trail = trail(&kit).await;
    for action in ["slot.ask done", "slot.approve done"] {
        assert!(trail.contains(&action.to_owned()), "{action}");
    }
}

#[tokio::test]
async fn a_denied_reader_learns_nothing() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (_, identifier) = ann.add_slot(entry, Notify::Approve).await.unwrap();
    let (reference, token) = ann.ask(&kit, &identifier).await;
    let deny = ApprovalDecision::Deny;
    let denied = ann.vaults.decide_approval(caller(), token, deny).await;
    denied.unwrap();
    assert_eq!(outcome(ann.check(&reference).await), UNKNOWN);
    assert_eq!(outcome(ann.check("no reference").await), UNKNOWN);
    assert!(trail(&kit).await.contains(&"slot.deny done".to_owned()));
}

#[tokio::test]
async fn a_decision_comes_too_late_for_a_closed_slot_and_after_its_time() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let approve = ApprovalDecision::Approve;
    let (slot, identifier) = ann.add_slot(entry, Notify::Approve).await.unwrap();
    let (reference, token) = ann.ask(&kit, &identifier).await;
    ann.close_slot(entry, slot).await.unwrap();
    let late = ann.vaults.decide_approval(caller(), token, approve).await;
    assert_eq!(outcome(late), UNKNOWN);
    assert_eq!(outcome(ann.check(&reference).await), UNKNOWN);
    let (_, identifier) = ann.add_slot(entry, Notify::Approve).await.unwrap();
    let (_, token) = ann.ask(&kit, &identifier).await;
    kit.clock.advance(Duration::from_secs(600));
    let shown = ann.vaults.pending_approval(token.clone()).await;
    assert_eq!(outcome(shown), UNKNOWN);
    let late = ann.vaults.decide_approval(caller(), token, approve).await;
    assert_eq!(outcome(late), UNKNOWN);
}

#[tokio::test]
async fn only_so_many_readers_wait_for_one_owner() {
    let kit = open_kit(|policy| policy.vault.pending_approvals_per_slot = 2).await;
    let ann = User::joins(&kit, ANN).await;
    let entry = ann.add_entry().await.unwrap();
    let (_, identifier) = ann.add_slot(entry, Notify::Approve).await.unwrap();
    let until = kit.services.now().plus(Duration::from_secs(600));
    let (_, token) = ann.ask(&kit, &identifier).await;
    ann.ask(&kit, &identifier).await;
    let limited = Outcome::Refused(Refusal::Limited { until });
    assert_eq!(outcome(ann.read(&identifier).await), limited);
    assert_eq!(kit.courier.letters_to(ANN).len(), 2);
    let deny = ApprovalDecision::Deny;
    let denied = ann.vaults.decide_approval(caller(), token, deny).await;
    denied.unwrap();
    ann.ask(&kit, &identifier).await;
}

#[tokio::test]
async fn a_share_becomes_a_slot_of_its_receiver() {
    let kit = open_kit(|_| {}).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let entry = ann.add_entry().await.unwrap();
    let name = LoginName::parse("BOB@example.org").unwrap();
    let key = ann.vaults.find_receiver(ann.member().await, name).await;
    assert_eq!(key.unwrap(), "a key");
    let request = ann.share(entry, BOB).await.unwrap().unwrap();
    // New to its receiver until a list has shown it once.
    let first = bob.sees().await.requests;
    assert_eq!(
        (first.len(), first[0].number, first[0].seen),
        (1, request, false)
    );
    assert_eq!(first[0].from.as_ref().unwrap().name, ANN);
    assert!(bob.sees().await.requests[0].seen);
    assert!(ann.sees().await.requests[0].seen);
    assert_eq!(outcome(ann.accept(request).await), UNKNOWN);
    let accepted = bob.accept(request).await.unwrap();
    assert_eq!(accepted.from.as_deref(), Some(ANN));
    assert_eq!(accepted.slots.len(), 1);
    let slot = accepted.slots[0].number.unwrap();
    assert_eq!(bob.sees().await.entries, [accepted]);
    assert_eq!(
        ann.sees().await.entries[0].slots[1].with.as_deref(),
        Some(BOB)
    );
    ann.edit_entry(entry, switch(false)).await.unwrap();
    assert_eq!(bob.sees().await.entries, [], "disabled by its owner");
    assert_eq!(outcome(bob.close_slot(entry, slot).await), UNKNOWN);
    ann.edit_entry(entry, switch(true)).await.unwrap();
    bob.close_slot(entry, slot).await.unwrap();
    assert_eq!(ann.sees().await.entries[0].slots.len(), 1);
    let trail = trail(&kit).await;
    for action in ["share.request done", "share.accept done", "slot.leave done"] {
        assert!(trail.contains(&action.to_owned()), "{action}");
    }
}

#[tokio::test]
async fn a_share_that_makes_no_sense_is_refused() {
    let kit = open_kit(|_| {}).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let entry = ann.add_entry().await.unwrap();
    let nobody = ann.share(entry, "nobody@example.org").await.unwrap();
    assert_eq!(nobody, Err(ShareFault::UnknownReceiver));
    let nothing = ann.share(entry + 1, BOB).await.unwrap();
    assert_eq!(nothing, Err(ShareFault::UnknownEntry));
    let own = Outcome::Refused(Refusal::Invalid {
        field: "email",
        why: "is your own",
    });
    assert_eq!(outcome(ann.share(entry, ANN).await), own);
    let request = ann.share(entry, BOB).await.unwrap().unwrap();
    let again = Outcome::Refused(Refusal::Conflict);
    assert_eq!(outcome(ann.share(entry, BOB).await), again);
    bob.accept(request).await.unwrap();
    assert_eq!(outcome(ann.share(entry, BOB).await), again);
    assert_eq!(outcome(bob.accept(request).await), UNKNOWN);
    assert_eq!(outcome(bob.end(request).await), UNKNOWN);
}

#[tokio::test]
async fn of_accept_and_cancel_at_once_one_succeeds() {
    let kit = open_kit(|_| {}).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let entry = ann.add_entry().await.unwrap();
    let request = ann.share(entry, BOB).await.unwrap().unwrap();
    let (accepted, cancelled) = tokio::join!(bob.accept(request), ann.end(request));
    let outcomes = [outcome(accepted), outcome(cancelled)];
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert!(outcomes.contains(&UNKNOWN), "{outcomes:?}");
    assert_eq!(ann.sees().await.requests, []);
}

#[tokio::test]
async fn a_rejected_share_can_be_offered_again() {
    let kit = open_kit(|_| {}).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let entry = ann.add_entry().await.unwrap();
    let request = ann.share(entry, BOB).await.unwrap().unwrap();
    bob.end(request).await.unwrap();
    assert_eq!(bob.sees().await, domain::vault::Vault::default());
    assert!(trail(&kit).await.contains(&"share.reject done".to_owned()));
    ann.share(entry, BOB).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_removed_account_leaves_nothing_at_others() {
    let kit = open_kit(|_| {}).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let (of_ann, of_bob) = (
        ann.add_entry().await.unwrap(),
        bob.add_entry().await.unwrap(),
    );
    let accepted = ann.share(of_ann, BOB).await.unwrap().unwrap();
    bob.accept(accepted).await.unwrap();
    let second = ann.add_entry().await.unwrap();
    ann.share(second, BOB).await.unwrap().unwrap();
    bob.share(of_bob, ANN).await.unwrap().unwrap();
    bob.delete().await;
    let left = ann.sees().await;
    assert_eq!((left.entries.len(), left.requests.len()), (2, 0));
    assert!(left.entries.iter().all(|entry| entry.slots.len() == 1));
    let gone = ann.share(of_ann, BOB).await.unwrap();
    assert_eq!(gone, Err(ShareFault::UnknownReceiver));
}
