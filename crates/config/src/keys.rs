use std::path::PathBuf;

use crate::section::section;

section! {
    /// The root keys. They are never in the database, and without them nobody can read it.
    Keys {
        /// `file`: a key file. `env`: an environment variable with the content of a key file.
        kind: String = "file".to_owned(),
        /// The key file. Empty: `keyward.keys` in the data directory. Another volume is safer.
        file: Option<PathBuf> = None,
        /// `env`: the name of the variable.
        env: String = "KEYWARD_KEYS".to_owned(),
    }
}
