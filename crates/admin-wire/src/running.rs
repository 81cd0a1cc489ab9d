use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The file that a running server keeps in its data directory, so that clients on the same machine find it: its
/// addresses, and the admin token of this run.
#[derive(Serialize, Deserialize)]
pub struct Running {
    pub pid: u32,
    /// Base URL of the public listener, `http://…` or `https://…`.
    pub public: String,
    /// Base URL of the admin listener.
    pub admin: String,
    /// Base URL of the listener for the signing server's hooks, if they are configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<String>,
    pub token: String,
    /// Whether the server runs in development mode.
    pub dev: bool,
}

impl Running {
    pub const FILE: &str = "server.json";

    pub fn path(data: &Path) -> PathBuf {
        data.join(Self::FILE)
    }

    /// Reads the file of the server that works with this data directory.
    pub fn read(data: &Path) -> Result<Self, String> {
        let path = Self::path(data);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            format!(
                "no running server found: {}: {error}; name its folder with --data DIR",
                path.display()
            )
        })?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}
