//! A door between a store and its server that can be shut at the worst moment.
//!
//! It reads the frames of PostgreSQL's protocol, so that "while `COMMIT` is on its way" is a place
//! and not a matter of luck.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// What happens to the connection that next sends a `COMMIT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It never gets to the server.
    Before,
    /// It gets to the server, and the connection ends at once.
    During,
    /// It is carried out, and the answer never gets back.
    After,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: String,
    cuts: Mutex<VecDeque<Cut>>,
    open: AtomicBool,
    /// After a cut nobody gets in any more.
    close_on_cut: AtomicBool,
    commits: AtomicUsize,
    named: AtomicUsize,
    /// Raised to end every connection.
    generation: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn to(url: &str) -> Self {
        let config: Config = url.parse().unwrap();
        let Host::Tcp(host) = &config.get_hosts()[0] else {
            panic!("a server on a port")
        };
        let shared = Arc::new(Shared {
            server: format!("{host}:{}", config.get_ports()[0]),
            cuts: Mutex::default(),
            open: AtomicBool::new(true),
            close_on_cut: AtomicBool::new(false),
            commits: AtomicUsize::new(0),
            named: AtomicUsize::new(0),
            generation: watch::Sender::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared }
    }

    /// `url`, through this door.
    pub(crate) fn url(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (login, rest) = rest.split_once('@').unwrap();
        let path = &rest[rest.find('/').unwrap()..];
        format!("{scheme}://{login}@{}{path}&sslmode=disable", self.address)
    }

    pub(crate) fn plan(&self, cut: Cut) {
        self.shared.cuts.lock().unwrap().push_back(cut);
    }

    pub(crate) fn is_planned(&self) -> bool {
        !self.shared.cuts.lock().unwrap().is_empty()
    }

    pub(crate) fn close_on_cut(&self) {
        self.shared.close_on_cut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        self.shared.close_on_cut.store(false, Ordering::SeqCst);
        self.shared.open.store(true, Ordering::SeqCst);
    }

    pub(crate) fn close(&self) {
        self.shared.open.store(false, Ordering::SeqCst);
        self.cut_all();
    }

    pub(crate) fn cut_all(&self) {
        self.shared
            .generation
            .send_modify(|generation| *generation += 1);
    }

    /// How many commits were asked for.
    pub(crate) fn commits(&self) -> usize {
        self.shared.commits.load(Ordering::SeqCst)
    }

    /// How many prepared statements were left in sessions.
    pub(crate) fn named_statements(&self) -> usize {
        self.shared.named.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if shared.open.load(Ordering::SeqCst) {
            tokio::spawn(relay(client, Arc::clone(&shared)));
        }
    }
}

async fn relay(client: TcpStream, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(&shared.server).await else {
        return;
    };
    // Small messages must not wait for each other.
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let mut ended = shared.generation.subscribe();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mute = Arc::new(AtomicBool::new(false));
    tokio::select! {
        () = upstream(from_client, to_server, &shared, &mute) => {}
        () = downstream(from_server, to_client, &mute) => {}
        _ = ended.changed() => {}
    }
}

async fn upstream(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    mute: &AtomicBool,
) {
    // The first message has no kind.
    let mut first = true;
    while let Some(frame) = frame(&mut from, !first).await {
        first = false;
        let commit = frame[0] == b'Q' && frame[5..] == *b"COMMIT\0";
        if frame[0] == b'P' && frame[5] != 0 {
            shared.named.fetch_add(1, Ordering::SeqCst);
        }
        if commit {
            shared.commits.fetch_add(1, Ordering::SeqCst);
            let cut = shared.cuts.lock().unwrap().pop_front();
            if cut.is_some() && shared.close_on_cut.load(Ordering::SeqCst) {
                shared.open.store(false, Ordering::SeqCst);
            }
            match cut {
                None => {}
                Some(Cut::Before) => return,
                Some(Cut::During) => {
                    let _ = to.write_all(&frame).await;
                    return;
                }
                Some(Cut::After) => mute.store(true, Ordering::SeqCst),
            }
        }
        if to.write_all(&frame).await.is_err() {
            return;
        }
    }
}

async fn downstream(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mute: &AtomicBool) {
    while let Some(frame) = frame(&mut from, true).await {
        if mute.load(Ordering::SeqCst) {
            // Carried out, or refused.
            if frame.starts_with(b"C") && frame[5..].starts_with(b"COMMIT") || frame[0] == b'E' {
                return;
            }
        } else if to.write_all(&frame).await.is_err() {
            return;
        }
    }
}

/// One message with its head; `None` at the end of the connection.
async fn frame(from: &mut (impl AsyncRead + Unpin), has_kind: bool) -> Option<Vec<u8>> {
    let head = if has_kind { 5 } else { 4 };
    let mut frame = vec![0; head];
    from.read_exact(&mut frame).await.ok()?;
    let length = u32::from_be_bytes(frame[head - 4..].try_into().unwrap());
    let length = usize::try_from(length).unwrap() + head - 4;
    frame.resize(length, 0);
    from.read_exact(&mut frame[head..]).await.ok()?;
    Some(frame)
}
