//! What every program of the binary shares with whoever started it: standard output and the signals to stop.

mod output;
mod signal;

pub use output::{Output, print};
pub use signal::StopSignals;
