//! The sockets that a server listens on.

use std::path::Path;
use std::sync::Arc;

use compose::Mode;
use config::Loaded;
use tokio::net::TcpListener;

/// The bound sockets, and the base URLs under which they are reached.
pub(crate) struct Listeners {
    pub(crate) public: Bound,
    pub(crate) admin: Bound,
    /// For the signing server's hooks, if they are configured.
    pub(crate) hooks: Option<Bound>,
}

/// A bound socket.
pub(crate) struct Bound {
    pub(crate) listener: TcpListener,
    /// Its base URL, without a slash at the end.
    pub(crate) url: String,
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
        let mut bound = Vec::new();
        for listener in loaded.config.listeners() {
            bound.push(open(&listener, tls.as_ref(), mode).await?);
        }
        let mut bound = bound.into_iter();
        let (Some(public), Some(admin)) = (bound.next(), bound.next()) else {
            return Err("a server has a public listener and an admin listener".to_owned());
        };
        Ok(Self {
            public,
            admin,
            hooks: bound.next(),
        })
    }
}

async fn open(
    configured: &config::Listener<'_>,
    tls: Option<&Arc<rustls::ServerConfig>>,
    mode: Mode,
) -> Result<Bound, String> {
    let listener = bind(configured.section, configured.listen).await?;
    let at = listener.local_addr().map_err(|error| error.to_string())?;
    if mode != Mode::Production && !at.ip().is_loopback() {
        return Err(
            "--dev listens on loopback only: everybody who reaches the listener can read the \
             mailbox and move the clock"
                .to_owned(),
        );
    }
    configured.may_listen(at)?;
    let tls = tls.filter(|_| configured.serves_tls(at)).cloned();
    let scheme = if tls.is_some() { "https" } else { "http" };
    Ok(Bound {
        listener,
        url: format!("{scheme}://{at}"),
        tls,
    })
}

async fn bind(section: &str, listen: &str) -> Result<TcpListener, String> {
    TcpListener::bind(listen).await.map_err(|error| {
        format!("cannot listen on {listen}: {error}; change [{section}] listen, or use port 0")
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
