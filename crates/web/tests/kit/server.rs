//! A server on a free port, and a client that sees every byte.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use web::{Limits, ServeOptions, TrustedProxies};

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(router: Router) -> Self {
        Self::with(router, Limits::default(), &[], None).await
    }

    pub(crate) async fn limited(router: Router, limits: Limits) -> Self {
        Self::with(router, limits, &[], None).await
    }

    pub(crate) async fn with(
        router: Router,
        limits: Limits,
        proxies: &[&str],
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxies: Vec<String> = proxies.iter().map(ToString::to_string).collect();
        let proxies = TrustedProxies::parse(&proxies).unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let options = ServeOptions {
            listener,
            router,
            tls,
            limits,
            proxies,
            shutdown: stop,
        };
        let serving = tokio::spawn(web::serve(options));
        Self {
            address,
            shutdown,
            serving,
        }
    }

    pub(crate) async fn client(&self) -> Client<TcpStream> {
        Client::over(TcpStream::connect(self.address).await.unwrap())
    }

    /// A client at the loopback address `from`.
    pub(crate) async fn client_from(&self, from: &str) -> Client<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind(SocketAddr::new(from.parse().unwrap(), 0))
            .unwrap();
        Client::over(socket.connect(self.address).await.unwrap())
    }

    /// Sends `request` on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        let mut client = self.client().await;
        client.send(request).await;
        client.answer().await
    }

    /// Waits until the server has ended by itself.
    pub(crate) async fn ended(self) {
        self.serving.await.unwrap().unwrap();
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.ended().await;
    }
}

pub(crate) struct Client<S> {
    stream: S,
    read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// As `send`, for a server that may close under it.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// The next answer; one without a length has no body.
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        let length: usize = answer
            .header("content-length")
            .map_or(0, |text| text.parse().unwrap());
        while self.read.len() < length {
            assert!(self.more().await, "closed within an answer");
        }
        answer.body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        answer
    }

    /// The next answer up to its body, which an answer to HEAD has not.
    pub(crate) async fn head(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self
                .read
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break at + 4;
            }
            assert!(
                self.more().await,
                "closed before an answer: {:?}",
                self.read
            );
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body: String::new(),
        }
    }

    /// Waits until the server closes the connection, and fails if it says anything before that.
    pub(crate) async fn closed(&mut self) {
        while self.more().await {}
        assert!(
            self.read.is_empty(),
            "said {:?}",
            String::from_utf8_lossy(&self.read)
        );
    }

    async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.read).await, Ok(1..))
    }
}
