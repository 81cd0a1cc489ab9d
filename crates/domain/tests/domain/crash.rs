//! The database is away, the disk is full, the process dies: nothing is judged that cannot be recorded,
//! nothing told that is not recorded, and no try comes back.

use std::sync::Arc;

use domain::Refusal;
use domain::port::Store;
use domain::time::days;
use testkit::{Backing, FaultyStore, Kit, KitBuilder};

use crate::model::LOST_AFTER;
use crate::owner::{Outcome, Owner, outcome};

fn impatient(builder: KitBuilder) -> KitBuilder {
    builder.policy(|policy| policy.limits.wait = std::time::Duration::ZERO)
}

async fn faulty(backing: &Backing) -> (Arc<FaultyStore>, Kit) {
    let store = FaultyStore::over(backing.store());
    let builder = Kit::builder().store(Arc::clone(&store) as Arc<dyn Store>);
    (store, impatient(builder).build().await)
}

async fn failed(owner: &Owner) -> u32 {
    let state = owner
        .services
        .guarded_keys
        .key_state(&testkit::kit::operator(&owner.services), owner.key)
        .await
        .unwrap();
    state.failed_guesses
}

testkit::on_every_store!(
    what_cannot_be_recorded_is_not_judged,
    a_verdict_that_cannot_be_recorded_is_not_told,
    ten_deaths_are_ten_tries,
    a_dead_try_is_wrong_even_if_a_right_one_follows,
    a_code_is_spent_with_its_effect_or_not_at_all,
    a_letter_is_queued_with_its_cause_or_not_at_all,
    who_hangs_up_leaves_no_try_open,
);

async fn what_cannot_be_recorded_is_not_judged(backing: Backing) {
    let (store, kit) = faulty(&backing).await;
    let owner = Owner::of(&kit, "1234").await;
    owner.add_verified(&kit, "1234", "a@b.co").await;
    let letters = kit.courier.letters().len();
    store.refuse_writes_after(0);
    for _ in 0..20 {
        assert_eq!(outcome(owner.open("1234").await), Outcome::Unavailable);
        assert_eq!(outcome(owner.open("9999").await), Outcome::Unavailable);
        assert_eq!(
            outcome(owner.change("1234", "5678").await),
            Outcome::Unavailable
        );
        assert_eq!(outcome(owner.start("a@b.co").await), Outcome::Unavailable);
        assert_eq!(
            outcome(owner.add("1234", "b@b.co").await),
            Outcome::Unavailable
        );
    }
    store.take_away();
    assert_eq!(outcome(owner.open("1234").await), Outcome::Unavailable);
    assert_eq!(
        outcome(owner.confirm("a@b.co", "123456").await),
        Outcome::Unavailable
    );
    assert!(kit.services.ready().await.is_err());
    store.give_back();
    assert_eq!(failed(&owner).await, 0);
    assert_eq!(kit.courier.letters().len(), letters);
    assert_eq!(
        outcome(owner.open("1234").await),
        Outcome::Done,
        "it heals by itself"
    );
}

async fn a_verdict_that_cannot_be_recorded_is_not_told(backing: Backing) {
    let (store, kit) = faulty(&backing).await;
    let owner = Owner::of(&kit, "1234").await;
    for (pin, new) in [
        ("1234", None),
        ("1234", Some("5678")),
        ("9999", None),
        ("9999", Some("5678")),
    ] {
        // The reservation is the first write, the settlement the second.
        store.refuse_writes_after(1);
        let told = match new {
            None => outcome(owner.open(pin).await),
            Some(new) => outcome(owner.change(pin, new).await),
        };
        assert_eq!(told, Outcome::Unavailable);
        store.give_back();
    }
    assert_eq!(outcome(owner.open("1234").await), Outcome::Done);
    assert_ne!(outcome(owner.open("5678").await), Outcome::Done);
}

async fn ten_deaths_are_ten_tries(backing: Backing) {
    let (store, kit) = faulty(&backing).await;
    let owner = Owner::of(&kit, "1234").await;
    let first = kit.services.now();
    for _ in 0..10 {
        store.refuse_writes_after(1);
        assert_eq!(outcome(owner.open("9999").await), Outcome::Unavailable);
        store.give_back();
    }
    // While they may still be under way, an eleventh waits, also on another node.
    assert_eq!(outcome(owner.open("1234").await), Outcome::Busy);
    let other = Kit::builder()
        .store(backing.another_node())
        .seed(2)
        .clock(Arc::clone(&kit.clock));
    let other = owner.at(&impatient(other).build().await);
    assert_eq!(outcome(other.open("1234").await), Outcome::Busy);
    kit.clock.advance(LOST_AFTER);
    let exhausted = Outcome::Refused(Refusal::Exhausted {
        until: first.plus(days(7)),
    });
    for owner in [&owner, &other] {
        assert_eq!(outcome(owner.open("1234").await), exhausted);
        assert_eq!(outcome(owner.open("9999").await), exhausted);
    }
    kit.clock.set(first.plus(days(7)));
    assert_eq!(outcome(other.open("1234").await), Outcome::Done);
}

async fn a_dead_try_is_wrong_even_if_a_right_one_follows(backing: Backing) {
    let (store, kit) = faulty(&backing).await;
    let owner = Owner::of(&kit, "1234").await;
    store.refuse_writes_after(1);
    assert_eq!(outcome(owner.open("1234").await), Outcome::Unavailable);
    store.give_back();
    assert_eq!(outcome(owner.open("1234").await), Outcome::Done);
    kit.clock.advance(LOST_AFTER);
    assert_eq!(
        outcome(owner.open("9999").await),
        Outcome::Refused(Refusal::BadProof { left: None })
    );
    assert_eq!(failed(&owner).await, 2);
}

async fn a_code_is_spent_with_its_effect_or_not_at_all(backing: Backing) {
    let (store, kit) = faulty(&backing).await;
    let owner = Owner::of(&kit, "1234").await;
    let contact = "a@b.co";
    owner.add("1234", contact).await.unwrap();
    let code = kit.courier.code_to(contact).unwrap();
    store.refuse_writes_after(0);
    assert_eq!(
        outcome(owner.confirm(contact, &code).await),
        Outcome::Unavailable
    );
    store.give_back();
    assert_eq!(outcome(owner.confirm(contact, &code).await), Outcome::Done);
    owner.start(contact).await.unwrap();
    let code = kit.courier.code_to(contact).unwrap();
    assert!(owner.recover(contact, &code, None).await.is_err());
    kit.clock.advance(days(30));
    owner.start(contact).await.unwrap();
    let code = kit.courier.code_to(contact).unwrap();
    for passed in 0..2 {
        store.refuse_writes_after(passed);
        assert_eq!(
            outcome(owner.recover(contact, &code, Some("5678")).await),
            Outcome::Unavailable
        );
        store.give_back();
        assert_eq!(outcome(owner.open("1234").await), Outcome::Done);
    }
    assert_eq!(
        outcome(owner.recover(contact, &code, Some("5678")).await),
        Outcome::Done
    );
    assert_eq!(outcome(owner.open("5678").await), Outcome::Done);
}

async fn a_letter_is_queued_with_its_cause_or_not_at_all(backing: Backing) {
    let (store, kit) = faulty(&backing).await;
    kit.courier.deliver_by_jobs();
    let owner = Owner::of(&kit, "1234").await;
    for passed in 0..2 {
        store.refuse_writes_after(passed);
        assert_eq!(
            outcome(owner.add("1234", "a@b.co").await),
            Outcome::Unavailable
        );
        store.give_back();
        assert_eq!(kit.services.upkeep.waiting_messages().await.unwrap(), 0);
        let state = kit
            .services
            .guarded_keys
            .key_state(&kit.operator(), owner.key)
            .await
            .unwrap();
        assert!(state.contacts.is_empty());
    }
    owner.add("1234", "a@b.co").await.unwrap();
    assert_eq!(kit.services.upkeep.waiting_messages().await.unwrap(), 1);
}

/// A caller who goes away after the reservation does not leave it to expire as a failure.
async fn who_hangs_up_leaves_no_try_open(backing: Backing) {
    let (store, kit) = faulty(&backing).await;
    let owner = Owner::of(&kit, "1234").await;
    for _ in 0..30 {
        let before = store.committed();
        let caller = owner.clone();
        let call = tokio::spawn(async move { caller.open("1234").await });
        while store.committed() == before && !call.is_finished() {
            tokio::task::yield_now().await;
        }
        call.abort();
        // Both writes come, whoever listens.
        while store.committed() < before + 2 {
            tokio::task::yield_now().await;
        }
    }
    kit.clock.advance(LOST_AFTER);
    assert_eq!(
        outcome(owner.open("9999").await),
        Outcome::Refused(Refusal::BadProof { left: None })
    );
    assert_eq!(failed(&owner).await, 1, "only the wrong one");
}

/// What was answered is on the disk at that moment: a copy of the files is what a sudden death leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_sudden_death() {
    let backing = Backing::file();
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    let content = owner.open("1234").await.unwrap();
    for round in 0..10 {
        let (old, new) = (format!("{}", 1234 + round), format!("{}", 1235 + round));
        for _ in 0..3 {
            assert!(owner.open("wrong").await.is_err());
        }
        let dead = backing.copy();
        let after = owner.at(&Kit::builder()
            .store(dead.store())
            .seed(100 + round)
            .build()
            .await);
        assert_eq!(failed(&after).await, 3);
        owner.change(&old, &new).await.unwrap();
        let dead = backing.copy();
        let after = owner.at(&Kit::builder()
            .store(dead.store())
            .seed(200 + round)
            .build()
            .await);
        assert_eq!(after.open(&new).await.unwrap(), content);
        assert!(after.open(&old).await.is_err());
    }
}
