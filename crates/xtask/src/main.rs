//! The rules of the house that a compiler does not keep: `cargo run -p xtask -- tidy`, `… measure` and `… licences`.

mod exception;
mod finding;
mod golden;
mod licence;
mod manifest;
mod measure;
mod name;
mod readme;
mod room;
mod route;
mod size;
mod source;
mod spelling;
mod tracked;
mod tree;
mod word;

use std::path::Path;
use std::process::ExitCode;

use crate::finding::Finding;
use crate::measure::Measures;
use crate::tree::Tree;

const USAGE: &str = "usage: cargo run -p xtask -- <command>

  tidy       check dependency directions, names, sizes, goldens, READMEs and tracked text
  measure    print the sizes of crates, files, functions and services
  licences   check every package's licence and list unexpected duplicate versions
";

fn main() -> ExitCode {
    let command = std::env::args().nth(1);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let root = root.expect("xtask lies two folders below the workspace");
    match command.as_deref() {
        Some("tidy") => report("tidy", Tree::tracked(root).map(|tree| tidy(&tree))),
        Some("measure") => measure(root),
        Some("licences") => report("licences", licence::check_workspace(root)),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Every check of `tidy`, in the order in which a newcomer would want to hear of them.
fn tidy(tree: &Tree) -> Vec<Finding> {
    let checks = [
        manifest::check,
        word::check,
        spelling::check,
        name::check,
        room::check,
        size::check,
        golden::check,
        readme::check,
        tracked::check,
    ];
    checks.iter().flat_map(|check| check(tree)).collect()
}

fn measure(root: &Path) -> ExitCode {
    match Tree::tracked(root) {
        Ok(tree) => {
            print!("{}", Measures::of(&tree));
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("measure: could not run: {why}");
            ExitCode::from(2)
        }
    }
}

fn report(name: &str, outcome: Result<Vec<Finding>, String>) -> ExitCode {
    match outcome {
        Ok(findings) if findings.is_empty() => {
            println!("{name}: nothing to report");
            ExitCode::SUCCESS
        }
        Ok(findings) => {
            for finding in &findings {
                eprintln!("{finding}");
            }
            eprintln!("{name}: {} to mend", findings.len());
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("{name}: could not run: {why}");
            ExitCode::from(2)
        }
    }
}
