//! What every handler has at hand, and the envelope around every answer (sheet 4.2).

use std::sync::Arc;

use axum::response::Response;
use domain::Vaults;
use http::StatusCode;
use serde::Serialize;

use crate::BASE_PATH;
use crate::wire::{Api, App, Envelope, Notices, Outcome};

/// What an operator sets of this wire.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the routes lie, without a slash at the end.
    pub base_path: String,
    /// The newest app, as `x.y.z`: an older one tells its user to update.
    pub app_version: String,
    /// Shown to users as an error, for an API that will end.
    pub api_deprecated: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            base_path: BASE_PATH.to_owned(),
            app_version: "1.0.1".to_owned(),
            api_deprecated: None,
        }
    }
}

/// The state of all handlers.
pub(crate) struct Front {
    pub(crate) vaults: Arc<Vaults>,
    pub(crate) options: Options,
}

impl Front {
    pub(crate) fn ok<T: Serialize>(&self, result: &T) -> Response {
        self.options
            .envelope(StatusCode::OK, Outcome::Ok, Some(result), None)
    }

    /// Success with nothing to tell: `"result":null`.
    pub(crate) fn done(&self) -> Response {
        self.options
            .envelope::<()>(StatusCode::OK, Outcome::Ok, None, None)
    }

    pub(crate) fn refuse(&self, status: StatusCode, text: &str) -> Response {
        self.options.refuse(status, text)
    }
}

impl Options {
    pub(crate) fn refuse(&self, status: StatusCode, text: &str) -> Response {
        self.envelope::<()>(status, Outcome::Nok, None, Some(text))
    }

    fn envelope<T: Serialize>(
        &self,
        status: StatusCode,
        outcome: Outcome,
        result: Option<&T>,
        error_message: Option<&str>,
    ) -> Response {
        let enceeper = Notices {
            app: App {
                version: &self.app_version,
            },
            api: Api {
                deprecated: self.api_deprecated.as_deref(),
            },
        };
        web::json::reply(
            status,
            &Envelope {
                outcome,
                result,
                enceeper,
                error_message,
            },
        )
    }
}
