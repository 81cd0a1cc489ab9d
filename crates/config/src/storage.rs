use std::path::PathBuf;

use domain::secret::SecretText;

use crate::secret::{Secret, resolve};
use crate::section::section;

section! {
    /// Where the server stores its data.
    Storage {
        /// Data directory: the SQLite database, the key file, the anchor.
        data: PathBuf = PathBuf::from("keyward-data"),
        /// `sqlite`, or the URL of a PostgreSQL database: `postgres://user@host1,host2/keyward`.
        url: Secret = Secret::sqlite(),
        /// File that contains the URL. Use it if the URL contains a password.
        url_file: Option<PathBuf> = None,
        /// The anchor: a file with which the server detects that an older database was put back. It must not be put back
        /// together with the database, so store it on another volume. Default: `audit-checkpoint.json` in the data directory.
        anchor: Option<PathBuf> = None,
        /// PostgreSQL: number of connections of this process.
        pool_size: usize = 16,
        /// PostgreSQL: keep prepared statements in the sessions, which saves two fifths of the database server's work. Only
        /// without a connection pooler, or with one that tracks them (`PgBouncer` from 1.21, `max_prepared_statements`).
        prepared_statements: bool = false,
        /// PostgreSQL: certificate authority of the database server, a PEM file.
        ca_file: Option<PathBuf> = None,
    }
}

impl Storage {
    /// Returns `None` for SQLite in the data directory.
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
            Some(_) => {
                Err("configuration: [storage] url must be sqlite or postgres://…".to_owned())
            }
        }
    }
}
