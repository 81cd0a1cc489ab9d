//! The owner's share of the limits of a key: what strangers can use up, and what is left to the owner.

use std::sync::Arc;

use domain::time::{days, hours};
use domain::{Caller, Error, Refusal};
use testkit::{FakeClock, Kit};
use tokio::task::JoinSet;

use crate::owner::{Owner, caller, pin};

const PIN: &str = "1234";
const WRONG: &str = "0000";
const ANNA: &str = "anna@example.com";

fn from(network: &str) -> Caller {
    Caller {
        network: network.to_owned(),
        ..caller()
    }
}

fn stranger() -> Caller {
    from("203.0.113.99/32")
}

impl Owner {
    async fn open_from(&self, caller: Caller, with: &str) -> Result<(), Error> {
        let keys = &self.services.guarded_keys;
        keys.open_key(caller, self.key, pin(with)).await.map(|_| ())
    }

    /// Wrong PINs that are judged when somebody tries fifty, one after the other.
    async fn judged(&self, caller: &Caller) -> usize {
        let mut judged = 0;
        for _ in 0..50 {
            match self.open_from(caller.clone(), WRONG).await {
                Err(Error::Refused(Refusal::BadProof { .. })) => judged += 1,
                Err(Error::Refused(Refusal::Exhausted { .. })) => break,
                other => panic!("{other:?}"),
            }
        }
        judged
    }
}

async fn key() -> (Kit, Owner, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::at("2026-12-01T00:00:00Z"));
    let kit = Kit::builder().clock(Arc::clone(&clock)).build().await;
    let owner = Owner::of(&kit, PIN).await;
    (kit, owner, clock)
}

#[tokio::test]
async fn strangers_spend_seven_and_the_owner_still_opens() {
    let (_kit, owner, _) = key().await;
    assert_eq!(owner.judged(&stranger()).await, 7);
    assert_eq!(
        owner.judged(&from("198.51.100.1/32")).await,
        0,
        "all strangers share them"
    );
    owner.open_from(caller(), PIN).await.unwrap();
    assert_eq!(owner.judged(&caller()).await, 3);
}

#[tokio::test]
async fn a_right_pin_from_elsewhere_makes_that_network_familiar() {
    let (_kit, owner, clock) = key().await;
    let away = from("198.51.100.1/32");
    owner.open_from(away.clone(), PIN).await.unwrap();
    assert_eq!(owner.judged(&stranger()).await, 7);
    owner.open_from(away.clone(), PIN).await.unwrap();
    clock.advance(days(91));
    assert_eq!(owner.judged(&away).await, 7, "it is strange again");
}

#[tokio::test]
async fn x5_an_owner_who_opens_every_day_gives_strangers_no_fresh_guesses() {
    let (_kit, owner, clock) = key().await;
    let mut judged = 0;
    for _ in 0..7 {
        judged += owner.judged(&stranger()).await;
        owner.open_from(caller(), PIN).await.unwrap();
        clock.advance(hours(23));
    }
    assert_eq!(judged, 7);
}

#[tokio::test]
async fn somebody_behind_the_owners_network_has_thirty_wrong_pins_in_a_week() {
    let (_kit, owner, clock) = key().await;
    let mut judged = 0;
    for _ in 0..20 {
        for _ in 0..9 {
            let wrong = owner.open_from(caller(), WRONG).await;
            judged += usize::from(matches!(
                wrong,
                Err(Error::Refused(Refusal::BadProof { .. }))
            ));
        }
        let _right = owner.open_from(caller(), PIN).await;
        clock.advance(hours(8));
    }
    assert_eq!(judged, 30);
    clock.advance(days(7));
    owner.open_from(caller(), PIN).await.unwrap();
}

#[tokio::test]
async fn whoever_knew_the_old_pin_is_a_stranger_after_a_new_one() {
    let (_kit, owner, _) = key().await;
    let once = from("198.51.100.1/32");
    owner.open_from(once.clone(), PIN).await.unwrap();
    owner.change(PIN, "5678").await.unwrap();
    assert_eq!(owner.judged(&once).await, 7);
    owner.open_from(caller(), "5678").await.unwrap();
}

#[tokio::test]
async fn setting_the_same_pin_again_begins_no_count_anew() {
    let (_kit, owner, clock) = key().await;
    for _ in 0..9 {
        assert_eq!(owner.judged(&stranger()).await, 7);
        clock.advance(days(7));
        owner.change(PIN, PIN).await.unwrap();
    }
    assert_eq!(owner.judged(&stranger()).await, 7);
    clock.advance(days(7));
    assert_eq!(owner.judged(&stranger()).await, 0, "seventy were judged");
    owner.change(PIN, PIN).await.unwrap();
    assert_eq!(
        owner.judged(&stranger()).await,
        7,
        "the owner has opened it again"
    );
}

#[tokio::test]
async fn w10_a_key_without_a_contact_is_never_lost_to_strangers() {
    let (_kit, owner, clock) = key().await;
    let mut judged = 0;
    for _ in 0..12 {
        judged += owner.judged(&stranger()).await;
        clock.advance(days(7));
    }
    assert_eq!(judged, 70);
    // The owner's own network is open all the time.
    owner.clone().open_from(caller(), WRONG).await.unwrap_err();
    clock.advance(days(31));
    // By now no network is familiar, and nobody can recover: one guess in thirty days is left, for whoever comes.
    owner.open_from(from("198.51.100.1/32"), PIN).await.unwrap();
}

#[tokio::test]
async fn the_owner_is_told_at_the_third_and_the_thirtieth_guess_of_strangers() {
    let (kit, owner, clock) = key().await;
    owner.add_verified(&kit, PIN, ANNA).await;
    kit.courier.forget();
    let told = || kit.courier.operations_to(ANNA);
    for _ in 0..2 {
        let _wrong = owner.open_from(stranger(), WRONG).await;
    }
    assert!(told().is_empty());
    let _third = owner.open_from(stranger(), WRONG).await;
    assert_eq!(told(), ["pin_guessed"]);
    let _own = owner.open_from(caller(), WRONG).await;
    assert_eq!(
        told(),
        ["pin_guessed"],
        "a wrong PIN of the owner is no news"
    );
    owner.open_from(caller(), PIN).await.unwrap();
    for _ in 0..5 {
        owner.judged(&stranger()).await;
        clock.advance(days(7));
    }
    assert_eq!(told(), ["pin_guessed", "pin_guessed"]);
}

#[tokio::test]
async fn the_sum_is_exact_however_callers_of_all_networks_mix() {
    for round in 0..10 {
        let (_kit, owner, _) = key().await;
        let mut calls = JoinSet::new();
        for number in 0..60 {
            let owner = owner.clone();
            let caller = match number % 3 {
                0 => caller(),
                _ => from(&format!("203.0.113.{number}/32")),
            };
            calls.spawn(async move {
                let wrong = owner.open_from(caller, WRONG).await;
                let judged = matches!(wrong, Err(Error::Refused(Refusal::BadProof { .. })));
                (number % 3 == 0, judged)
            });
        }
        let (mut own, mut strange) = (0, 0);
        while let Some(done) = calls.join_next().await {
            match done.unwrap() {
                (true, true) => own += 1,
                (false, true) => strange += 1,
                _ => {}
            }
        }
        assert!(strange <= 7, "round {round}: {strange} of strangers");
        assert_eq!(own + strange, 10, "round {round}");
    }
}

#[tokio::test]
async fn a_large_network_of_ipv6_has_no_endless_budgets() {
    let kit = Kit::builder()
        .policy(|policy| policy.guarded_key.new_keys_per_network.count = 2)
        .build()
        .await;
    let keys = &kit.services.guarded_keys;
    let mut made = 0;
    for customer in 0..64 {
        // 64 customers' networks of one /48, in 16 networks of the size /56.
        let network = format!("2001:db8:1:{:x}::/64", customer * 0x40);
        for _ in 0..3 {
            let key = keys.create_key(from(&network), pin(PIN)).await;
            made += usize::from(key.is_ok());
        }
    }
    assert_eq!(made, 2 * 16);
}
