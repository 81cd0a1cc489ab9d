//! Numbered, forward-only migrations: what is applied, what is pending, and what must be refused.

use std::fmt;

/// Whether opening a database may change its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrations {
    /// Apply what is pending.
    Apply,
    /// Apply nothing, and refuse to open while something is pending.
    Require,
    /// Apply nothing and open all the same: to look, or to migrate by hand.
    Leave,
}

/// One step of a schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

impl Migration {
    /// Noticed when a released step is edited later: databases would differ in silence.
    pub(crate) fn checksum(&self) -> Vec<u8> {
        crypto::mac::sha256(self.sql.as_bytes()).to_vec()
    }
}

/// A step as the database remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) number: i64,
    pub(crate) checksum: Vec<u8>,
}

/// What a migration does, or has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The schema's number before; 0 is an empty database.
    pub from: i64,
    /// The schema's number afterwards.
    pub to: i64,
    /// The steps between, by number and name.
    pub steps: Vec<(i64, &'static str)>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_current(&self) -> bool {
        self.steps.is_empty()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_current() {
            return write!(f, "schema {}: nothing to do", self.to);
        }
        write!(f, "schema {} to {}:", self.from, self.to)?;
        self.steps
            .iter()
            .try_for_each(|(number, name)| write!(f, " {number:04}_{name}"))
    }
}

/// Why this release cannot work with a database as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaError {
    /// A newer release has been here. Only that release, or a newer one, may use the database.
    Newer { found: i64, known: i64 },
    /// A step was applied with another content than this release knows.
    Edited { number: i64 },
    /// Steps are missing, and this server was told not to apply them.
    Pending { plan: Plan },
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { found, known } => write!(
                f,
                "the database has schema {found} of a newer release; this release knows schema \
                 {known}: install the newer release again, or restore a backup from before it"
            ),
            Self::Edited { number } => write!(
                f,
                "migration {number:04} was applied with another content than this release has"
            ),
            Self::Pending { plan } => {
                write!(
                    f,
                    "the database must be migrated first ({plan}): run `keyward migrate`"
                )
            }
        }
    }
}

impl std::error::Error for SchemaError {}

/// What is left to do of `known`, given what the database remembers, in order.
pub(crate) fn pending(
    known: &'static [Migration],
    applied: &[Applied],
) -> Result<(Plan, &'static [Migration]), SchemaError> {
    let newest = known.last().map_or(0, |step| step.number);
    let found = applied.last().map_or(0, |step| step.number);
    if found > newest {
        return Err(SchemaError::Newer {
            found,
            known: newest,
        });
    }
    for (index, step) in applied.iter().enumerate() {
        let same =
            |ours: &Migration| ours.number == step.number && ours.checksum() == step.checksum;
        if !known.get(index).is_some_and(same) {
            return Err(SchemaError::Edited {
                number: step.number,
            });
        }
    }
    let left = &known[applied.len()..];
    let steps = left.iter().map(|step| (step.number, step.name)).collect();
    Ok((
        Plan {
            from: found,
            to: newest,
            steps,
        },
        left,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    static KNOWN: [Migration; 2] = [
        Migration {
            number: 1,
            name: "one",
            sql: "-- one",
        },
        Migration {
            number: 2,
            name: "two",
            sql: "-- two",
        },
    ];

    fn applied(steps: &[Migration]) -> Vec<Applied> {
        steps
            .iter()
            .map(|s| Applied {
                number: s.number,
                checksum: s.checksum(),
            })
            .collect()
    }

    #[test]
    fn plans_what_is_missing_in_order() {
        let (plan, left) = pending(&KNOWN, &[]).unwrap();
        assert_eq!(plan.to_string(), "schema 0 to 2: 0001_one 0002_two");
        assert_eq!(left.len(), 2);
        let (plan, _) = pending(&KNOWN, &applied(&KNOWN[..1])).unwrap();
        assert_eq!(plan.to_string(), "schema 1 to 2: 0002_two");
        let (plan, _) = pending(&KNOWN, &applied(&KNOWN)).unwrap();
        assert!(plan.is_current());
    }

    #[test]
    fn refuses_a_newer_and_an_edited_schema() {
        let mut newer = applied(&KNOWN);
        newer.push(Applied {
            number: 3,
            checksum: vec![],
        });
        assert_eq!(
            pending(&KNOWN, &newer).unwrap_err(),
            SchemaError::Newer { found: 3, known: 2 }
        );
        let mut edited = applied(&KNOWN);
        edited[0].checksum = vec![0];
        assert_eq!(
            pending(&KNOWN, &edited).unwrap_err(),
            SchemaError::Edited { number: 1 }
        );
    }
}
