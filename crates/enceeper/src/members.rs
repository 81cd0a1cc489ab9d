//! Reads the members of a body into the struct that describes them, and names the first one that is wrong (sheet 4.5).
//!
//! The members are read in the order of the struct's fields, whatever their order in the body, so that of several
//! wrong ones the same is always named. Null counts as absent. Members that the struct does not know are ignored.

use std::fmt;
use std::slice::Iter;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

/// Why a body does not have the members that its struct asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The first member that is absent or not what it must be.
    pub(crate) member: Option<&'static str>,
    /// What the type of the member says about it, for the few that say more than that it is wrong.
    pub(crate) text: Option<String>,
}

/// Reads `members` as a `T`.
pub(crate) fn typed<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, Wrong> {
    T::deserialize(Member::Present(Value::Object(members)))
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member is absent or wrong")
    }
}

impl std::error::Error for Wrong {}

impl serde::de::Error for Wrong {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self {
            member: None,
            text: Some(text.to_string()),
        }
    }
}

impl From<serde_json::Error> for Wrong {
    /// The parser's own words may quote a value, and so a secret: they end here.
    fn from(_: serde_json::Error) -> Self {
        Self::default()
    }
}

/// One member of an object.
enum Member {
    Absent,
    Present(Value),
}

impl<'de> Deserializer<'de> for Member {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Self::Absent => Err(Wrong::default()),
            Self::Present(value) => Ok(value.deserialize_any(visitor)?),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Self::Absent | Self::Present(Value::Null) => visitor.visit_none(),
            present @ Self::Present(_) => visitor.visit_some(present),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self {
            Self::Present(Value::Object(members)) => visitor.visit_map(InOrder {
                fields: fields.iter(),
                members,
                field: None,
            }),
            Self::Absent | Self::Present(_) => Err(Wrong::default()),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The members of an object in the order of a struct's fields.
struct InOrder {
    fields: Iter<'static, &'static str>,
    members: Map<String, Value>,
    field: Option<&'static str>,
}

impl<'de> MapAccess<'de> for InOrder {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        self.field = self.fields.next().copied();
        let name = self
            .field
            .map(|field| -> StrDeserializer<'_, Wrong> { field.into_deserializer() });
        name.map(|name| seed.deserialize(name)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let field = self.field.unwrap_or_default();
        let value = self.members.remove(field);
        let read = seed.deserialize(value.map_or(Member::Absent, Member::Present));
        read.map_err(|wrong| Wrong {
            member: wrong.member.or(self.field),
            ..wrong
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        text: String,
        number: Option<u8>,
        inner: Inner,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        #[serde(rename = "B")]
        second: bool,
        #[serde(rename = "A", deserialize_with = "even")]
        first: u8,
    }

    fn even<'de, D: Deserializer<'de>>(number: D) -> Result<u8, D::Error> {
        match u8::deserialize(number)? {
            number if number % 2 == 0 => Ok(number),
            _ => Err(serde::de::Error::custom("must be even")),
        }
    }

    fn read(body: Value) -> Result<Outer, Wrong> {
        match body {
            Value::Object(members) => typed(members),
            other => panic!("no object: {other}"),
        }
    }

    fn wrong(body: Value) -> (Option<&'static str>, Option<String>) {
        let wrong = read(body).unwrap_err();
        (wrong.member, wrong.text)
    }

    #[test]
    fn members_come_in_any_order_with_others_between_them() {
        let body = json!({"z": 1, "inner": {"A": 2, "y": 0, "B": true}, "text": "t", "number": 3});
        let inner = Inner {
            second: true,
            first: 2,
        };
        assert_eq!(
            read(body),
            Ok(Outer {
                text: "t".to_owned(),
                number: Some(3),
                inner
            })
        );
    }

    #[test]
    fn null_counts_as_absent() {
        let inner = json!({"A": 2, "B": true});
        let without = read(json!({"text": "t", "inner": inner})).unwrap();
        assert_eq!(without.number, None);
        let with = read(json!({"text": "t", "number": null, "inner": inner}));
        assert_eq!(with, Ok(without));
        assert_eq!(wrong(json!({"text": null, "inner": inner})).0, Some("text"));
    }

    #[test]
    fn the_first_wrong_field_of_the_struct_is_named() {
        let cases = [
            (json!({}), "text"),
            (json!({"a": 1, "number": "x"}), "text"),
            (json!({"text": "t", "number": "x"}), "number"),
            (json!({"text": "t", "number": 256}), "number"),
            (json!({"text": "t", "number": 1.0}), "number"),
            (json!({"text": "t"}), "inner"),
            (json!({"text": "t", "inner": []}), "inner"),
            (json!({"text": "t", "inner": {}}), "B"),
            (json!({"text": "t", "inner": {"A": 1, "B": 1}}), "B"),
            (json!({"text": "t", "inner": {"A": "x", "B": true}}), "A"),
        ];
        for (body, member) in cases {
            assert_eq!(wrong(body.clone()), (Some(member), None), "{body}");
        }
    }

    #[test]
    fn a_type_may_say_what_is_wrong() {
        let body = json!({"text": "t", "inner": {"A": 1, "B": true}});
        assert_eq!(wrong(body), (Some("A"), Some("must be even".to_owned())));
    }
}
