//! `keyward migrate`: brings the schema of the database up to date.

use std::process::ExitCode;

use clap::Args;
use compose::{DATABASE, cause};
use config::Place;
use serde_json::{Value, json};
use store::{Extent, Migrations, Phase, Plan};
use terminal::Output;

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
    #[command(flatten)]
    output: Output,
}

/// Migrates the schema, or shows what that would do.
pub async fn migrate(arguments: &MigrateArgs) -> Result<ExitCode, String> {
    let extent = if arguments.contract {
        Extent::All
    } else {
        Extent::Expand
    };
    let loaded = &arguments.place.load()?;
    if compose::has_no_file(loaded)? {
        return Err(compose::no_database(&loaded.data.join(DATABASE)));
    }
    let (store, name) = compose::open_database(loaded, Migrations::Leave)?;
    let plan = store.plan().await.map_err(|error| cause(&error))?;
    let within = plan.within(extent);
    let later = plan.steps.len() - within.steps.len();
    let done = if arguments.dry_run {
        within
    } else {
        store.migrate(extent).await.map_err(|error| cause(&error))?
    };
    let value = for_programs(&name, &done, arguments.dry_run, later);
    let text = for_people(&name, &done, arguments.dry_run, later);
    arguments.output.print(&value, &text)
}

/// `later`: how many steps are left for `--contract`.
fn for_programs(database: &str, plan: &Plan, dry_run: bool, later: usize) -> Value {
    let steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| {
            json!({
                "number": step.number, "name": step.name, "phase": step.phase.name(),
                "older_servers_may_run": step.phase == Phase::Expand,
            })
        })
        .collect();
    json!({
        "database": database, "dry_run": dry_run, "from": plan.from, "to": plan.to, "steps": steps,
        "left_to_contract": later,
    })
}

fn for_people(database: &str, plan: &Plan, dry_run: bool, later: usize) -> String {
    let verb = match (plan.steps.is_empty(), dry_run) {
        (true, _) => "is up to date:",
        (false, true) => "would go from",
        (false, false) => "went from",
    };
    let mut text = format!("{database} {verb} {plan}");
    if later > 0 {
        text.push_str(&format!(
            "\n{later} more with --contract; use it only when no server of an older release runs"
        ));
    }
    text
}
