//! Tenants and what belongs to them: applications, their clients, roles, members, and device keys.
//!
//! ```text
//! tenant ──< application ──< client (secrets, roles, life of its tokens)
//!    │            └──< membership >── member (of the tenant; in one or more applications)
//!    ├──< role (a name and permissions, given to clients)
//!    └── management application ── client that manages the tenant
//! ```
//!
//! Each tenant has a data key of its own. Deleting the tenant removes that key, so that the rest of its rows can
//! never be read again. No row is looked up by an id alone: every look-up names the tenant or the application too,
//! and a row of another tenant or application is an unknown subject.

pub mod access_token;
mod application;
mod chores;
mod client;
mod default;
pub mod device_key;
mod grant;
mod id;
mod member;
pub mod permission;
pub mod policy;
mod removal;
mod role;
mod service;
mod tenancy;
mod token_key;

pub use application::{Application, ApplicationChange, ApplicationForm, ApplicationView};
pub(crate) use client::Authentication;
pub use client::{AssertionKey, Client, ClientChange, ClientForm, ClientView, NewSecret};
pub use id::{ApplicationId, ClientId, RoleId, TenantId};
pub(crate) use member::Membership;
pub use member::{MemberForm, MemberView, UserId};
pub use role::{RoleForm, RoleView};
pub(crate) use service::KINDS;
pub use service::Tenants;
pub use tenancy::{NewTenant, TenantView};

use crate::core::error::Refusal;

/// Checks a name or a description: 1 to 255 characters, none of them a control character.
pub(crate) fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    let length = text.chars().count();
    if !(1..=255).contains(&length) || text.chars().any(char::is_control) {
        return Err(Refusal::Invalid {
            field,
            why: "must be 1 to 255 characters without control characters",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_255_characters() {
        let longest = "ä".repeat(255);
        for good in ["a", " ", "Käufer & Söhne", &longest] {
            assert_eq!(check_text("name", good), Ok(()), "{good}");
        }
        let too_long = "a".repeat(256);
        for bad in ["", too_long.as_str(), "a\nb", "\u{7f}", "a\0"] {
            assert!(
                matches!(
                    check_text("name", bad),
                    Err(Refusal::Invalid { field: "name", .. })
                ),
                "{bad:?}"
            );
        }
    }
}
