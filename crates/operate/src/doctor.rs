//! `keyward doctor` and `keyward migrate`: the only commands beside `serve` that touch the database.

use std::process::ExitCode;
use std::sync::Arc;

use admin_wire::Running;
use clap::Args;
use compose::advice::unsafe_settings;
use compose::{DATABASE, cause, key_path};
use compose::{admission, anchor};
use config::{Loaded, Place, courier_options, strict};
use domain::port::{Clock, Random, Store};
use domain::rollback::Standing;
use outside::{KeyFile, LocalRoots, SystemClock, SystemRandom};
use serde::Serialize;
use store::transfer::marks;
use store::{Backend, Extent, Migrations, Phase};
use terminal::print;

#[derive(Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    place: Place,
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    place: Place,
    /// Only show what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Also apply steps that older releases cannot work with. Use it only when no server of an older release runs.
    #[arg(long)]
    contract: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Finding {
    /// `ok`, `advice` or `problem`.
    level: &'static str,
    what: String,
}

/// Checks everything. The exit status is 1 if there is a problem.
pub async fn doctor(arguments: &DoctorArgs) -> Result<ExitCode, String> {
    let loaded = &arguments.place.load()?;
    let mut found = Vec::new();
    let mut note = |level, what: String| found.push(Finding { level, what });
    match &loaded.file {
        Some(file) => note("ok", format!("configuration {} is valid", file.display())),
        None => note(
            "ok",
            "no configuration file: all settings have their defaults".to_owned(),
        ),
    }
    for finding in database_and_keys(loaded).await? {
        note(finding.level, finding.what);
    }
    let options = courier_options(&loaded.config, None)?;
    let courier = outside::OutsideCourier::new(options, std::sync::Arc::new(SystemClock))?;
    for probe in courier.probe().await {
        match probe.outcome {
            Ok(()) => note(
                "ok",
                format!("{:?} provider {} answers", probe.channel, probe.provider),
            ),
            Err(why) => note(
                "problem",
                format!("{:?} provider {}: {why}", probe.channel, probe.provider),
            ),
        }
    }
    for advice in unsafe_settings(loaded) {
        note("advice", advice);
    }
    for strict::Difference {
        key,
        now,
        strict,
        why,
    } in strict::differences(&loaded.config)
    {
        note(
            "advice",
            format!("profile strict: {key} would be {strict} instead of {now} ({why})"),
        );
    }
    let sound = found.iter().all(|finding| finding.level != "problem");
    if arguments.json {
        let text = serde_json::json!({ "sound": sound, "findings": found }).to_string();
        print(&text)?;
    } else {
        let lines: Vec<String> = found
            .iter()
            .map(|finding| format!("{:8} {}", finding.level, finding.what))
            .collect();
        print(&lines.join("\n"))?;
    }
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Checks the root keys and the database, and whether they belong together.
async fn database_and_keys(loaded: &Loaded) -> Result<Vec<Finding>, String> {
    let mut found = Vec::new();
    let mut note = |level, what: String| found.push(Finding { level, what });
    let is_new = compose::has_no_file(loaded)?;
    // The first start makes a key file, too.
    let none_yet = is_new && loaded.config.keys.kind == "file" && !key_path(loaded).exists();
    let keys = (!none_yet).then(|| compose::configured_keys(loaded));
    match &keys {
        Some(Ok((keys, place))) => {
            note(
                "ok",
                format!("{place}: the keys of database {}", keys.database()),
            );
        }
        Some(Err(why)) => note("problem", why.clone()),
        None => {}
    }
    if is_new {
        note("advice", compose::no_database(&loaded.data.join(DATABASE)));
        return Ok(found);
    }
    match compose::open_database(loaded, Migrations::Leave) {
        Ok((store, name)) => match store.plan().await {
            Ok(plan) if plan.is_current() => {
                note("ok", format!("{name} is up to date"));
                let keys = keys.and_then(Result::ok).map(|(keys, _)| keys);
                if let Err(why) = fits(loaded, &store, keys).await {
                    note("problem", why);
                }
            }
            Ok(plan) => note("problem", format!("{name} needs `keyward migrate`: {plan}")),
            Err(error) => note("problem", format!("{name}: {}", cause(&error))),
        },
        // SQLite is for one process: a running server answers for it.
        Err(_) if Running::read(&loaded.data).is_ok() => match running_is_ready(loaded).await {
            Ok(()) => note(
                "ok",
                "a server is running with this data and can write".to_owned(),
            ),
            Err(error) => note("problem", format!("the running server: {error}")),
        },
        Err(error) => note("problem", error),
    }
    Ok(found)
}

/// Checks whether a server would accept this database.
async fn fits(
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
    let (Some(keys), Some(kept)) = (
        keys,
        compose::stored_check(store.as_ref())
            .await
            .map_err(|error| cause(&error))?,
    ) else {
        return Ok(());
    };
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let roots = Arc::new(LocalRoots::new(keys, Arc::clone(&random)));
    roots.verify(&kept).map_err(|error| error.to_string())?;
    let base = compose::Base {
        store: Arc::clone(store) as Arc<dyn Store>,
        clock: Arc::new(SystemClock) as Arc<dyn Clock>,
        random,
        roots,
    };
    let services = compose::services(loaded, compose::Mode::Production, "", base)?;
    let standing = services
        .upkeep
        .standing(store.as_ref(), anchor.as_ref())
        .await;
    match standing.map_err(|error| cause(&error))? {
        Standing::Current => Ok(()),
        Standing::Burning => {
            Err("an older database was accepted, and is not completely limited to one try yet: start a server".to_owned())
        }
        Standing::Older { why } => Err(admission::older(&path, &why)),
    }
}

async fn running_is_ready(loaded: &Loaded) -> Result<(), String> {
    let running = Running::read(&loaded.data)?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    let answer = client.get(format!("{}/readyz", running.admin)).send().await;
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("/readyz answers {}", answer.status())),
        Err(error) => Err(domain::error::chain(&error)),
    }
}

/// Migrates the schema, or shows what that would do.
pub async fn migrate(arguments: &MigrateArgs) -> Result<ExitCode, String> {
    let extent = if arguments.contract {
        Extent::All
    } else {
        Extent::Expand
    };
    let dry_run = arguments.dry_run;
    let loaded = &arguments.place.load()?;
    if compose::has_no_file(loaded)? {
        return Err(compose::no_database(&loaded.data.join(DATABASE)));
    }
    let (store, name) = compose::open_database(loaded, Migrations::Leave)?;
    let plan = store.plan().await.map_err(|error| cause(&error))?;
    let later = plan.steps.len() - plan.within(extent).steps.len();
    let done = if dry_run {
        plan.within(extent)
    } else {
        store.migrate(extent).await.map_err(|error| cause(&error))?
    };
    if arguments.json {
        let steps: Vec<_> = done
            .steps
            .iter()
            .map(|step| {
                serde_json::json!({
                    "number": step.number, "name": step.name, "phase": step.phase.name(),
                    "older_servers_may_run": step.phase == Phase::Expand,
                })
            })
            .collect();
        let value = serde_json::json!({
            "database": name, "dry_run": dry_run, "from": done.from, "to": done.to, "steps": steps,
            "left_to_contract": later,
        });
        return print(&value.to_string());
    }
    let verb = match (done.steps.is_empty(), dry_run) {
        (true, _) => "is up to date:",
        (false, true) => "would go from",
        (false, false) => "went from",
    };
    let mut text = format!("{name} {verb} {done}");
    if later > 0 {
        text.push_str(&format!(
            "\n{later} more with --contract; use it only when no server of an older release runs"
        ));
    }
    print(&text)
}
