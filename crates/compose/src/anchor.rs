//! The anchor: the newest signed checkpoint of the audit trail, in a file outside the database.

use std::path::{Path, PathBuf};

use config::Loaded;
use domain::trail::audit::Checkpoint;

const NAME: &str = "audit-checkpoint.json";

/// Where the anchor is.
pub fn path(loaded: &Loaded) -> PathBuf {
    let configured = loaded.config.storage.anchor.clone();
    configured.unwrap_or_else(|| loaded.data.join(NAME))
}

/// Reads the anchor. `None` if the file does not exist; a file that cannot be read or parsed is an error.
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

/// Replaces the anchor in one step, and returns when it is on the disk.
pub async fn write(path: &Path, newest: &Checkpoint) -> Result<(), String> {
    let text = serde_json::to_string(newest).map_err(|error| error.to_string())?;
    let path = path.to_owned();
    let written =
        tokio::task::spawn_blocking(move || outside::disk::replace(&path, text.as_bytes()));
    written
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("the anchor cannot be written: {error}"))
}
