//! What the doctor found, for people and for programs.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;
use terminal::Output;

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// Works, but is not what a production server should have.
    Advice,
    /// A server would not start, or would not do its work.
    Problem,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Advice => "advice",
            Self::Problem => "problem",
        }
    }
}

#[derive(Serialize)]
struct Finding {
    level: Level,
    what: String,
}

#[derive(Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn ok(&mut self, what: String) {
        self.add(Level::Ok, what);
    }

    pub(crate) fn advice(&mut self, what: String) {
        self.add(Level::Advice, what);
    }

    pub(crate) fn problem(&mut self, what: String) {
        self.add(Level::Problem, what);
    }

    fn add(&mut self, level: Level, what: String) {
        self.findings.push(Finding { level, what });
    }

    fn is_sound(&self) -> bool {
        let is_problem = |finding: &Finding| finding.level == Level::Problem;
        !self.findings.iter().any(is_problem)
    }

    /// Prints all findings. The exit status is 1 if one of them is a problem.
    pub(crate) fn show(&self, output: &Output) -> Result<ExitCode, String> {
        let value = json!({ "sound": self.is_sound(), "findings": self.findings });
        let lines: Vec<String> = self
            .findings
            .iter()
            .map(|finding| format!("{:8} {}", finding.level.name(), finding.what))
            .collect();
        output.print(&value, &lines.join("\n"))?;
        Ok(if self.is_sound() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_problem_makes_a_report_unsound() {
        let mut report = Report::default();
        report.ok("a".to_owned());
        report.advice("b".to_owned());
        assert!(report.is_sound());
        report.problem("c".to_owned());
        assert!(!report.is_sound());
    }

    #[test]
    fn the_json_uses_the_names_that_people_read() {
        for level in [Level::Ok, Level::Advice, Level::Problem] {
            assert_eq!(json!(level), level.name());
        }
    }
}
