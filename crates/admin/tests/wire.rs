//! The admin API from outside: goldens of what operators see and do.

#[path = "wire/setting.rs"]
mod setting;

use testkit::Golden;

#[tokio::test]
async fn goldens() {
    let golden = Golden::new(setting::routes)
        .policy(setting::policy)
        .always(setting::every_answer)
        .step("account", setting::account)
        .step("wallet", setting::wallet)
        .step("guarded_key", setting::guarded_key)
        .step("vault", setting::vault)
        .step("console", setting::console);
    golden.run(env!("CARGO_MANIFEST_DIR")).await;
}
