//! What a running server leaves in its data directory, so that `admin` and `dev` find it: addresses and a token.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Addresses and the admin token of this run.
#[derive(Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    /// `http://…` or `https://…` of the public listener.
    pub(crate) public: String,
    pub(crate) admin: String,
    /// Of the signing server's hooks, where they listen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hooks: Option<String>,
    pub(crate) token: String,
    pub(crate) dev: bool,
}

const NAME: &str = "server.json";

impl Running {
    fn path(data: &Path) -> PathBuf {
        data.join(NAME)
    }

    /// Writes the file for its owner alone, whole or not at all.
    pub(crate) fn write(&self, data: &Path) -> Result<(), String> {
        let path = Self::path(data);
        let fresh = data.join(format!("{NAME}.new"));
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        let write = || {
            if fresh.exists() {
                std::fs::remove_file(&fresh)?;
            }
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&fresh)?;
            file.write_all(text.as_bytes())?;
            std::fs::rename(&fresh, &path)
        };
        write().map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    pub(crate) fn read(data: &Path) -> Result<Self, String> {
        let path = Self::path(data);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            format!(
                "no running server found: {}: {error}; name its folder with --data DIR",
                path.display()
            )
        })?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Removes the file when the server stops.
    pub(crate) fn remove(data: &Path) {
        if let Err(error) = std::fs::remove_file(Self::path(data)) {
            tracing::warn!(code = "leftover", error = %error, "the file of the running server could not be removed");
        }
    }
}
