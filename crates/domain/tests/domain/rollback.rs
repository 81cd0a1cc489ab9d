//! An older database that was put back gives no guess and no used code back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::port::Clock;
use domain::port::roots::{Root, Roots};
use domain::port::store::{AnyRow, Kind};
use domain::time::days;
use domain::trail::audit::Checkpoint;
use domain::trail::rollback::Freshness;
use domain::{Refusal, Timestamp};
use testkit::{Backing, FixedRoots, Kit};

use crate::owner::{Outcome, Owner, outcome};

testkit::on_every_store!(
    an_older_database_is_noticed_and_one_as_new_is_not,
    a_database_that_went_another_way_is_noticed,
    an_anchor_of_other_keys_or_a_changed_one_is_refused,
    an_anchor_of_a_release_before_eras_is_ours_and_the_other_way_round,
    twenty_old_databases_give_no_guess_back,
    the_owner_gets_in_and_is_whole_again,
    a_code_that_was_used_or_is_out_works_no_more,
    a_recovery_that_was_stopped_does_not_come_back,
    a_walk_that_was_cut_short_is_gone_on_with_by_another_node,
    an_accepted_rollback_satisfies_the_older_anchors_of_other_nodes_only,
    sessions_of_the_older_database_are_over,
);

const MAIL: &str = "a@b.co";

/// Everything in the database, as somebody who copies it gets it.
pub(crate) async fn snapshot(kit: &Kit) -> Vec<AnyRow> {
    let found: Arc<Mutex<Vec<AnyRow>>> = Arc::default();
    let out = Arc::clone(&found);
    let read = kit.store.read(Box::new(move |tx| {
        *out.lock().unwrap() = tx.scan(None, 100_000)?;
        Ok(())
    }));
    read.await.unwrap();
    std::mem::take(&mut *found.lock().unwrap())
}

/// Puts the whole database back to what it was.
pub(crate) async fn put_back(kit: &Kit, rows: &[AnyRow]) {
    let kind_of = |row: &AnyRow| -> Kind { Box::leak(row.kind.clone().into_boxed_str()) };
    let there: Vec<_> = snapshot(kit)
        .await
        .iter()
        .map(|row| (kind_of(row), row.row.id))
        .collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (kind_of(row), row.row.clone()))
        .collect();
    let write = kit.store.write(Box::new(move |tx| {
        for (kind, id) in &there {
            tx.remove(kind, id)?;
        }
        for (kind, row) in &rows {
            tx.insert(kind, row)?;
        }
        Ok(())
    }));
    write.await.unwrap();
}

pub(crate) async fn anchor(kit: &Kit) -> Checkpoint {
    while kit.services.upkeep.link_audit().await.unwrap() > 0 {}
    kit.services
        .upkeep
        .audit_checkpoint()
        .await
        .unwrap()
        .unwrap()
}

async fn freshness(kit: &Kit, anchor: &Checkpoint) -> Freshness {
    let found = kit
        .services
        .upkeep
        .freshness(kit.store.as_ref(), Some(anchor))
        .await;
    found.unwrap()
}

async fn is_older(kit: &Kit, anchor: &Checkpoint) -> bool {
    matches!(freshness(kit, anchor).await, Freshness::Older { .. })
}

/// What an operator's `--accept-rollback` does.
pub(crate) async fn accept(kit: &Kit, anchor: &Checkpoint) {
    kit.services.upkeep.begin_era(Some(anchor)).await.unwrap();
    assert_eq!(freshness(kit, anchor).await, Freshness::Limiting);
    while !kit
        .services
        .upkeep
        .limit_after_rollback()
        .await
        .unwrap()
        .done
    {}
    assert_eq!(freshness(kit, anchor).await, Freshness::Current);
}

/// A later run of the server on the same database: nothing is remembered in its memory.
pub(crate) async fn restarted(kit: &Kit, seed: u64) -> Kit {
    Kit::builder()
        .store(Arc::clone(&kit.store))
        .clock(Arc::clone(&kit.clock))
        .courier(Arc::clone(&kit.courier))
        .seed(seed)
        .build()
        .await
}

pub(crate) fn exhausted(outcome: &Outcome) -> Option<Timestamp> {
    match outcome {
        Outcome::Refused(Refusal::Exhausted { until }) => Some(*until),
        _ => None,
    }
}

pub(crate) const WRONG: Outcome = Outcome::Refused(Refusal::BadProof { left: None });

async fn an_older_database_is_noticed_and_one_as_new_is_not(backing: Backing) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        owner.open("9999").await.unwrap_err();
        let anchor = anchor(&kit).await;
        seen.push((snapshot(&kit).await, anchor));
    }
    for (at, (rows, _)) in seen.iter().enumerate() {
        put_back(&kit, rows).await;
        for (known, (_, anchor)) in seen.iter().enumerate() {
            assert_eq!(is_older(&kit, anchor).await, at < known, "{at} {known}");
        }
    }
    // Events that are not linked yet are no reason for an alarm: an anchor may lag.
    owner.open("9999").await.unwrap_err();
    assert_eq!(freshness(&kit, &seen[4].1).await, Freshness::Current);
    let none = kit
        .services
        .upkeep
        .freshness(kit.store.as_ref(), None)
        .await
        .unwrap();
    assert_eq!(none, Freshness::Current, "without an anchor nothing tells");
}

async fn a_database_that_went_another_way_is_noticed(backing: Backing) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    anchor(&kit).await;
    let old = snapshot(&kit).await;
    owner.open("9999").await.unwrap_err();
    let newest = anchor(&kit).await;
    put_back(&kit, &old).await;
    for _ in 0..4 {
        owner.open("1234").await.unwrap();
        anchor(&kit).await;
    }
    assert!(is_older(&kit, &newest).await, "as long, and another chain");
}

async fn an_anchor_of_other_keys_or_a_changed_one_is_refused(backing: Backing) {
    let kit = Kit::builder().store(backing.store()).build().await;
    Owner::of(&kit, "1234").await;
    let sound = anchor(&kit).await;
    let forged = [
        Checkpoint {
            number: 0,
            ..sound.clone()
        },
        Checkpoint {
            era: 1,
            ..sound.clone()
        },
        Checkpoint {
            era_mark: "00".to_owned(),
            ..sound.clone()
        },
        Checkpoint {
            signature: String::new(),
            ..sound.clone()
        },
    ];
    for forged in forged {
        assert!(is_older(&kit, &forged).await, "{forged:?}");
    }
    assert_eq!(freshness(&kit, &sound).await, Freshness::Current);
}

/// As the releases signed that knew no eras.
fn signed_without_era(of: &Checkpoint) -> String {
    let (number, at) = (of.number.to_be_bytes(), of.at.millis().to_be_bytes());
    let parts: [&[u8]; 4] = [b"checkpoint", &number, of.tag.as_bytes(), &at];
    let tag = FixedRoots::default().prf(Root::Audit, 1, &parts).unwrap();
    hex::encode(tag.expose())
}

async fn an_anchor_of_a_release_before_eras_is_ours_and_the_other_way_round(backing: Backing) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    anchor(&kit).await;
    let old = snapshot(&kit).await;
    owner.open("9999").await.unwrap_err();
    let ours = anchor(&kit).await;
    let theirs = Checkpoint {
        signature: signed_without_era(&ours),
        ..ours.clone()
    };
    assert_eq!(theirs, ours);
    assert_eq!(freshness(&kit, &theirs).await, Freshness::Current);
    put_back(&kit, &old).await;
    assert!(is_older(&kit, &theirs).await, "it tells an older database");
    // Once there is an era it is under the signature.
    accept(&kit, &theirs).await;
    assert_eq!(freshness(&kit, &theirs).await, Freshness::Current);
    let ours = anchor(&kit).await;
    let theirs = Checkpoint {
        signature: signed_without_era(&ours),
        ..ours
    };
    assert!(is_older(&kit, &theirs).await);
}

async fn twenty_old_databases_give_no_guess_back(backing: Backing) {
    let mut kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    let untried = Owner::of(&kit, "1234").await;
    anchor(&kit).await;
    let mut old = Vec::new();
    let mut judged = 0;
    for backup in 0..20 {
        old.push(snapshot(&kit).await);
        kit.clock.advance(Duration::from_secs(60));
        // Two backups for each guess, so that some differ in nothing that counts.
        if backup % 2 == 1 && outcome(owner.open("9999").await) == WRONG {
            judged += 1;
        }
        untried.open("1234").await.unwrap();
        anchor(&kit).await;
    }
    assert_eq!(judged, 10);
    assert!(exhausted(&outcome(owner.open("9999").await)).is_some());
    let mut newest = anchor(&kit).await;
    for (number, rows) in old.iter().enumerate() {
        put_back(&kit, rows).await;
        kit = restarted(&kit, 100 + number as u64).await;
        assert!(is_older(&kit, &newest).await, "backup {number}");
        accept(&kit, &newest).await;
        newest = anchor(&kit).await;
        let owner = owner.at(&kit);
        let answers = [
            outcome(owner.open("0001").await),
            outcome(owner.open("0002").await),
            outcome(owner.open("1234").await),
        ];
        let judged = answers.iter().filter(|answer| **answer == WRONG).count();
        assert!(judged <= 1, "backup {number}: {answers:?}");
        let until = exhausted(&answers[2]).unwrap();
        assert_eq!(until, kit.clock.now().plus(days(7)), "a whole window");
        // Somebody who never failed knows the PIN, and is let in.
        untried.at(&kit).open("1234").await.unwrap();
    }
}

async fn the_owner_gets_in_and_is_whole_again(backing: Backing) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    anchor(&kit).await;
    let old = snapshot(&kit).await;
    owner.open("9999").await.unwrap_err();
    let newest = anchor(&kit).await;
    put_back(&kit, &old).await;
    accept(&kit, &newest).await;
    // In parallel too: one try at a time, so right PINs wait for each other and all pass.
    let (first, second) = tokio::join!(owner.open("1234"), owner.open("1234"));
    first.unwrap();
    second.unwrap();
    let answers = [
        outcome(owner.open("9999").await),
        outcome(owner.open("9999").await),
    ];
    assert_eq!(answers, [WRONG, WRONG], "a right PIN forgets");
}

async fn a_code_that_was_used_or_is_out_works_no_more(backing: Backing) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    owner.add("1234", MAIL).await.unwrap();
    let code = kit.courier.code_to(MAIL).unwrap();
    anchor(&kit).await;
    let old = snapshot(&kit).await;
    owner.confirm(MAIL, &code).await.unwrap();
    let newest = anchor(&kit).await;
    put_back(&kit, &old).await;
    accept(&kit, &newest).await;
    let letters = kit.courier.letters().len();
    owner.confirm(MAIL, &code).await.unwrap_err();
    kit.run_jobs().await;
    assert_eq!(kit.courier.letters().len(), letters, "no code leaves again");
    // A fresh one works: the one try that is left is for it.
    kit.clock.advance(days(8));
    owner.add("1234", MAIL).await.unwrap();
    let code = kit.courier.code_to(MAIL).unwrap();
    owner.confirm(MAIL, &code).await.unwrap();
}

async fn a_recovery_that_was_stopped_does_not_come_back(backing: Backing) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    owner.add_verified(&kit, "1234", MAIL).await;
    owner.start(MAIL).await.unwrap();
    let code = kit.courier.code_to(MAIL).unwrap();
    let armed = outcome(owner.recover(MAIL, &code, None).await);
    assert!(matches!(
        armed,
        Outcome::Refused(Refusal::TimeLocked { .. })
    ));
    kit.run_jobs().await;
    anchor(&kit).await;
    let old = snapshot(&kit).await;
    let link = kit.courier.link_to(MAIL).unwrap();
    let token = link.rsplit('/').next().unwrap().to_owned();
    let stop = kit
        .services
        .guarded_keys
        .cancel_recovery("test", token)
        .await;
    stop.unwrap();
    let newest = anchor(&kit).await;
    put_back(&kit, &old).await;
    accept(&kit, &newest).await;
    kit.clock.advance(days(31));
    owner.start(MAIL).await.unwrap();
    let code = kit.courier.code_to(MAIL).unwrap();
    let again = outcome(owner.recover(MAIL, &code, Some("5678")).await);
    let until = kit.clock.now().plus(days(30));
    assert_eq!(again, Outcome::Refused(Refusal::TimeLocked { until }));
}

async fn a_walk_that_was_cut_short_is_gone_on_with_by_another_node(backing: Backing) {
    let kit = Kit::builder()
        .store(backing.store())
        .policy(|policy| policy.guarded_key.new_keys_per_network.count = 0)
        .build()
        .await;
    let mut owners = Vec::new();
    for _ in 0..450 {
        owners.push(Owner::of(&kit, "1234").await);
    }
    anchor(&kit).await;
    let old = snapshot(&kit).await;
    owners[0].open("9999").await.unwrap_err();
    let newest = anchor(&kit).await;
    put_back(&kit, &old).await;
    kit.services.upkeep.begin_era(Some(&newest)).await.unwrap();
    let begun = kit.services.upkeep.limit_after_rollback().await.unwrap();
    assert!(!begun.done);
    let other = restarted(&kit, 7).await;
    assert_eq!(freshness(&other, &newest).await, Freshness::Limiting);
    // Whoever accepts again joins the walk that is there.
    other
        .services
        .upkeep
        .begin_era(Some(&newest))
        .await
        .unwrap();
    let mut rows = 0;
    loop {
        let progress = other.services.upkeep.limit_after_rollback().await.unwrap();
        if progress.done {
            rows = rows.max(progress.rows);
            break;
        }
        rows = progress.rows;
    }
    assert!(rows >= 450, "{rows}");
    assert_eq!(anchor(&other).await.era, 1);
    for owner in owners.iter().step_by(50) {
        let owner = owner.at(&other);
        assert_eq!(outcome(owner.open("9999").await), WRONG);
        assert!(exhausted(&outcome(owner.open("1234").await)).is_some());
    }
}

async fn an_accepted_rollback_satisfies_the_older_anchors_of_other_nodes_only(backing: Backing) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    anchor(&kit).await;
    let old = snapshot(&kit).await;
    owner.open("9999").await.unwrap_err();
    let of_one = anchor(&kit).await;
    owner.open("9999").await.unwrap_err();
    let of_other = anchor(&kit).await;
    put_back(&kit, &old).await;
    accept(&kit, &of_one).await;
    assert_eq!(freshness(&kit, &of_other).await, Freshness::Current);
    // What the new era saw is protected in turn, also against the acceptance itself.
    let accepted = snapshot(&kit).await;
    let seen = anchor(&kit).await;
    assert_eq!(outcome(owner.open("9999").await), WRONG);
    let newest = anchor(&kit).await;
    for rows in [&old, &accepted] {
        put_back(&kit, rows).await;
        assert!(is_older(&kit, &newest).await);
    }
    put_back(&kit, &old).await;
    assert!(is_older(&kit, &seen).await);
    // A second acceptance of the same old database is another era of a higher number.
    accept(&kit, &newest).await;
    assert_eq!(anchor(&kit).await.era, 2);
    assert_eq!(freshness(&kit, &of_other).await, Freshness::Current);
}

async fn sessions_of_the_older_database_are_over(backing: Backing) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    owner.add_verified(&kit, "1234", MAIL).await;
    anchor(&kit).await;
    let old = snapshot(&kit).await;
    owner.open("9999").await.unwrap_err();
    let newest = anchor(&kit).await;
    put_back(&kit, &old).await;
    accept(&kit, &newest).await;
    let ended = [
        "reminder",
        "owner_link",
        "vault_session",
        "vault_handshake",
        "device_challenge",
        "wallet_challenge",
    ];
    let left = snapshot(&kit).await;
    let left: Vec<&str> = left.iter().map(|row| row.kind.as_str()).collect();
    assert!(!ended.iter().any(|kind| left.contains(kind)), "{left:?}");
    assert!(left.contains(&"contact") && left.contains(&"guarded_key"));
}
