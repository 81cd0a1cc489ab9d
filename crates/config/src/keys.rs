use std::path::PathBuf;

use crate::section::section;

section! {
    /// The root keys. Nothing of them is in the database; without them it cannot be read.
    Keys {
        /// `file`: a key file; `env`: the content of a key file in an environment variable.
        kind: String = "file".to_owned(),
        /// The key file. Empty: keyward.keys in the data directory. Better on another volume.
        file: Option<PathBuf> = None,
        /// With `env`: the name of the variable.
        env: String = "KEYWARD_KEYS".to_owned(),
    }
}
