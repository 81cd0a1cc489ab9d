//! `keyward keys`: shows and rotates the root keys in the key file. Nothing here uses the database or a running server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use compose::{configured_keys, key_path};
use config::{Loaded, Place};
use domain::error::chain;
use domain::port::roots::Root;
use outside::{KeyFile, SystemRandom};
use serde_json::json;
use terminal::Output;

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
    #[command(flatten)]
    output: Output,
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
    #[command(flatten)]
    output: Output,
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
    let (keys, place) = configured_keys(&loaded)?;
    let database = keys.database().to_string();
    let states = Root::ALL.map(|root| (root.name(), keys.state(root)));
    let roots = states.map(|(name, (version, prepared))| {
        json!({ "root": name, "version": version, "prepared": prepared })
    });
    let value = json!({
        "place": place, "database": database, "created": keys.created().rfc3339(), "roots": roots,
    });
    let mut text = format!("{place}: the root keys of database {database}");
    for (name, (version, prepared)) in states {
        text.push_str(&format!("\n  {name:9} version {version}"));
        if let Some(prepared) = prepared {
            text.push_str(&format!(", version {prepared} prepared"));
        }
    }
    arguments.output.print(&value, &text)
}

fn rotate(arguments: &RotateArgs) -> Result<ExitCode, String> {
    let path = file_to_rotate(arguments, &arguments.place.load()?)?;
    let root = arguments.root.root();
    let mut keys = KeyFile::load(&path).map_err(|error| chain(&error))?;
    let version = if arguments.prepare {
        keys.prepare(root, &SystemRandom)
    } else {
        keys.rotate(root, &SystemRandom)
    };
    let version = version.map_err(|error| chain(&error))?;
    let (name, place) = (root.name(), path.display().to_string());
    let value = json!({
        "place": place, "root": name, "version": version, "prepared": arguments.prepare,
    });
    let text = if arguments.prepare {
        format!(
            "Version {version} of root key {name} is prepared in {place}. Keep this file as safe as the one before. \
             Give it to every node and restart them one by one; then run `keyward keys rotate {name}`, give the file \
             to every node and restart them again."
        )
    } else {
        let then = match root {
            Root::Pepper => {
                "a PIN or password gets the new pepper when it is next entered correctly"
            }
            _ => "`keyward admin status` shows when everything is sealed with it",
        };
        format!(
            "A server that gets {place} uses version {version} of root key {name} after its next start; {then}. \
             Keep this file, and every copy of it, as safe as the one before: servers refuse older copies then."
        )
    };
    arguments.output.print(&value, &text)
}

fn file_to_rotate(arguments: &RotateArgs, loaded: &Loaded) -> Result<PathBuf, String> {
    if let Some(file) = &arguments.file {
        return Ok(file.clone());
    }
    let keys = &loaded.config.keys;
    if keys.kind == "env" {
        return Err(format!(
            "[keys] kind is env: write the content of {} into a file of mode 0600, rotate that with --file, and put \
             its content back",
            keys.env
        ));
    }
    Ok(key_path(loaded))
}
