//! The audit chain is whole, also to somebody who walks it while it grows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::http::request;
use crate::photon::Photon;
use crate::scaled;
use crate::server::House;
use crate::wait::Watch;

#[test]
fn the_chain_is_whole_also_while_it_grows() {
    let house = House::new();
    let server = house.start();
    let over = AtomicBool::new(false);
    let token = format!("Bearer {}", server.token);
    let header = [("Authorization", token.as_str())];
    let walk = request("POST", "/admin/v1/audit/verify", &header, "{}");
    let findings = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = server.photon();
                while !over.load(Ordering::Relaxed) {
                    client.new_key("2468");
                }
            });
        }
        let mut admin = Photon::new(server.admin);
        let mut findings = Vec::new();
        let watch = Watch::start();
        // The chain grows twice a second; a walk takes far less.
        while watch.elapsed() < Duration::from_secs(scaled(5, 60) as u64) {
            let verdict = admin.raw(&walk).unwrap();
            assert_eq!(verdict.status, 200);
            let found = verdict.json()["findings"].as_array().unwrap().clone();
            findings.extend(found);
        }
        over.store(true, Ordering::Relaxed);
        findings
    });
    assert!(findings.is_empty(), "{findings:?}");
    house.verify_audit();
    house.assert_no_panic();
}
