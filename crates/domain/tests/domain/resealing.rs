//! After a root key was rotated nothing needs its older version any more.

use std::sync::Arc;
use std::time::Duration;

use domain::port::Roots;
use domain::port::roots::Root;
use domain::port::store::{Row, RowId};
use domain::time::days;
use domain::trail::resealing::Progress;
use domain::{Error, Refusal};
use testkit::{Backing, FixedRoots, Kit};

use crate::owner::{Outcome, Owner, outcome};

testkit::on_every_store!(
    what_an_older_data_root_sealed_is_sealed_anew,
    what_an_older_recovery_root_sealed_is_sealed_anew,
    what_a_node_with_the_older_file_writes_meanwhile_is_found,
    a_prepared_version_opens_and_does_not_seal,
    two_nodes_walk_as_one,
    a_first_walk_that_finds_nothing_is_not_the_last,
    a_node_that_is_started_later_looks_once_more,
    rows_that_do_not_open_keep_no_other_from_it,
    a_state_that_does_not_open_begins_anew,
    another_rotation_begins_the_walk_anew,
    a_pin_is_peppered_anew_when_it_is_proved,
    a_node_with_the_older_file_peppers_nothing_back,
);

const MAIL: &str = "a@b.co";
const HOUR: Duration = Duration::from_secs(3600);

/// A later run of the server on the same database, with this key file.
async fn with(kit: &Kit, seed: u64, roots: FixedRoots) -> Result<Kit, Error> {
    Kit::builder()
        .store(Arc::clone(&kit.store))
        .clock(Arc::clone(&kit.clock))
        .courier(Arc::clone(&kit.courier))
        .seed(seed)
        .roots(roots)
        .try_build()
        .await
}

fn rotated(root: Root) -> FixedRoots {
    FixedRoots::default().rotated(root, 2, 2)
}

async fn progress(kit: &Kit, root: Root) -> Progress {
    let states = kit.services.upkeep.root_states().await.unwrap();
    let state = states.iter().find(|state| state.root == root).unwrap();
    state.progress
}

/// Runs the walk, and the one after it; how many rows were sealed anew.
async fn whole_walk(kit: &Kit, root: Root) -> u64 {
    kit.run_jobs().await;
    let Progress::Again { sealed, .. } = progress(kit, root).await else {
        panic!(
            "the first walk found something: {:?}",
            progress(kit, root).await
        );
    };
    kit.run_jobs().await;
    assert!(
        matches!(progress(kit, root).await, Progress::Again { .. }),
        "the next walk waits"
    );
    kit.clock.advance(HOUR);
    kit.run_jobs().await;
    let done = Progress::Done {
        sealed,
        unreadable: 0,
    };
    assert_eq!(progress(kit, root).await, done);
    sealed
}

/// Adds data keys as an older release of the key file wrapped them.
async fn add_data_keys(kit: &Kit, count: u8) {
    let write = kit.store.write(Box::new(move |tx| {
        for number in 1..=count {
            let id = RowId([number; 16]);
            let body = FixedRoots::default().seal(Root::Data, &id.0, &[number; 32])?;
            let row = Row {
                id,
                owner: None,
                rank: 0,
                due: None,
                version: 1,
                body,
            };
            tx.insert("data_key", &row)?;
        }
        Ok(())
    }));
    write.await.unwrap();
}

/// The versions that data keys are wrapped with.
async fn wrapped_with(kit: &Kit) -> Vec<u8> {
    let found: Arc<std::sync::Mutex<Vec<u8>>> = Arc::default();
    let out = Arc::clone(&found);
    let read = kit.store.read(Box::new(move |tx| {
        let rows = tx.scan(Some(("data_key", RowId([0; 16]))), 10_000)?;
        let keys = rows.iter().filter(|row| row.kind == "data_key");
        *out.lock().unwrap() = keys.map(|row| row.row.body[3]).collect();
        Ok(())
    }));
    read.await.unwrap();
    let mut versions = std::mem::take(&mut *found.lock().unwrap());
    versions.sort_unstable();
    versions
}

async fn what_an_older_data_root_sealed_is_sealed_anew(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&old, "1234").await;
    let content = owner.open("1234").await.unwrap();
    assert_eq!(progress(&old, Root::Data).await, Progress::First);
    let without = || rotated(Root::Data).without(Root::Data, 1);
    assert!(
        with(&old, 2, without()).await.is_err(),
        "before the walk the older version is needed"
    );
    let kit = with(&old, 3, rotated(Root::Data)).await.unwrap();
    assert_eq!(owner.at(&kit).open("1234").await.unwrap(), content);
    assert_eq!(whole_walk(&kit, Root::Data).await, 1);
    let later = with(&old, 4, without()).await.unwrap();
    assert_eq!(owner.at(&later).open("1234").await.unwrap(), content);
    assert!(
        with(&old, 5, FixedRoots::default()).await.is_err(),
        "who has the older version alone opens nothing"
    );
}

async fn what_an_older_recovery_root_sealed_is_sealed_anew(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&old, "1234").await;
    owner.add_verified(&old, "1234", MAIL).await;
    Owner::of(&old, "5678").await;
    let content = owner.open("1234").await.unwrap();
    let kit = with(&old, 2, rotated(Root::Recovery)).await.unwrap();
    assert_eq!(
        whole_walk(&kit, Root::Recovery).await,
        1,
        "the key without a contact has no envelope"
    );
    let later = rotated(Root::Recovery).without(Root::Recovery, 1);
    let later = with(&old, 3, later).await.unwrap();
    let owner = owner.at(&later);
    owner.start(MAIL).await.unwrap();
    let code = later.courier.code_to(MAIL).unwrap();
    let locked = outcome(owner.recover(MAIL, &code, None).await);
    assert!(
        matches!(locked, Outcome::Refused(Refusal::TimeLocked { .. })),
        "{locked:?}"
    );
    later.clock.advance(days(31));
    owner.start(MAIL).await.unwrap();
    let code = later.courier.code_to(MAIL).unwrap();
    owner.recover(MAIL, &code, Some("8642")).await.unwrap();
    assert_eq!(owner.open("8642").await.unwrap(), content);
}

async fn what_a_node_with_the_older_file_writes_meanwhile_is_found(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    let file = || FixedRoots::default().rotated(Root::Data, 1, 2);
    let behind = with(&old, 2, file()).await.unwrap();
    let kit = with(&old, 3, rotated(Root::Data)).await.unwrap();
    kit.run_jobs().await;
    assert_eq!(wrapped_with(&kit).await, [2]);
    add_data_keys(&behind, 7).await;
    kit.clock.advance(HOUR);
    kit.run_jobs().await;
    assert!(
        matches!(
            progress(&kit, Root::Data).await,
            Progress::Again { sealed: 8, .. }
        ),
        "{:?}",
        progress(&kit, Root::Data).await
    );
    kit.clock.advance(HOUR);
    kit.run_jobs().await;
    let done = Progress::Done {
        sealed: 8,
        unreadable: 0,
    };
    assert_eq!(progress(&kit, Root::Data).await, done);
    assert_eq!(wrapped_with(&kit).await, [2; 8]);
}

async fn a_prepared_version_opens_and_does_not_seal(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&old, "1234").await;
    let prepared = FixedRoots::default().rotated(Root::Data, 1, 2);
    let behind = with(&old, 2, prepared).await.unwrap();
    behind.run_jobs().await;
    assert_eq!(progress(&behind, Root::Data).await, Progress::First);
    assert_eq!(wrapped_with(&behind).await, [1]);
    let kit = with(&old, 3, rotated(Root::Data)).await.unwrap();
    kit.run_jobs().await;
    behind.run_jobs().await;
    assert_eq!(wrapped_with(&behind).await, [2]);
    // Also one that was restarted meanwhile, and remembers no data key.
    let prepared = FixedRoots::default().rotated(Root::Data, 1, 2);
    let restarted = with(&old, 4, prepared).await.unwrap();
    for node in [&behind, &restarted, &kit] {
        owner.at(node).open("1234").await.unwrap();
    }
}

async fn two_nodes_walk_as_one(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    add_data_keys(&old, 250).await;
    let one = with(&old, 2, rotated(Root::Data)).await.unwrap();
    let other = Kit::builder()
        .store(backing.another_node())
        .clock(Arc::clone(&one.clock))
        .seed(3)
        .roots(rotated(Root::Data))
        .build()
        .await;
    tokio::join!(
        one.run_jobs(),
        other.run_jobs(),
        one.run_jobs(),
        other.run_jobs()
    );
    for node in [&one, &other] {
        let seen = progress(node, Root::Data).await;
        assert!(
            matches!(seen, Progress::Again { sealed: 251, .. }),
            "each row once: {seen:?}"
        );
    }
    assert_eq!(wrapped_with(&one).await, [2; 251]);
}

async fn a_first_walk_that_finds_nothing_is_not_the_last(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    let file = || FixedRoots::default().rotated(Root::Recovery, 1, 2);
    let behind = with(&old, 2, file()).await.unwrap();
    let kit = with(&old, 3, rotated(Root::Recovery)).await.unwrap();
    kit.run_jobs().await;
    assert!(
        matches!(
            progress(&kit, Root::Recovery).await,
            Progress::Again { sealed: 0, .. }
        ),
        "{:?}",
        progress(&kit, Root::Recovery).await
    );
    let owner = Owner::of(&behind, "1234").await;
    owner.add_verified(&behind, "1234", MAIL).await;
    kit.clock.advance(HOUR);
    assert_eq!(whole_walk(&kit, Root::Recovery).await, 1);
}

async fn a_node_that_is_started_later_looks_once_more(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    let file = || FixedRoots::default().rotated(Root::Data, 1, 2);
    let behind = with(&old, 2, file()).await.unwrap();
    let kit = with(&old, 3, rotated(Root::Data)).await.unwrap();
    whole_walk(&kit, Root::Data).await;
    kit.clock.advance(days(2));
    add_data_keys(&behind, 3).await;
    kit.run_jobs().await;
    assert_eq!(wrapped_with(&kit).await, [1, 1, 1, 2]);
    // Now the last one has the newer file, too.
    let last = with(&old, 4, rotated(Root::Data)).await.unwrap();
    assert_eq!(whole_walk(&last, Root::Data).await, 4);
    assert_eq!(wrapped_with(&kit).await, [2; 4]);
}

/// Changes the row of a data key as somebody does who writes to the database.
async fn spoil(kit: &Kit, id: u8, change: impl Fn(&mut Row) + Send + Sync + 'static) {
    let write = kit.store.write(Box::new(move |tx| {
        let id = RowId([id; 16]);
        let mut row = tx.get("data_key", &id)?.unwrap();
        change(&mut row);
        tx.remove("data_key", &id)?;
        tx.insert("data_key", &row)
    }));
    write.await.unwrap();
}

async fn rows_that_do_not_open_keep_no_other_from_it(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&old, "1234").await;
    owner.add_verified(&old, "1234", MAIL).await;
    add_data_keys(&old, 9).await;
    spoil(&old, 2, |row| *row.body.last_mut().unwrap() ^= 1).await;
    spoil(&old, 3, |row| row.body[..4].fill(0)).await;
    spoil(&old, 4, |row| row.body[..4].fill(0xff)).await;
    spoil(&old, 5, |row| row.body.clear()).await;
    spoil(&old, 6, |row| row.version = i64::MAX.unsigned_abs()).await;
    let roots = rotated(Root::Data).rotated(Root::Recovery, 2, 2);
    let kit = with(&old, 2, roots).await.unwrap();
    kit.run_jobs().await;
    kit.clock.advance(HOUR);
    kit.run_jobs().await;
    let data = Progress::Done {
        sealed: 5,
        unreadable: 5,
    };
    assert_eq!(progress(&kit, Root::Data).await, data);
    let recovery = Progress::Done {
        sealed: 1,
        unreadable: 0,
    };
    assert_eq!(progress(&kit, Root::Recovery).await, recovery);
    let events = kit
        .services
        .operators
        .audit_events(&kit.operator(), None, 100)
        .await
        .unwrap();
    let walks: Vec<_> = events
        .iter()
        .filter(|event| event.action == "root.reseal" && event.subject == "data")
        .map(|event| event.facts["rows"].as_str())
        .collect();
    assert_eq!(walks, ["0", "5"], "newest first");
}

async fn a_state_that_does_not_open_begins_anew(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    let kit = with(&old, 2, rotated(Root::Data)).await.unwrap();
    whole_walk(&kit, Root::Data).await;
    let spoil = kit.store.write(Box::new(|tx| {
        let rows = tx.scan(Some(("resealing", RowId([0; 16]))), 1)?;
        let mut row = rows[0].row.clone();
        *row.body.last_mut().unwrap() ^= 1;
        row.version += 1;
        tx.update("resealing", &row)
    }));
    spoil.await.unwrap();
    assert_eq!(
        progress(&kit, Root::Data).await,
        Progress::Walking { sealed: 0 }
    );
    assert_eq!(whole_walk(&kit, Root::Data).await, 0);
}

async fn another_rotation_begins_the_walk_anew(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    let kit = with(&old, 2, rotated(Root::Data)).await.unwrap();
    whole_walk(&kit, Root::Data).await;
    let third = FixedRoots::default().rotated(Root::Data, 3, 3);
    let newer = with(&old, 3, third).await.unwrap();
    assert_eq!(
        progress(&newer, Root::Data).await,
        Progress::Walking { sealed: 0 }
    );
    assert_eq!(whole_walk(&newer, Root::Data).await, 1);
    assert_eq!(wrapped_with(&newer).await, [3]);
    // A node that still seals with the second takes nothing back.
    let behind = FixedRoots::default().rotated(Root::Data, 2, 3);
    let behind = with(&old, 4, behind).await.unwrap();
    behind.run_jobs().await;
    assert_eq!(wrapped_with(&newer).await, [3]);
}

async fn a_pin_is_peppered_anew_when_it_is_proved(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    let (used, unused) = (Owner::of(&old, "1234").await, Owner::of(&old, "5678").await);
    let kit = with(&old, 2, rotated(Root::Pepper)).await.unwrap();
    let content = used.at(&kit).open("1234").await.unwrap();
    let later = rotated(Root::Pepper).without(Root::Pepper, 1);
    let later = with(&old, 3, later).await.unwrap();
    assert_eq!(used.at(&later).open("1234").await.unwrap(), content);
    for _ in 0..12 {
        let closed = outcome(unused.at(&later).open("5678").await);
        assert_eq!(closed, Outcome::Unavailable, "it was not proved yet");
    }
    // What could not be judged took no try.
    unused.at(&kit).open("5678").await.unwrap();
    unused.at(&later).open("5678").await.unwrap();
}

async fn a_node_with_the_older_file_peppers_nothing_back(backing: Backing) {
    let old = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&old, "1234").await;
    let kit = with(&old, 2, rotated(Root::Pepper)).await.unwrap();
    owner.at(&kit).open("1234").await.unwrap();
    let file = FixedRoots::default().rotated(Root::Pepper, 1, 2);
    let behind = with(&old, 3, file).await.unwrap();
    owner.at(&behind).open("1234").await.unwrap();
    let later = rotated(Root::Pepper).without(Root::Pepper, 1);
    let later = with(&old, 4, later).await.unwrap();
    owner.at(&later).open("1234").await.unwrap();
}
