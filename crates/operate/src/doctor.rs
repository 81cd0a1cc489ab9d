//! `keyward doctor`: what a start of the server would refuse, and what is not safe yet. Changes nothing.

use std::process::ExitCode;
use std::sync::Arc;

use admin_wire::Running;
use clap::Args;
use compose::advice::unsafe_settings;
use compose::{Base, DATABASE, Mode, admission, anchor, cause, configured_keys, key_path};
use config::{Loaded, Place, courier_options, strict};
use domain::error::chain;
use domain::port::{Clock, Random, Store};
use domain::trail::rollback::Freshness;
use outside::{KeyFile, LocalRoots, OutsideCourier, SystemClock, SystemRandom};
use store::transfer::marks;
use store::{Backend, Migrations};
use terminal::Output;

use crate::report::Report;

#[derive(Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    output: Output,
}

/// Checks everything. The exit status is 1 if there is a problem.
pub async fn doctor(arguments: &DoctorArgs) -> Result<ExitCode, String> {
    let loaded = &arguments.place.load()?;
    let mut report = Report::default();
    report.ok(match &loaded.file {
        Some(file) => format!("configuration {} is valid", file.display()),
        None => "no configuration file: all settings have their defaults".to_owned(),
    });
    check_keys_and_database(loaded, &mut report).await?;
    check_providers(loaded, &mut report).await?;
    for advice in unsafe_settings(loaded) {
        report.advice(advice);
    }
    for difference in strict::differences(&loaded.config) {
        let strict::Difference {
            key,
            now,
            strict,
            why,
        } = difference;
        report.advice(format!(
            "profile strict: {key} would be {strict} instead of {now} ({why})"
        ));
    }
    report.show(&arguments.output)
}

async fn check_providers(loaded: &Loaded, report: &mut Report) -> Result<(), String> {
    let options = courier_options(&loaded.config, None)?;
    let courier = OutsideCourier::new(options, Arc::new(SystemClock))?;
    for probe in courier.probe().await {
        let provider = format!("{:?} provider {}", probe.channel, probe.provider);
        match probe.outcome {
            Ok(()) => report.ok(format!("{provider} answers")),
            Err(why) => report.problem(format!("{provider}: {why}")),
        }
    }
    Ok(())
}

async fn check_keys_and_database(loaded: &Loaded, report: &mut Report) -> Result<(), String> {
    let is_new = compose::has_no_file(loaded)?;
    // The first start makes a key file too.
    let has_no_keys = is_new && loaded.config.keys.kind == "file" && !key_path(loaded).exists();
    let mut keys = None;
    if !has_no_keys {
        match configured_keys(loaded) {
            Ok((found, place)) => {
                report.ok(format!(
                    "{place}: the keys of database {}",
                    found.database()
                ));
                keys = Some(found);
            }
            Err(why) => report.problem(why),
        }
    }
    if is_new {
        report.advice(compose::no_database(&loaded.data.join(DATABASE)));
        return Ok(());
    }
    match compose::open_database(loaded, Migrations::Leave) {
        Ok((store, name)) => check_database(loaded, &store, &name, keys, report).await,
        // Only one process at a time can open SQLite: ask the server that has opened it.
        Err(_) if Running::read(&loaded.data).is_ok() => match ask_running_server(loaded).await {
            Ok(()) => report.ok("a server is running with this data and can write".to_owned()),
            Err(error) => report.problem(format!("the running server: {error}")),
        },
        Err(error) => report.problem(error),
    }
    Ok(())
}

async fn check_database(
    loaded: &Loaded,
    store: &Arc<dyn Backend>,
    name: &str,
    keys: Option<KeyFile>,
    report: &mut Report,
) {
    match store.plan().await {
        Ok(plan) if plan.is_current() => {
            report.ok(format!("{name} is up to date"));
            if let Err(why) = would_start(loaded, store, keys).await {
                report.problem(why);
            }
        }
        Ok(plan) => report.problem(format!("{name} needs `keyward migrate`: {plan}")),
        Err(error) => report.problem(format!("{name}: {}", cause(&error))),
    }
}

/// Checks whether a server would accept this database. Without `keys`, only what can be said
/// without them.
async fn would_start(
    loaded: &Loaded,
    store: &Arc<dyn Backend>,
    keys: Option<KeyFile>,
) -> Result<(), String> {
    let found = marks(store.as_ref()).await.map_err(|error| cause(&error))?;
    if let Some(why) = admission::not_here(&found) {
        return Err(why);
    }
    let path = anchor::path(loaded);
    let anchor = anchor::read(&path).map_err(|why| admission::broken(&why))?;
    if found.restored.is_some() && anchor.is_none() {
        return Err(admission::unanchored(&path));
    }
    let check = compose::stored_check(store.as_ref()).await;
    let (Some(keys), Some(check)) = (keys, check.map_err(|error| cause(&error))?) else {
        return Ok(());
    };
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let roots = Arc::new(LocalRoots::new(keys, Arc::clone(&random)));
    roots.verify(&check).map_err(|error| error.to_string())?;
    let base = Base {
        store: Arc::clone(store) as Arc<dyn Store>,
        clock: Arc::new(SystemClock) as Arc<dyn Clock>,
        random,
        roots,
    };
    let services = compose::services(loaded, Mode::Production, "", base)?;
    let freshness = services
        .upkeep
        .freshness(store.as_ref(), anchor.as_ref())
        .await;
    match freshness.map_err(|error| cause(&error))? {
        Freshness::Current => Ok(()),
        Freshness::Limiting => Err(
            "an older database was accepted, and is not completely limited to one try yet: start a server"
                .to_owned(),
        ),
        Freshness::Older { why } => Err(admission::older(&path, &why)),
    }
}

async fn ask_running_server(loaded: &Loaded) -> Result<(), String> {
    let running = Running::read(&loaded.data)?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    let answer = client.get(format!("{}/readyz", running.admin)).send().await;
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("/readyz answers {}", answer.status())),
        Err(error) => Err(chain(&error)),
    }
}
