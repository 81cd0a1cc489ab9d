//! Numbered, forward-only migrations: which are applied, which are pending, and when a database must be refused.
//!
//! A step either *expands* the schema, and releases that do not know it continue to work; or it *contracts* the
//! schema, which means that it removes what an older release needs. A server applies expanding steps when it
//! starts, so nodes of two releases can work side by side. Contracting steps wait for `keyward migrate
//! --contract`, after the last old node has stopped. The database stores the last contracting step, and releases
//! that do not know that step refuse the database.

use std::fmt;

/// Whether opening a database may change its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrations {
    /// Apply pending steps.
    Apply,
    /// Apply nothing, and refuse to open while steps are pending.
    Require,
    /// Apply nothing, and open the database anyway: to look at it, or to migrate it with a command.
    Leave,
}

/// What a step means for releases that do not know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// They continue to work.
    Expand,
    /// They must not run any more.
    Contract,
}

impl Phase {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Contract => "contract",
        }
    }
}

/// How far to migrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Up to the first contracting step.
    Expand,
    All,
}

/// One step of a schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) phase: Phase,
    pub(crate) sql: &'static str,
}

impl Migration {
    /// Detects that a released step was edited later. Otherwise databases could differ unnoticed.
    pub(crate) fn checksum(&self) -> Vec<u8> {
        crypto::mac::sha256(self.sql.as_bytes()).to_vec()
    }
}

/// Name of the entry in the table `meta` with the number of the last contracting step.
pub(crate) const NEEDS: &str = "schema_needs";

/// What the database stores about its schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) applied: Vec<Applied>,
    /// The step that a release must know; `None` if the database does not say.
    pub(crate) needs: Option<i64>,
}

/// The number to store after `left` was applied.
pub(crate) fn needs_after(known: &[Migration], left: &[Migration]) -> Option<i64> {
    let last = left.last()?.number;
    let done = known.iter().filter(|step| step.number <= last);
    let contracting = done.filter(|step| step.phase == Phase::Contract);
    Some(contracting.map(|step| step.number).max().unwrap_or(0))
}

/// A step as the database stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) number: i64,
    pub(crate) checksum: Vec<u8>,
}

/// What a migration will do, or has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The schema's number before; 0 is an empty database.
    pub from: i64,
    /// The schema's number afterwards.
    pub to: i64,
    /// The steps between, in order.
    pub steps: Vec<Step>,
}

/// One step of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub number: i64,
    pub name: &'static str,
    pub phase: Phase,
}

impl Plan {
    /// Whether this release can work with the schema: only contracting steps are pending.
    pub fn is_current(&self) -> bool {
        self.within(Extent::Expand).steps.is_empty()
    }

    /// The part of the plan within `extent`.
    #[must_use]
    pub fn within(&self, extent: Extent) -> Self {
        let take = |step: &&Step| extent == Extent::All || step.phase == Phase::Expand;
        let steps: Vec<Step> = self.steps.iter().take_while(take).copied().collect();
        Self {
            from: self.from,
            to: steps.last().map_or(self.from, |step| step.number),
            steps,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return write!(f, "schema {}: nothing to do", self.to);
        }
        write!(f, "schema {} to {}:", self.from, self.to)?;
        self.steps.iter().try_for_each(|step| {
            write!(f, " {:04}_{}", step.number, step.name)?;
            match step.phase {
                Phase::Expand => Ok(()),
                Phase::Contract => f.write_str(" (contracts)"),
            }
        })
    }
}

/// Why this release cannot work with a database as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaError {
    /// A newer release has migrated the database. Only that release or a newer one may use it.
    Newer { found: i64, known: i64 },
    /// A step was applied whose content differs from the one that this release knows.
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
                "migration {number:04} was applied with different content than in this release"
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

impl SchemaError {
    /// Finds a `SchemaError` among `error` and its sources, if waiting cannot resolve it. Pending steps may still
    /// be applied by another server, so they do not count.
    pub fn lasting<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Self> {
        std::iter::successors(Some(error), |error| error.source())
            .find_map(|error| error.downcast_ref::<Self>())
            .filter(|error| !matches!(error, Self::Pending { .. }))
    }
}

/// The steps of `known` that the database has not applied, in order. Expanding steps of a newer release do not
/// matter to this one.
pub(crate) fn pending(
    known: &'static [Migration],
    history: &History,
) -> Result<(Plan, &'static [Migration]), SchemaError> {
    let newest = known.last().map_or(0, |step| step.number);
    let found = history.applied.last().map_or(0, |step| step.number);
    if found > newest && history.needs.is_none_or(|needs| needs > newest) {
        return Err(SchemaError::Newer {
            found,
            known: newest,
        });
    }
    for (step, ours) in history.applied.iter().zip(known) {
        if ours.number != step.number || ours.checksum() != step.checksum {
            return Err(SchemaError::Edited {
                number: step.number,
            });
        }
    }
    let left = known.get(history.applied.len()..).unwrap_or_default();
    let steps = left
        .iter()
        .map(|step| Step {
            number: step.number,
            name: step.name,
            phase: step.phase,
        })
        .collect();
    Ok((
        Plan {
            from: found,
            to: newest.max(found),
            steps,
        },
        left,
    ))
}

/// The part of `left` that `extent` allows.
pub(crate) fn within(left: &'static [Migration], extent: Extent) -> &'static [Migration] {
    let stop = left
        .iter()
        .position(|step| extent == Extent::Expand && step.phase == Phase::Contract);
    &left[..stop.unwrap_or(left.len())]
}

#[cfg(test)]
mod tests;
