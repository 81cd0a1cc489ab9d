//! Configuration: typed, checked once at start, unknown keys refused with the nearest known name.
//!
//! `keyward.toml`, then the environment (`KEYWARD_SECTION__KEY`), then the command line. Every secret can
//! be given as `…_file`.

mod admin;
mod cis;
mod duo;
mod enceeper;
mod keys;
mod limits;
pub mod listener;
mod mail;
mod photon;
mod place;
mod profile;
mod secret;
mod section;
mod security;
mod server;
mod sms;
mod storage;
pub mod strict;

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use listener::Cover;
pub use listener::Listener;
pub use mail::courier_options;
pub use place::Place;
use section::Key;

macro_rules! sections {
    ($($field:ident: $type:path,)*) => {
        /// The whole configuration.
        #[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Config {
            $(pub $field: $type,)*
        }

        /// (section, its documentation, its keys)
        const SECTIONS: &[(&str, &str, &[Key])] = &[
            $((stringify!($field), <$type>::DOC, <$type>::KEYS),)*
        ];
    };
}

sections! {
    server: server::Server,
    storage: storage::Storage,
    keys: keys::Keys,
    security: security::Security,
    mail: mail::Mail,
    sms: sms::Sms,
    limits: limits::Limits,
    photon: photon::Photon,
    enceeper: enceeper::Enceeper,
    profile: profile::Profile,
    cis: cis::Cis,
    duo: duo::Duo,
    admin: admin::Admin,
}

/// (section, its documentation, its keys) of the tables inside sections.
const TABLES: &[(&str, &str, &[Key])] = &[
    (
        "profile.features",
        profile::Features::DOC,
        profile::Features::KEYS,
    ),
    (
        "profile.registration",
        profile::Registration::DOC,
        profile::Registration::KEYS,
    ),
    ("profile.mfa", profile::Mfa::DOC, profile::Mfa::KEYS),
    ("profile.ott", profile::Ott::DOC, profile::Ott::KEYS),
    (
        "profile.process",
        profile::Process::DOC,
        profile::Process::KEYS,
    ),
    (
        "profile.password",
        profile::Password::DOC,
        profile::Password::KEYS,
    ),
    (
        "profile.session",
        profile::Session::DOC,
        profile::Session::KEYS,
    ),
    (
        "profile.restriction",
        profile::Restriction::DOC,
        profile::Restriction::KEYS,
    ),
    (
        "profile.compat",
        profile::Compat::DOC,
        profile::Compat::KEYS,
    ),
    ("duo.accounts", duo::Accounts::DOC, duo::Accounts::KEYS),
    ("duo.devices", duo::Devices::DOC, duo::Devices::KEYS),
    ("duo.face", duo::Face::DOC, duo::Face::KEYS),
    ("duo.passkey", duo::Passkey::DOC, duo::Passkey::KEYS),
    ("duo.backup", duo::Backup::DOC, duo::Backup::KEYS),
    ("duo.hooks", duo::Hooks::DOC, duo::Hooks::KEYS),
    ("duo.notify", duo::Notify::DOC, duo::Notify::KEYS),
    (
        "duo.transactions",
        duo::Transactions::DOC,
        duo::Transactions::KEYS,
    ),
];

/// A configuration, and the place of its data.
pub struct Loaded {
    pub config: Config,
    pub data: PathBuf,
    /// The file from which it was read, if there was one.
    pub file: Option<PathBuf>,
}

/// Reads the configuration from file and environment.
fn load(file: Option<&Path>, data: Option<&Path>) -> Result<Loaded, String> {
    let mut table = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                format!("cannot read the configuration {}: {error}", path.display())
            })?;
            text.parse::<Table>()
                .map_err(|error| format!("{}: {error}", path.display()))?
        }
        None => Table::new(),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one door for the environment"
    )]
    overlay(&mut table, std::env::vars())?;
    let mut config = check(table)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the wire's documentation names these variables without a prefix"
    )]
    config
        .duo
        .jwt
        .extend(duo::auth0(|name| std::env::var(name).ok())?);
    config.duo.validate()?;
    let data = data.map_or_else(|| config.storage.data.clone(), Path::to_owned);
    Ok(Loaded {
        config,
        data,
        file: file.map(Path::to_owned),
    })
}

/// Applies `KEYWARD_SECTION__KEY=value` over the file. A value that is not valid TOML is read as text.
fn overlay(
    table: &mut Table,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<(), String> {
    for (name, text) in variables {
        let Some(path) = name.strip_prefix("KEYWARD_") else {
            continue;
        };
        if !path.contains("__") {
            continue;
        }
        let parts: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
        let value = format!("value = {text}")
            .parse::<Table>()
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(text.clone()));
        let Some((last, above)) = parts.split_last() else {
            continue;
        };
        let mut at = &mut *table;
        for part in above {
            let next = at
                .entry(part.clone())
                .or_insert_with(|| Value::Table(Table::new()));
            at = next
                .as_table_mut()
                .ok_or_else(|| format!("{name}: {part} is not a section"))?;
        }
        at.insert(last.clone(), value);
    }
    Ok(())
}

fn check(table: Table) -> Result<Config, String> {
    for (name, value) in &table {
        let Some((_, _, keys)) = SECTIONS.iter().find(|(section, _, _)| section == name) else {
            let known = SECTIONS.iter().map(|(section, _, _)| *section);
            return Err(format!(
                "configuration: there is no section [{name}]{}",
                nearest(name, known)
            ));
        };
        let Value::Table(inner) = value else {
            return Err(format!(
                "configuration: {name} is a section, write [{name}]"
            ));
        };
        known_keys(name, inner, keys)?;
        for (path, _, keys) in TABLES {
            let table = path.strip_prefix(&format!("{name}."));
            let table = table.and_then(|table| inner.get(table)?.as_table());
            if let Some(table) = table {
                known_keys(path, table, keys)?;
            }
        }
    }
    let mut config: Config = Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| format!("configuration: {}", error.message()))?;
    if config.security.is_strict() {
        strict::apply(&mut config);
    }
    config.validate()?;
    Ok(config)
}

fn known_keys(name: &str, table: &Table, keys: &[Key]) -> Result<(), String> {
    let known = |key: &String| keys.iter().any(|known| known.name == key.as_str());
    match table.keys().find(|key| !known(key)) {
        None => Ok(()),
        Some(unknown) => {
            let near = nearest(unknown, keys.iter().map(|key| key.name));
            Err(format!(
                "configuration: [{name}] has no key {unknown}{near}"
            ))
        }
    }
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().max(4) / 2)
        .map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"))
}

impl Config {
    /// Checks what the types alone cannot express. Returns the first problem found.
    fn validate(&self) -> Result<(), String> {
        self.server.validate()?;
        self.security.validate()?;
        self.mail.validate()?;
        self.sms.validate()?;
        self.photon.validate()?;
        self.enceeper.validate()?;
        self.profile.validate()?;
        self.cis.validate()?;
        self.duo.validate()?;
        self.listeners().iter().try_for_each(Listener::validate)
    }

    /// The listeners that this configuration opens.
    pub fn listeners(&self) -> Vec<Listener<'_>> {
        let tls = self.server.tls_cert.is_some();
        let listener = |section, listen, behind_proxy| Listener {
            section,
            listen,
            cover: Cover::of(tls, behind_proxy),
        };
        let (server, admin, hooks) = (&self.server, &self.admin, &self.duo.hooks);
        let mut all = vec![
            listener("server", server.listen.as_str(), server.behind_proxy),
            listener("admin", &admin.listen, admin.behind_proxy),
        ];
        if self.duo.is_configured() {
            all.push(listener("duo.hooks", &hooks.listen, hooks.behind_proxy));
        }
        all
    }

    /// A configuration file with every key, its meaning and its default.
    pub fn example() -> String {
        let defaults = Table::try_from(Self::default()).unwrap_or_default();
        let mut out = String::from(
            "# Keyward's configuration. Each key is shown with its default value, which applies if you leave the key out.\n\
             # You can also set each key with an environment variable KEYWARD_SECTION__KEY, and read each secret from\n\
             # a file with KEY_file. A limit of 0 is off.\n",
        );
        for (section, doc, keys) in SECTIONS.iter().chain(TABLES) {
            out.push_str(&format!("\n{}[{section}]\n", commented(doc)));
            let values = section.split('.').try_fold(&defaults, |table, name| {
                table.get(name).and_then(Value::as_table)
            });
            let is_table = |key: &&Key| {
                let path = format!("{section}.{}", key.name);
                TABLES.iter().any(|(name, _, _)| *name == path)
            };
            for key in keys.iter().filter(|key| !is_table(key)) {
                out.push_str(&commented(key.doc));
                match values.and_then(|values| values.get(key.name)) {
                    Some(value) => out.push_str(&format!("#{} = {value}\n", key.name)),
                    None => out.push_str(&format!("#{} =\n", key.name)),
                }
            }
        }
        out
    }
}

fn commented(doc: &str) -> String {
    doc.trim_end()
        .lines()
        .map(|line| format!("#{line}\n"))
        .collect()
}

#[cfg(test)]
mod tests;
