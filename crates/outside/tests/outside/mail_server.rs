//! A small SMTP server on loopback that answers as a test tells it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;

/// What to answer to a line; None for the usual. `GREETING` and `CONTENT` stand for the greeting and for
/// the end of a mail.
pub(crate) type Script = fn(&str) -> Option<&'static str>;

/// As an answer: say nothing more.
pub(crate) const SILENCE: &str = "(silence)";
/// As an answer: close the connection.
pub(crate) const HANG_UP: &str = "(hang up)";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Plain,
    StartTls,
    Tls,
}

pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    lines: Mutex<Vec<String>>,
    mails: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

impl MailServer {
    pub(crate) async fn start(mode: Mode, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let accepting = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepting.connections.fetch_add(1, Ordering::SeqCst);
                let seen = Arc::clone(&accepting);
                // An error here is a client that went away: the test looks at what the client says.
                tokio::spawn(async move { serve(stream, mode, script, &seen).await });
            }
        });
        Self { address, seen }
    }

    /// Every line but those of mails.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.lines.lock().unwrap().clone()
    }

    pub(crate) fn mails(&self) -> Vec<String> {
        self.seen.mails.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

async fn serve(stream: TcpStream, mode: Mode, script: Script, seen: &Seen) -> std::io::Result<()> {
    match mode {
        Mode::Plain => {
            talk(stream, mode, script, seen, Start::Greeting).await?;
        }
        Mode::Tls => {
            let stream = acceptor().accept(stream).await?;
            talk(stream, Mode::Plain, script, seen, Start::Greeting).await?;
        }
        Mode::StartTls => {
            if let Some(stream) = talk(stream, mode, script, seen, Start::Greeting).await? {
                let stream = acceptor().accept(stream).await?;
                talk(stream, Mode::Plain, script, seen, Start::Silent).await?;
            }
        }
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Start {
    Greeting,
    Silent,
}

/// Returns the stream when the client may begin with TLS on it.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    mode: Mode,
    script: Script,
    seen: &Seen,
    start: Start,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    if start == Start::Greeting
        && !say(&mut stream, script("GREETING").unwrap_or("220 localhost")).await?
    {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_owned();
        seen.lines.lock().unwrap().push(line.clone());
        let verb = line.split(' ').next().unwrap_or_default().to_uppercase();
        let usual = match verb.as_str() {
            "EHLO" if mode == Mode::StartTls => "250-localhost\r\n250-8BITMIME\r\n250 STARTTLS",
            "EHLO" => "250-localhost\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
            "STARTTLS" => "220 go on",
            "AUTH" => "235 welcome",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        let answer = script(&line).unwrap_or(usual);
        if !say(&mut stream, answer).await? || verb == "QUIT" {
            return Ok(None);
        }
        if verb == "STARTTLS" && answer.starts_with("220") {
            return Ok(Some(stream.into_inner()));
        }
        if verb == "DATA" && answer.starts_with("354") {
            let mail = content(&mut stream).await?;
            seen.mails.lock().unwrap().push(mail);
            if !say(&mut stream, script("CONTENT").unwrap_or("250 taken")).await? {
                return Ok(None);
            }
        }
    }
}

/// False when the conversation is over.
async fn say<S: AsyncWrite + Unpin>(stream: &mut S, answer: &str) -> std::io::Result<bool> {
    if answer == SILENCE {
        std::future::pending::<()>().await;
    }
    if answer == HANG_UP {
        stream.shutdown().await?;
        return Ok(false);
    }
    stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    stream.flush().await?;
    Ok(true)
}

async fn content<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<String> {
    let mut mail = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
            return Ok(mail);
        }
        // A lone line feed would be a line to one server and none to another.
        assert!(line.ends_with("\r\n"), "{line:?}");
        mail.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

fn acceptor() -> TlsAcceptor {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside/tls");
    let certificate = CertificateDer::from_pem_file(format!("{folder}/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{folder}/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
