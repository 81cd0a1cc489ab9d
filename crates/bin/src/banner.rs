//! The first screen: where the server listens, where data and keys lie, and what is not safe yet.

use admin_wire::Running;
use config::{Loaded, courier_options};
use terminal::print;

use crate::compose::{House, key_path};

/// Prints the first screen, or its one JSON line.
pub(crate) fn show(
    loaded: &Loaded,
    house: &House,
    running: &Running,
    json: bool,
) -> Result<(), String> {
    let data = loaded.data.display().to_string();
    if json {
        let line = serde_json::json!({
            "message": "listening", "version": env!("CARGO_PKG_VERSION"), "public": running.public,
            "admin": running.admin, "hooks": running.hooks, "data": data, "keys": house.key_place, "dev": running.dev,
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
        house.database,
        house.key_place,
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
    let unsafe_yet = unsafe_yet(loaded);
    if !unsafe_yet.is_empty() {
        text.push_str("\n  Before real keys come in (keyward doctor has details):\n");
        for finding in unsafe_yet {
            text.push_str(&format!("    - {finding}\n"));
        }
    }
    print(&text).map(|_| ())
}

/// What an operator must still do before production.
pub(crate) fn unsafe_yet(loaded: &Loaded) -> Vec<String> {
    let config = &loaded.config;
    let mut found = Vec::new();
    if config.keys.kind == "file" && key_path(loaded).starts_with(&loaded.data) {
        found.push(
            "the key file lies beside the database: move it to another volume ([keys] file) and back it up there"
                .to_owned(),
        );
    }
    if config.server.tls_cert.is_none() && !config.server.behind_proxy {
        found.push(
            "there is no TLS: set [server] tls_cert and tls_key, or put a proxy in front"
                .to_owned(),
        );
    }
    if !config.mail.is_set() {
        found.push("no e-mail can be sent: set [mail]".to_owned());
    }
    // A file that mail goes to takes text messages, too.
    if courier_options(config, None).is_ok_and(|options| options.sms.is_empty()) {
        found.push(
            "no SMS can be sent: set [sms], or tell your users that e-mail is the only way"
                .to_owned(),
        );
    }
    if config.server.public_url.is_empty() {
        found.push(
            "links in messages name the listener's address: set [server] public_url".to_owned(),
        );
    }
    found
}
