//! The surface from outside: goldens, and what the sheet asks a server to prove.

#[path = "wire/nodes.rs"]
mod nodes;
#[path = "wire/setting.rs"]
mod setting;

use testkit::Golden;

#[tokio::test]
async fn goldens() {
    let golden = Golden::new(setting::routes)
        .policy(setting::policy)
        .always(setting::every_answer)
        .step("token", setting::token)
        .step("reached", setting::reached)
        .step("claimed", setting::claimed)
        .step("sign", setting::sign)
        .step("make-passkey", setting::make_passkey)
        .step("show-passkey", setting::show_passkey)
        .step("verifier", setting::verifier)
        .step("operator", setting::operator);
    golden.run(env!("CARGO_MANIFEST_DIR")).await;
}
