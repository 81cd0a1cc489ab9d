//! Who may use the admin API: whoever shows a token that the server accepts from an operator.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::Response;
use domain::operator;
use http::request::Parts;
use web::auth::Bearer;

use crate::{Admin, error};

/// The operator who calls. Every handler asks for it, and hands it to the use case.
pub(crate) struct Operator(pub(crate) operator::Operator);

impl FromRequestParts<Arc<Admin>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Response> {
        let operator = match web::auth::bearer(&parts.headers) {
            Bearer::Token(token) => admin.services.operators.authenticate(token).ok(),
            _ => None,
        };
        operator.map(Self).ok_or_else(error::unauthorized)
    }
}
