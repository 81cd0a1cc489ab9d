//! Judges histories of a running cluster (`tests/cluster/linear.py`): for each object, whether there is one order of its
//! operations that fits every answer and every clock. The search is a library's (Wing, Gong, Lowe); what an operation
//! means is said here, from the wire's description alone.
//!
//! An operation without an answer may have taken place at any time after it began, or never. So a state is the set of
//! all states that an object may be in, a bit each, and such an operation adds what it may have done.
//!
//!     linearizable FILE…    one object a line; exit status 1 and the lines when one does not fit

use std::process::ExitCode;

use serde::Deserialize;
use todc_utils::linearizability::history::Action::{Call, Response};
use todc_utils::{History, Specification, WGLChecker};

#[derive(Deserialize)]
struct Line {
    kind: String,
    /// Client, began, ended, what.
    operations: Vec<(usize, u64, Option<u64>, Operation)>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Operation {
    Open {
        pin: u64,
        out: Guessed,
    },
    Change {
        pin: Option<u64>,
        new: Option<u64>,
        out: Changed,
    },
    Spend {
        out: Spent,
    },
    Start {
        code: u64,
        out: Started,
    },
    Verify {
        code: u64,
        lock: u64,
        out: Verified,
    },
    Cancel {
        lock: u64,
        out: Started,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Guessed {
    Right,
    Wrong,
    Refused,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Changed {
    Right,
    Wrong,
    Refused,
    Unknown,
    /// By somebody who does not count guesses.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Spent {
    Won,
    Lost,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Started {
    Done,
    Lost,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verified {
    Locked,
    Lost,
    Unknown,
}

/// All states that are possible, a bit each.
type Possible = u128;

/// Every possible state, through `step`; an operation fits where one is left.
fn each(possible: Possible, step: impl Fn(u64) -> Possible) -> (bool, Possible) {
    let next = (0..128)
        .filter(|state| possible >> state & 1 == 1)
        .fold(0, |next, state| next | step(state));
    (next != 0, next)
}

fn bit(state: u64) -> Possible {
    1 << state
}

/// A guarded key: its PIN, and wrong guesses since the last right one. Ten, and nothing is judged.
struct Key;

const LIMIT: u64 = 10;

fn key_state(pin: u64, failed: u64) -> Possible {
    bit(pin * (LIMIT + 1) + failed)
}

fn guess(possible: Possible, pin: u64, new: u64, out: Guessed) -> (bool, Possible) {
    each(possible, |state| {
        let (held, failed) = (state / (LIMIT + 1), state % (LIMIT + 1));
        let stays = bit(state);
        let right = if held == pin { key_state(new, 0) } else { 0 };
        let counted = key_state(held, failed + 1);
        match out {
            Guessed::Refused => {
                if failed == LIMIT {
                    stays
                } else {
                    0
                }
            }
            Guessed::Unknown if failed == LIMIT => stays,
            // A try that its server did not live to settle counts, also that of a right PIN.
            Guessed::Unknown => stays | right | counted,
            _ if failed == LIMIT => 0,
            Guessed::Right => right,
            Guessed::Wrong => {
                if held == pin {
                    0
                } else {
                    counted
                }
            }
        }
    })
}

impl Specification for Key {
    type State = Possible;
    type Operation = Operation;

    fn init() -> Possible {
        key_state(0, 0)
    }

    fn apply(operation: &Operation, possible: &Possible) -> (bool, Possible) {
        match *operation {
            Operation::Open { pin, out } => guess(*possible, pin, pin, out),
            Operation::Change {
                pin: Some(pin),
                new: Some(new),
                out,
            } => {
                let out = match out {
                    Changed::Right => Guessed::Right,
                    Changed::Wrong => Guessed::Wrong,
                    Changed::Refused => Guessed::Refused,
                    Changed::Unknown => Guessed::Unknown,
                    Changed::Done => return (false, 0),
                };
                guess(*possible, pin, new, out)
            }
            _ => (false, 0),
        }
    }
}

/// A code that is good once.
struct Code;

const WHOLE: u64 = 0;
const SPENT: u64 = 1;

impl Specification for Code {
    type State = Possible;
    type Operation = Operation;

    fn init() -> Possible {
        bit(WHOLE)
    }

    fn apply(operation: &Operation, possible: &Possible) -> (bool, Possible) {
        let Operation::Spend { out } = *operation else {
            return (false, 0);
        };
        each(*possible, |state| match (out, state) {
            (Spent::Won, WHOLE) | (Spent::Lost, SPENT) => bit(SPENT),
            (Spent::Won | Spent::Lost, _) => 0,
            (Spent::Unknown, _) => bit(state) | bit(SPENT),
        })
    }
}

/// A time lock: the code that would arm it, and when it opens.
struct Lock;

/// One more than the codes, and than the locks, of a history.
const NONE: u64 = 7;
/// Armed by an operation that was never answered: nobody was told when it opens.
const UNTOLD: u64 = 6;

fn lock_state(code: u64, lock: u64) -> Possible {
    bit(code * 8 + lock)
}

fn verify(code: u64, lock: u64, told: u64, out: Verified, held: u64) -> Possible {
    let stays = lock_state(code, lock);
    let proved = code == held;
    match out {
        Verified::Lost => {
            if proved {
                0
            } else {
                stays
            }
        }
        Verified::Locked if !proved => 0,
        // A running lock does not move, a new one is another.
        Verified::Locked if [NONE, UNTOLD, told].contains(&lock) => lock_state(NONE, told),
        Verified::Locked => 0,
        Verified::Unknown if !proved => stays,
        Verified::Unknown if lock == NONE => stays | lock_state(NONE, UNTOLD),
        Verified::Unknown => stays | lock_state(NONE, lock),
    }
}

impl Specification for Lock {
    type State = Possible;
    type Operation = Operation;

    fn init() -> Possible {
        lock_state(NONE, NONE)
    }

    fn apply(operation: &Operation, possible: &Possible) -> (bool, Possible) {
        let ended = lock_state(NONE, NONE);
        each(*possible, |state| {
            let (code, lock) = (state / 8, state % 8);
            let stays = bit(state);
            match *operation {
                Operation::Start {
                    code,
                    out: Started::Done,
                } => lock_state(code, lock),
                Operation::Start {
                    code,
                    out: Started::Unknown,
                } => stays | lock_state(code, lock),
                Operation::Verify {
                    code: shown,
                    lock: told,
                    out,
                } => verify(code, lock, told, out, shown),
                Operation::Cancel { lock: link, out } => {
                    let runs = lock == link || lock == UNTOLD;
                    match out {
                        Started::Done => {
                            if runs {
                                ended
                            } else {
                                0
                            }
                        }
                        Started::Lost => {
                            if lock == link {
                                0
                            } else {
                                stays
                            }
                        }
                        Started::Unknown => {
                            if runs {
                                stays | ended
                            } else {
                                stays
                            }
                        }
                    }
                }
                Operation::Change {
                    out: Changed::Done, ..
                } => ended,
                Operation::Change {
                    out: Changed::Unknown,
                    ..
                } => stays | ended,
                _ => 0,
            }
        })
    }
}

/// In the order of time; what was never answered ends after everything else.
fn history(line: &Line) -> History<Operation> {
    let mut actions = Vec::new();
    for (number, (client, began, ended, operation)) in line.operations.iter().enumerate() {
        actions.push((*began, 0, number, *client, Call(*operation)));
        let ended = ended.unwrap_or(u64::MAX);
        actions.push((ended, 1, number, *client, Response(*operation)));
    }
    actions.sort_by_key(|(at, answer, number, ..)| (*at, *answer, *number));
    let actions = actions
        .into_iter()
        .map(|(.., client, action)| (client, action));
    History::from_actions(actions.collect())
}

fn fits(line: &Line) -> Result<bool, String> {
    let history = history(line);
    match line.kind.as_str() {
        "key" => Ok(WGLChecker::<Key>::is_linearizable(history)),
        "code" => Ok(WGLChecker::<Code>::is_linearizable(history)),
        "lock" => Ok(WGLChecker::<Lock>::is_linearizable(history)),
        other => Err(format!("no such kind: {other}")),
    }
}

fn judge(paths: impl Iterator<Item = String>) -> Result<(usize, usize, Vec<String>), String> {
    let (mut objects, mut operations, mut strange) = (0, 0, Vec::new());
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        for text in text.lines() {
            let line: Line =
                serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
            objects += 1;
            operations += line.operations.len();
            if !fits(&line)? {
                strange.push(text.to_owned());
            }
        }
    }
    Ok((objects, operations, strange))
}

fn main() -> ExitCode {
    match judge(std::env::args().skip(1)) {
        Ok((objects, operations, strange)) if strange.is_empty() && operations > 0 => {
            println!("{operations} operations on {objects} objects: linearizable");
            ExitCode::SUCCESS
        }
        Ok((objects, operations, strange)) => {
            println!(
                "{operations} operations on {objects} objects: {} do not fit",
                strange.len()
            );
            for text in strange {
                println!("{text}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("linearizable: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, operations: &str) -> bool {
        let text = format!("{{\"kind\":\"{kind}\",\"operations\":{operations}}}");
        fits(&serde_json::from_str(&text).unwrap()).unwrap()
    }

    fn wrong(count: u64, last: &str) -> String {
        let one = |at: u64, out: &str| {
            let (began, ended) = (2 * at, 2 * at + 1);
            format!("[0,{began},{ended},{{\"op\":\"open\",\"pin\":1,\"out\":\"{out}\"}}]")
        };
        let mut all: Vec<String> = (0..count).map(|at| one(at, "wrong")).collect();
        all.push(one(count, last));
        format!("[{}]", all.join(","))
    }

    #[test]
    fn ten_guesses_fit_and_eleven_do_not() {
        assert!(of("key", &wrong(9, "wrong")));
        assert!(of("key", &wrong(10, "refused")));
        assert!(!of("key", &wrong(10, "wrong")));
        assert!(!of("key", &wrong(9, "refused")), "refused too early");
    }

    #[test]
    fn an_old_pin_that_still_opens_does_not_fit() {
        let stale = r#"[[0,1,2,{"op":"change","pin":0,"new":1,"out":"right"}],[1,3,4,{"op":"open","pin":0,"out":"right"}]]"#;
        assert!(!of("key", stale));
        let at_once = r#"[[0,1,4,{"op":"change","pin":0,"new":1,"out":"right"}],[1,2,3,{"op":"open","pin":0,"out":"right"}]]"#;
        assert!(of("key", at_once));
        let lost = r#"[[0,1,null,{"op":"change","pin":0,"new":1,"out":"unknown"}],[1,3,4,{"op":"open","pin":0,"out":"right"}],[1,5,6,{"op":"open","pin":1,"out":"right"}]]"#;
        assert!(of("key", lost), "it took place late");
        let back = r#"[[0,1,null,{"op":"change","pin":0,"new":1,"out":"unknown"}],[1,3,4,{"op":"open","pin":1,"out":"right"}],[1,5,6,{"op":"open","pin":0,"out":"right"}]]"#;
        assert!(!of("key", back), "and was undone");
    }

    #[test]
    fn a_code_fits_once() {
        assert!(of(
            "code",
            r#"[[0,1,4,{"op":"spend","out":"won"}],[1,2,3,{"op":"spend","out":"lost"}]]"#
        ));
        assert!(!of(
            "code",
            r#"[[0,1,2,{"op":"spend","out":"won"}],[1,3,4,{"op":"spend","out":"won"}]]"#
        ));
        assert!(!of(
            "code",
            r#"[[0,1,2,{"op":"spend","out":"lost"}],[1,3,4,{"op":"spend","out":"won"}]]"#
        ));
        assert!(of(
            "code",
            r#"[[0,1,null,{"op":"spend","out":"unknown"}],[1,3,4,{"op":"spend","out":"lost"}]]"#
        ));
    }

    #[test]
    fn a_lock_that_moves_or_outlives_its_end_does_not_fit() {
        let armed = r#"[0,1,2,{"op":"start","code":0,"out":"done"}],[0,3,4,{"op":"verify","code":0,"lock":0,"out":"locked"}]"#;
        let again = |lock: u64| {
            format!(
                r#"[{armed},[0,5,6,{{"op":"start","code":1,"out":"done"}}],[0,7,8,{{"op":"verify","code":1,"lock":{lock},"out":"locked"}}]]"#
            )
        };
        assert!(of("lock", &again(0)));
        assert!(!of("lock", &again(1)), "moved");
        let cancel =
            |out: &str| format!(r#"[{armed},[1,5,6,{{"op":"cancel","lock":0,"out":"{out}"}}]]"#);
        assert!(of("lock", &cancel("done")));
        assert!(!of("lock", &cancel("lost")));
        let changed = format!(
            r#"[{armed},[1,5,6,{{"op":"change","out":"done"}}],[1,7,8,{{"op":"cancel","lock":0,"out":"done"}}]]"#
        );
        assert!(!of("lock", &changed), "ended by the change");
    }
}
