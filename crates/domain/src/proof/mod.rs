//! What proves something about a person, whatever surface asks for it.

pub mod bearer;
pub mod challenge;
pub mod password;
pub mod signing;
pub mod token;
pub mod vouched;
