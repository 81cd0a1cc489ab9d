//! JSON that belongs to the client, stored as the client wrote it.
//!
//! Members keep their order and numbers their digits: a number is stored as text, because a conversion to a double would
//! change what the client gets back. Only white space and the spelling of escapes are lost.

use std::collections::HashMap;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    Object(Vec<(String, Document)>),
    Array(Vec<Document>),
    Text(String),
    /// A number, `true`, `false` or `null`, as it was written.
    Plain(String),
}

/// The largest number of nested objects and arrays: more than any client needs, and few enough for any stack.
const DEEPEST: usize = 160;

impl Document {
    /// Reads exactly one JSON value. Of repeated members the last counts. `None` if it is malformed or nested too deeply.
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(text, DEEPEST)
    }

    fn read(text: &str, levels: usize) -> Option<Self> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        let deeper = || levels.checked_sub(1);
        match text.bytes().next()? {
            b'{' => {
                let Members(raw) = serde_json::from_str(text).ok()?;
                let mut members: Vec<(String, Self)> = Vec::with_capacity(raw.len());
                let mut places = HashMap::new();
                for (name, value) in raw {
                    let value = Self::read(value.get(), deeper()?)?;
                    match places.insert(name.clone(), members.len()) {
                        None => members.push((name, value)),
                        Some(place) => {
                            places.insert(name, place);
                            members[place].1 = value;
                        }
                    }
                }
                Some(Self::Object(members))
            }
            b'[' => {
                let items: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
                let items = items.iter().map(|item| Self::read(item.get(), deeper()?));
                items.collect::<Option<_>>().map(Self::Array)
            }
            b'"' => serde_json::from_str(text).ok().map(Self::Text),
            _ => serde_json::from_str::<&RawValue>(text)
                .ok()
                .map(|raw| Self::Plain(raw.get().to_owned())),
        }
    }

    /// The text without white space.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The member of that name, if this is an object that has it.
    pub fn member(&self, name: &str) -> Option<&Self> {
        self.members()?
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    pub fn members(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// How many objects and arrays lie within each other; a plain value is 0 deep.
    pub fn depth(&self) -> usize {
        match self {
            Self::Object(members) => {
                1 + members
                    .iter()
                    .map(|(_, value)| value.depth())
                    .max()
                    .unwrap_or(0)
            }
            Self::Array(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Text(_) | Self::Plain(_) => 0,
        }
    }

    /// This object without the named members.
    #[must_use]
    pub fn without(self, names: &[&str]) -> Self {
        match self {
            Self::Object(mut members) => {
                members.retain(|(name, _)| !names.contains(&name.as_str()));
                Self::Object(members)
            }
            other => other,
        }
    }

    /// Merges `news` into this value: an object into an object member by member; anything else replaces what was there.
    pub fn merge(&mut self, news: Self) {
        match (self, news) {
            (Self::Object(known), Self::Object(news)) => {
                for (name, value) in news {
                    match known.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, old)) => old.merge(value),
                        None => known.push((name, value)),
                    }
                }
            }
            (old, news) => *old = news,
        }
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(members) => {
                let mut map = to.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Self::Array(items) => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Text(text) => to.serialize_str(text),
            Self::Plain(text) => {
                let raw = RawValue::from_string(text.clone()).map_err(serde::ser::Error::custom)?;
                raw.serialize(to)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        Self::parse(raw.get()).ok_or_else(|| de::Error::custom("not a document"))
    }
}

/// The members of an object in their order, values unread.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text).unwrap()
    }

    #[test]
    fn order_and_digits_stay_and_white_space_goes() {
        let text =
            "{ \"z\" : 1.50e+2,\n\"a\":[ 18446744073709551616 , -0, null ],\"t\":\"\\u00e4\\/\" }";
        assert_eq!(
            document(text).text(),
            r#"{"z":1.50e+2,"a":[18446744073709551616,-0,null],"t":"ä/"}"#
        );
        assert_eq!(
            document(r#"{"a":1,"b":2,"a":3}"#).text(),
            r#"{"a":3,"b":2}"#
        );
    }

    #[test]
    fn merging_goes_member_by_member_into_objects_only() {
        let mut known = document(r#"{"a":{"x":1,"y":[1,2]},"b":"t"}"#);
        known.merge(document(r#"{"a":{"y":[3],"z":null},"c":true,"b":{"n":1}}"#));
        assert_eq!(
            known.text(),
            r#"{"a":{"x":1,"y":[3],"z":null},"b":{"n":1},"c":true}"#
        );
    }

    #[test]
    fn depth_counts_objects_and_arrays() {
        assert_eq!(document("1").depth(), 0);
        assert_eq!(document(r#"{"a":[{}]}"#).depth(), 3);
        assert!(Document::parse(&"[".repeat(400)).is_none());
        assert!(Document::parse(&format!("{}{}", "[".repeat(170), "]".repeat(170))).is_none());
    }

    #[test]
    fn what_is_no_json_value_is_refused() {
        for text in [
            "", " ", "{", "}", "[1,]", "{\"a\"}", "{a:1}", "01", "1.", "nul", "\"", "\"\\x\"",
            "1 2", "{} {}",
        ] {
            assert_eq!(Document::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn members_are_found_in_objects_only() {
        let known = document(r#"{"a":{"b":"text"},"c":[{"b":1}]}"#);
        let inner = known.member("a").and_then(|a| a.member("b"));
        assert_eq!(inner.and_then(Document::as_text), Some("text"));
        assert_eq!(known.member("b"), None);
        assert_eq!(known.member("c").and_then(|c| c.member("b")), None);
        assert_eq!(document("1").as_text(), None);
        assert_eq!(known.members().map(<[_]>::len), Some(2));
        assert_eq!(document("[]").members(), None);
    }

    #[test]
    fn members_are_removed_by_name_from_the_outermost_object_only() {
        let known = document(r#"{"a":1,"b":{"a":2},"c":3}"#);
        assert_eq!(known.without(&["a", "c"]).text(), r#"{"b":{"a":2}}"#);
        assert_eq!(document("[1]").without(&["a"]).text(), "[1]");
    }

    #[test]
    fn a_merge_into_or_of_anything_but_objects_replaces() {
        for (before, news, after) in [
            ("1", "{\"a\":1}", "{\"a\":1}"),
            ("{\"a\":1}", "null", "null"),
            ("[1,2]", "[3]", "[3]"),
            ("{}", "{\"a\":{}}", "{\"a\":{}}"),
            ("{\"a\":{\"b\":1}}", "{\"a\":{}}", "{\"a\":{\"b\":1}}"),
        ] {
            let mut known = document(before);
            known.merge(document(news));
            assert_eq!(known.text(), after, "{before} {news}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_compact_text_reads_as_the_same_document(text in r#"[ \[\]{}",:a-c0-2.\\-]{0,24}"#) {
            if let Some(known) = Document::parse(&text) {
                let again = Document::parse(&known.text());
                proptest::prop_assert_eq!(again, Some(known));
            }
        }
    }

    #[test]
    fn it_survives_a_record() {
        let known = document(r#"{"n":1.10,"s":"\"\n"}"#);
        let text = serde_json::to_vec(&known).unwrap();
        assert_eq!(serde_json::from_slice::<Document>(&text).unwrap(), known);
    }
}
