//! What a caller may do, as values that use cases demand.
//!
//! A permission is a text `subject:verb`. What counts for a call is what the token's permissions *and*
//! the client's permissions of this moment cover, so taking a right away works at once; both come with
//! the one client row that every call reads. The check gives a [`Grant`], whose fields only this module
//! can fill: a use case that takes a `Grant<Execute>` cannot be called without the right.

use std::fmt;
use std::marker::PhantomData;
use std::ops::BitAnd;

use serde::{Deserialize, Serialize};

use crate::core::error::Refusal;
use crate::tenant::{ApplicationId, ClientId, TenantId};

/// What may be done with a subject. No verb covers another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Create,
    Read,
    List,
    Edit,
    Delete,
    Execute,
}

impl Verb {
    pub const ALL: [Self; 6] = [
        Self::Create,
        Self::Read,
        Self::List,
        Self::Edit,
        Self::Delete,
        Self::Execute,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::List => "list",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Execute => "execute",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// One permission: `^[A-Za-z0-9_-]{1,64}:(create|read|list|edit|delete|execute)$`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Permission(String);

impl Permission {
    pub fn parse(text: &str) -> Option<Self> {
        let (subject, verb) = text.split_once(':')?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let sound = (1..=64).contains(&subject.len()) && subject.bytes().all(plain);
        (sound && Verb::from_name(verb).is_some()).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Everything in the caller's own application: what a client without any role has.
    pub fn full_access() -> Vec<Self> {
        Verb::ALL
            .iter()
            .map(|verb| Self(format!("apps:{}", verb.name())))
            .collect()
    }
}

impl TryFrom<String> for Permission {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a permission")
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> Self {
        permission.0
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a set of permissions covers within one application.
///
/// `apps:v` covers `v` on everything of the application, so does `v` on the application's own id; a
/// right on another application's id is of no use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    devices: u8,
    users: u8,
}

impl Rights {
    pub fn of<'p>(
        permissions: impl IntoIterator<Item = &'p str>,
        application: ApplicationId,
    ) -> Self {
        let own = application.to_string();
        let mut rights = Self::default();
        for (subject, verb) in permissions
            .into_iter()
            .filter_map(|text| text.split_once(':'))
        {
            let Some(bit) = Verb::from_name(verb).map(Verb::bit) else {
                continue;
            };
            let whole = subject == "apps" || subject == own;
            rights.devices |= if whole || subject == "devices" {
                bit
            } else {
                0
            };
            rights.users |= if whole || subject == "users" { bit } else { 0 };
        }
        rights
    }

    fn meet(self, wanted: Wanted) -> bool {
        match wanted {
            Wanted::Devices(verbs) => verbs.iter().any(|verb| self.devices & verb.bit() != 0),
            Wanted::Users(verb) => self.users & verb.bit() != 0,
            Wanted::Management | Wanted::Nothing => false,
        }
    }
}

impl BitAnd for Rights {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self {
            devices: self.devices & other.devices,
            users: self.users & other.users,
        }
    }
}

/// Whether `held` covers `asked`, for narrowing a token: the wider subject covers the narrower one, and
/// a permission covers itself.
pub fn covers(held: &[Permission], asked: &Permission, application: ApplicationId) -> bool {
    let own = application.to_string();
    let Some((subject, verb)) = asked.0.split_once(':') else {
        return false;
    };
    held.iter().any(|held| {
        let Some((wide, same)) = held.0.split_once(':') else {
            return false;
        };
        let narrower = match wide {
            "apps" => subject == own || subject == "devices" || subject == "users",
            _ if wide == own => subject == "devices" || subject == "users",
            _ => false,
        };
        same == verb && (wide == subject || narrower)
    })
}

/// What a use case demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// One of these verbs on device keys.
    Devices(&'static [Verb]),
    Users(Verb),
    /// A management client of the tenant; no permission is looked at.
    Management,
    /// Nobody may.
    Nothing,
}

/// A need by its type, so that a grant for one thing is no grant for another.
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

/// Who calls, with which rights: what a token and its client's row of this moment say together.
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
pub(crate) const OPERATOR: ClientId = ClientId(crate::core::port::store::RowId([0; 16]));

/// The proof that a caller may do `N` in its tenant and application.
pub struct Grant<N> {
    standing: Standing,
    need: PhantomData<fn() -> N>,
}

impl<N: Need> Grant<N> {
    /// The one way to a grant.
    pub(crate) fn check(standing: Standing) -> Result<Self, Refusal> {
        let granted = match N::WANTED {
            Wanted::Management => standing.manager,
            wanted => !standing.manager && standing.rights.meet(wanted),
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
    pub(crate) fn actor(&self) -> String {
        match &self.standing.operator {
            Some(name) => format!("operator {name}"),
            None => self.standing.client.to_string(),
        }
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
    use super::*;
    use crate::core::port::store::RowId;

    const OWN: ApplicationId = ApplicationId(RowId([1; 16]));
    const OTHER: ApplicationId = ApplicationId(RowId([2; 16]));

    fn standing(permissions: &[String], manager: bool) -> Standing {
        Standing {
            tenant: TenantId(RowId([0; 16])),
            application: OWN,
            application_name: String::new(),
            client: ClientId(RowId([3; 16])),
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
    fn the_wider_subject_covers_the_narrower_with_the_same_verb() {
        let own = OWN.to_string();
        let covered = |held: &str, asked: &str| {
            let held = Permission::parse(held).expect("sound");
            covers(&[held], &Permission::parse(asked).expect("sound"), OWN)
        };
        for asked in [
            format!("{own}:read"),
            "devices:read".into(),
            "users:read".into(),
            "apps:read".into(),
        ] {
            assert!(covered("apps:read", &asked), "{asked}");
            assert!(!covered("apps:list", &asked), "{asked}");
        }
        assert!(covered(&format!("{own}:read"), "users:read"));
        assert!(!covered(&format!("{own}:read"), "apps:read"));
        assert!(!covered(&format!("{OTHER}:read"), "devices:read"));
        assert!(!covered("apps:read", &format!("{OTHER}:read")));
        assert!(!covered("devices:read", "users:read"));
        assert!(covered("sessions:read", "sessions:read"));
    }

    #[test]
    fn permissions_have_one_form() {
        for good in ["apps:read", "a-b_C9:execute"] {
            assert!(Permission::parse(good).is_some(), "{good}");
        }
        let long = format!("{}:read", "a".repeat(65));
        for bad in [
            "",
            ":",
            "apps",
            "apps:",
            ":read",
            "apps:all",
            "a b:read",
            "apps:read:x",
            "ä:read",
            &long,
        ] {
            assert!(Permission::parse(bad).is_none(), "{bad}");
        }
    }
}
