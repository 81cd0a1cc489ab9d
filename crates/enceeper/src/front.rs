//! What every handler has at hand, and the envelope around every answer (sheet 4.2).

use std::sync::Arc;

use axum::response::Response;
use domain::vault::Vaults;
use http::StatusCode;
use serde::Serialize;

use crate::BASE_PATH;
use crate::wire::{Api, App, Bare, Envelope, Notices, Outcome};

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

/// What every handler has at hand.
pub(crate) struct Front {
    pub(crate) vaults: Arc<Vaults>,
    pub(crate) options: Options,
}

/// The state of every handler.
pub(crate) type FrontState = Arc<Front>;

impl Front {
    pub(crate) fn ok<T: Serialize>(&self, result: T) -> Response {
        let body = Envelope {
            outcome: Outcome::Ok,
            result,
            enceeper: self.options.notices(),
            error_message: None,
        };
        web::json::reply(StatusCode::OK, &body)
    }

    /// Success without a result: `"result":null`.
    pub(crate) fn done(&self) -> Response {
        self.options.bare(StatusCode::OK, Outcome::Ok, None)
    }
}

impl Options {
    /// A refusal, with the text that the app shows to its user.
    pub(crate) fn refuse(&self, status: StatusCode, text: &str) -> Response {
        self.bare(status, Outcome::Nok, Some(text.to_owned()))
    }

    fn bare(
        &self,
        status: StatusCode,
        outcome: Outcome,
        error_message: Option<String>,
    ) -> Response {
        let body = Bare {
            outcome,
            result: None,
            enceeper: self.notices(),
            error_message,
        };
        web::json::reply(status, &body)
    }

    fn notices(&self) -> Notices {
        Notices {
            app: App {
                version: self.app_version.clone(),
            },
            api: Api {
                deprecated: self.api_deprecated.clone(),
            },
        }
    }
}
