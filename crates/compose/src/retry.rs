//! Waiting for a database that cannot be reached.

use std::time::Duration;

use domain::Error;
use domain::error::chain;
use store::SchemaError;

use crate::cause;

/// Calls `ask` once a second until the database can be reached. A schema that this release cannot work with does not
/// pass by waiting, so it is an error at once.
pub(crate) async fn until_available<T, F>(mut ask: impl FnMut() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, Error>>,
{
    loop {
        match ask().await {
            Ok(value) => return Ok(value),
            Err(Error::Unavailable(error)) => {
                if let Some(why) = SchemaError::lasting(error.as_ref()) {
                    return Err(why.to_string());
                }
                let error = chain(error.as_ref());
                tracing::warn!(code = "database_away", error, "waiting for the database");
                #[expect(
                    clippy::disallowed_methods,
                    reason = "nothing tells when the database can be reached again"
                )]
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(cause(&error)),
        }
    }
}
