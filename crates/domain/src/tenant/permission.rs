//! Permissions: texts `subject:verb` that say what a client may do.
//!
//! A call needs a right that both the token's permissions and the client's permissions of this moment cover, so
//! that a right that is taken away is gone at once. Every call reads the client's row, which holds them.

use std::fmt;
use std::ops::BitAnd;

use serde::{Deserialize, Serialize};

use super::ApplicationId;
pub use super::grant::*;

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

    pub(super) fn to_devices(self, verb: Verb) -> bool {
        self.devices & verb.bit() != 0
    }

    pub(super) fn to_users(self, verb: Verb) -> bool {
        self.users & verb.bit() != 0
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(digit: &str) -> ApplicationId {
        ApplicationId::parse(&digit.repeat(32)).unwrap()
    }

    #[test]
    fn the_wider_subject_covers_the_narrower_with_the_same_verb() {
        let (own_id, other) = (id("1"), id("2"));
        let own = own_id.to_string();
        let covered = |held: &str, asked: &str| {
            let held = Permission::parse(held).expect("sound");
            covers(&[held], &Permission::parse(asked).expect("sound"), own_id)
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
        assert!(!covered(&format!("{other}:read"), "devices:read"));
        assert!(!covered("apps:read", &format!("{other}:read")));
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

    #[test]
    fn rights_are_what_both_sets_of_permissions_cover() {
        let own = id("1");
        let held = Rights::of(["apps:read", "devices:edit"], own);
        let carried = Rights::of(["devices:read", "devices:edit", "users:edit"], own);
        let both = held & carried;
        assert_eq!(both, Rights::of(["devices:read", "devices:edit"], own));
        assert_eq!(held & Rights::default(), Rights::default());
    }

    #[test]
    fn full_access_is_every_verb_in_the_own_application() {
        let all = Permission::full_access();
        assert_eq!(all.len(), Verb::ALL.len());
        let rights = Rights::of(all.iter().map(Permission::as_str), id("1"));
        for verb in Verb::ALL {
            assert!(rights.to_devices(verb) && rights.to_users(verb), "{verb:?}");
        }
    }

    #[test]
    fn only_a_sound_text_is_read_back_as_a_permission() {
        let stored = serde_json::to_string(&Permission::parse("apps:read").unwrap()).unwrap();
        assert_eq!(stored, "\"apps:read\"");
        assert!(serde_json::from_str::<Permission>(&stored).is_ok());
        assert!(serde_json::from_str::<Permission>("\"apps:own\"").is_err());
    }

    fn some_permission() -> impl Strategy<Value = Permission> {
        let (own, other) = (id("1").to_string(), id("2").to_string());
        let subjects = ["apps", "devices", "users", "sessions"].map(str::to_owned);
        let subjects = [subjects.to_vec(), vec![own, other]].concat();
        (
            proptest::sample::select(subjects),
            proptest::sample::select(&Verb::ALL[..]),
        )
            .prop_map(|(subject, verb)| Permission(format!("{subject}:{}", verb.name())))
    }

    proptest! {
        #[test]
        fn a_narrowed_token_gives_no_right_that_the_client_has_not(
            held in proptest::collection::vec(some_permission(), 0..6),
            asked in some_permission(),
        ) {
            let rights = |of: &[Permission]| Rights::of(of.iter().map(Permission::as_str), id("1"));
            if covers(&held, &asked, id("1")) {
                let carried = rights(std::slice::from_ref(&asked));
                prop_assert_eq!(carried & rights(&held), carried);
            }
        }

        #[test]
        fn a_client_may_ask_for_each_permission_that_it_has(
            held in proptest::collection::vec(some_permission(), 1..6),
        ) {
            for asked in &held {
                prop_assert!(covers(&held, asked, id("1")), "{}", asked);
            }
        }

        #[test]
        fn one_more_permission_takes_no_right_away(
            held in proptest::collection::vec(some_permission(), 0..6),
            more in some_permission(),
        ) {
            let rights = |of: &[Permission]| Rights::of(of.iter().map(Permission::as_str), id("1"));
            let before = rights(&held);
            let after = rights(&[held, vec![more]].concat());
            prop_assert_eq!(before & after, before);
        }
    }
}
