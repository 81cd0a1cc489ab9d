use std::collections::BTreeMap;
use std::time::Duration;

use domain::limit::budget::GuessLimits;
use domain::limit::rate::Rate;
use domain::policy::VaultPolicy;
use domain::time::{days, hours};
use domain::vault::Plan;
use domain::vault::plan::Plans;

use crate::section::section;

section! {
    /// The Enceeper surface: accounts with encrypted vaults. Every lifetime is at least one second. A limit of 0 is off.
    Enceeper {
        /// Whether the server offers this surface.
        enabled: bool = true,
        /// Prefix of its paths, without a slash at the end.
        base_path: String = "/api/v1".to_owned(),
        /// The URL with which links in its messages begin. Empty: `server.public_url`.
        public_base_url: String = String::new(),
        /// Lifetime of a session in seconds, from the login.
        session_ttl_seconds: u64 = 3600,
        /// Lifetime of a login's challenge in seconds. Slow phones need several seconds to compute the proof.
        challenge_ttl_seconds: u64 = 120,
        /// Seconds in which an owner may approve a request, and in which an approved slot may be read.
        approval_ttl_seconds: u64 = 600,
        /// Lifetime of a token for the account page in seconds.
        webauth_ttl_seconds: u64 = 120,
        /// Create an account only after its address was confirmed. If false, it is created at once, and the answer for a registered address is 409.
        confirm_email: bool = true,
        /// Lifetime of a confirmation link in seconds.
        confirm_ttl_seconds: u64 = 86_400,
        /// Calls without a valid token in an hour, for each network.
        ip_requests_per_hour: u32 = 600,
        /// Wrong password proofs for one address from one network within the window.
        failed_proofs_per_ip: u32 = 20,
        /// Wrong password proofs for one address from all networks within the window.
        failed_proofs_per_address: u32 = 200,
        /// Length of the window in seconds, from the first wrong proof.
        failed_proofs_window_seconds: u64 = 900,
        /// Confirmation messages to one address in a day.
        confirm_mails_per_address_per_day: u32 = 5,
        /// Requests for approval of one slot that may wait for an answer at the same time.
        pending_approvals_per_slot: usize = 5,
        /// Notices about the use of one slot in an hour. Further uses are counted, and the next notice gives their number.
        notice_mails_per_slot_per_hour: u32 = 30,
        /// Version of the newest app, x.y.z. Older apps ask their users to update.
        app_version: String = "1.0.1".to_owned(),
        /// A text that clients show as an error. Use it to announce the end of this API.
        api_deprecated: Option<String> = None,
        /// The plan of accounts for which no other plan was set.
        default_plan: String = "Default".to_owned(),
        /// Plans by name. Each is a table `[enceeper.plans.NAME]` with `reqs_per_hour`, `total_keys`, `slots_per_key`,
        /// `key_size_bytes`, `key_sharing`, `slot_notify_on_use`, `slot_approve_use`, `deprecated`.
        plans: BTreeMap<String, EnceeperPlan> = BTreeMap::from([("Default".to_owned(), EnceeperPlan::default())]),
    }
}

/// One plan. Values that are left out are those of the default plan.
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

/// Maximum size of a key that a plan may allow, so that a list of keys fits into one answer.
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
            return Err(
                "configuration: [enceeper] every lifetime must be at least 1 second".to_owned(),
            );
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
                "configuration: [enceeper] base_path must begin with a slash and must not end with one"
                    .to_owned(),
            );
        }
        if self.public_base_url.ends_with('/') {
            return Err(
                "configuration: [enceeper] public_base_url must not end with a slash".to_owned(),
            );
        }
        let mut parts = self.app_version.split('.');
        let number =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !parts.by_ref().take(3).all(number) || self.app_version.matches('.').count() != 2 {
            return Err("configuration: [enceeper] app_version must be x.y.z".to_owned());
        }
        if !self.plans.is_empty() && !self.plans.contains_key(&self.default_plan) {
            return Err(format!(
                "configuration: [enceeper] default_plan {} is not one of the plans",
                self.default_plan
            ));
        }
        if self
            .plans
            .values()
            .any(|plan| plan.key_size_bytes > LARGEST_KEY)
        {
            return Err(
                "configuration: [enceeper] key_size_bytes must be at most 1048576".to_owned(),
            );
        }
        Ok(())
    }

    /// `public`: the URL under which owners reach this server.
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
