//! Writes the file [`Running`] for the time that the server runs.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use admin_wire::Running;

/// Writes the file, readable for its owner alone. A reader sees all of it or nothing.
pub(crate) fn write(running: &Running, data: &Path) -> Result<(), String> {
    let path = Running::path(data);
    let fresh = data.join(format!("{}.new", Running::FILE));
    let text = serde_json::to_string_pretty(running).map_err(|error| error.to_string())?;
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

/// Removes the file when the server stops.
pub(crate) fn remove(data: &Path) {
    if let Err(error) = std::fs::remove_file(Running::path(data)) {
        tracing::warn!(code = "leftover", error = %error, "the file of the running server could not be removed");
    }
}
