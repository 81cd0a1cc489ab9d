//! Builds a [`Value`] and checks what `serde_json` does not: repeated members and depth.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::{Duplicates, JsonError};

/// Reads the one value that `text` consists of.
pub(super) fn value(text: &str, duplicates: Duplicates, depth: usize) -> Result<Value, JsonError> {
    let repeated = RefCell::new(None);
    let root = Node {
        duplicates,
        place: Place::Top,
        left: depth,
        repeated: &repeated,
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    // Its own limit is one level below ours; `Node::left` limits the recursion instead.
    parser.disable_recursion_limit();
    let read = root
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value));
    // The parser's error can only contain text, so the name of a repeated member is returned separately.
    read.map_err(|_| {
        repeated
            .take()
            .map_or(JsonError::Syntax, JsonError::Duplicate)
    })
}

/// The place of a value in the document, as far as the rule about repeated members needs it.
#[derive(Clone, Copy)]
enum Place {
    Top,
    /// The value of a member of the outermost object that the rule names.
    Named,
    Deeper,
}

/// The place for the next value.
#[derive(Clone, Copy)]
struct Node<'a> {
    duplicates: Duplicates,
    place: Place,
    left: usize,
    repeated: &'a RefCell<Option<String>>,
}

impl Node<'_> {
    /// Goes one level down. Fails if no level is left.
    fn inside<E: Error>(self, place: Place) -> Result<Self, E> {
        let left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Self {
            place,
            left,
            ..self
        })
    }

    fn place_of(&self, member: &str) -> Place {
        match (self.place, self.duplicates) {
            (Place::Top, Duplicates::RefuseIn(names)) if names.contains(&member) => Place::Named,
            _ => Place::Deeper,
        }
    }

    fn refuses(&self, member: &str) -> bool {
        match (self.duplicates, self.place) {
            (Duplicates::RefuseAll, _)
            | (Duplicates::RefuseTop | Duplicates::RefuseIn(_), Place::Top)
            | (Duplicates::RefuseIn(_), Place::Named) => true,
            (Duplicates::RefuseNamed(names), Place::Top) => names.contains(&member),
            _ => false,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.inside(Place::Deeper)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.inside(Place::Deeper)?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) && self.refuses(&name) {
                *self.repeated.borrow_mut() = Some(name);
                return Err(A::Error::custom("a repeated member"));
            }
            let value = members.next_value_seed(Node {
                place: self.place_of(&name),
                ..inside
            })?;
            match object.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(mut place) => {
                    place.insert(value);
                }
            }
        }
        Ok(Value::Object(object))
    }
}
