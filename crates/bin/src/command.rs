//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use config::Config;
use terminal::print;

/// Stores people's key material and returns it only to its owners.
#[derive(Parser)]
#[command(name = "keyward", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server. Needs no configuration: SQLite in ./keyward-data, 127.0.0.1:8080.
    Serve(node::ServeArgs),
    /// Check configuration, root keys, database and providers, and list what is unsafe.
    Doctor(operate::DoctorArgs),
    /// Migrate the database schema to this release.
    Migrate(operate::MigrateArgs),
    /// Back up the whole database, as it is at one moment, to a file. Servers may run.
    Backup(operate::BackupArgs),
    /// Restore a backup into an empty database.
    Restore(operate::RestoreArgs),
    /// Move a database from one engine to another.
    #[command(subcommand)]
    Db(operate::DbCommand),
    /// Show and rotate root keys.
    #[command(subcommand)]
    Keys(operate::KeysCommand),
    /// Print the OpenAPI description of a surface (photon, admin, …).
    Openapi {
        /// Name of the surface.
        surface: String,
    },
    /// Print a configuration file with every key, its meaning and its default.
    ConfigExample,
    /// Print the version.
    Version {
        #[arg(long)]
        json: bool,
    },
    /// Attack a running installation, and report whether its limits hold. Removes everything that it creates.
    Torture(torture::TortureArgs),
    /// Administer a running server.
    #[command(subcommand)]
    Admin(cli::AdminCommand),
    /// Tools of development mode (`keyward serve --dev`).
    #[command(subcommand)]
    Dev(cli::DevCommand),
}

/// Runs a command; an `Err` is one line for standard error.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode, String> {
    match cli.command {
        Command::Serve(arguments) => node::serve(&arguments).await,
        Command::Doctor(arguments) => operate::doctor(&arguments).await,
        Command::Migrate(arguments) => operate::migrate(&arguments).await,
        Command::Backup(arguments) => operate::backup(&arguments).await,
        Command::Restore(arguments) => operate::restore(&arguments).await,
        Command::Db(command) => operate::db(command).await,
        Command::Keys(command) => operate::keys(&command),
        Command::Openapi { surface } => {
            let description = node::openapi(&surface)?;
            print(&serde_json::to_string_pretty(&description).map_err(|error| error.to_string())?)
        }
        Command::ConfigExample => print(&Config::example()),
        Command::Version { json: false } => {
            print(&format!("keyward {}", env!("CARGO_PKG_VERSION")))
        }
        Command::Version { json: true } => print(
            &serde_json::json!({"name": "keyward", "version": env!("CARGO_PKG_VERSION")})
                .to_string(),
        ),
        Command::Torture(arguments) => torture::run(arguments).await,
        Command::Admin(command) => cli::admin(command).await,
        Command::Dev(command) => cli::dev(command).await,
    }
}
