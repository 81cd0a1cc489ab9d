//! `keyward admin import …`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use admin_wire::Imported;
use clap::Subcommand;
use serde_json::json;

use crate::Target;
use crate::server::parsed;

/// How many lines one call sends.
const LINES: usize = 1000;

#[derive(Subcommand)]
pub enum ImportCommand {
    /// Import the tables of an original Photon key server, as JSON lines (a `DynamoDB` export, or plain).
    Photon {
        /// The file to import; `-` reads standard input.
        file: PathBuf,
        #[command(flatten)]
        target: Target,
    },
}

/// Sends the file in parts. The exit status is 1 if a line could not be imported.
pub(crate) async fn run(command: ImportCommand) -> Result<ExitCode, String> {
    let ImportCommand::Photon { file, target } = command;
    let text = read(&file)?;
    let server = target.connect()?;
    let lines: Vec<&str> = text.lines().collect();
    let mut all = Imported::default();
    for (nth, part) in lines.chunks(LINES).enumerate() {
        let path = "/admin/v1/import/photon";
        let done = parsed(server.post_text(path, part.join("\n")).await?)?;
        add(&mut all, done, nth * LINES);
    }
    target.show(&json!(all))?;
    Ok(if all.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn read(file: &Path) -> Result<String, String> {
    if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())
    } else {
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
    }
}

/// Adds the counts of one call; converts its line numbers to those of the whole file.
fn add(all: &mut Imported, done: Imported, before: usize) {
    all.keys += done.keys;
    all.users += done.users;
    all.skipped += done.skipped;
    for mut line in done.failed {
        line.line += before;
        all.failed.push(line);
    }
}

#[cfg(test)]
mod tests {
    use admin_wire::FailedLine;

    use super::*;

    #[test]
    fn counts_are_added_and_lines_are_those_of_the_file() {
        let mut all = Imported::default();
        for before in [0, LINES] {
            let done = Imported {
                keys: 2,
                users: 3,
                skipped: 4,
                failed: vec![FailedLine {
                    line: 7,
                    why: "not JSON".to_owned(),
                }],
            };
            add(&mut all, done, before);
        }
        assert_eq!((all.keys, all.users, all.skipped), (4, 6, 8));
        let lines: Vec<usize> = all.failed.iter().map(|failed| failed.line).collect();
        assert_eq!(lines, [7, LINES + 7]);
    }
}
