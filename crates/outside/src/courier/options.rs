//! What the courier is told: plain values, filled from the configuration by the binary.

use std::path::PathBuf;
use std::time::Duration;

/// The providers of each channel in the order of trying. An empty list refuses every letter.
#[derive(Debug, Clone, Default)]
pub struct CourierOptions {
    pub email: Vec<ProviderOptions>,
    pub sms: Vec<ProviderOptions>,
    pub breaker: BreakerOptions,
}

/// When a failing provider is passed over.
#[derive(Debug, Clone, Copy)]
pub struct BreakerOptions {
    /// Failures in a row that send it to rest; 0 never does.
    pub failures: u32,
    pub rest: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            failures: 5,
            rest: Duration::from_secs(30),
        }
    }
}

/// One provider.
#[derive(Debug, Clone)]
pub enum ProviderOptions {
    File(FileOptions),
}

pub(super) const FILE: &str = "file";

impl ProviderOptions {
    /// The name of its kind in the configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => FILE,
        }
    }
}

/// Appends each letter as one JSON line.
#[derive(Debug, Clone)]
pub struct FileOptions {
    pub path: PathBuf,
}
