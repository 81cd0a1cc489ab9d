//! Prints the findings of the trials, for people and as JSON.

use serde_json::json;
use terminal::print;

/// The result of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Held,
    /// A limit did not hold; the text says what was seen.
    Broken(String),
    /// It was not tried; the text says why.
    Skipped(String),
}

impl Verdict {
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self, Self::Broken(_))
    }
}

/// The result of all rounds of one trial.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) trial: &'static str,
    pub(crate) rounds: u64,
    pub(crate) requests: u64,
    /// What was counted, in the round that is reported.
    pub(crate) seen: String,
    pub(crate) verdict: Verdict,
}

/// The result of one round: the number of requests, and what was counted.
pub(crate) struct Round {
    pub(crate) requests: u64,
    pub(crate) seen: String,
}

/// Why a round did not succeed.
pub(crate) enum Ended {
    /// A limit did not hold.
    Broken(String),
    /// It could not be tried.
    Skipped(String),
}

pub(crate) type Tried = Result<Round, Ended>;

pub(crate) fn tried(trial: &'static str, round: Tried) -> Finding {
    let (requests, seen, verdict) = match round {
        Ok(Round { requests, seen }) => (requests, seen, Verdict::Held),
        Err(Ended::Broken(what)) => (0, String::new(), Verdict::Broken(what)),
        Err(Ended::Skipped(why)) => (0, String::new(), Verdict::Skipped(why)),
    };
    Finding {
        trial,
        rounds: u64::from(verdict == Verdict::Held),
        requests,
        seen,
        verdict,
    }
}

/// Merges the result of a round into the findings. A broken limit stays broken, and a skipped round does not replace
/// one that held.
pub(crate) fn merge(findings: &mut Vec<Finding>, next: Finding) {
    let Some(known) = findings.iter_mut().find(|known| known.trial == next.trial) else {
        findings.push(next);
        return;
    };
    known.rounds += next.rounds;
    known.requests += next.requests;
    match (&known.verdict, &next.verdict) {
        (Verdict::Broken(_), _) | (Verdict::Held, Verdict::Skipped(_)) => {}
        _ => {
            known.seen = next.seen;
            known.verdict = next.verdict;
        }
    }
}

pub(crate) fn show(findings: &[Finding], json: bool) -> Result<(), String> {
    if !json {
        print(&format!(
            "{:<30} {:>6} {:>8}  {:<10} what was seen",
            "trial", "rounds", "requests", "verdict"
        ))?;
        for finding in findings {
            let (word, more) = words(finding);
            print(&format!(
                "{:<30} {:>6} {:>8}  {word:<10} {more}",
                finding.trial, finding.rounds, finding.requests
            ))?;
        }
    }
    for finding in findings {
        let (word, more) = words(finding);
        let line = json!({
            "trial": finding.trial, "rounds": finding.rounds, "requests": finding.requests,
            "verdict": word, "seen": more,
        });
        print(&line.to_string())?;
    }
    Ok(())
}

fn words(finding: &Finding) -> (&'static str, &str) {
    match &finding.verdict {
        Verdict::Held => ("held", &finding.seen),
        Verdict::Broken(what) => ("BROKEN", what),
        Verdict::Skipped(why) => ("not tried", why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(seen: &str) -> Finding {
        let round = Round {
            requests: 3,
            seen: seen.to_owned(),
        };
        tried("race", Ok(round))
    }

    #[test]
    fn rounds_are_added_and_the_worst_is_told() {
        let mut findings = Vec::new();
        merge(&mut findings, held("one"));
        merge(&mut findings, held("two"));
        assert_eq!((findings[0].rounds, findings[0].requests), (2, 6));
        assert_eq!(findings[0].seen, "two");
        let skipped = tried("race", Err(Ended::Skipped("a limit".to_owned())));
        merge(&mut findings, skipped);
        assert_eq!(findings[0].verdict, Verdict::Held);
        let alone = tried("race", Err(Ended::Skipped("a limit".to_owned())));
        assert_eq!(words(&alone), ("not tried", "a limit"));
        let broken = tried("race", Err(Ended::Broken("11 judged".to_owned())));
        merge(&mut findings, broken);
        merge(&mut findings, held("three"));
        assert_eq!(words(&findings[0]), ("BROKEN", "11 judged"));
        assert_eq!(findings[0].rounds, 3);
    }
}
