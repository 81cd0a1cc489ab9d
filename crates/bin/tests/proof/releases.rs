//! A database that a newer release has been at.

use crate::postgres::{Database, run};
use crate::server::House;

/// As the next release applies a step: `needs` is the newest step that a server must know.
fn step(number: u32, change: &str, needs: u32) -> String {
    format!(
        "BEGIN; {change};
         INSERT INTO migration (number, name, checksum) VALUES ({number}, 'next', sha256('next'));
         INSERT INTO meta (name, value) VALUES ('schema_needs', {needs})
             ON CONFLICT (name) DO UPDATE SET value = greatest(meta.value, excluded.value);
         COMMIT"
    )
}

#[test]
fn a_newer_release_may_expand_under_this_one_and_is_left_alone_once_it_contracts() {
    let Some(database) = Database::of("releases") else {
        return;
    };
    let house = House::new().with("KEYWARD_STORAGE__URL", &database.url);
    let server = house.start();
    let key = server.photon().new_key("2468");
    let content = server.photon().content(&key, "2468");
    let column = "ALTER TABLE sealed_row ADD COLUMN shade BIGINT NOT NULL DEFAULT 0; \
                  CREATE INDEX sealed_row_shade ON sealed_row (kind, shade, id)";
    run(&database.url, &[&step(2, column, 0)]);
    assert_eq!(server.photon().content(&key, "2468"), content);
    let more = server.photon().new_key("1357");
    server.stop();
    let server = house.start();
    assert_eq!(server.photon().content(&key, "2468"), content);
    assert_eq!(server.photon().open(&more, "1357").unwrap().status, 200);
    server.stop();
    run(&database.url, &[&step(3, "DROP INDEX sealed_row_shade", 3)]);
    for _ in 0..2 {
        // It ends instead of waiting for a release that was there already.
        house
            .refused()
            .says(&["schema 3 of a newer release", "knows schema 1"]);
    }
    house.assert_no_panic();
}
