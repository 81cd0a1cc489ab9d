//! Who may use the admin API: whoever shows a token that the server accepts from an operator.

use axum::extract::FromRequestParts;
use domain::proof::operator;
use http::request::Parts;
use web::auth::Bearer;

use crate::Shared;
use crate::error::Failure;

/// The operator who calls. Every handler asks for it, and hands it to the use case.
pub(crate) struct Operator(pub(crate) operator::Operator);

impl FromRequestParts<Shared> for Operator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, admin: &Shared) -> Result<Self, Failure> {
        let operator = match web::auth::bearer(&parts.headers) {
            Bearer::Token(token) => admin.services.operators.authenticate(token).ok(),
            Bearer::Missing | Bearer::Malformed => None,
        };
        operator.map(Self).ok_or(Failure::Unauthorized)
    }
}
