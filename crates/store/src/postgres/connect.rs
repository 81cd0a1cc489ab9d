//! Creates a connection pool from a URL: which hosts, with which TLS, and with which time limits.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, Runtime};
use domain::Error;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::primacy::Primacy;
use super::{PostgresOptions, tls};
use crate::failure::Failure;
use crate::schema::Migrations;

const KEEPALIVE: Duration = Duration::from_secs(10);

/// Creates a pool that connects when it is first used.
pub(super) fn pool(
    url: &str,
    options: &PostgresOptions,
    primacy: Arc<Primacy>,
) -> Result<Pool, Error> {
    let (url, ssl_mode) = take_setting(url, "sslmode");
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        Failure::because("the PostgreSQL URL is not valid", error).unavailable()
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(Failure::new("the PostgreSQL URL names no host").unavailable());
    }
    if config.get_application_name().is_none() {
        config.application_name("keyward");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(options.connect_timeout);
    }
    // Only the primary accepts writes, and only the primary has the current state.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    config
        .keepalives(true)
        .keepalives_idle(KEEPALIVE)
        .keepalives_interval(KEEPALIVE / 2);
    config.keepalives_retries(3).tcp_user_timeout(KEEPALIVE);
    let (ssl_mode, tls) = protection(ssl_mode.as_deref(), &config, options)?;
    config.ssl_mode(ssl_mode);
    let dialer = Dialer {
        tls,
        timeout: options.connect_timeout,
        // For reading only, without writing anything.
        primacy: (options.migrations != Migrations::Leave).then_some(primacy),
        last: AtomicUsize::new(0),
    };
    let manager = Manager::from_connect(config, dialer, ManagerConfig::default());
    Pool::builder(manager)
        .max_size(options.pool_size.max(1))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| Failure::because("the connection pool could not be created", error).bug())
}

/// Accepts `disable`, `prefer` (any certificate), `require`, `verify-ca` and `verify-full` (a certificate for the
/// host's name). The default is `prefer` for a server on this machine and `verify-full` for any other.
fn protection(
    asked: Option<&str>,
    config: &Config,
    options: &PostgresOptions,
) -> Result<(SslMode, Option<MakeRustlsConnect>), Error> {
    let ca_file = options.ca_file.as_deref();
    let asked = match asked {
        Some(asked) => asked,
        None if ca_file.is_none() && config.get_hosts().iter().all(is_here) => "prefer",
        None => "verify-full",
    };
    match asked {
        "disable" => Ok((SslMode::Disable, None)),
        "allow" | "prefer" => Ok((SslMode::Prefer, Some(tls::trusting()?))),
        "require" | "verify-ca" | "verify-full" => {
            Ok((SslMode::Require, Some(tls::verifying(ca_file)?)))
        }
        other => {
            let what = format!("the PostgreSQL URL has an unknown sslmode: {other}");
            Err(Failure::new(what).unavailable())
        }
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// Removes `name=value` from a URL's query or a list of settings, because the driver knows fewer values of
/// `sslmode` than PostgreSQL's own clients.
fn take_setting(url: &str, name: &str) -> (String, Option<String>) {
    let start = ['?', '&', ' ']
        .iter()
        .find_map(|before| url.find(&format!("{before}{name}=")).map(|at| at + 1))
        .or_else(|| url.starts_with(&format!("{name}=")).then_some(0));
    let Some(start) = start else {
        return (url.to_owned(), None);
    };
    let rest = &url[start..];
    let end = rest.find(['&', ' ']).unwrap_or(rest.len());
    let value = rest[name.len() + 1..end].to_owned();
    let behind = rest.get(end + 1..).unwrap_or_default();
    let url = format!("{}{behind}", &url[..start]);
    (
        url.trim_end_matches(['?', '&', ' ']).to_owned(),
        Some(value),
    )
}

/// Tries each host separately and for a limited time, so that a host that accepts connections but does not answer
/// does not hide the next one. Starts with the host that was last found to be the primary.
struct Dialer {
    tls: Option<MakeRustlsConnect>,
    timeout: Duration,
    primacy: Option<Arc<Primacy>>,
    last: AtomicUsize,
}

type Dialled = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

impl Connect for Dialer {
    fn connect(&self, config: &Config) -> Pin<Box<dyn Future<Output = Dialled> + Send + '_>> {
        let hosts = each_host(config);
        Box::pin(async move {
            let mut last = None;
            let first = self.last.load(Ordering::Relaxed);
            for nth in 0..hosts.len() {
                let nth = (first + nth) % hosts.len();
                match tokio::time::timeout(self.timeout, self.dial(&hosts[nth])).await {
                    Ok(Ok(dialled)) => {
                        self.last.store(nth, Ordering::Relaxed);
                        return Ok(dialled);
                    }
                    Ok(Err(error)) => last = Some(error),
                    Err(_) => {
                        last.get_or_insert_with(tokio_postgres::Error::__private_api_timeout);
                    }
                }
            }
            Err(last.unwrap_or_else(tokio_postgres::Error::__private_api_timeout))
        })
    }
}

impl Dialer {
    async fn dial(&self, config: &Config) -> Dialled {
        let (client, driver) = self.reach(config).await?;
        if let Some(primacy) = &self.primacy {
            primacy.admit(&client).await?;
        }
        Ok((client, driver))
    }

    async fn reach(&self, config: &Config) -> Dialled {
        if let Some(tls) = &self.tls {
            let (client, connection) = config.connect(tls.clone()).await?;
            return Ok((client, tokio::spawn(drive(connection))));
        }
        let (client, connection) = config.connect(NoTls).await?;
        Ok((client, tokio::spawn(drive(connection))))
    }
}

/// Does not log the end of a connection, because the next statement on it reports the error.
async fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(
            error = domain::error::chain(&error),
            "a PostgreSQL connection ended"
        );
    }
}

fn each_host(config: &Config) -> Vec<Config> {
    let hosts = config.get_hosts();
    let addresses = config.get_hostaddrs();
    let ports = config.get_ports();
    (0..hosts.len().max(addresses.len()))
        .map(|index| {
            let mut one = without_hosts(config);
            match hosts.get(index) {
                Some(Host::Tcp(name)) => {
                    one.host(name.as_str());
                }
                #[cfg(unix)]
                Some(Host::Unix(path)) => {
                    one.host_path(path);
                }
                None => {}
            }
            if let Some(address) = addresses.get(index) {
                one.hostaddr(*address);
            }
            if let Some(port) = ports.get(index).or_else(|| ports.first()) {
                one.port(*port);
            }
            one
        })
        .collect()
}

fn without_hosts(config: &Config) -> Config {
    let mut one = Config::new();
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(name) = config.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        one.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs());
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_setting_out_of_a_url() {
        let taken = |url: &str| take_setting(url, "sslmode");
        let some = |url: &str, value: &str| (url.to_owned(), Some(value.to_owned()));
        assert_eq!(taken("postgres://h/d"), ("postgres://h/d".to_owned(), None));
        assert_eq!(
            taken("postgres://h/d?sslmode=require"),
            some("postgres://h/d", "require")
        );
        assert_eq!(
            taken("postgres://h/d?a=b&sslmode=verify-full&c=d"),
            some("postgres://h/d?a=b&c=d", "verify-full")
        );
        assert_eq!(
            taken("postgres://h/d?sslmode=x&c=d"),
            some("postgres://h/d?c=d", "x")
        );
        assert_eq!(
            taken("host=h sslmode=disable user=u"),
            some("host=h user=u", "disable")
        );
        assert_eq!(taken("sslmode=disable host=h"), some("host=h", "disable"));
    }

    #[test]
    fn each_host_keeps_its_port_and_all_else() {
        let url = "postgres://u:p@one:1,two:2/d?options=-c%20x%3Dy";
        let hosts = each_host(&url.parse().unwrap());
        assert_eq!(hosts.len(), 2);
        for (config, port) in hosts.iter().zip([1, 2]) {
            assert_eq!(config.get_hosts().len(), 1);
            assert_eq!(config.get_ports(), [port]);
            assert_eq!(config.get_user(), Some("u"));
            assert_eq!(config.get_password(), Some(&b"p"[..]));
            assert_eq!(config.get_dbname(), Some("d"));
            assert_eq!(config.get_options(), Some("-c x=y"));
        }
    }

    #[test]
    fn another_machine_is_verified_unless_asked_otherwise() {
        let mode = |url: &str| {
            let (url, asked) = take_setting(url, "sslmode");
            let options = PostgresOptions::default();
            protection(asked.as_deref(), &url.parse().unwrap(), &options).map(|(mode, _)| mode)
        };
        assert_eq!(
            mode("postgres://127.0.0.1,localhost/d").unwrap(),
            SslMode::Prefer
        );
        assert_eq!(
            mode("postgres://db.example/d?sslmode=disable").unwrap(),
            SslMode::Disable
        );
        // A machine without certificate authorities refuses; one with them requires TLS.
        assert!(mode("postgres://db.example/d").map_or(true, |mode| mode == SslMode::Require));
        assert!(mode("postgres://db.example/d?sslmode=maybe").is_err());
    }
}
