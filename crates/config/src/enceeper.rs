use std::collections::BTreeMap;
use std::time::Duration;

use domain::budget::GuessLimits;
use domain::policy::VaultPolicy;
use domain::rate::Rate;
use domain::time::{days, hours};
use domain::vault::Plan;
use domain::vault::plan::Plans;

use crate::section::section;

section! {
    /// The Enceeper surface: accounts with encrypted vaults. Every lifetime is one second or more; a limit of 0 is off.
    Enceeper {
        /// Whether the surface is served.
        enabled: bool = true,
        /// Where its paths begin, without a slash at the end.
        base_path: String = "/api/v1".to_owned(),
        /// The beginning of the links in its letters. Empty: `server.public_url`.
        public_base_url: String = String::new(),
        /// Life of a session in seconds, from the login.
        session_ttl_seconds: u64 = 3600,
        /// Life of a login's challenge in seconds: slow telephones need some for the big numbers.
        challenge_ttl_seconds: u64 = 120,
        /// Seconds in which an owner may answer, and an approved slot may be read.
        approval_ttl_seconds: u64 = 600,
        /// Life of a token for the account page in seconds.
        webauth_ttl_seconds: u64 = 120,
        /// An account begins with a confirmed address. Without, it exists at once, and a taken address answers 409.
        confirm_email: bool = true,
        /// Life of a confirmation link in seconds.
        confirm_ttl_seconds: u64 = 86_400,
        /// Calls without a good token in an hour, for each network.
        ip_requests_per_hour: u32 = 600,
        /// Wrong proofs for one address from one network within the window.
        failed_proofs_per_ip: u32 = 20,
        /// Wrong proofs for one address in all within the window.
        failed_proofs_per_address: u32 = 200,
        /// The window in seconds, from the first wrong proof.
        failed_proofs_window_seconds: u64 = 900,
        /// Confirmation letters to one address in a day.
        confirm_mails_per_address_per_day: u32 = 5,
        /// Questions to an owner about one slot that wait for an answer.
        pending_approvals_per_slot: usize = 5,
        /// Letters about uses of one slot in an hour; the rest is counted and told in the next.
        notice_mails_per_slot_per_hour: u32 = 30,
        /// Version of the newest app, x.y.z: older ones tell their users to update.
        app_version: String = "1.0.1".to_owned(),
        /// A text that clients show as an error, for an API that will end.
        api_deprecated: Option<String> = None,
        /// The plan of accounts that were given no other.
        default_plan: String = "Default".to_owned(),
        /// Plans by name, each a table `[enceeper.plans.NAME]` with `reqs_per_hour`, `total_keys`, `slots_per_key`,
        /// `key_size_bytes`, `key_sharing`, `slot_notify_on_use`, `slot_approve_use`, `deprecated`.
        plans: BTreeMap<String, EnceeperPlan> = BTreeMap::from([("Default".to_owned(), EnceeperPlan::default())]),
    }
}

/// One plan; what is left out is as in the default one.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a plan is a list of what is allowed"
)]
pub struct EnceeperPlan {
    reqs_per_hour: u32,
    total_keys: u64,
    slots_per_key: usize,
    key_size_bytes: usize,
    key_sharing: bool,
    slot_notify_on_use: bool,
    slot_approve_use: bool,
    deprecated: bool,
}

impl Default for EnceeperPlan {
    fn default() -> Self {
        let plan = Plan::default();
        Self {
            reqs_per_hour: plan.calls_per_hour,
            total_keys: plan.entries,
            slots_per_key: plan.slots_per_entry,
            key_size_bytes: plan.entry_bytes,
            key_sharing: plan.sharing,
            slot_notify_on_use: plan.notify_on_use,
            slot_approve_use: plan.approve_use,
            deprecated: plan.deprecated,
        }
    }
}

/// Largest key that a plan may allow: what is stored and listed must stay small enough to be sent in one answer.
const LARGEST_KEY: usize = 1024 * 1024;

impl Enceeper {
    pub(crate) fn validate(&self) -> Result<(), String> {
        let lives = [
            self.session_ttl_seconds,
            self.challenge_ttl_seconds,
            self.approval_ttl_seconds,
            self.webauth_ttl_seconds,
            self.confirm_ttl_seconds,
            self.failed_proofs_window_seconds,
        ];
        if lives.contains(&0) {
            return Err("configuration: [enceeper] every lifetime is at least 1 second".to_owned());
        }
        let path = &self.base_path;
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
        if !path.is_empty()
            && (!path.starts_with('/')
                || path.ends_with('/')
                || path.contains("//")
                || !path.chars().all(plain))
        {
            return Err(
                "configuration: [enceeper] base_path begins with a slash and ends without one"
                    .to_owned(),
            );
        }
        if self.public_base_url.ends_with('/') {
            return Err(
                "configuration: [enceeper] public_base_url ends without a slash".to_owned(),
            );
        }
        let mut parts = self.app_version.split('.');
        let number =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !parts.by_ref().take(3).all(number) || self.app_version.matches('.').count() != 2 {
            return Err("configuration: [enceeper] app_version is x.y.z".to_owned());
        }
        if !self.plans.is_empty() && !self.plans.contains_key(&self.default_plan) {
            return Err(format!(
                "configuration: [enceeper] default_plan {} is not among the plans",
                self.default_plan
            ));
        }
        if self
            .plans
            .values()
            .any(|plan| plan.key_size_bytes > LARGEST_KEY)
        {
            return Err("configuration: [enceeper] key_size_bytes is at most 1048576".to_owned());
        }
        Ok(())
    }

    /// `public`: how owners reach this server.
    pub fn policy(&self, public: &str) -> VaultPolicy {
        let public = if self.public_base_url.is_empty() {
            public
        } else {
            &self.public_base_url
        };
        let failures = |failures| GuessLimits {
            failures,
            window: Duration::from_secs(self.failed_proofs_window_seconds),
            in_a_row: 0,
        };
        VaultPolicy {
            base_url: format!("{public}{}", self.base_path),
            session_life: Duration::from_secs(self.session_ttl_seconds),
            handshake_life: Duration::from_secs(self.challenge_ttl_seconds),
            approval_life: Duration::from_secs(self.approval_ttl_seconds),
            web_pass_life: Duration::from_secs(self.webauth_ttl_seconds),
            confirm_addresses: self.confirm_email,
            confirm_life: Duration::from_secs(self.confirm_ttl_seconds),
            confirmations_per_address: Rate::per(self.confirm_mails_per_address_per_day, days(1)),
            network_calls_per_hour: self.ip_requests_per_hour,
            failures_from_network: failures(self.failed_proofs_per_ip),
            failures_from_anywhere: failures(self.failed_proofs_per_address),
            pending_approvals_per_slot: self.pending_approvals_per_slot,
            notices_per_slot: Rate::per(self.notice_mails_per_slot_per_hour, hours(1)),
            plans: self.plans(),
            ..VaultPolicy::default()
        }
    }

    fn plans(&self) -> Plans {
        let plans = self.plans.iter().map(|(name, plan)| {
            let plan = Plan {
                name: name.clone(),
                calls_per_hour: plan.reqs_per_hour,
                entries: plan.total_keys,
                slots_per_entry: plan.slots_per_key,
                entry_bytes: plan.key_size_bytes,
                sharing: plan.key_sharing,
                notify_on_use: plan.slot_notify_on_use,
                approve_use: plan.slot_approve_use,
                deprecated: plan.deprecated,
            };
            (name.clone(), plan)
        });
        Plans {
            by_name: plans.collect(),
            default: self.default_plan.clone(),
        }
    }
}
