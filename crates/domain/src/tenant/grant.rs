//! Grants: proofs that a caller may do something, which use cases ask for.
//!
//! Only [`Grant::check`] makes a [`Grant`], so a use case that takes a `Grant<Execute>` cannot be called without the
//! right.

use std::fmt;
use std::marker::PhantomData;

use super::permission::{Rights, Verb};
use super::{ApplicationId, ClientId, TenantId};
use crate::core::error::Refusal;
use crate::core::id::Id;
use crate::core::port::store::RowId;
use crate::core::time::Timestamp;
use crate::trail::audit::Event;

/// What a use case demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// One of these verbs on device keys.
    Devices(&'static [Verb]),
    Users(Verb),
    /// A management client of the tenant. Its permissions do not count.
    Management,
    /// Nobody may.
    Nothing,
}

impl Wanted {
    fn is_covered_by(self, rights: Rights) -> bool {
        match self {
            Self::Devices(verbs) => verbs.iter().any(|verb| rights.to_devices(*verb)),
            Self::Users(verb) => rights.to_users(verb),
            Self::Management | Self::Nothing => false,
        }
    }
}

/// A need as a type, so that a grant for one thing is no grant for another.
pub trait Need: Send + Sync + 'static {
    const WANTED: Wanted;
    /// As refusals name it.
    const NAME: &'static str;
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident: $wanted:expr, $text:literal;)*) => {
        $($(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Need for $name {
            const WANTED: Wanted = $wanted;
            const NAME: &'static str = $text;
        })*
    };
}

needs! {
    /// To register device keys.
    RegisterKeys: Wanted::Devices(&[Verb::Create]), "devices:create";
    /// To list them. To read one is enough.
    ListKeys: Wanted::Devices(&[Verb::List, Verb::Read]), "devices:list";
    /// To read one. To list them is not enough.
    ReadKeys: Wanted::Devices(&[Verb::Read]), "devices:read";
    /// To change, block and unblock them.
    EditKeys: Wanted::Devices(&[Verb::Edit]), "devices:edit";
    /// To delete them.
    DeleteKeys: Wanted::Devices(&[Verb::Delete]), "devices:delete";
    /// To have signatures checked.
    Execute: Wanted::Devices(&[Verb::Execute]), "devices:execute";
    /// To make users.
    CreateUsers: Wanted::Users(Verb::Create), "users:create";
    /// To read users.
    ReadUsers: Wanted::Users(Verb::Read), "users:read";
    /// To take users out of the application.
    EditUsers: Wanted::Users(Verb::Edit), "users:edit";
    /// To manage the tenant.
    Manage: Wanted::Management, "management";
    /// What no caller has.
    Never: Wanted::Nothing, "nothing";
}

/// A caller and its rights, as its token and its client's row of this moment say together.
#[derive(Debug, Clone)]
pub struct Standing {
    pub tenant: TenantId,
    pub application: ApplicationId,
    pub application_name: String,
    pub client: ClientId,
    /// The operator's name, if an operator calls.
    pub operator: Option<String>,
    pub manager: bool,
    pub server_challenges_only: bool,
    pub rights: Rights,
}

/// The operator of the server, who needs no client.
pub(crate) const OPERATOR: ClientId = ClientId::of(Id::new(RowId([0; 16])));

/// The proof that a caller may do `N` in its tenant and application.
pub struct Grant<N> {
    standing: Standing,
    need: PhantomData<fn() -> N>,
}

impl<N: Need> Grant<N> {
    /// The only way to a grant. `Forbidden` if the caller lacks the right.
    pub(crate) fn check(standing: Standing) -> Result<Self, Refusal> {
        let granted = match N::WANTED {
            Wanted::Management => standing.manager,
            wanted => !standing.manager && wanted.is_covered_by(standing.rights),
        };
        if granted {
            Ok(Self {
                standing,
                need: PhantomData,
            })
        } else {
            Err(Refusal::Forbidden { need: N::NAME })
        }
    }

    pub fn tenant(&self) -> TenantId {
        self.standing.tenant
    }

    pub fn application(&self) -> ApplicationId {
        self.standing.application
    }

    pub fn application_name(&self) -> &str {
        &self.standing.application_name
    }

    pub fn client(&self) -> ClientId {
        self.standing.client
    }

    /// The caller as the audit trail names it.
    fn actor(&self) -> String {
        match &self.standing.operator {
            Some(name) => format!("operator {name}"),
            None => self.standing.client.to_string(),
        }
    }

    /// What the caller did, for the audit trail.
    pub(crate) fn event(
        &self,
        surface: &'static str,
        now: Timestamp,
        action: &str,
        subject: &impl fmt::Display,
    ) -> Event {
        Event::new(surface, now, action, subject.to_string()).fact("by", self.actor())
    }

    /// Whether the application accepts only challenges that this server made.
    pub(crate) fn server_challenges_only(&self) -> bool {
        self.standing.server_challenges_only
    }
}

impl<N> fmt::Debug for Grant<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Grant").field(&self.standing).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::permission::Permission;
    use super::*;

    const OWN: ApplicationId = ApplicationId::of(Id::new(RowId([1; 16])));
    const OTHER: ApplicationId = ApplicationId::of(Id::new(RowId([2; 16])));

    fn standing(permissions: &[String], manager: bool) -> Standing {
        Standing {
            tenant: TenantId::of(Id::new(RowId([0; 16]))),
            application: OWN,
            application_name: String::new(),
            client: ClientId::of(Id::new(RowId([3; 16]))),
            operator: None,
            manager,
            server_challenges_only: false,
            rights: Rights::of(permissions.iter().map(String::as_str), OWN),
        }
    }

    fn granted<N: Need>(permission: &str) -> bool {
        Grant::<N>::check(standing(&[permission.to_owned()], false)).is_ok()
    }

    #[test]
    fn any_one_of_the_documented_permissions_opens_a_call_and_no_other_does() {
        type Check = fn(&str) -> bool;
        let calls: [(Check, &str, &[&str]); 9] = [
            (granted::<RegisterKeys>, "devices", &["create"]),
            (granted::<ListKeys>, "devices", &["read", "list"]),
            (granted::<ReadKeys>, "devices", &["read"]),
            (granted::<EditKeys>, "devices", &["edit"]),
            (granted::<DeleteKeys>, "devices", &["delete"]),
            (granted::<Execute>, "devices", &["execute"]),
            (granted::<CreateUsers>, "users", &["create"]),
            (granted::<ReadUsers>, "users", &["read"]),
            (granted::<EditUsers>, "users", &["edit"]),
        ];
        let (own, other) = (OWN.to_string(), OTHER.to_string());
        for (granted, kind, verbs) in calls {
            for subject in [
                "apps", &own, &other, "devices", "users", "sessions", "App", "",
            ] {
                for verb in Verb::ALL {
                    let wanted = [own.as_str(), "apps", kind].contains(&subject)
                        && verbs.contains(&verb.name());
                    let text = format!("{subject}:{}", verb.name());
                    assert_eq!(granted(&text), wanted, "{kind} {verbs:?} with {text}");
                }
            }
            for text in [
                "apps:*",
                "*:read",
                "apps",
                "read:devices",
                "apps:Read",
                "apps: read",
            ] {
                assert!(!granted(text), "{text}");
            }
        }
    }

    #[test]
    fn managers_manage_and_do_nothing_else() {
        let all: Vec<String> = Permission::full_access()
            .into_iter()
            .map(String::from)
            .collect();
        assert!(Grant::<Manage>::check(standing(&[], true)).is_ok());
        assert!(Grant::<Manage>::check(standing(&all, false)).is_err());
        assert!(Grant::<Execute>::check(standing(&all, true)).is_err());
        assert!(Grant::<Never>::check(standing(&all, false)).is_err());
        assert!(Grant::<Never>::check(standing(&all, true)).is_err());
    }

    #[test]
    fn a_refusal_names_the_right_that_is_missing() {
        let refused = Grant::<Execute>::check(standing(&[], false)).unwrap_err();
        let need = "devices:execute";
        assert_eq!(refused, Refusal::Forbidden { need });
    }

    #[test]
    fn the_audit_trail_names_the_client_or_the_operator() {
        let now = Timestamp::from_millis(1);
        let by = |standing| {
            let grant = Grant::<Manage>::check(standing).unwrap();
            let event = grant.event("test", now, "role.create", &OWN);
            assert_eq!(event.subject, OWN.to_string());
            event.facts["by"].clone()
        };
        assert_eq!(by(standing(&[], true)), "03".repeat(16));
        let operator = Standing {
            operator: Some("ann".to_owned()),
            ..standing(&[], true)
        };
        assert_eq!(by(operator), "operator ann");
    }
}
