mod face;
mod jwt;
mod notify;
mod passkey;

use std::path::PathBuf;
use std::time::Duration;

use domain::limit::rate::Rate;
use domain::policy::WalletPolicy;
use domain::proof::federated::{OwnAccounts, TrustedIssuer};
use domain::time::days;
use outside::KeySetOptions;
use outside::liveness::LivenessOptions;

pub(crate) use face::Face;
pub(crate) use jwt::{Jwt, auth0};

pub(crate) use notify::Notify;
pub(crate) use passkey::Passkey;

use crate::secret::{Secret, resolve};
use crate::section::section;

section! {
    /// The Duo auth service surface: wallets, their devices and keyshares.
    Duo {
        /// `true` opens the listener for the hooks even without a `[[duo.jwt]]`. `false` keeps it closed and accepts no tokens.
        enabled: Option<bool> = None,
        /// Identity providers, as `[[duo.jwt]]` tables: `issuer`, `audiences`, `algorithms` (RS256), `jwks_url`
        /// (default: discovery), `leeway_seconds` (30), `enforce_scopes` (true), `step_up_max_age_seconds` (0), `ca_file`.
        /// The environment variables `AUTH0_DOMAIN`, `AUTH0_AUDIENCE` and `AUTH0_ALGORITHMS` define one more.
        jwt: Vec<Jwt> = Vec::new(),
        /// The accounts of this server as an identity provider; see `[duo.accounts]` below.
        accounts: Accounts = Accounts::default(),
        /// Lifetime of a device challenge in seconds: 10 to 300.
        challenge_ttl_seconds: u64 = 300,
        /// `single_active`: whether a new device deactivates the user's older ones.
        devices: Devices = Devices::default(),
        /// The face verifier; see `[duo.face]` below.
        face: Face = Face::default(),
        /// Passkeys instead of faces; see `[duo.passkey]` below.
        passkey: Passkey = Passkey::default(),
        /// Backup of keyshares; see `[duo.backup]` below.
        backup: Backup = Backup::default(),
        /// The hooks for the signing server; see `[duo.hooks]` below.
        hooks: Hooks = Hooks::default(),
        /// A program of the operator that is told about recoveries; see `[duo.notify]` below.
        notify: Notify = Notify::default(),
        /// `retention_days`: days for which signing decisions are kept.
        transactions: Transactions = Transactions::default(),
    }
}

section! {
    /// Keyward as identity provider: access tokens of the profile surface.
    Accounts {
        /// Accept these tokens in addition to those of `[[duo.jwt]]`.
        accepted: bool = true,
        /// Maximum age of the login, in seconds, for enrolment and recovery. 0 is off.
        step_up_max_age_seconds: u64 = 0,
    }
}

section! {
    /// Devices of wallets.
    Devices {
        /// Whether a new device deactivates the user's older ones.
        single_active: bool = false,
    }
}

section! {
    /// Backup of keyshares.
    Backup {
        /// Accept keyshares only for keys that the key-id hook has reported.
        require_known_key: bool = true,
        /// Accept keyshares only from users with an enrolled face or passkey.
        require_face_enrolled: bool = true,
        /// Maximum length of an encrypted keyshare in characters.
        max_keyshare_chars: usize = 1_048_576,
    }
}

section! {
    /// The hooks for the signing server, on a separate listener.
    Hooks {
        /// Address of this listener. Only the signing server should be able to reach it.
        listen: String = "127.0.0.1:8082".to_owned(),
        /// A proxy in front of this listener terminates TLS, or only a private network reaches it. This allows plain HTTP on
        /// an address that is not loopback. Otherwise such an address needs `server.tls_cert`.
        behind_proxy: bool = false,
        /// A secret in the paths of the hooks: `/hooks/duo/<secret>/…`.
        path_secret: Option<Secret> = None,
        /// File that contains the secret.
        path_secret_file: Option<PathBuf> = None,
    }
}

section! {
    /// The list of decisions about the use of keys.
    Transactions {
        /// Days for which decisions are kept.
        retention_days: u64 = 365,
    }
}

impl Duo {
    /// Whether the hooks' listener is opened.
    pub fn is_configured(&self) -> bool {
        self.enabled.unwrap_or(!self.jwt.is_empty())
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        if !(10..=300).contains(&self.challenge_ttl_seconds) {
            return Err("configuration: [duo] challenge_ttl_seconds must be 10 to 300".to_owned());
        }
        if !(1..=60).contains(&self.face.timeout_seconds) || self.face.max_concurrent == 0 {
            return Err(
                "configuration: [duo.face] timeout_seconds must be 1 to 60, and max_concurrent at least 1"
                    .to_owned(),
            );
        }
        if !(1..=1_048_576).contains(&self.backup.max_keyshare_chars) {
            return Err(
                "configuration: [duo.backup] max_keyshare_chars must be 1 to 1048576".to_owned(),
            );
        }
        self.hooks_secret()?;
        self.liveness()?;
        self.notify.provider()?;
        if self.passkey.rp_id.is_some() && self.face.kind != "none" {
            return Err(
                "configuration: [duo.passkey] and [duo.face] kind cannot be used together"
                    .to_owned(),
            );
        }
        outside::HttpKeySets::new(self.key_sets())
            .map_err(|why| format!("configuration: [[duo.jwt]] {why}"))?;
        self.policy().map(|_| ())
    }

    pub fn policy(&self) -> Result<WalletPolicy, String> {
        let accepted = self.jwt.iter().filter(|_| self.enabled != Some(false));
        let issuers: Result<Vec<TrustedIssuer>, String> = accepted.map(Jwt::issuer).collect();
        let window = Duration::from_secs(self.face.failure_window_seconds);
        let age = self.accounts.step_up_max_age_seconds;
        let own = OwnAccounts {
            fresh: (age > 0).then(|| Duration::from_secs(age)),
        };
        let accepts_own = self.accounts.accepted && self.enabled != Some(false);
        Ok(WalletPolicy {
            issuers: issuers?,
            own_accounts: accepts_own.then_some(own),
            challenge_life: Duration::from_secs(self.challenge_ttl_seconds),
            refusals: Rate::per(self.face.max_failures, window),
            single_device: self.devices.single_active,
            known_keys_only: self.backup.require_known_key,
            enrolled_only: self.backup.require_face_enrolled,
            longest_share: self.backup.max_keyshare_chars,
            decisions: days(self.transactions.retention_days),
            tell_client: self.face.return_scan_result_blob,
            session_tokens: self.face.session_token_proxy,
            passkeys: self.passkey.policy()?,
            tell_operator: self.notify.recover_url.is_some(),
            ..WalletPolicy::default()
        })
    }

    pub fn key_sets(&self) -> Vec<KeySetOptions> {
        self.jwt.iter().map(Jwt::keys).collect()
    }

    pub fn liveness(&self) -> Result<LivenessOptions, String> {
        self.face.options()
    }

    /// The secret in the hooks' paths: one segment of characters that need no percent-encoding.
    pub fn hooks_secret(&self) -> Result<Option<String>, String> {
        let hooks = &self.hooks;
        let secret = resolve(
            "path_secret",
            hooks.path_secret.as_ref(),
            hooks.path_secret_file.as_deref(),
        )?;
        let Some(secret) = secret.map(|secret| secret.expose().to_owned()) else {
            return Ok(None);
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if secret.len() < 16 || !secret.bytes().all(plain) {
            return Err(
                "configuration: [duo.hooks] path_secret must consist of at least 16 letters, digits or - _ . ~"
                    .to_owned(),
            );
        }
        Ok(Some(secret))
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::parse;

    #[test]
    fn a_secret_path_is_one_long_plain_segment() {
        let hooks = |secret: &str| parse(&format!("[duo.hooks]\npath_secret = \"{secret}\""));
        let config = hooks("0123456789abcdef-._~").unwrap();
        assert_eq!(
            config.duo.hooks_secret().unwrap().as_deref(),
            Some("0123456789abcdef-._~")
        );
        for bad in [
            "",
            "0123456789abcde",
            "0123456789abcdef/",
            "0123456789abcdef%20",
            "0123456789abcdéf",
        ] {
            assert!(hooks(bad).is_err(), "{bad}");
        }
        let both = "[duo.hooks]\npath_secret = \"0123456789abcdef\"\npath_secret_file = \"f\"";
        assert!(parse(both).is_err());
    }

    #[test]
    fn accounts_of_this_server_are_accepted_unless_switched_off() {
        let own = |text: &str| parse(text).unwrap().duo.policy().unwrap().own_accounts;
        assert_eq!(own("").map(|own| own.fresh), Some(None));
        let fresh = own("[duo.accounts]\nstep_up_max_age_seconds = 600").and_then(|own| own.fresh);
        assert_eq!(fresh, Some(std::time::Duration::from_secs(600)));
        assert!(own("[duo.accounts]\naccepted = false").is_none());
        assert!(own("[duo]\nenabled = false").is_none());
        let stranger = "[[duo.jwt]]\nissuer = \"self\"\naudiences = [\"a\"]\njwks_url = \"https://a.example.com/\"";
        assert!(parse(stranger).is_err_and(|why| why.contains("own accounts")));
    }
}
