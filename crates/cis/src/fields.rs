//! The members of a body, taken out one by one. Every problem is collected, and a member that is left over is unknown
//! (§2.2).

use serde_json::{Map, Value};

use crate::error::Failure;

/// A body that is read member by member, so that one answer tells all its problems.
pub(crate) trait Form: Sized {
    /// Takes the members and notes what is wrong with them. `None` only if a problem was noted.
    fn read(fields: &mut Fields) -> Option<Self>;
}

/// A body without members.
pub(crate) struct Nothing;

impl Form for Nothing {
    fn read(_: &mut Fields) -> Option<Self> {
        Some(Self)
    }
}

/// Members not taken yet, and what was wrong with those that were.
#[derive(Default)]
pub(crate) struct Fields {
    members: Map<String, Value>,
    /// `push_config.` inside `push_config`.
    prefix: String,
    problems: Vec<String>,
}

impl Fields {
    pub(crate) fn of(members: Map<String, Value>) -> Self {
        Self {
            members,
            ..Self::default()
        }
    }

    /// A member that is not null.
    pub(crate) fn any(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    /// For an update: `Some(None)` for null, which removes.
    #[expect(
        clippy::option_option,
        reason = "absent, null and given are three different things here"
    )]
    pub(crate) fn replaceable<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self, &str) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.members.get(name) {
            None => None,
            Some(Value::Null) => {
                self.members.remove(name);
                Some(None)
            }
            Some(_) => Some(read(self, name)),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.any(name)? {
            Value::String(text) => Some(text),
            _ => self.wrong(name, "must be a string"),
        }
    }

    /// A text that follows a rule.
    pub(crate) fn text_by(&mut self, name: &str, rule: &Rule) -> Option<String> {
        let text = self.text(name)?;
        if (rule.holds)(&text) {
            Some(text)
        } else {
            self.wrong(name, rule.says)
        }
    }

    pub(crate) fn required_by(&mut self, name: &str, rule: &Rule) -> Option<String> {
        self.demand(name);
        self.text_by(name, rule)
    }

    /// Notes a problem when the member is missing or null.
    pub(crate) fn demand(&mut self, name: &str) {
        if self.members.get(name).is_none_or(Value::is_null) {
            let missing = format!("{}{name} should not be empty", self.prefix);
            self.problems.push(missing);
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.any(name)? {
            Value::Bool(flag) => Some(flag),
            _ => self.wrong(name, "must be a boolean"),
        }
    }

    /// A whole number in a range; a fraction of zero counts as none.
    pub(crate) fn number(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let value = self.any(name)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => self.wrong(
                name,
                &format!(
                    "must be a whole number from {} to {}",
                    range.start(),
                    range.end()
                ),
            ),
        }
    }

    /// At most `limit` texts of 1 to 2048 bytes.
    pub(crate) fn texts(&mut self, name: &str, limit: usize) -> Option<Vec<String>> {
        let Value::Array(items) = self.any(name)? else {
            return self.wrong(name, "must be an array of strings");
        };
        if items.len() > limit {
            return self.wrong(name, &format!("must have at most {limit} elements"));
        }
        let texts: Option<Vec<String>> = items
            .into_iter()
            .map(|item| match item {
                Value::String(text) if (1..=2048).contains(&text.len()) => Some(text),
                _ => None,
            })
            .collect();
        match texts {
            Some(texts) => Some(texts),
            None => self.wrong(name, "must be an array of strings of 1 to 2048 bytes"),
        }
    }

    /// Reads the members of a member that is an object.
    pub(crate) fn inside<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let Value::Object(members) = self.any(name)? else {
            return self.wrong(name, "must be an object");
        };
        let mut inner = Self {
            members,
            prefix: format!("{}{name}.", self.prefix),
            problems: Vec::new(),
        };
        let found = read(&mut inner);
        self.problems.append(&mut inner.into_problems());
        Some(found)
    }

    /// Drops members that the original knows and we do not need.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.members.remove(*name);
        }
    }

    pub(crate) fn wrong<T>(&mut self, name: &str, says: &str) -> Option<T> {
        let problem = format!("{}{name} {says}", self.prefix);
        self.problems.push(problem);
        None
    }

    /// Reads the whole body. What is wrong with it, and what should not be there, is the failure.
    pub(crate) fn read<T: Form>(mut self) -> Result<T, Failure> {
        let form = T::read(&mut self);
        let problems = self.into_problems();
        match form {
            Some(form) if problems.is_empty() => Ok(form),
            _ => Err(Failure::Invalid(problems)),
        }
    }

    fn into_problems(mut self) -> Vec<String> {
        let prefix = &self.prefix;
        let unknown = self
            .members
            .keys()
            .map(|name| format!("property {prefix}{name} should not exist"));
        self.problems.extend(unknown);
        self.problems
    }
}

/// What a text must be like, and how a refusal says so.
pub(crate) struct Rule {
    pub(crate) holds: fn(&str) -> bool,
    pub(crate) says: &'static str,
}
