//! The test whether a write would succeed, made seldom however often it is asked for.

use std::time::Duration;

use domain::Error;
use tokio::sync::Mutex;

use crate::stopwatch::Stopwatch;

/// For how long the result of one readiness write is used again.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Time limit for a readiness write.
pub(crate) const WITHIN: Duration = Duration::from_secs(3);

/// The moment of the last readiness write that succeeded.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<Stopwatch>>);

impl Readiness {
    /// Waits for `touch`, which writes something, unless a write has succeeded just now. Of many callers one writes,
    /// and the others wait for it.
    pub(crate) async fn check(
        &self,
        touch: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        let mut last = self.0.lock().await;
        if last.is_some_and(|at| at.elapsed() < FRESH_FOR) {
            return Ok(());
        }
        *last = None;
        touch.await?;
        *last = Some(Stopwatch::start());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_is_not_remembered_and_a_success_is() {
        let readiness = Readiness::default();
        let fails = || async { Err(Error::Busy { seconds: 1 }) };
        assert!(readiness.check(fails()).await.is_err());
        assert!(readiness.check(async { Ok(()) }).await.is_ok());
        assert!(
            readiness.check(fails()).await.is_ok(),
            "it is not even asked"
        );
    }
}
