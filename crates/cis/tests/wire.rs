//! The surface from outside: goldens, vectors, and what the sheet asks a server to prove.

#[path = "wire/attack.rs"]
mod attack;
#[path = "wire/device.rs"]
mod device;
#[path = "wire/matrix.rs"]
mod matrix;
#[path = "wire/nodes.rs"]
mod nodes;
#[path = "wire/setting.rs"]
mod setting;
#[path = "wire/vectors.rs"]
mod vectors;
#[path = "wire/world.rs"]
mod world;

#[tokio::test]
async fn goldens() {
    setting::golden().run(env!("CARGO_MANIFEST_DIR")).await;
}
