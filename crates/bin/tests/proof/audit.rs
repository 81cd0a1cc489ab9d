//! The audit chain is looked at while it grows, and finds a hand in the database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::scaled;
use crate::server::House;

#[test]
fn the_chain_is_whole_also_while_it_grows() {
    let house = House::new();
    let server = house.start();
    let over = AtomicBool::new(false);
    let walks = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = server.photon();
                while !over.load(Ordering::Relaxed) {
                    client.new_key("2468");
                }
            });
        }
        let walk = |_| house.keyward(&["admin", "audit", "verify", "--json"]);
        let walks: Vec<_> = (0..scaled(40, 400)).map(walk).collect();
        over.store(true, Ordering::Relaxed);
        walks
    });
    for walk in walks {
        assert!(walk.status.success(), "{walk:?}");
    }
    house.verify_audit();
    house.assert_no_panic();
}
