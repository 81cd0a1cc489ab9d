//! `keyward keys`: shows and rotates the root keys in the key file. Nothing here uses the database or a running server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use compose::{configured_keys, key_path};
use config::Place;
use domain::error::chain;
use domain::port::roots::Root;
use outside::{KeyFile, SystemRandom};
use serde_json::json;
use terminal::print;

#[derive(Subcommand)]
pub enum KeysCommand {
    /// List the versions of each root key. Shows no key.
    Show(ShowArgs),
    /// Add a new version of a root key. A server uses it after its next start.
    ///
    /// What older versions have sealed stays readable, and the running servers seal it again; `keyward admin status`
    /// shows the progress. For several nodes, see "Key rotation" in docs/operators.md.
    Rotate(RotateArgs),
}

#[derive(Args)]
pub struct ShowArgs {
    #[command(flatten)]
    place: Place,
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct RotateArgs {
    /// Which root key.
    root: RootName,
    #[command(flatten)]
    place: Place,
    /// The key file, if it is not the configured one, for example a copy of the content of `[keys] env`.
    #[arg(long, value_name = "F")]
    file: Option<PathBuf>,
    /// Only add the version, so that every node knows it before any node seals with it. Without this switch, the
    /// prepared version is put into use.
    #[arg(long)]
    prepare: bool,
    #[arg(long)]
    json: bool,
}

/// The root keys that can have more than one version.
#[derive(Clone, Copy, ValueEnum)]
enum RootName {
    /// Wraps the data keys that seal all rows.
    Data,
    /// Seals what only a recovery may open.
    Recovery,
    /// Peppers the hashes of PINs, passwords and codes. The hash of a PIN or password gets the new version when
    /// somebody next enters it correctly.
    Pepper,
}

impl RootName {
    fn root(self) -> Root {
        match self {
            Self::Data => Root::Data,
            Self::Recovery => Root::Recovery,
            Self::Pepper => Root::Pepper,
        }
    }
}

pub fn keys(command: &KeysCommand) -> Result<ExitCode, String> {
    match command {
        KeysCommand::Show(arguments) => show(arguments),
        KeysCommand::Rotate(arguments) => rotate(arguments),
    }
}

fn show(arguments: &ShowArgs) -> Result<ExitCode, String> {
    let loaded = arguments.place.load()?;
    let (keys, kept) = configured_keys(&loaded)?;
    let states = Root::ALL.map(|root| (root.name(), keys.state(root)));
    if arguments.json {
        let roots = states.map(|(name, (version, prepared))| {
            json!({ "root": name, "version": version, "prepared": prepared })
        });
        let value = json!({
            "place": kept, "database": keys.database().to_string(),
            "created": keys.created().rfc3339(), "roots": roots,
        });
        return print(&value.to_string());
    }
    let mut text = format!("{kept}: the root keys of database {}", keys.database());
    for (name, (version, prepared)) in states {
        text.push_str(&format!("\n  {name:9} version {version}"));
        if let Some(prepared) = prepared {
            text.push_str(&format!(", version {prepared} prepared"));
        }
    }
    print(&text)
}

fn rotate(arguments: &RotateArgs) -> Result<ExitCode, String> {
    let loaded = arguments.place.load()?;
    let path = match (&arguments.file, loaded.config.keys.kind.as_str()) {
        (Some(file), _) => file.clone(),
        (None, "env") => {
            return Err(format!(
                "[keys] kind is env: write what {} holds into a file of mode 0600, rotate with --file, and \
                 put its content back",
                loaded.config.keys.env
            ));
        }
        (None, _) => key_path(&loaded),
    };
    let root = arguments.root.root();
    let mut keys = KeyFile::load(&path).map_err(|error| chain(&error))?;
    let version = if arguments.prepare {
        keys.prepare(root, &SystemRandom)
    } else {
        keys.rotate(root, &SystemRandom)
    };
    let version = version.map_err(|error| chain(&error))?;
    let (name, place) = (root.name(), path.display());
    if arguments.json {
        let value = json!({
            "place": place.to_string(), "root": name, "version": version, "prepared": arguments.prepare,
        });
        return print(&value.to_string());
    }
    let text = if arguments.prepare {
        format!(
            "Version {version} of root {name} is prepared in {place}. Keep this file as safe as the one before. \
             Give it to every node and restart them one by one; then run `keyward keys rotate {name}`, and do \
             both again."
        )
    } else {
        let then = match root {
            Root::Pepper => {
                "a PIN or password gets the new pepper when it is next entered correctly"
            }
            _ => "`keyward admin status` shows when everything is sealed with it",
        };
        format!(
            "From its next start on, a server that is given {place} uses version {version} of root {name}; {then}. \
             Keep this file, and every copy of it, as safe as the one before: older copies are refused then."
        )
    };
    print(&text)
}
