//! What an operator must still do before people's keys are stored.

use config::{Loaded, courier_options};

use crate::key_path;

/// A sentence for each setting that is not safe for production yet.
pub fn unsafe_settings(loaded: &Loaded) -> Vec<String> {
    let config = &loaded.config;
    let mut found = Vec::new();
    if config.keys.kind == "file" && key_path(loaded).starts_with(&loaded.data) {
        found.push(
            "the key file is beside the database: move it to another volume ([keys] file), and back it up there"
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
    // A file that e-mail is written to takes text messages too.
    if courier_options(config, None).is_ok_and(|options| options.sms.is_empty()) {
        found.push(
            "no SMS can be sent: set [sms], or tell your users that e-mail is the only way"
                .to_owned(),
        );
    }
    if config.server.public_url.is_empty() {
        found.push(
            "links in messages contain the listener's address: set [server] public_url".to_owned(),
        );
    }
    found
}
