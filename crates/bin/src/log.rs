//! Structured logs, as text or JSON lines, on standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Starts logging. `filter`: `info`, or `domain=debug,info`, …
pub(crate) fn start(filter: &str, json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("configuration: [server] log_filter: {error}"))?;
    let started = if json {
        fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .try_init()
    } else {
        fmt()
            .with_target(false)
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .try_init()
    };
    started.map_err(|error| error.to_string())
}
