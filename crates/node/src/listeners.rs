//! The sockets that a server listens on.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use compose::Mode;
use config::Loaded;
use tokio::net::TcpListener;

/// The bound sockets, and the base URLs under which they are reached.
pub(crate) struct Listeners {
    pub(crate) public: TcpListener,
    pub(crate) admin: TcpListener,
    /// For the signing server's hooks, if they are configured.
    pub(crate) hooks: Option<TcpListener>,
    pub(crate) public_url: String,
    pub(crate) admin_url: String,
    pub(crate) hooks_url: Option<String>,
    /// For the public listener.
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
}

impl Listeners {
    /// Binds all of them. Refuses addresses on which the configuration would be unsafe.
    pub(crate) async fn bind(loaded: &Loaded, mode: Mode) -> Result<Self, String> {
        let server = &loaded.config.server;
        let tls = match (&server.tls_cert, &server.tls_key) {
            (Some(cert), Some(key)) => Some(web::tls::server_config(&read(cert)?, &read(key)?)?),
            _ => None,
        };
        let public = bind("server", &server.listen).await?;
        let admin = bind("admin", &loaded.config.admin.listen).await?;
        let duo = &loaded.config.duo;
        let hooks = if duo.is_configured() {
            Some(bind("duo.hooks", &duo.hooks.listen).await?)
        } else {
            None
        };
        let (at, admin_at) = (address(&public)?, address(&admin)?);
        if mode != Mode::Production && !(at.ip().is_loopback() && admin_at.ip().is_loopback()) {
            return Err(
                "--dev listens on loopback only: everybody who reaches the listener can read the \
                 mailbox and move the clock"
                    .to_owned(),
            );
        }
        if !at.ip().is_loopback() && tls.is_none() && !server.behind_proxy {
            return Err(format!(
                "{at} is not loopback and there is no TLS: set [server] tls_cert and tls_key, \
                 or behind_proxy = true if a TLS-terminating proxy stands in front"
            ));
        }
        let hooks_at = hooks.as_ref().map(address).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        Ok(Self {
            public,
            admin,
            hooks,
            public_url: format!("{scheme}://{at}"),
            admin_url: format!("http://{admin_at}"),
            hooks_url: hooks_at.map(|at| format!("http://{at}")),
            tls,
        })
    }
}

async fn bind(section: &str, listen: &str) -> Result<TcpListener, String> {
    TcpListener::bind(listen).await.map_err(|error| {
        format!("cannot listen on {listen}: {error}; change [{section}] listen, or use port 0")
    })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener.local_addr().map_err(|error| error.to_string())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
