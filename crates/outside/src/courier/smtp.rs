//! E-mail over SMTP.
//!
//! 1. Take an open connection that still answers, or make a new one with EHLO, TLS and login.
//! 2. Send the message, as `text/plain` and `text/html` alternatives.
//! 3. Keep the connection for the next message if everything succeeded; otherwise close it.
//!
//! A failure in step 1 concerns us or the server, so the message is tried again later. In step 2 the code of the
//! answer decides.

mod guard;
mod mail;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::Timestamp;
use domain::error::chain;
use domain::port::Clock;
use domain::port::courier::{Delivery, Letter};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::Noop;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Provider;
use super::options::{SmtpOptions, SmtpSecurity};
use guard::Guarded;
use mail::{Mail, Sender};

/// How long an open connection is kept. Servers close connections that are idle for some minutes.
const KEPT: Duration = Duration::from_mins(1);
/// Codes that concern the login or its absence, not the message.
const ABOUT_LOGIN: [u16; 4] = [530, 534, 535, 538];

pub(super) struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    login: Option<Credentials>,
    hello: ClientId,
    sender: Sender,
    connect_timeout: Duration,
    timeout: Duration,
    kept: Mutex<Vec<Kept>>,
    most_kept: usize,
    clock: Arc<dyn Clock>,
}

enum Tls {
    Never,
    Start(TlsParameters),
    Always(TlsParameters),
}

struct Kept {
    connection: AsyncSmtpConnection,
    since: Timestamp,
}

impl Smtp {
    pub(super) fn new(options: SmtpOptions, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let SmtpOptions {
            host,
            username,
            password,
            ..
        } = &options;
        let failed = |why: String| format!("smtp: {why}");
        let tls = match options.security {
            SmtpSecurity::Plain(plain) if plain.allows(host) => Tls::Never,
            SmtpSecurity::Plain(_) => {
                return Err(failed(format!(
                    "{host} is not this machine, and mail would leave it in plain text: use STARTTLS or TLS, \
                     or allow plain SMTP"
                )));
            }
            SmtpSecurity::StartTls => Tls::Start(trust(&options).map_err(failed)?),
            SmtpSecurity::Tls => Tls::Always(trust(&options).map_err(failed)?),
        };
        let login = match (username, password) {
            (Some(name), Some(password)) => {
                Some(Credentials::new(name.clone(), password.expose().to_owned()))
            }
            (None, None) => None,
            _ => {
                return Err(failed(
                    "a login needs both a user name and a password".to_owned(),
                ));
            }
        };
        let hello = options
            .hello_name
            .map_or_else(ClientId::default, ClientId::Domain);
        let sender = Sender::new(&options.from, options.reply_to.as_deref()).map_err(failed)?;
        let usual = match options.security {
            SmtpSecurity::Plain(_) => 25,
            SmtpSecurity::StartTls => 587,
            SmtpSecurity::Tls => 465,
        };
        Ok(Self {
            port: options.port.unwrap_or(usual),
            host: options.host,
            tls,
            login,
            hello,
            sender,
            connect_timeout: options.connect_timeout,
            timeout: options.timeout,
            kept: Mutex::default(),
            most_kept: options.connections,
            clock,
        })
    }

    async fn send(&self, mail: &Mail) -> Delivery {
        let opened = timeout(self.connect_timeout, self.connection()).await;
        let mut connection = match opened {
            Ok(Ok(connection)) => connection,
            Ok(Err(why)) => return Delivery::Later(why),
            Err(_) => return Delivery::Later("could not connect in time".to_owned()),
        };
        match timeout(self.timeout, connection.send(&mail.envelope, &mail.bytes)).await {
            Ok(Ok(_)) => {
                self.keep(connection);
                Delivery::Accepted
            }
            Ok(Err(error)) => judge(&error),
            // The connection is dropped, because the next answer on it would belong to the interrupted command.
            Err(_) => Delivery::Later("there was no answer in time".to_owned()),
        }
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, String> {
        while let Some(Kept {
            mut connection,
            since,
        }) = self.take_kept()
        {
            // Only a part of the time, so that enough is left for a new connection.
            let answers = timeout(self.connect_timeout / 4, connection.test_connected());
            if self.clock.now().since(since) < KEPT && answers.await == Ok(true) {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, String> {
        let mut connection = match &self.tls {
            Tls::Never => self.greet(None).await?,
            Tls::Always(parameters) => self.greet(Some(parameters.clone())).await?,
            Tls::Start(parameters) => self.start_tls(parameters).await?,
        };
        if let Some(login) = &self.login {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            connection
                .auth(&mechanisms, login)
                .await
                .map_err(|error| told("login", &error))?;
        }
        Ok(connection)
    }

    async fn greet(&self, tls: Option<TlsParameters>) -> Result<AsyncSmtpConnection, String> {
        let server = (self.host.as_str(), self.port);
        AsyncSmtpConnection::connect_tokio1(server, None, &self.hello, tls, None)
            .await
            .map_err(|error| told("connecting", &error))
    }

    async fn start_tls(&self, parameters: &TlsParameters) -> Result<AsyncSmtpConnection, String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| format!("connecting: {error}"))?;
        let guarded = Box::new(Guarded::new(stream));
        let mut connection = AsyncSmtpConnection::connect_with_transport(guarded, &self.hello)
            .await
            .map_err(|error| told("connecting", &error))?;
        if !connection.can_starttls() {
            return Err("the server does not offer STARTTLS".to_owned());
        }
        connection
            .starttls(parameters.clone(), &self.hello)
            .await
            .map_err(|error| told("STARTTLS", &error))?;
        Ok(connection)
    }

    fn take_kept(&self) -> Option<Kept> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        if connection.has_broken() {
            return;
        }
        let since = self.clock.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < self.most_kept {
            kept.push(Kept { connection, since });
        }
    }
}

#[async_trait]
impl Provider for Smtp {
    async fn carry(&self, letter: &Letter) -> Delivery {
        match self.sender.write(letter) {
            Ok(mail) => self.send(&mail).await,
            Err(why) => Delivery::Refused(why.to_owned()),
        }
    }

    /// Connects as for a message and sends NOOP.
    async fn probe(&self) -> Result<(), String> {
        let ask = async {
            let mut connection = self.connect().await?;
            connection
                .command(Noop)
                .await
                .map_err(|error| told("NOOP", &error))?;
            let _ = connection.quit().await;
            Ok(())
        };
        timeout(self.connect_timeout, ask)
            .await
            .unwrap_or_else(|_| Err("could not connect in time".to_owned()))
    }
}

/// The certificate authorities to trust: the public ones, or only those of the CA file if there is one.
fn trust(options: &SmtpOptions) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(options.host.clone());
    if let Some(path) = &options.ca_file {
        let failed = |why: String| format!("the CA file {} {why}", path.display());
        let pem =
            std::fs::read(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        if !pem.windows(11).any(|text| text == b"-----BEGIN ") {
            return Err(failed("contains no PEM certificate".to_owned()));
        }
        let certificate = Certificate::from_pem(&pem)
            .map_err(|_| failed("contains an invalid certificate".to_owned()))?;
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| chain(&error))
}

fn judge(error: &Error) -> Delivery {
    let Some(code) = error.status().map(u16::from) else {
        // Only this is refused before sending: an address that this server does not accept.
        return if error.is_client() {
            Delivery::Refused("the server does not accept such an address".to_owned())
        } else {
            Delivery::Later(told("sending", error))
        };
    };
    let why = format!("answered {code}");
    if error.is_permanent() && !ABOUT_LOGIN.contains(&code) {
        Delivery::Refused(why)
    } else {
        Delivery::Later(why)
    }
}

/// Describes a failure without the server's text, because that quotes addresses.
fn told(doing: &str, error: &Error) -> String {
    match error.status() {
        Some(code) => format!("{doing}: answered {code}"),
        None if error.is_response() => format!("{doing}: the answer is not valid"),
        None => format!("{doing}: {}", chain(error)),
    }
}
