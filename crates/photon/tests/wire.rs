//! The surface from outside: goldens, and what the sheet asks a server to prove.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "wire/acceptance.rs"]
mod acceptance;
#[path = "wire/server.rs"]
mod server;
#[path = "wire/setting.rs"]
mod setting;

use testkit::Golden;

#[tokio::test]
async fn goldens() {
    let golden = Golden::new(setting::routes)
        .policy(setting::policy)
        .always(setting::every_answer);
    golden.run(env!("CARGO_MANIFEST_DIR")).await;
}
