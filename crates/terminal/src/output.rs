use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::Args;

/// In which form a program answers.
#[derive(Args)]
pub struct Output {
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

impl Output {
    /// Prints the form that was asked for.
    pub fn print(&self, json: &impl Display, text: &str) -> Result<ExitCode, String> {
        if self.json {
            print(&json.to_string())
        } else {
            print(text)
        }
    }
}

/// Writes `text` and one line break to standard output. A reader that has gone away (`| head`) is not an error.
pub fn print(text: &str) -> Result<ExitCode, String> {
    match writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n')) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write: {error}"))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
