use super::*;

const fn step(number: i64, name: &'static str, phase: Phase) -> Migration {
    Migration {
        number,
        name,
        phase,
        sql: name,
    }
}

/// The steps of a newer release. An older one knows the first two.
static KNOWN: [Migration; 4] = [
    step(1, "one", Phase::Expand),
    step(2, "two", Phase::Expand),
    step(3, "three", Phase::Expand),
    step(4, "four", Phase::Contract),
];
static OLDER: [Migration; 2] = [step(1, "one", Phase::Expand), step(2, "two", Phase::Expand)];

fn history(steps: &[Migration]) -> History {
    let applied = steps.iter().map(|step| Applied {
        number: step.number,
        checksum: step.checksum(),
    });
    History {
        applied: applied.collect(),
        needs: needs_after(&KNOWN, steps).filter(|_| steps.len() > 1),
    }
}

#[test]
fn plans_what_is_missing_in_order() {
    let (plan, left) = pending(&OLDER, &History::default()).unwrap();
    assert_eq!(plan.to_string(), "schema 0 to 2: 0001_one 0002_two");
    assert_eq!(left.len(), 2);
    let (plan, _) = pending(&OLDER, &history(&KNOWN[..1])).unwrap();
    assert_eq!(plan.to_string(), "schema 1 to 2: 0002_two");
    let (plan, _) = pending(&OLDER, &history(&KNOWN[..2])).unwrap();
    assert!(plan.is_current());
    assert_eq!(plan.to_string(), "schema 2: nothing to do");
}

#[test]
fn a_start_expands_and_leaves_contracting_to_the_operator() {
    let (plan, left) = pending(&KNOWN, &history(&KNOWN[..2])).unwrap();
    assert_eq!(
        plan.to_string(),
        "schema 2 to 4: 0003_three 0004_four (contracts)"
    );
    assert!(!plan.is_current());
    assert_eq!(within(left, Extent::Expand).len(), 1);
    assert_eq!(within(left, Extent::All).len(), 2);
    assert_eq!(
        plan.within(Extent::Expand).to_string(),
        "schema 2 to 3: 0003_three"
    );
    let (plan, left) = pending(&KNOWN, &history(&KNOWN[..3])).unwrap();
    assert!(plan.is_current(), "it works without contracting");
    assert!(within(left, Extent::Expand).is_empty());
}

#[test]
fn an_older_release_works_beside_a_newer_one_until_that_contracts() {
    let (plan, left) = pending(&OLDER, &history(&KNOWN[..3])).unwrap();
    assert!(plan.is_current() && left.is_empty());
    assert_eq!((plan.from, plan.to), (3, 3));
    assert_eq!(
        pending(&OLDER, &history(&KNOWN)).unwrap_err(),
        SchemaError::Newer { found: 4, known: 2 }
    );
}

#[test]
fn refuses_a_newer_schema_that_says_nothing_and_an_edited_one() {
    let mut newer = history(&KNOWN);
    newer.needs = None;
    assert_eq!(
        pending(&OLDER, &newer).unwrap_err(),
        SchemaError::Newer { found: 4, known: 2 }
    );
    let mut edited = history(&KNOWN[..3]);
    edited.applied[0].checksum = vec![0];
    for known in [&KNOWN[..], &OLDER[..]] {
        assert_eq!(
            pending(known, &edited).unwrap_err(),
            SchemaError::Edited { number: 1 }
        );
    }
}

#[test]
fn what_no_waiting_mends_is_found_among_the_sources() {
    let newer = SchemaError::Newer { found: 4, known: 2 };
    let wrapped = domain::Error::unavailable(newer.clone());
    assert_eq!(SchemaError::lasting(&wrapped), Some(&newer));
    let (plan, _) = pending(&OLDER, &History::default()).unwrap();
    assert_eq!(SchemaError::lasting(&SchemaError::Pending { plan }), None);
    assert_eq!(SchemaError::lasting(&std::io::Error::other("away")), None);
}
