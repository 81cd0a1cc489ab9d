//! The one clock.

use crate::core::time::Timestamp;

/// Tells the time. Use cases ask once per request.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}
