//! A connection on which nothing said before TLS can be taken for something said within it.
//!
//! Somebody on the way can add lines to the answer to STARTTLS. A buffered reader that is kept over the
//! change to TLS holds them and gives them out as the first answers of the protected conversation: the
//! client believes that its letter was taken, and no alert ever arrives. So no byte is read here before it
//! is asked for; what was added is left to the handshake, which fails on it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The first byte of a TLS handshake, which begins no command of SMTP.
const HANDSHAKE: u8 = 0x16;

#[derive(Debug)]
pub(super) struct Guarded {
    stream: TcpStream,
    phase: Phase,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Plain,
    Tls,
}

impl Guarded {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            phase: Phase::Plain,
        }
    }
}

impl AsyncTokioStream for Guarded {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Guarded {
    /// One byte at a time while the conversation is plain.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.phase == Phase::Tls {
            return Pin::new(&mut self.stream).poll_read(context, out);
        }
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut one))?;
        out.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.first() == Some(&HANDSHAKE) {
            self.phase = Phase::Tls;
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
