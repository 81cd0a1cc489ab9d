//! Tenants on two nodes with one database: what one node takes away is gone on the other at once.

use std::time::Duration;

use domain::Refusal;
use domain::tenant::ClientChange;
use domain::tenant::device_key::{Checked, Status};
use domain::tenant::permission::{Execute, ReadUsers};
use testkit::{Backing, Kit};

use crate::owner::{Outcome, outcome};
use crate::tenant::{CONFLICT, Shop, role_form};
use crate::tenant_key::{Person, base_point, sign, wrong};
use crate::tenant_token::{BAD, forbidden, open};

async fn two_nodes() -> (Kit, Kit) {
    let backing = Backing::memory();
    let two_misses = |policy: &mut domain::policy::Policy| policy.device_keys.misses_per_minute = 2;
    let one = Kit::builder().seed(1).policy(two_misses);
    let one = one.store(backing.store()).build().await;
    let two = Kit::builder().seed(2).policy(two_misses);
    let two = two.store(backing.another_node()).clock(one.clock.clone());
    (one, two.build().await)
}

/// The same shop as another node sees it.
fn at(shop: &Shop, kit: &Kit) -> Shop {
    Shop {
        kit: kit.clone(),
        tenants: kit.services.tenants.clone(),
        tenant: shop.tenant,
        application: shop.application,
        client: shop.client,
        secret: shop.secret.clone(),
    }
}

async fn people() -> (Person, Person) {
    let (one, two) = two_nodes().await;
    let here = Person::of(&one).await;
    let there = Person {
        shop: at(&here.shop, &two),
        user: here.user.clone(),
    };
    (here, there)
}

#[tokio::test]
async fn a_key_that_is_blocked_on_one_node_counts_on_no_other() {
    let (here, there) = people().await;
    assert_eq!(there.check(sign("a")).await, Checked::Valid);
    here.set(Status::Blocked).await;
    assert_eq!(there.check(sign("a")).await, Checked::Invalid);
    there.set(Status::Active).await;
    assert_eq!(here.check(sign("a")).await, Checked::Valid);
}

#[tokio::test]
async fn a_challenge_of_one_node_is_good_for_one_check_on_any_node() {
    let (here, there) = people().await;
    let challenge = here.challenge().await;
    assert_eq!(there.check(sign(&challenge)).await, Checked::Valid);
    assert_eq!(here.check(sign(&challenge)).await, Checked::Invalid);
    let challenge = there.challenge().await;
    let (one, two) = tokio::join!(here.check(sign(&challenge)), there.check(sign(&challenge)));
    assert_ne!(one, two);
}

#[tokio::test]
async fn wrong_signatures_count_on_all_nodes_together() {
    let (here, there) = people().await;
    let until = here.shop.kit.services.now().plus(Duration::from_secs(60));
    here.check(wrong("a")).await;
    there.check(wrong("b")).await;
    let limited = Outcome::Refused(Refusal::Limited { until });
    for person in [&here, &there] {
        assert_eq!(outcome(person.check_of("phone", sign("c")).await), limited);
    }
}

#[tokio::test]
async fn a_key_is_registered_on_one_of_two_nodes() {
    let (one, two) = two_nodes().await;
    let here = Person::without_keys(&one).await;
    let there = Person {
        shop: at(&here.shop, &two),
        user: here.user.clone(),
    };
    let (first, second) = tokio::join!(
        here.register("phone", base_point()),
        there.register("tablet", base_point())
    );
    let outcomes = [outcome(first), outcome(second)];
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert!(outcomes.contains(&CONFLICT), "{outcomes:?}");
    assert_eq!(here.names().await, there.names().await);
}

#[tokio::test]
async fn a_right_that_is_taken_on_one_node_is_gone_on_the_other() {
    let (one, two) = two_nodes().await;
    let here = open(&one).await;
    let there = at(&here, &two);
    let texts = ["devices:execute", "users:read"];
    let till = here.create_role("till", &texts).await.unwrap();
    here.give_roles(&[till.id]).await.unwrap();
    let token = here.token().await;
    assert_eq!(there.may::<ReadUsers>(&token).await, Outcome::Done);
    let fewer = role_form(None, &["devices:execute"]);
    here.change_role(till.id, fewer).await.unwrap();
    let refused = forbidden("users:read");
    assert_eq!(there.may::<ReadUsers>(&token).await, refused);
    assert_eq!(there.may::<Execute>(&token).await, Outcome::Done);
}

#[tokio::test]
async fn a_client_that_is_disabled_on_one_node_is_disabled_on_the_other() {
    let (one, two) = two_nodes().await;
    let here = open(&one).await;
    let there = at(&here, &two);
    let token = there.token().await;
    let disabled = ClientChange {
        disabled: Some(true),
        ..ClientChange::default()
    };
    here.change_client(disabled).await.unwrap();
    assert_eq!(there.may::<Execute>(&token).await, BAD);
    assert_eq!(outcome(there.ask(&there.secret, &[]).await), BAD);
}

#[tokio::test]
async fn a_role_is_given_or_deleted_but_not_both() {
    let (one, two) = two_nodes().await;
    let here = open(&one).await;
    let there = at(&here, &two);
    let till = here.create_role("till", &["users:read"]).await.unwrap();
    let roles = [till.id];
    let (given, deleted) = tokio::join!(here.give_roles(&roles), there.delete_role(till.id));
    assert_ne!(given.is_ok(), deleted.is_ok());
    let grant = here.grant().await;
    let view = here
        .tenants
        .read_client(grant, here.application, here.client);
    let left = here.tenants.list_roles(here.grant().await).await.unwrap();
    assert_eq!(view.await.unwrap().roles.len(), left.len());
}
