//! Goldens: HTTP exchanges in text files, which are run against the real router and compared byte for byte.
//!
//! ```text
//! # photon §7.4, the first confirmation starts the thirty days. DOCUMENTED.
//! ! policy photon.lock_days 30
//! ! clock 2020-11-16T13:56:45.848Z
//! > PUT /v2/key/$key/user/jon.smith%40example.com
//! > accept-language: de
//! > {"op":"reset-pin","code":"$mail.code","newPin":"5678"}
//! < 423
//! < content-type: application/json
//! < www-authenticate: (absent)
//! < {"message":"Time locked until","delay":"2020-12-16T13:56:45.848Z"}
//! ! let until = $body.delay
//! ```
//!
//! - `>` is the request: its first line, headers (lower case, `name: value`), then the body. A line with only `>`
//!   ends the headers if the body looks like a header.
//! - `<` is the answer: the status, headers that are checked, then the whole body. Without body lines the body
//!   must be empty.
//! - The lines of a body are joined with line feeds. There is none at the end.
//! - `!` is a step between exchanges:
//!   `policy NAME VALUE` (before the first request) · `clock MOMENT` · `clock +30d2h` · `jobs` ·
//!   `let NAME = TEXT` · `repeat NAME COUNT TEXT` · `hex NAME DIGITS` (any bytes) ·
//!   `from ADDRESS` (the client's) · `letters accepted|later|refused|at once|by jobs` ·
//!   `mail ADDRESS OPERATION…` (what was sent there since the last such line, in order) · and what a
//!   front adds with [`Golden::step`].
//! - `$name` stands for a variable, `$$` for a dollar. Always there: `$body.a.b` (the last answer's JSON),
//!   `$header.name`, `$mail.code`, `$mail.link`, `$mail.token` (the end of the link), and
//!   `$mail[ADDRESS].code` and so on, each of the newest letter that has one.
//!
//! Everything random is seeded, so nothing is masked. `KEYWARD_GOLDENS=write` writes the current answers into the
//! files. A change of goldens is a separate commit, with its reason.

mod diff;
mod scene;
mod script;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use axum::Router;
use domain::Services;
use domain::policy::Policy;

pub use scene::Scene;

use crate::client::Answer;
use script::Script;

/// The result of a step that a front defines; an error is shown with its line.
pub type Stepped<'s> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 's>>;

type Step = Box<dyn for<'s> Fn(&'s mut Scene, &'s str) -> Stepped<'s>>;

/// A check of every answer of an API; the error says what is wrong.
type Rule = fn(method: &str, target: &str, answer: &Answer) -> Result<(), String>;

/// Settings for the goldens of one front.
pub struct Golden {
    routes: Box<dyn Fn(Services) -> Router>,
    policy: fn(&mut Policy, &str, &str) -> bool,
    steps: Vec<(&'static str, Step)>,
    rule: Rule,
}

impl Golden {
    /// `routes`: creates the front's router, including the answer to unknown paths.
    pub fn new(routes: impl Fn(Services) -> Router + 'static) -> Self {
        Self {
            routes: Box::new(routes),
            policy: |_, _, _| false,
            steps: Vec::new(),
            rule: |_, _, _| Ok(()),
        }
    }

    /// Sets how `! policy NAME VALUE` is applied. The function returns `false` for an unknown name or value.
    #[must_use]
    pub fn policy(mut self, apply: fn(&mut Policy, &str, &str) -> bool) -> Self {
        self.policy = apply;
        self
    }

    /// Sets a check of every answer, so that no golden has to repeat it; mostly for headers.
    #[must_use]
    pub fn always(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }

    /// Adds a step `! NAME …` that the front defines: for a signature, a handshake, or an operator's action.
    #[must_use]
    pub fn step(
        mut self,
        name: &'static str,
        step: impl for<'s> Fn(&'s mut Scene, &'s str) -> Stepped<'s> + 'static,
    ) -> Self {
        self.steps.push((name, Box::new(step)));
        self
    }

    /// Runs all `tests/wire/*.http` of the crate in `folder`, each with a new server.
    ///
    /// # Panics
    /// Panics with a readable difference for every file that does not match, or if there is no file.
    pub async fn run(&self, folder: &str) {
        let files = files(&Path::new(folder).join("tests/wire"));
        assert!(
            !files.is_empty(),
            "there are no goldens in {folder}/tests/wire"
        );
        let mut failures = Vec::new();
        for file in &files {
            let text = std::fs::read_to_string(file).expect("a golden is readable text");
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            match self.play(&name, &text).await {
                Ok(played) if played == text => {}
                Ok(played) => std::fs::write(file, played).expect("a golden can be written"),
                Err(failure) => failures.push(failure),
            }
        }
        let failed = failures.len();
        assert!(
            failures.is_empty(),
            "{failed} of {} goldens do not hold\n\n{}",
            files.len(),
            failures.join("\n")
        );
    }

    /// Runs one text. Returns the text, or the text with the current answers if they are to be written.
    async fn play(&self, name: &str, text: &str) -> Result<String, String> {
        let script =
            Script::parse(text).map_err(|(line, why)| format!("{name}:{line}: {why}\n"))?;
        let mode = if rewriting() {
            scene::Answers::Write
        } else {
            scene::Answers::Compare
        };
        scene::play(self, name, text, &script, mode).await
    }
}

/// Compares `actual` with the text `tests/name` of the crate in `folder`: a table, or any other text that is not
/// an exchange.
///
/// # Panics
/// Panics with a readable difference if they differ.
pub fn hold(folder: &str, name: &str, actual: &str) {
    let path = Path::new(folder).join("tests").join(name);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected == actual {
        return;
    }
    if rewriting() {
        std::fs::write(path, actual).expect("a golden can be written");
        return;
    }
    let [expected, actual] = [expected, actual.to_owned()].map(|text| diff::lines(text.as_bytes()));
    panic!("{name} does not hold\n\n{}", diff::diff(&expected, &actual));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "http")
        })
        .collect();
    files.sort();
    files
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the test run, not of the product"
)]
fn rewriting() -> bool {
    std::env::var("KEYWARD_GOLDENS").is_ok_and(|value| value == "write")
}

#[cfg(test)]
mod tests;
