//! How long an accepted rollback takes: `cargo run --release -p testkit --example rollback_rate -- [SUBJECTS]`.
//!
//! Subjects are PIN-guarded keys, half of them without a budget yet. Also on PostgreSQL, where
//! `KEYWARD_TEST_POSTGRES` names a server.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measurement"
)]

use std::time::Instant;

use domain::guarded_key::{GuardedKeyId, ImportedKey};
use testkit::{Backing, Kit};
use uuid::Uuid;

const DEFAULT: u128 = 20_000;

async fn measure(name: &str, backing: Backing, subjects: u128) {
    let kit = Kit::builder().store(backing.store()).build().await;
    for chunk in (0..subjects).collect::<Vec<_>>().chunks(256) {
        let added = chunk.iter().map(|number| {
            let key = ImportedKey {
                id: GuardedKeyId(Uuid::from_u128(*number)),
                content: [7; 32],
                salt: vec![7; 32],
                pin_hash: vec![7; 32],
                failed: u32::from(number % 2 == 0),
                first_failure: None,
            };
            let services = kit.services.clone();
            tokio::spawn(async move {
                services
                    .guarded_keys
                    .import_key(&testkit::kit::operator(&services), "test", key)
                    .await
            })
        });
        for added in added.collect::<Vec<_>>() {
            added.await.unwrap().unwrap();
        }
    }
    kit.services.upkeep.begin_era(None).await.unwrap();
    let watch = Instant::now();
    while !kit
        .services
        .upkeep
        .limit_after_rollback()
        .await
        .unwrap()
        .done
    {}
    let seconds = watch.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = subjects as f64 / seconds;
    println!("{name}: {subjects} subjects in {seconds:.1} s, {rate:.0} a second");
}

#[tokio::main]
async fn main() {
    let subjects = std::env::args()
        .nth(1)
        .map_or(DEFAULT, |text| text.parse().unwrap());
    measure("SQLite", Backing::file(), subjects).await;
    if let Some(backing) = Backing::postgres().await {
        measure("PostgreSQL", backing, subjects).await;
    }
}
