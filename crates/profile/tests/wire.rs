//! The surface from outside: goldens, and what the sheet asks a server to prove.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "wire/alike.rs"]
mod alike;
#[path = "wire/attack.rs"]
mod attack;
#[path = "wire/erased.rs"]
mod erased;
#[path = "wire/many.rs"]
mod many;
#[path = "wire/person.rs"]
mod person;
#[path = "wire/sessions.rs"]
mod sessions;
#[path = "wire/setting.rs"]
mod setting;
#[path = "wire/states.rs"]
mod states;
#[path = "wire/switches.rs"]
mod switches;
#[path = "wire/thief.rs"]
mod thief;

use testkit::Golden;

#[tokio::test]
async fn goldens() {
    let golden = Golden::new(setting::routes)
        .policy(setting::policy)
        .always(setting::every_answer)
        .step("totp", setting::totp);
    golden.run(env!("CARGO_MANIFEST_DIR")).await;
}
