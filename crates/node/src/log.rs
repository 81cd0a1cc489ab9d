//! Structured logs, as text or JSON lines, on standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Whether the logger reports on standard error that a line could not be written. It must not: the line could not be
/// written to standard error, so the report fails too, with a panic, and a full disk under the log would end the server.
const LOST_LINES: bool = false;

/// Starts logging. `filter`: a level such as `info`, or levels by crate such as `domain=debug,info`.
pub(crate) fn start(filter: &str, json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("configuration: [server] log_filter: {error}"))?;
    let started = if json {
        fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .log_internal_errors(LOST_LINES)
            .try_init()
    } else {
        fmt()
            .with_target(false)
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .log_internal_errors(LOST_LINES)
            .try_init()
    };
    started.map_err(|error| error.to_string())
}
