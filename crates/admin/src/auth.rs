//! Who may use the admin API: the holder of this run's token. The proof is a value that every handler asks for.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::Response;
use domain::secret::SecretText;
use http::request::Parts;
use web::auth::Bearer;

use crate::{Admin, error};

/// An operator: can only be made by the check of the token.
pub(crate) struct Operator(());

impl FromRequestParts<Arc<Admin>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Response> {
        match web::auth::bearer(&parts.headers) {
            // Compared in constant time.
            Bearer::Token(token) if SecretText::new(token.to_owned()) == admin.token => {
                Ok(Self(()))
            }
            _ => Err(error::unauthorized()),
        }
    }
}
