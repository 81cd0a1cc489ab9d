//! The anchor: the newest signed end of the audit chain, in a file outside the database.

use std::path::{Path, PathBuf};

use config::Loaded;
use domain::audit::Checkpoint;

const NAME: &str = "audit-checkpoint.json";

/// Where the anchor lies.
pub fn path(loaded: &Loaded) -> PathBuf {
    let configured = loaded.config.storage.anchor.clone();
    configured.unwrap_or_else(|| loaded.data.join(NAME))
}

/// The anchor, if there is one. A file that cannot be read or understood is not taken for none.
pub fn read(path: &Path) -> Result<Option<Checkpoint>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| format!("the anchor {} is no anchor: {error}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!(
            "the anchor {} cannot be read: {error}",
            path.display()
        )),
    }
}

/// Keeps the anchor, whole or not at all, and returns when it is on the disk.
pub async fn keep(path: &Path, end: &Checkpoint) -> Result<(), String> {
    let text = serde_json::to_string(end).map_err(|error| error.to_string())?;
    let path = path.to_owned();
    let written =
        tokio::task::spawn_blocking(move || outside::disk::replace(&path, text.as_bytes()));
    written
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("the anchor could not be kept: {error}"))
}
