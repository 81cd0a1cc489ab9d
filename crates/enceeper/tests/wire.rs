//! The surface from outside: goldens, rules, races, and two nodes on one database.

#[path = "wire/limits.rs"]
mod limits;
#[path = "wire/login.rs"]
mod login;
#[path = "wire/nodes.rs"]
mod nodes;
#[path = "wire/person.rs"]
mod person;
#[path = "wire/races.rs"]
mod races;
#[path = "wire/setting.rs"]
mod setting;
#[path = "wire/srp.rs"]
mod srp;
#[path = "wire/timing.rs"]
mod timing;
#[path = "wire/vault.rs"]
mod vault;

use testkit::Golden;

#[tokio::test]
async fn goldens() {
    let golden = Golden::new(setting::routes)
        .policy(setting::policy)
        .always(setting::every_answer)
        .step("member", |scene, rest| {
            Box::pin(setting::member(scene, rest))
        })
        .step("credential", |scene, rest| {
            Box::pin(async { setting::credential(scene, rest) })
        })
        .step("prove", |scene, rest| {
            Box::pin(async { setting::prove(scene, rest) })
        });
    golden.run(env!("CARGO_MANIFEST_DIR")).await;
}
