//! The ids of this room. Callers know them as 32 lower-case hexadecimal digits.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::application::Application;
use super::client::Client;
use super::role::Role;
use super::tenancy::Tenant;
use crate::core::id::{Id, NamesRow};
use crate::core::port::store::RowId;
use crate::core::rows::Scope;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident of $record:ident;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Id<$record>);

        impl $name {
            pub(crate) const fn of(id: Id<$record>) -> Self {
                Self(id)
            }

            /// The id without its type, as the owner of other rows and in the names of other rows.
            pub(crate) const fn row(self) -> RowId {
                self.0.row()
            }

            pub(crate) fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Reads what `Display` writes. `None` for any other text, such as one with upper-case digits.
            pub fn parse(text: &str) -> Option<Self> {
                sixteen_bytes(text).map(|bytes| Self(Id::new(RowId(bytes))))
            }
        }

        impl NamesRow<$record> for $name {
            fn named(&self) -> RowId {
                self.row()
            }
        }

        impl From<$name> for RowId {
            fn from(id: $name) -> Self {
                id.row()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.as_bytes()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or("not an id")
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        })*
    };
}

ids! {
    /// The id of a tenant. It is also the scope whose data key seals the tenant's rows.
    TenantId of Tenant;
    /// The id of an application.
    ApplicationId of Application;
    /// The id of a client: a program of a tenant's back end.
    ClientId of Client;
    /// The id of a role.
    RoleId of Role;
}

impl TenantId {
    /// The tenant whose data key seals the rows of this scope.
    pub(crate) const fn in_scope(scope: Scope) -> Self {
        Self(Id::new(scope.0))
    }

    pub(crate) const fn scope(self) -> Scope {
        Scope(self.row())
    }
}

fn sixteen_bytes(text: &str) -> Option<[u8; 16]> {
    let lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let mut bytes = [0; 16];
    let decoded = text.bytes().all(lower) && hex::decode_to_slice(text, &mut bytes).is_ok();
    decoded.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn an_id_is_read_and_written_as_the_same_text() {
        let id = ClientId::parse(TEXT).unwrap();
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(id.as_bytes()[..3], [0x00, 0x11, 0x22]);
    }

    #[test]
    fn a_record_keeps_an_id_as_its_text() {
        let id = RoleId::parse(TEXT).unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<RoleId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<RoleId>("\"00\"").is_err());
    }

    #[test]
    fn any_other_text_is_no_id() {
        let texts = [
            String::new(),
            TEXT[..30].to_owned(),
            format!("{TEXT}00"),
            TEXT.to_uppercase(),
            format!("{} ", &TEXT[..31]),
            TEXT.replace('f', "g"),
        ];
        for text in texts {
            assert!(ApplicationId::parse(&text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_tenant_is_its_own_scope() {
        let id = TenantId::parse(TEXT).unwrap();
        assert_eq!(id.scope().0, id.row());
        assert_eq!(TenantId::in_scope(id.scope()), id);
    }
}
