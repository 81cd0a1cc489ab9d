//! The first screen: where the server listens, where data and keys are, and what is not safe yet.

use admin_wire::Running;
use compose::Composition;
use compose::advice::unsafe_settings;
use config::Loaded;
use terminal::print;

/// Prints the first screen, or its one JSON line.
pub(crate) fn show(
    loaded: &Loaded,
    composition: &Composition,
    running: &Running,
    json: bool,
) -> Result<(), String> {
    let data = loaded.data.display().to_string();
    if json {
        let line = serde_json::json!({
            "message": "listening", "version": env!("CARGO_PKG_VERSION"), "public": running.public,
            "admin": running.admin, "hooks": running.hooks, "data": data, "keys": composition.key_place, "dev": running.dev,
        });
        tracing::info!(
            code = "listening",
            public = running.public,
            admin = running.admin,
            data,
            "listening"
        );
        return print(&line.to_string()).map(|_| ());
    }
    let mut text = format!(
        "Keyward {} is running.\n\n  API        {}\n  API pages  {}/\n  Admin      {}   (token: {data}/server.json)\n  \
         Data       {}\n  Keys       {}\n",
        env!("CARGO_PKG_VERSION"),
        running.public,
        running.public,
        running.admin,
        composition.database,
        composition.key_place,
    );
    if let Some(hooks) = &running.hooks {
        text.push_str(&format!("  Hooks      {hooks}\n"));
    }
    if running.dev {
        text.push_str(
            "\n  DEVELOPMENT MODE: messages go to a mailbox that anybody on this machine may read, and the clock\n  \
             can be moved. Never use it with real keys.\n    keyward dev mailbox            the newest message\n    \
             keyward dev clock advance 30d  move the clock\n",
        );
    }
    let findings = unsafe_settings(loaded);
    if !findings.is_empty() {
        text.push_str("\n  Before real keys come in (keyward doctor has details):\n");
        for finding in findings {
            text.push_str(&format!("    - {finding}\n"));
        }
    }
    print(&text).map(|_| ())
}
