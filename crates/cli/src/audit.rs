//! `keyward admin audit …`

use std::process::ExitCode;

use admin_wire::Verdict;
use clap::Subcommand;
use serde_json::json;

use crate::admin::Common;
use crate::server::parsed;
use crate::{Target, encode};

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Verify the whole chain. Finds changed, moved, removed and cut-off rows; exits with status 1 if there are any.
    Verify(Common),
    /// Show the newest events, newest first.
    List {
        /// Only events about this alias or id.
        #[arg(long)]
        subject: Option<String>,
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) async fn run(command: AuditCommand) -> Result<ExitCode, String> {
    match command {
        AuditCommand::Verify(Common { target }) => {
            let server = target.connect()?;
            let answer = server.post("/admin/v1/audit/verify", &json!({})).await?;
            target.show(&answer)?;
            let verdict: Verdict = parsed(answer)?;
            Ok(if verdict.findings.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        AuditCommand::List {
            subject,
            limit,
            target,
        } => {
            let subject = subject.map(|subject| format!("&subject={}", encode(&subject)));
            let subject = subject.unwrap_or_default();
            target
                .get(&format!("/admin/v1/audit/events?limit={limit}{subject}"))
                .await
        }
    }
}
