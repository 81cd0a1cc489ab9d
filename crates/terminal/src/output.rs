use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// Writes `text` and one line break to standard output. A reader that has gone away (`| head`) is not an error.
pub fn print(text: &str) -> Result<ExitCode, String> {
    match writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n')) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write: {error}"))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
