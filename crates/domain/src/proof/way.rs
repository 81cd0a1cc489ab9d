//! Addresses by which people are reached, and the second steps of a login.

use serde::{Deserialize, Serialize};

use crate::core::message::Channel;

/// How an account is reached: its kind of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WayKind {
    Email,
    Phone,
}

impl WayKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    pub(crate) const fn channel(self) -> Channel {
        match self {
            Self::Email => Channel::Email,
            Self::Phone => Channel::Sms,
        }
    }

    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Email => Self::Phone,
            Self::Phone => Self::Email,
        }
    }

    pub const fn factor(self) -> Factor {
        match self {
            Self::Email => Factor::Email,
            Self::Phone => Factor::Phone,
        }
    }
}

/// Calling codes of two digits; those with 1 and 7 have one, the others three.
const TWO: [&str; 43] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47",
    "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65",
    "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95",
];

/// A second step of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Factor {
    Email,
    Phone,
    Authenticator,
}

impl Factor {
    /// The address that this step's token goes to.
    pub const fn way(self) -> Option<WayKind> {
        match self {
            Self::Email => Some(WayKind::Email),
            Self::Phone => Some(WayKind::Phone),
            Self::Authenticator => None,
        }
    }
}

/// An address: as it was given, which is where messages go, and as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    pub kind: WayKind,
    pub given: String,
    pub norm: String,
}

impl Way {
    /// An e-mail address; compared in lower case as a whole.
    pub fn email(given: &str) -> Self {
        Self {
            kind: WayKind::Email,
            norm: given.to_lowercase(),
            given: given.to_owned(),
        }
    }

    /// A phone number with its plus and nothing but digits.
    pub fn phone(number: &str) -> Self {
        Self {
            kind: WayKind::Phone,
            given: number.to_owned(),
            norm: number.to_owned(),
        }
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.norm == other.norm
    }

    /// `a***@example.com`, `+***89`.
    pub fn masked(&self) -> String {
        masked(&self.given)
    }

    /// The calling code of a phone number's country (ITU-T E.164), with the plus.
    pub(crate) fn country(&self) -> Option<&str> {
        if self.kind != WayKind::Phone {
            return None;
        }
        let digits = self.norm.strip_prefix('+')?;
        let length = match digits.get(..2)? {
            two if two.starts_with(['1', '7']) => 1,
            two if TWO.contains(&two) || two == "98" => 2,
            _ => 3,
        };
        self.norm.get(..=length)
    }
}

/// `j***@example.com`, `+***89`.
pub(crate) fn masked(address: &str) -> String {
    match address.split_once('@') {
        Some((local, domain)) => format!("{}***@{domain}", local.chars().next().unwrap_or('*')),
        None => {
            let start = address.char_indices().rev().nth(1).map_or(0, |(at, _)| at);
            format!("+***{}", &address[start..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_what_the_owner_recognises() {
        assert_eq!(Way::email("Anna@Example.com").masked(), "A***@Example.com");
        assert_eq!(Way::phone("+123456789").masked(), "+***89");
    }

    #[test]
    fn short_addresses_have_masks_too() {
        assert_eq!(masked("@example.com"), "****@example.com");
        assert_eq!(masked("1"), "+***1");
        assert_eq!(masked(""), "+***");
    }

    #[test]
    fn email_addresses_are_compared_in_lower_case() {
        let (one, other) = (
            Way::email("Anna@Example.com"),
            Way::email("anna@example.COM"),
        );
        assert!(one.same(&other));
        assert_ne!(one.given, other.given);
        assert!(!one.same(&Way::phone("anna@example.com")));
        assert!(!one.same(&Way::email("berta@example.com")));
    }

    #[test]
    fn each_kind_of_address_has_its_step_its_channel_and_its_other() {
        for kind in [WayKind::Email, WayKind::Phone] {
            assert_eq!(kind.factor().way(), Some(kind));
            assert_ne!(kind.other(), kind);
            assert_eq!(kind.other().other(), kind);
        }
        assert_eq!(Factor::Authenticator.way(), None);
        assert_eq!(WayKind::Email.channel(), Channel::Email);
        assert_eq!(WayKind::Phone.channel(), Channel::Sms);
    }

    #[test]
    fn countries_are_calling_codes() {
        for (number, country) in [
            ("+12025550123", "+1"),
            ("+4915112345678", "+49"),
            ("+35312345678", "+353"),
            ("+79161234567", "+7"),
            ("+989121234567", "+98"),
        ] {
            assert_eq!(Way::phone(number).country(), Some(country), "{number}");
        }
        assert_eq!(Way::email("a@example.com").country(), None);
        for bad in ["", "+", "+1", "12"] {
            assert_eq!(Way::phone(bad).country(), None, "{bad}");
        }
    }
}
