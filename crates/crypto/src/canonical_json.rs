//! One canonical text for every JSON value: the scheme of RFC 8785 (duo-auth sheet §6).
//!
//! The library writes the text; this module checks the input, because a signature over a text must mean exactly
//! one value. A repeated member and an integer that a double would change (parsers disagree about both) are
//! refused, as are lone surrogates, numbers beyond a double and more than 128 levels. Integers of more than 64
//! bits are read as doubles.

use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The largest number up to which a double can represent every integer.
const SAFE_INTEGER: u64 = 1 << f64::MANTISSA_DIGITS;

/// The value has no canonical form. The error does not say which part is the cause, because it may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCanonical;

impl fmt::Display for NotCanonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be JSON without repeated members and inexact numbers")
    }
}

impl std::error::Error for NotCanonical {}

/// The canonical form of a JSON text.
pub fn canonicalize(text: &str) -> Result<String, NotCanonical> {
    let Strict(value) = serde_json::from_str(text).map_err(|_| NotCanonical)?;
    to_string(&value)
}

/// The canonical form of a value. NaN, infinities and repeated members are refused. An integer beyond a double's
/// precision is rounded, so the value must not contain one.
pub fn to_string<T: Serialize>(value: &T) -> Result<String, NotCanonical> {
    serde_json_canonicalizer::to_string(value).map_err(|_| NotCanonical)
}

/// A value whose text every parser reads in the same way.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        exact(value, value.into())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        exact(value.unsigned_abs(), value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(Strict(value)) = list.next_element()? {
            out.push(value);
        }
        Ok(out.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some((name, Strict(value))) = members.next_entry()? {
            if out.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is given twice"));
            }
        }
        Ok(out.into())
    }
}

/// Returns `number` if a double represents it exactly, or if it is already written like its double. So nothing is
/// lost, and the canonical form of a canonical form is itself.
fn exact<E: serde::de::Error>(magnitude: u64, number: Value) -> Result<Value, E> {
    if magnitude <= SAFE_INTEGER || to_string(&magnitude) == Ok(magnitude.to_string()) {
        Ok(number)
    } else {
        Err(E::custom("a double would change this integer"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_integer_that_a_double_would_change_is_refused() {
        for good in [
            "0",
            "9007199254740992",
            "-9007199254740994",
            "12345678901234567000",
        ] {
            assert!(canonicalize(good).is_ok(), "{good}");
        }
        for wrong in [
            "9007199254740993",
            "-9007199254740993",
            "12345678901234567168",
        ] {
            assert_eq!(canonicalize(wrong), Err(NotCanonical), "{wrong}");
        }
    }

    #[test]
    fn members_given_twice_are_found_at_any_depth_and_in_any_spelling() {
        for wrong in [
            r#"[{"a":{"b":1,"b":1}}]"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"a":1} {}"#,
        ] {
            assert_eq!(canonicalize(wrong), Err(NotCanonical), "{wrong}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(canonicalize(&nested(100)), Ok(nested(100)));
        assert_eq!(canonicalize(&nested(100_000)), Err(NotCanonical));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (-1e22f64..1e22).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_its_own_and_of_every_spelling(value in value()) {
            let canonical = to_string(&value).expect("unambiguous");
            let pretty = serde_json::to_string_pretty(&value).expect("JSON");
            prop_assert_eq!(canonicalize(&pretty), Ok(canonical.clone()));
            prop_assert_eq!(canonicalize(&canonical), Ok(canonical));
        }

        #[test]
        fn no_text_panics(text in r#"[\[\]{}",:a0-9.eE+\\u-]{0,40}|.{0,40}"#) {
            let _ = canonicalize(&text);
        }
    }
}
