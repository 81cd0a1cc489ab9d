use std::path::PathBuf;

use domain::secret::SecretText;

use crate::secret::{Secret, resolve};
use crate::section::section;

section! {
    /// Where everything is kept.
    Storage {
        /// Data directory: the SQLite database, the key file, the anchor.
        data: PathBuf = PathBuf::from("keyward-data"),
        /// `sqlite`, or the URL of a PostgreSQL primary: `postgres://user@host1,host2/keyward`.
        url: Secret = Secret::sqlite(),
        /// File that holds the URL, for one with a password in it.
        url_file: Option<PathBuf> = None,
        /// The anchor, by which an older database that was put back is noticed: a file that must not go back
        /// with it, so best on another volume. Without a name: `audit-checkpoint.json` in the data directory.
        anchor: Option<PathBuf> = None,
        /// PostgreSQL: connections of this process.
        pool_size: usize = 16,
        /// PostgreSQL: statements stay prepared in the sessions, which spares the server two fifths of its work. Only
        /// without a pooler in between, or with one that keeps track of them (`PgBouncer` from 1.21, `max_prepared_statements`).
        prepared_statements: bool = false,
        /// PostgreSQL: certificate authority of the server, PEM.
        ca_file: Option<PathBuf> = None,
    }
}

impl Storage {
    /// `None` is SQLite in the data directory.
    pub fn postgres(&self) -> Result<Option<SecretText>, String> {
        let own = (self.url != Secret::sqlite()).then_some(&self.url);
        match resolve("url", own, self.url_file.as_deref())? {
            None => Ok(None),
            Some(url) if url.expose() == "sqlite" => Ok(None),
            Some(url)
                if ["postgres://", "postgresql://"]
                    .iter()
                    .any(|scheme| url.expose().starts_with(scheme)) =>
            {
                Ok(Some(url))
            }
            Some(_) => Err("configuration: [storage] url is sqlite or postgres://…".to_owned()),
        }
    }
}
