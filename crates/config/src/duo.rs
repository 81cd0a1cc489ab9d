use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use domain::policy::WalletPolicy;
use domain::rate::Rate;
use domain::secret::SecretBytes;
use domain::step_up::passkey::{Party, PasskeyPolicy};
use domain::time::days;
use domain::vouched::{Algorithm, Issuer, OWN_ISSUER, OwnAccounts, Rules, Scopes};
use outside::courier::{self, Plain, ProviderOptions};
use outside::liveness::{
    FacetecOptions, LivenessOptions, Transport, VerifierOptions, WebhookOptions,
};
use outside::{KeySetOptions, KeySource};
use serde::{Deserialize, Serialize};

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
    /// The face verifier.
    Face {
        /// Kind of verifier: `none`, `facetec_v9` or `webhook`.
        kind: String = "none".to_owned(),
        /// URL of the verifier. For `facetec_v9` with path prefix and `user:password`, if it needs them.
        url: Option<String> = None,
        /// `facetec_v9`: the device key identifier.
        device_key: Option<Secret> = None,
        /// `facetec_v9`: file that contains the device key identifier.
        device_key_file: Option<PathBuf> = None,
        /// `facetec_v9`: the minimum match level, 1 to 15.
        min_match_level: u8 = 15,
        /// Seconds to wait for the verifier's answer: 1 to 60.
        timeout_seconds: u64 = 20,
        /// Maximum number of calls to the verifier at the same time.
        max_concurrent: usize = 10,
        /// `facetec_v9`: additional request headers, by name.
        extra_headers: BTreeMap<String, String> = BTreeMap::new(),
        /// `facetec_v9`: send the client's address to the verifier.
        forward_client_ip: bool = false,
        /// `facetec_v9`: URL to call with DELETE when a face is removed. It contains `{ref}`.
        delete_url_template: Option<String> = None,
        /// Certificate authorities to trust instead of the public ones, a PEM file.
        ca_file: Option<PathBuf> = None,
        /// Allow plain HTTP to other machines.
        allow_plain_http: bool = false,
        /// Refused checks of one user after which the verifier is not asked for some time.
        max_failures: u32 = 5,
        /// Length of that time in seconds.
        failure_window_seconds: u64 = 900,
        /// `facetec_v9`: offer `GET /auth/face/session-token`.
        session_token_proxy: bool = false,
        /// `facetec_v9`: return `scan_result_blob` to the app.
        return_scan_result_blob: bool = false,
        /// `webhook`: the signing secret, at least 32 bytes.
        webhook_secret: Option<Secret> = None,
        /// `webhook`: file that contains the secret.
        webhook_secret_file: Option<PathBuf> = None,
    }
}

section! {
    /// Step-up by passkey, for operators without a face verifier. This extends the original API.
    Passkey {
        /// The domain of the passkeys, for example `wallet.example.com`. Setting it turns passkeys on.
        rp_id: Option<String> = None,
        /// The name of this service in authenticators.
        rp_name: String = "Wallet".to_owned(),
        /// Origins of the clients: `https://…` of the domain or a subdomain, `android:apk-key-hash:…` of an app. Empty:
        /// `https://` and the domain.
        origins: Vec<String> = Vec::new(),
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
        /// A secret in the paths of the hooks: `/hooks/duo/<secret>/…`.
        path_secret: Option<Secret> = None,
        /// File that contains the secret.
        path_secret_file: Option<PathBuf> = None,
    }
}

section! {
    /// A program of the operator that is told about recoveries, by the same signed webhook that messages use.
    Notify {
        /// The server posts every recovery, allowed or refused, to this URL: `https`, or `http` to this machine.
        recover_url: Option<String> = None,
        /// The signing secret, at least 32 bytes.
        secret: Option<Secret> = None,
        /// File that contains the secret.
        secret_file: Option<PathBuf> = None,
        /// Certificate authorities to trust instead of the public ones, a PEM file.
        ca_file: Option<PathBuf> = None,
    }
}

section! {
    /// The list of decisions about the use of keys.
    Transactions {
        /// Days for which decisions are kept.
        retention_days: u64 = 365,
    }
}

/// One identity provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jwt {
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Vec<String>,
    pub(crate) jwks_url: Option<String>,
    leeway_seconds: u32,
    enforce_scopes: bool,
    step_up_max_age_seconds: u64,
    ca_file: Option<PathBuf>,
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audiences: Vec::new(),
            algorithms: vec!["RS256".to_owned()],
            jwks_url: None,
            leeway_seconds: 30,
            enforce_scopes: true,
            step_up_max_age_seconds: 0,
            ca_file: None,
        }
    }
}

impl Jwt {
    fn issuer(&self) -> Result<Issuer, String> {
        let wrong = |why: &str| format!("configuration: [[duo.jwt]] {}: {why}", self.issuer);
        let algorithms: Option<Vec<Algorithm>> = self
            .algorithms
            .iter()
            .map(|name| Algorithm::named(name))
            .collect();
        let algorithms = algorithms.filter(|list| !list.is_empty()).ok_or_else(|| {
            wrong(&format!(
                "algorithms must be some of {}",
                Algorithm::NAMES.join(", ")
            ))
        })?;
        if self.issuer.is_empty() {
            return Err(wrong("issuer is missing"));
        }
        if self.issuer == OWN_ISSUER {
            return Err(wrong(
                "this issuer name is reserved for the server's own accounts",
            ));
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(wrong(
                "audiences must contain at least one text, and no empty one",
            ));
        }
        if self.leeway_seconds > 120 {
            return Err(wrong("leeway_seconds must be at most 120"));
        }
        let age = self.step_up_max_age_seconds;
        Ok(Issuer {
            rules: Rules {
                issuer: self.issuer.clone(),
                audiences: self.audiences.clone(),
                algorithms,
                leeway: self.leeway_seconds,
            },
            scopes: if self.enforce_scopes {
                Scopes::Enforced
            } else {
                Scopes::Ignored
            },
            fresh: (age > 0).then(|| Duration::from_secs(age)),
        })
    }

    fn keys(&self) -> KeySetOptions {
        KeySetOptions {
            issuer: self.issuer.clone(),
            source: match &self.jwks_url {
                Some(url) => KeySource::At(url.clone()),
                None => KeySource::Discovery,
            },
            ca_file: self.ca_file.clone(),
        }
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
        let issuers: Result<Vec<Issuer>, String> = accepted.map(Jwt::issuer).collect();
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
        let face = &self.face;
        let verifier = match face.kind.as_str() {
            "none" => VerifierOptions::None,
            "facetec_v9" => VerifierOptions::Facetec(face.facetec()?),
            "webhook" => VerifierOptions::Webhook(face.webhook()?),
            other => {
                return Err(format!(
                    "configuration: [duo.face] kind must be none, facetec_v9 or webhook, not {other}"
                ));
            }
        };
        Ok(LivenessOptions {
            verifier,
            transport: Transport {
                timeout: Duration::from_secs(face.timeout_seconds),
                max_concurrent: face.max_concurrent,
                ca_file: face.ca_file.clone(),
                plain: if face.allow_plain_http {
                    Plain::Anywhere
                } else {
                    Plain::Loopback
                },
            },
        })
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

impl Notify {
    /// Where to report recoveries, if a program is configured.
    pub(crate) fn provider(&self) -> Result<Option<ProviderOptions>, String> {
        let secret = resolve("secret", self.secret.as_ref(), self.secret_file.as_deref())?;
        let (url, secret) = match (&self.recover_url, secret) {
            (None, None) => return Ok(None),
            (Some(url), Some(secret)) => (url, secret),
            _ => {
                return Err(
                    "configuration: [duo.notify] recover_url and secret (or secret_file) must be set together"
                        .to_owned(),
                );
            }
        };
        let secret = SecretBytes::new(secret.expose().as_bytes().to_vec());
        let mut options = courier::WebhookOptions::new(url, secret);
        options.ca_file.clone_from(&self.ca_file);
        Ok(Some(ProviderOptions::Webhook(options)))
    }
}

impl Passkey {
    fn policy(&self) -> Result<Option<PasskeyPolicy>, String> {
        let wrong = |why: &str| Err(format!("configuration: [duo.passkey] {why}"));
        let Some(id) = self.rp_id.clone() else {
            return if self.origins.is_empty() {
                Ok(None)
            } else {
                wrong("origins need rp_id")
            };
        };
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        let edges = id.starts_with(['.', '-']) || id.ends_with(['.', '-']);
        if id.is_empty() || edges || !id.bytes().all(plain) {
            return wrong("rp_id must be a domain in lower case, without scheme and port");
        }
        let origins = if self.origins.is_empty() {
            vec![format!("https://{id}")]
        } else {
            self.origins.clone()
        };
        if let Some(origin) = origins.iter().find(|origin| !is_origin(origin, &id)) {
            return wrong(&format!(
                "origins must be https:// with rp_id or a subdomain of it, or android:apk-key-hash:…: {origin}"
            ));
        }
        if self.rp_name.is_empty() {
            return wrong("rp_name must not be empty, because people see it");
        }
        Ok(Some(PasskeyPolicy {
            party: Party { id, origins },
            name: self.rp_name.clone(),
        }))
    }
}

/// Whether `origin` is an allowed client origin, as browsers and Android write origins. Plain HTTP is allowed for `localhost` only.
fn is_origin(origin: &str, id: &str) -> bool {
    if let Some(hash) = origin.strip_prefix("android:apk-key-hash:") {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        return hash.len() == 43 && hash.bytes().all(plain);
    }
    let rest = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://").filter(|_| id == "localhost"));
    let Some(rest) = rest else { return false };
    let (host, port) = rest
        .split_once(':')
        .map_or((rest, None), |(host, port)| (host, Some(port)));
    let below = host
        .strip_suffix(id)
        .is_some_and(|above| above.is_empty() || above.ends_with('.'));
    let plain = host
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte));
    below && plain && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

impl Face {
    fn address(&self) -> Result<String, String> {
        let url = self.url.clone();
        url.ok_or_else(|| format!("configuration: [duo.face] kind {} needs url", self.kind))
    }

    fn facetec(&self) -> Result<FacetecOptions, String> {
        if !(1..=15).contains(&self.min_match_level) {
            return Err("configuration: [duo.face] min_match_level must be 1 to 15".to_owned());
        }
        Ok(FacetecOptions {
            url: self.address()?,
            device_key: resolve(
                "device_key",
                self.device_key.as_ref(),
                self.device_key_file.as_deref(),
            )?,
            min_match_level: self.min_match_level,
            extra_headers: self.extra_headers.clone(),
            forward_client_ip: self.forward_client_ip,
            delete_url_template: self.delete_url_template.clone(),
        })
    }

    fn webhook(&self) -> Result<WebhookOptions, String> {
        let secret = resolve(
            "webhook_secret",
            self.webhook_secret.as_ref(),
            self.webhook_secret_file.as_deref(),
        )?;
        let secret = secret.ok_or(
            "configuration: [duo.face] kind webhook needs webhook_secret or webhook_secret_file",
        )?;
        Ok(WebhookOptions {
            url: self.address()?,
            secret: SecretBytes::new(secret.expose().as_bytes().to_vec()),
        })
    }
}

/// The provider that the three documented environment variables define, if they are set.
pub(crate) fn auth0(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Jwt>, String> {
    let Some(domain) = variable("AUTH0_DOMAIN").filter(|domain| !domain.is_empty()) else {
        return Ok(None);
    };
    let audience =
        variable("AUTH0_AUDIENCE").ok_or("AUTH0_DOMAIN is set, but AUTH0_AUDIENCE is not")?;
    let algorithms = variable("AUTH0_ALGORITHMS").unwrap_or_else(|| "RS256".to_owned());
    Ok(Some(Jwt {
        issuer: format!("https://{domain}/"),
        audiences: vec![audience],
        algorithms: algorithms
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect(),
        jwks_url: Some(format!("https://{domain}/.well-known/jwks.json")),
        ..Jwt::default()
    }))
}
