//! Letters: in order, again and again, never lost, and given up only with a trace.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::port::courier::Delivery;
use domain::time::days;
use testkit::{Backing, Kit};

use crate::owner::Owner;

testkit::on_every_store!(
    letters_to_one_address_keep_their_order,
    a_letter_that_rests_holds_up_nobody_else,
    later_is_tried_again_ever_more_slowly,
    the_letters_of_a_killed_dispatcher_come_back,
    two_dispatchers_send_each_letter_once,
    a_code_is_given_up_when_it_is_over_and_a_notice_after_two_weeks,
    a_code_that_is_over_is_not_sent_any_more,
    a_refused_letter_is_given_up_at_once,
    many_letters_behind_one_that_rests_all_leave,
);

const MAIL: &str = "a@b.co";
const PHONE: &str = "+4917512345678";

/// A key with two verified contacts; from now on letters wait for the jobs.
async fn ready(backing: &Backing) -> (Kit, Owner) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    for contact in [MAIL, PHONE] {
        owner.add_verified(&kit, "1234", contact).await;
    }
    kit.courier.deliver_by_jobs();
    kit.courier.forget();
    (kit, owner)
}

fn later() -> Delivery {
    Delivery::Later("the provider is away".to_owned())
}

fn tried(kit: &Kit, address: &str) -> Vec<String> {
    let tries = kit.courier.tries().into_iter();
    let to = tries.filter(|(letter, _)| letter.message.to == address);
    to.map(|(letter, _)| letter.message.operation).collect()
}

/// The outcomes in the audit trail of letters about `operation`, newest first.
async fn audited(kit: &Kit, operation: &str) -> Vec<String> {
    let events = kit
        .services
        .operators
        .audit_events(&kit.operator(), None, 10_000)
        .await
        .unwrap()
        .into_iter();
    let sent = events.filter(|event| event.action == "message.sent");
    let about = sent.filter(|event| {
        event
            .facts
            .get("operation")
            .is_some_and(|is| is == operation)
    });
    about.map(|event| event.outcome).collect()
}

async fn letters_to_one_address_keep_their_order(backing: Backing) {
    let (kit, owner) = ready(&backing).await;
    kit.courier.answer(later());
    owner.change("1234", "5678").await.unwrap();
    kit.run_jobs().await;
    owner.start(MAIL).await.unwrap();
    owner.remove("5678", PHONE).await.unwrap();
    kit.run_jobs().await;
    owner.add("5678", PHONE).await.unwrap();
    owner.change("5678", "1234").await.unwrap();
    let order = ["pin_changed", "reset_pin", "contact_removed", "pin_changed"];
    for _ in 0..5 {
        kit.clock.advance(Duration::from_secs(40));
        kit.run_jobs().await;
        assert!(
            tried(&kit, MAIL).iter().all(|what| what == "pin_changed"),
            "nothing overtakes the first"
        );
    }
    kit.courier.answer(Delivery::Accepted);
    kit.clock.advance(Duration::from_mins(5));
    kit.run_jobs().await;
    assert_eq!(kit.courier.operations_to(MAIL), order);
    assert_eq!(kit.services.upkeep.waiting_messages().await.unwrap(), 0);
}

async fn a_letter_that_rests_holds_up_nobody_else(backing: Backing) {
    let (kit, owner) = ready(&backing).await;
    kit.courier.answer_by(|letter| {
        if letter.message.to == MAIL {
            later()
        } else {
            Delivery::Accepted
        }
    });
    for (old, new) in [("1234", "5678"), ("5678", "1234"), ("1234", "5678")] {
        owner.change(old, new).await.unwrap();
        kit.run_jobs().await;
    }
    assert_eq!(kit.courier.operations_to(PHONE), ["pin_changed"; 3]);
    assert_eq!(kit.courier.operations_to(MAIL), [""; 0]);
    assert_eq!(kit.services.upkeep.waiting_messages().await.unwrap(), 3);
}

async fn later_is_tried_again_ever_more_slowly(backing: Backing) {
    let (kit, owner) = ready(&backing).await;
    kit.courier.answer(later());
    let begin = kit.services.now();
    owner.start(MAIL).await.unwrap();
    let mut moments = Vec::new();
    for second in 0..1300 {
        kit.clock.set(begin.plus(Duration::from_secs(second)));
        // Jobs look as often as they like: a letter that rests is left alone.
        if kit.services.upkeep.deliver().await.unwrap() == 0
            && kit.courier.tries().len() > moments.len()
        {
            moments.push(second);
        }
    }
    assert_eq!(moments, [0, 2, 6, 14, 30, 62, 126, 254, 510, 810, 1110]);
    kit.courier.answer(Delivery::Accepted);
    kit.clock.set(begin.plus(Duration::from_secs(1410)));
    kit.run_jobs().await;
    let tries = kit.courier.tries();
    assert_eq!(tries.len(), 12);
    let ids: BTreeSet<_> = tries.iter().map(|(letter, _)| letter.id.clone()).collect();
    assert_eq!(ids.len(), 1, "one id over all tries");
    assert!(tries.iter().all(|(letter, _)| letter.at == begin));
    assert_eq!(audited(&kit, "reset_pin").await, ["accepted"]);
}

async fn the_letters_of_a_killed_dispatcher_come_back(backing: Backing) {
    let (kit, owner) = ready(&backing).await;
    owner.start(MAIL).await.unwrap();
    kit.courier.hang();
    let services = kit.services.clone();
    let dispatcher = tokio::spawn(async move { services.upkeep.deliver().await });
    // The letter is with the provider once it is claimed: its row is due later than now.
    while kit.courier.hanging() == 0 {
        tokio::task::yield_now().await;
    }
    dispatcher.abort();
    assert!(dispatcher.await.is_err());
    kit.courier.answer_again();
    let other = Kit::builder().store(backing.another_node()).seed(2);
    let other = other
        .clock(Arc::clone(&kit.clock))
        .courier(Arc::clone(&kit.courier))
        .build()
        .await;
    kit.clock.advance(Duration::from_millis(119_999));
    other.run_jobs().await;
    assert_eq!(
        kit.courier.letters().len(),
        0,
        "it is still the killed one's"
    );
    kit.clock.advance(Duration::from_millis(1));
    other.run_jobs().await;
    assert_eq!(kit.courier.operations_to(MAIL), ["reset_pin"]);
    other.run_jobs().await;
    assert_eq!(kit.courier.letters().len(), 1);
}

async fn two_dispatchers_send_each_letter_once(backing: Backing) {
    let (kit, owner) = ready(&backing).await;
    let other = Kit::builder().store(backing.another_node()).seed(2);
    let other = other
        .clock(Arc::clone(&kit.clock))
        .courier(Arc::clone(&kit.courier))
        .build()
        .await;
    for round in 0..8 {
        owner
            .add("1234", &format!("user{round}@b.co"))
            .await
            .unwrap();
        owner.change("1234", "1234").await.unwrap();
    }
    assert_eq!(kit.services.upkeep.waiting_messages().await.unwrap(), 24);
    let jobs = [&kit, &other, &kit, &other].map(|kit| {
        let services = kit.services.clone();
        tokio::spawn(async move { services.upkeep.deliver().await.unwrap() })
    });
    let mut sent = 0;
    for job in jobs {
        sent += job.await.unwrap();
    }
    sent += kit.services.upkeep.deliver().await.unwrap();
    assert_eq!(sent, 24);
    assert_eq!(kit.courier.tries().len(), 24);
    let ids: BTreeSet<_> = kit
        .courier
        .letters()
        .into_iter()
        .map(|letter| letter.id)
        .collect();
    assert_eq!(ids.len(), 24);
}

async fn a_code_is_given_up_when_it_is_over_and_a_notice_after_two_weeks(backing: Backing) {
    let (kit, owner) = ready(&backing).await;
    kit.courier.answer(later());
    owner.start(MAIL).await.unwrap();
    owner.remove("1234", PHONE).await.unwrap();
    let begin = kit.services.now();
    while kit.services.now() < begin.plus(Duration::from_mins(65)) {
        kit.clock.advance(Duration::from_mins(1));
        kit.run_jobs().await;
    }
    assert_eq!(audited(&kit, "reset_pin").await, ["expired"]);
    assert_eq!(kit.services.upkeep.waiting_messages().await.unwrap(), 1);
    while kit.services.now() < begin.plus(days(14)) {
        assert_eq!(audited(&kit, "contact_removed").await, [""; 0]);
        kit.clock.advance(Duration::from_hours(12));
        kit.run_jobs().await;
    }
    kit.clock.advance(Duration::from_hours(1));
    kit.run_jobs().await;
    assert_eq!(audited(&kit, "contact_removed").await, ["expired"]);
    assert_eq!(kit.services.upkeep.waiting_messages().await.unwrap(), 0);
    assert!(kit.courier.letters().is_empty());
}

/// A server that was off for an hour sends no codes that open nothing; news are still news.
async fn a_code_that_is_over_is_not_sent_any_more(backing: Backing) {
    let (kit, owner) = ready(&backing).await;
    owner.start(MAIL).await.unwrap();
    owner.change("1234", "5678").await.unwrap();
    kit.clock.advance(Duration::from_hours(1));
    kit.run_jobs().await;
    assert_eq!(tried(&kit, MAIL), ["pin_changed"]);
    assert_eq!(audited(&kit, "reset_pin").await, ["expired"]);
    assert_eq!(kit.services.upkeep.waiting_messages().await.unwrap(), 0);
}

async fn a_refused_letter_is_given_up_at_once(backing: Backing) {
    let (kit, owner) = ready(&backing).await;
    kit.courier
        .answer_next([Delivery::Refused("no such mailbox".to_owned())]);
    owner.start(MAIL).await.unwrap();
    owner.remove("1234", PHONE).await.unwrap();
    kit.run_jobs().await;
    assert_eq!(tried(&kit, MAIL), ["reset_pin", "contact_removed"]);
    assert_eq!(kit.courier.operations_to(MAIL), ["contact_removed"]);
    assert_eq!(audited(&kit, "reset_pin").await, ["refused"]);
    assert_eq!(audited(&kit, "contact_removed").await, ["accepted"]);
}

async fn many_letters_behind_one_that_rests_all_leave(backing: Backing) {
    let (kit, owner) = ready(&backing).await;
    owner.remove("1234", PHONE).await.unwrap();
    kit.courier.answer_next([later()]);
    kit.run_jobs().await;
    assert_eq!(kit.courier.tries().len(), 1);
    // More than a dispatcher claims at once, while the first rests.
    for _ in 0..40 {
        owner.change("1234", "1234").await.unwrap();
    }
    kit.clock.advance(Duration::from_secs(2));
    kit.run_jobs().await;
    assert_eq!(kit.courier.letters().len(), 41);
    assert_eq!(kit.courier.operations_to(MAIL)[0], "contact_removed");
}
