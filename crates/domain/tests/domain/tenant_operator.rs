//! Operators and tenants: who may do what, and what a deleted tenant leaves behind.

use std::collections::BTreeMap;

use domain::proof::operator::{Operator, OperatorRight};
use domain::secret::SecretText;
use domain::tenant::permission::{Execute, Manage};
use domain::tenant::{MemberForm, TenantId};
use domain::{Error, Refusal};
use testkit::Kit;

use crate::owner::{Outcome, outcome};
use crate::rollback::snapshot;
use crate::tenant::{Shop, UNKNOWN};
use crate::tenant_key::Person;

fn operator_with(kit: &Kit, right: OperatorRight) -> Operator {
    let name = format!("only {}", right.name());
    let operators = &kit.services.operators;
    operators.accept_token(SecretText::new(name.clone()), &name, &[right]);
    operators.authenticate(&name).unwrap()
}

fn is_forbidden<T>(result: Result<T, Error>) -> bool {
    matches!(outcome(result), Outcome::Refused(Refusal::Forbidden { .. }))
}

#[tokio::test]
async fn each_use_case_asks_for_its_right() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let (tenants, name) = (&shop.tenants, || "Other".to_owned());
    for right in OperatorRight::ALL {
        let operator = operator_with(&kit, right);
        let listed = tenants.list_tenants(&operator).await;
        assert_eq!(
            is_forbidden(listed),
            right != OperatorRight::Read,
            "{right:?}"
        );
        let rotated = tenants.rotate_token_key(&operator).await;
        assert_eq!(
            is_forbidden(rotated),
            right != OperatorRight::Keys,
            "{right:?}"
        );
        let manages = right == OperatorRight::Manage;
        let created = tenants.create_tenant(&operator, name()).await;
        assert_eq!(is_forbidden(created), !manages, "{right:?}");
        let added = tenants.add_manager(&operator, shop.tenant, name()).await;
        assert_eq!(is_forbidden(added), !manages, "{right:?}");
        let granted = tenants.grant_to_operator::<Manage>(&operator, shop.tenant, None);
        assert_eq!(is_forbidden(granted.await), !manages, "{right:?}");
        if !manages {
            let deleted = tenants.delete_tenant(&operator, shop.tenant).await;
            assert!(is_forbidden(deleted), "{right:?}");
        }
    }
    assert_eq!(shop.trail("tenant.delete").await.len(), 0);
    assert_eq!(shop.trail("tenant.create").await.len(), 2);
}

#[tokio::test]
async fn what_an_operator_does_for_a_tenant_is_recorded_under_the_operators_name() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let operator = operator_with(&kit, OperatorRight::Manage);
    let granted = shop
        .tenants
        .grant_to_operator(&operator, shop.tenant, Some(shop.application));
    let form = MemberForm::default();
    let created = shop
        .tenants
        .create_member("test", granted.await.unwrap(), form);
    created.await.unwrap();
    let recorded = &shop.events("member.create").await[0];
    assert_eq!(
        recorded.facts["by"],
        format!("operator {}", operator.name())
    );
}

#[tokio::test]
async fn an_operator_has_no_grant_in_another_tenants_application() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let other = Shop::open(&kit, "Other").await;
    let operator = kit.operator();
    let foreign = Some(other.application);
    let granted = shop
        .tenants
        .grant_to_operator::<Execute>(&operator, shop.tenant, foreign);
    assert_eq!(outcome(granted.await), UNKNOWN);
    let nobody = TenantId::parse(&"9".repeat(32)).unwrap();
    let granted =
        shop.tenants
            .grant_to_operator::<Execute>(&operator, nobody, Some(shop.application));
    assert_eq!(outcome(granted.await), UNKNOWN);
}

/// How many rows of each kind that belongs to tenants there are.
async fn rows_of_tenants(kit: &Kit) -> BTreeMap<String, usize> {
    let kinds = [
        "tenant",
        "application",
        "client",
        "role",
        "role_use",
        "member",
        "member_name",
        "membership",
        "device_key",
        "device_key_print",
        "device_challenge",
        "removal",
    ];
    let mut counts = BTreeMap::new();
    for row in snapshot(kit).await {
        if kinds.contains(&row.kind.as_str()) {
            *counts.entry(row.kind).or_default() += 1;
        }
    }
    counts
}

#[tokio::test]
async fn a_deleted_tenant_leaves_no_rows_that_could_grow() {
    let kit = Kit::new().await;
    let other = Person::of(&kit).await;
    other.challenge().await;
    let before = rows_of_tenants(&kit).await;
    let ann = Person::of(&kit).await;
    ann.challenge().await;
    let till = ann.shop.create_role("till", &[]).await.unwrap();
    ann.shop.give_roles(&[till.id]).await.unwrap();
    for number in 0..60 {
        let form = MemberForm {
            email: Some(format!("{number}@example.org")),
            username: Some(number.to_string()),
            ..MemberForm::default()
        };
        ann.shop.create(form).await.unwrap();
    }
    let operator = kit.operator();
    let deleted = ann.shop.tenants.delete_tenant(&operator, ann.shop.tenant);
    deleted.await.unwrap();
    kit.run_jobs().await;
    assert_eq!(rows_of_tenants(&kit).await, before);
    assert_eq!(other.names().await, ["phone"]);
}

#[tokio::test]
async fn of_two_deletions_of_a_tenant_at_once_one_is_made() {
    let kit = Kit::new().await;
    let shop = Shop::open(&kit, "Shop").await;
    let operator = kit.operator();
    let delete = || shop.tenants.delete_tenant(&operator, shop.tenant);
    let (one, two) = tokio::join!(delete(), delete());
    let outcomes = [outcome(one), outcome(two)];
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert!(outcomes.contains(&UNKNOWN), "{outcomes:?}");
    assert_eq!(shop.trail("tenant.delete").await.len(), 1);
}
