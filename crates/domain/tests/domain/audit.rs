//! The audit trail: every change and every refusal that was saved is in it, and whoever writes to the
//! database cannot hide one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::Error;
use domain::guarded_key::{GuardedKeyId, ImportedContact, ImportedKey};
use domain::port::Store;
use domain::port::store::{AnyRow, Kind, Row};
use domain::time::days;
use domain::trail::audit::{ChainReport, Checkpoint, Event};
use testkit::{Backing, FaultyStore, Kit};
use uuid::Uuid;

use crate::owner::{Owner, secret};

testkit::on_every_store!(
    every_use_case_leaves_its_event,
    what_is_refused_without_a_trace_in_the_state_leaves_no_event,
    events_name_nobody,
    a_changed_link_is_found,
    a_moved_link_is_found,
    a_removed_link_is_found,
    a_cut_off_end_is_found,
    an_old_database_that_was_put_back_is_found,
    a_changed_event_that_is_not_linked_yet_is_found,
    a_forged_checkpoint_is_found,
    two_nodes_link_one_chain,
    a_database_that_is_away_is_no_finding,
);

const MAIL: &str = "a@b.co";

const LINK: Kind = "audit_link";
const HEAD: Kind = "audit_head";
const EVENT: Kind = "audit";

async fn events(kit: &Kit) -> Vec<Event> {
    let mut events = kit
        .services
        .operators
        .audit_events(&kit.operator(), None, 10_000)
        .await
        .unwrap();
    events.reverse();
    events
}

/// Moves the clock, so that events have an order.
async fn then<T>(kit: &Kit, call: impl Future<Output = T>) -> T {
    let result = call.await;
    kit.clock.advance(Duration::from_secs(1));
    result
}

/// What the use cases of a key leave in the trail, in the order of the test below.
const EVERY_EVENT: [(&str, &str); 23] = [
    ("key.create", "done"),
    ("key.open", "done"),
    ("key.open", "wrong"),
    ("contact.add", "done"),
    ("contact.add", "wrong"),
    ("contact.confirm", "refused"),
    ("contact.confirm", "done"),
    ("contact.add", "refused"),
    ("recovery.start", "done"),
    ("recovery.prove", "refused"),
    ("recovery.prove", "locked"),
    ("recovery.cancel", "done"),
    ("recovery.start", "done"),
    ("recovery.prove", "locked"),
    ("recovery.start", "done"),
    ("recovery.prove", "recovered"),
    ("key.change_pin", "done"),
    ("key.change_pin", "wrong"),
    ("contact.remove", "refused"),
    ("contact.remove", "done"),
    ("key.delete", "done"),
    ("key.import", "done"),
    ("contact.import", "done"),
];

async fn every_use_case_leaves_its_event(backing: Backing) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let courier = &kit.courier;
    let owner = then(&kit, Owner::of(&kit, "1234")).await;
    let code = || courier.code_to(MAIL).unwrap();
    then(&kit, owner.open("1234")).await.unwrap();
    then(&kit, owner.open("9999")).await.unwrap_err();
    then(&kit, owner.add("1234", MAIL)).await.unwrap();
    then(&kit, owner.add("9999", MAIL)).await.unwrap_err();
    then(&kit, owner.confirm(MAIL, "wrong")).await.unwrap_err();
    then(&kit, owner.confirm(MAIL, &code())).await.unwrap();
    then(&kit, owner.add("1234", MAIL)).await.unwrap_err();
    then(&kit, owner.start(MAIL)).await.unwrap();
    then(&kit, owner.recover(MAIL, "wrong", None))
        .await
        .unwrap_err();
    then(&kit, owner.recover(MAIL, &code(), None))
        .await
        .unwrap_err();
    let link = courier.link_to(MAIL).unwrap();
    let token = link.rsplit('/').next().unwrap().to_owned();
    then(
        &kit,
        kit.services.guarded_keys.cancel_recovery("test", token),
    )
    .await
    .unwrap();
    owner.start(MAIL).await.unwrap();
    then(&kit, owner.recover(MAIL, &code(), None))
        .await
        .unwrap_err();
    kit.clock.advance(days(30));
    owner.start(MAIL).await.unwrap();
    then(&kit, owner.recover(MAIL, &code(), Some("5678")))
        .await
        .unwrap();
    then(&kit, owner.change("5678", "1234")).await.unwrap();
    then(&kit, owner.change("5678", "1234")).await.unwrap_err();
    then(&kit, owner.remove("1234", "nobody@b.co"))
        .await
        .unwrap_err();
    then(&kit, owner.remove("1234", MAIL)).await.unwrap();
    then(
        &kit,
        kit.services
            .guarded_keys
            .delete_key(&kit.operator(), owner.key),
    )
    .await
    .unwrap();
    then(&kit, import(&kit)).await;
    let found = events(&kit).await;
    let about = found.iter().filter(|event| event.action != "message.sent");
    let mut about: Vec<_> = about
        .map(|event| (event.action.as_str(), event.outcome.as_str()))
        .collect();
    // The two of one import, and of one start and proof, carry one moment.
    let mut sorted = EVERY_EVENT.to_vec();
    about.sort_unstable();
    sorted.sort_unstable();
    assert_eq!(about, sorted);
    let moments: Vec<_> = found.iter().map(|event| event.at).collect();
    assert!(moments.is_sorted());
    // Every letter has its event too: three codes, and the news about the reset.
    let sent = found
        .iter()
        .filter(|event| event.action == "message.sent")
        .count();
    assert_eq!(sent, courier.letters().len());
    let verdict = kit
        .services
        .operators
        .verify_audit(&kit.operator(), None)
        .await
        .unwrap();
    assert_eq!((verdict.events, verdict.waiting), (found.len() as u64, 0));
    assert!(verdict.findings.is_empty());
}

async fn import(kit: &Kit) {
    let key = ImportedKey {
        id: GuardedKeyId(Uuid::from_u128(7)),
        content: [7; 32],
        salt: vec![7; 32],
        pin_hash: vec![7; 32],
        failed: 0,
        first_failure: None,
    };
    kit.services
        .guarded_keys
        .import_key(&kit.operator(), "test", key)
        .await
        .unwrap();
    let contact = ImportedContact {
        hash: vec![7; 32],
        verified: true,
        failed: 0,
        first_failure: None,
    };
    kit.services
        .guarded_keys
        .import_contact(&kit.operator(), "test", contact)
        .await
        .unwrap();
}

async fn what_is_refused_without_a_trace_in_the_state_leaves_no_event(backing: Backing) {
    let few =
        |policy: &mut domain::policy::Policy| policy.guarded_key.sends_per_contact[0].count = 2;
    let kit = Kit::builder()
        .store(backing.store())
        .policy(few)
        .build()
        .await;
    let owner = Owner::of(&kit, "1234").await;
    owner.add_verified(&kit, "1234", MAIL).await;
    for _ in 0..10 {
        owner.open("9999").await.unwrap_err();
    }
    owner.start(MAIL).await.unwrap();
    let before = events(&kit).await.len();
    owner.open("1234").await.unwrap_err();
    owner.start(MAIL).await.unwrap_err();
    owner.confirm(MAIL, "123456").await.unwrap_err();
    owner.confirm("nobody@b.co", "123456").await.unwrap_err();
    kit.services
        .guarded_keys
        .running_recovery("nothing".to_owned())
        .await
        .unwrap_err();
    kit.services
        .guarded_keys
        .cancel_recovery("test", "nothing".to_owned())
        .await
        .unwrap_err();
    assert_eq!(events(&kit).await.len(), before);
}

/// No PIN, code, address, key or id of a key is in an event.
async fn events_name_nobody(backing: Backing) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "pin of the owner").await;
    owner.add_verified(&kit, "pin of the owner", MAIL).await;
    owner.open("wrong pin").await.unwrap_err();
    owner.start(MAIL).await.unwrap();
    let code = kit.courier.code_to(MAIL).unwrap();
    owner
        .recover(MAIL, &code, Some("new pin"))
        .await
        .unwrap_err();
    let content = owner.open("pin of the owner").await.unwrap();
    let secrets = [
        "pin of the owner".to_owned(),
        "wrong pin".to_owned(),
        MAIL.to_owned(),
        "b.co".to_owned(),
        format!("\"{code}\""),
        owner.key.0.to_string(),
        owner.key.0.simple().to_string(),
        format!("{:?}", content.0.expose()),
        kit.courier.link_to(MAIL).unwrap(),
        secret("new pin").expose().to_owned(),
    ];
    for event in events(&kit).await {
        let text = format!("{event:?}");
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{text} holds {secret}");
        }
    }
}

/// A chain of five links.
async fn chained(backing: &Backing) -> (Kit, Owner) {
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "1234").await;
    kit.run_jobs().await;
    for _ in 0..4 {
        open_and_link(&kit, &owner).await;
    }
    assert_eq!(rows(&kit, LINK).await.len(), 5);
    assert!(findings(&kit, None).await.is_empty());
    (kit, owner)
}

async fn open_and_link(kit: &Kit, owner: &Owner) {
    owner.open("1234").await.unwrap();
    assert_eq!(kit.services.upkeep.link_audit().await.unwrap(), 1);
}

async fn findings(kit: &Kit, anchor: Option<&Checkpoint>) -> Vec<String> {
    let verdict: ChainReport = kit
        .services
        .operators
        .verify_audit(&kit.operator(), anchor.cloned())
        .await
        .unwrap();
    verdict.findings
}

/// The rows of one kind, as somebody with the database sees them.
async fn rows(kit: &Kit, kind: Kind) -> Vec<Row> {
    let found: Arc<Mutex<Vec<AnyRow>>> = Arc::default();
    let out = Arc::clone(&found);
    let read = kit.store.read(Box::new(move |tx| {
        *out.lock().unwrap() = tx.scan(None, 100_000)?;
        Ok(())
    }));
    read.await.unwrap();
    let rows = std::mem::take(&mut *found.lock().unwrap());
    rows.into_iter()
        .filter(|row| row.kind == kind)
        .map(|row| row.row)
        .collect()
}

/// Puts rows into the database as they are, past every rule.
async fn overwrite(kit: &Kit, kind: Kind, rows: &[Row]) {
    let rows = rows.to_vec();
    let write = kit.store.write(Box::new(move |tx| {
        for row in &rows {
            tx.remove(kind, &row.id)?;
            tx.insert(kind, row)?;
        }
        Ok(())
    }));
    write.await.unwrap();
}

async fn delete(kit: &Kit, kind: Kind, row: &Row) {
    let id = row.id;
    let write = kit.store.write(Box::new(move |tx| {
        assert!(tx.remove(kind, &id)?);
        Ok(())
    }));
    write.await.unwrap();
}

async fn a_changed_link_is_found(backing: Backing) {
    let (kit, _) = chained(&backing).await;
    for kind in [LINK, HEAD] {
        for row in rows(&kit, kind).await {
            let mut changed = row.clone();
            let at = changed.body.len() - 20;
            changed.body[at] ^= 1;
            overwrite(&kit, kind, &[changed]).await;
            assert!(!findings(&kit, None).await.is_empty(), "a bit of a body");
            let older = Row {
                version: row.version + 1,
                ..row.clone()
            };
            overwrite(&kit, kind, &[older]).await;
            assert!(!findings(&kit, None).await.is_empty(), "a version");
            overwrite(&kit, kind, &[row]).await;
            assert!(findings(&kit, None).await.is_empty());
        }
    }
}

async fn a_moved_link_is_found(backing: Backing) {
    let (kit, _) = chained(&backing).await;
    let links = rows(&kit, LINK).await;
    let swapped = [
        Row {
            id: links[3].id,
            ..links[1].clone()
        },
        Row {
            id: links[1].id,
            ..links[3].clone()
        },
    ];
    overwrite(&kit, LINK, &swapped).await;
    assert!(findings(&kit, None).await.len() >= 2);
    // One link twice is no better.
    overwrite(&kit, LINK, &links).await;
    overwrite(
        &kit,
        LINK,
        &[Row {
            id: links[2].id,
            ..links[0].clone()
        }],
    )
    .await;
    assert!(!findings(&kit, None).await.is_empty());
}

async fn a_removed_link_is_found(backing: Backing) {
    let (kit, _) = chained(&backing).await;
    for kind in [LINK, HEAD] {
        for row in rows(&kit, kind).await {
            delete(&kit, kind, &row).await;
            assert!(!findings(&kit, None).await.is_empty());
            overwrite(&kit, kind, &[row]).await;
            assert!(findings(&kit, None).await.is_empty());
        }
    }
}

async fn a_cut_off_end_is_found(backing: Backing) {
    let (kit, owner) = chained(&backing).await;
    let (head, links) = (rows(&kit, HEAD).await, rows(&kit, LINK).await);
    open_and_link(&kit, &owner).await;
    open_and_link(&kit, &owner).await;
    let anchor = kit
        .services
        .upkeep
        .audit_checkpoint()
        .await
        .unwrap()
        .unwrap();
    assert!(findings(&kit, Some(&anchor)).await.is_empty());
    // Links without their head, a head without its links, and then both as they were before.
    overwrite(&kit, HEAD, &head).await;
    assert!(!findings(&kit, None).await.is_empty());
    let newer: Vec<Row> = rows(&kit, LINK)
        .await
        .into_iter()
        .filter(|row| !links.contains(row))
        .collect();
    assert_eq!(newer.len(), 2);
    for row in &newer {
        delete(&kit, LINK, row).await;
    }
    // This is the database of an hour ago in every bit: only what was kept outside tells.
    assert!(findings(&kit, None).await.is_empty());
    let found = findings(&kit, Some(&anchor)).await;
    assert!(found[0].contains("cut off"), "{found:?}");
}

async fn an_old_database_that_was_put_back_is_found(backing: Backing) {
    let (kit, owner) = chained(&backing).await;
    let head = rows(&kit, HEAD).await;
    let links = rows(&kit, LINK).await;
    owner.open("9999").await.unwrap_err();
    kit.run_jobs().await;
    let anchor = kit
        .services
        .upkeep
        .audit_checkpoint()
        .await
        .unwrap()
        .unwrap();
    for row in rows(&kit, LINK)
        .await
        .iter()
        .filter(|row| !links.contains(row))
    {
        delete(&kit, LINK, row).await;
    }
    overwrite(&kit, HEAD, &head).await;
    // It goes on from there, to the length that was signed and beyond.
    for _ in 0..3 {
        open_and_link(&kit, &owner).await;
    }
    assert!(findings(&kit, None).await.is_empty());
    let found = findings(&kit, Some(&anchor)).await;
    assert_eq!(found, ["link 6 is not the one that was signed"]);
}

async fn a_changed_event_that_is_not_linked_yet_is_found(backing: Backing) {
    let (kit, owner) = chained(&backing).await;
    owner.open("9999").await.unwrap_err();
    let event = rows(&kit, EVENT).await.remove(0);
    let mut changed = event.clone();
    let at = changed.body.len() - 20;
    changed.body[at] ^= 1;
    overwrite(&kit, EVENT, &[changed]).await;
    let found = findings(&kit, None).await;
    assert_eq!(found, ["an event that is not linked yet was changed"]);
    overwrite(&kit, EVENT, &[event]).await;
    assert!(findings(&kit, None).await.is_empty());
}

async fn a_forged_checkpoint_is_found(backing: Backing) {
    let (kit, _) = chained(&backing).await;
    let sound = kit
        .services
        .upkeep
        .audit_checkpoint()
        .await
        .unwrap()
        .unwrap();
    assert!(findings(&kit, Some(&sound)).await.is_empty());
    let forged = [
        Checkpoint {
            number: 4,
            ..sound.clone()
        },
        Checkpoint {
            tag: "00".repeat(32),
            ..sound.clone()
        },
        Checkpoint {
            at: sound.at.plus(days(1)),
            ..sound.clone()
        },
        Checkpoint {
            signature: "00".repeat(32),
            ..sound
        },
    ];
    for forged in forged {
        let found = findings(&kit, Some(&forged)).await;
        assert_eq!(found, ["the checkpoint's signature is wrong"]);
    }
}

async fn two_nodes_link_one_chain(backing: Backing) {
    let (kit, owner) = chained(&backing).await;
    let other = Kit::builder()
        .store(backing.another_node())
        .seed(2)
        .build()
        .await;
    let there = owner.at(&other);
    for _ in 0..10 {
        owner.open("1234").await.unwrap();
        there.open("1234").await.unwrap();
        let jobs = [&kit, &other, &kit, &other].map(|kit| {
            let services = kit.services.clone();
            tokio::spawn(async move { services.upkeep.link_audit().await.unwrap() })
        });
        let mut linked = 0;
        for job in jobs {
            linked += job.await.unwrap();
        }
        linked += kit.services.upkeep.link_audit().await.unwrap();
        assert_eq!(linked, 2);
    }
    let verdict = other
        .services
        .operators
        .verify_audit(&other.operator(), None)
        .await
        .unwrap();
    assert_eq!((verdict.events, verdict.waiting), (25, 0));
    assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
}

async fn a_database_that_is_away_is_no_finding(backing: Backing) {
    drop(chained(&backing).await);
    let store = FaultyStore::over(backing.store());
    let kit = Kit::builder()
        .store(Arc::clone(&store) as Arc<dyn Store>)
        .build()
        .await;
    for reads in 0..8 {
        store.refuse_reads_after(reads);
        let verdict = kit
            .services
            .operators
            .verify_audit(&kit.operator(), None)
            .await;
        assert!(
            matches!(verdict, Err(Error::Unavailable(_))),
            "after {reads}: {verdict:?}"
        );
    }
    store.give_back();
    assert!(findings(&kit, None).await.is_empty());
}
