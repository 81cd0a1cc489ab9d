//! A failure described for the operator, with the engine's own error as its source.

use std::borrow::Cow;
use std::fmt;

use domain::Error;
use domain::error::Source;

#[derive(Debug)]
pub(crate) struct Failure {
    what: Cow<'static, str>,
    source: Option<Source>,
}

impl Failure {
    pub(crate) fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    pub(crate) fn because(what: impl Into<Cow<'static, str>>, source: impl Into<Source>) -> Self {
        Self {
            what: what.into(),
            source: Some(source.into()),
        }
    }

    pub(crate) fn unavailable(self) -> Error {
        Error::unavailable(self)
    }

    pub(crate) fn bug(self) -> Error {
        Error::bug(self)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

/// A job met a conflict in each of the runs that it may have.
pub(crate) fn contended() -> Error {
    Failure::new("a transaction had a conflict in each of its runs").unavailable()
}

/// A job panicked; the panic itself has been printed by the panic hook.
pub(crate) fn panicked() -> Error {
    Failure::new("a transaction's closure panicked").bug()
}

/// A job called a writing method in `Store::read`.
pub(crate) fn wrote_in_read() -> Error {
    Failure::new("a reading transaction tried to write").bug()
}

/// A job continued and returned `Ok` after a method had told it to stop.
pub(crate) fn ignored_stop() -> Error {
    Failure::new("a transaction's closure ignored a failure").bug()
}
