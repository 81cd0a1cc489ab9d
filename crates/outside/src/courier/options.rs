//! Options of the courier: plain values from the configuration.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use domain::secret::{SecretBytes, SecretText};

/// The providers of each channel, in the order in which they are tried. With an empty list every message is
/// refused.
#[derive(Debug, Clone, Default)]
pub struct CourierOptions {
    pub email: Vec<ProviderOptions>,
    pub sms: Vec<ProviderOptions>,
    /// Webhooks for a program of the operator.
    pub operator: Vec<ProviderOptions>,
    pub breaker: BreakerOptions,
}

/// When a failing provider is skipped.
#[derive(Debug, Clone, Copy)]
pub struct BreakerOptions {
    /// Failures in a row after which it is skipped; with 0 it never is.
    pub failures: u32,
    pub rest: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            failures: 5,
            rest: Duration::from_secs(30),
        }
    }
}

/// One provider.
#[derive(Debug, Clone)]
pub enum ProviderOptions {
    File(FileOptions),
    Smtp(SmtpOptions),
    Twilio(TwilioOptions),
    Webhook(WebhookOptions),
}

pub(super) const FILE: &str = "file";

impl ProviderOptions {
    /// The name of this kind in the configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => FILE,
            Self::Smtp(_) => "smtp",
            Self::Twilio(_) => "twilio",
            Self::Webhook(_) => "webhook",
        }
    }
}

/// Where messages may be sent unencrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plain {
    /// To this machine only.
    #[default]
    Loopback,
    /// To any machine: the operator is responsible for the network.
    Anywhere,
}

impl Plain {
    pub(crate) fn allows(self, host: &str) -> bool {
        let loopback = host.eq_ignore_ascii_case("localhost")
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        self == Self::Anywhere || loopback
    }
}

/// A file to which each message is appended as one JSON line.
#[derive(Debug, Clone)]
pub struct FileOptions {
    pub path: PathBuf,
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct SmtpOptions {
    pub host: String,
    /// Default: 587 with STARTTLS, 465 with TLS, otherwise 25.
    pub port: Option<u16>,
    pub security: SmtpSecurity,
    pub username: Option<String>,
    pub password: Option<SecretText>,
    /// `Name <address>` or only an address.
    pub from: String,
    pub reply_to: Option<String>,
    /// PEM certificates to trust instead of the public authorities.
    pub ca_file: Option<PathBuf>,
    /// The name in EHLO; the default is the name of this machine.
    pub hello_name: Option<String>,
    /// Time limit for everything up to the login.
    pub connect_timeout: Duration,
    /// Time limit for sending one message.
    pub timeout: Duration,
    /// Connections that stay open between messages.
    pub connections: usize,
}

impl SmtpOptions {
    /// Options for STARTTLS without a login, as a starting point.
    pub fn new(host: impl Into<String>, from: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            security: SmtpSecurity::StartTls,
            username: None,
            password: None,
            from: from.into(),
            reply_to: None,
            ca_file: None,
            hello_name: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            connections: 4,
        }
    }
}

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    Plain(Plain),
    /// The connection begins unencrypted; nothing but STARTTLS is sent before TLS is active.
    StartTls,
    Tls,
}

/// SMS over the API of Twilio.
#[derive(Debug, Clone)]
pub struct TwilioOptions {
    /// The base URL, without `/2010-04-01`.
    pub base_url: String,
    pub account_sid: String,
    pub auth_token: SecretText,
    pub sender: SmsSender,
    pub plain: Plain,
    pub ca_file: Option<PathBuf>,
    pub timeout: Duration,
}

/// The sender of an SMS.
#[derive(Debug, Clone)]
pub enum SmsSender {
    /// A phone number or a name.
    Number(String),
    /// The SID of a messaging service, which chooses a number.
    Service(String),
}

impl TwilioOptions {
    pub fn new(account_sid: impl Into<String>, auth_token: SecretText, sender: SmsSender) -> Self {
        Self {
            base_url: "https://api.twilio.com".to_owned(),
            account_sid: account_sid.into(),
            auth_token,
            sender,
            plain: Plain::Loopback,
            ca_file: None,
            timeout: HTTP_TIMEOUT,
        }
    }
}

/// A program of the operator, to which each message is posted with a signature.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    pub url: String,
    /// At least 32 bytes.
    pub secret: SecretBytes,
    pub plain: Plain,
    pub ca_file: Option<PathBuf>,
    pub timeout: Duration,
}

impl WebhookOptions {
    pub fn new(url: impl Into<String>, secret: SecretBytes) -> Self {
        Self {
            url: url.into(),
            secret,
            plain: Plain::Loopback,
            ca_file: None,
            timeout: HTTP_TIMEOUT,
        }
    }
}

const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
