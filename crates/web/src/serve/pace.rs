//! Time limits on a connection's bytes.
//!
//! hyper has one limit for both waiting for a request and reading its head. A kept-alive connection may wait for
//! more than a minute, but a head that takes so long is an attack. So the stream is wrapped: it sees when a first
//! byte arrives, and the service tells it when a head is complete and when an answer is ready.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;

/// What a connection is doing; shared between its stream and its service.
pub(super) struct Pace {
    phase: AtomicU8,
    head: Duration,
    idle: Duration,
    stall: Duration,
}

/// No head is complete yet, and bytes of one are due.
const HEAD: u8 = 0;
/// A request is being answered. The stream does not limit this time.
const BUSY: u8 = 1;
/// An answer has been given and no byte of another request has come.
const IDLE: u8 = 2;

impl Pace {
    /// A new connection has to send a head; it is not idle before its first request.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            phase: AtomicU8::new(HEAD),
            head: Duration::from_secs(limits.header_seconds),
            idle: Duration::from_secs(limits.idle_seconds),
            stall: Duration::from_secs(limits.request_seconds),
        }
    }

    /// A head is complete.
    pub(super) fn begin(&self) {
        self.phase.store(BUSY, Ordering::Relaxed);
    }

    /// Its answer is ready.
    pub(super) fn end(&self) {
        self.phase.store(IDLE, Ordering::Relaxed);
    }

    fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }
}

/// A stream that fails with `TimedOut` when its client is too slow.
pub(super) struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
    reading: Deadline,
    /// The phase for which `reading` was set.
    read_phase: u8,
    writing: Deadline,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Arc<Pace>) -> Self {
        Self {
            stream,
            pace,
            reading: Deadline::default(),
            read_phase: HEAD,
            writing: Deadline::default(),
        }
    }

    /// Sets the deadline for the current phase, unless it is set, and checks whether it has passed.
    fn poll_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let phase = self.pace.phase();
        if phase != self.read_phase {
            self.read_phase = phase;
            self.reading.clear();
        }
        match phase {
            HEAD => self.reading.poll(cx, self.pace.head),
            IDLE => self.reading.poll(cx, self.pace.idle),
            _ => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buffer) {
            if this.pace.phase() == IDLE && buffer.filled().len() > before {
                this.pace.phase.store(HEAD, Ordering::Relaxed);
                this.reading.clear();
            }
            return Poll::Ready(read);
        }
        Poll::Ready(Err(ready!(this.poll_read_deadline(cx))))
    }
}

impl<S: AsyncWrite + Unpin> Paced<S> {
    /// Progress removes the deadline; without progress it passes.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing.clear();
            return written;
        }
        Poll::Ready(Err(ready!(self.writing.poll(cx, self.pace.stall))))
    }

    /// As `watch`; moreover the time for the next request runs from the last byte the client took of its answer.
    ///
    /// It must be set here: hyper asked for the next bytes while the request was running, and asks again only when
    /// something wakes it. A flush would not do, as it succeeds just as well when there is nothing to flush.
    fn watch_bytes(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() && self.pace.phase() == IDLE {
            self.read_phase = IDLE;
            self.reading.clear();
            // The new deadline cannot have passed yet; it only has to be registered, so that it wakes the
            // connection.
            let _ = self.reading.poll(cx, self.pace.idle);
        }
        self.watch(cx, written)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch_bytes(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.watch_bytes(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch(cx, shut)
    }
}

/// A point in time that is set at the first check.
#[derive(Default)]
struct Deadline {
    at: Option<Instant>,
    /// Kept when the deadline is removed, because most deadlines never pass, and moving a timer costs less than
    /// creating one.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn clear(&mut self) {
        self.at = None;
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a socket's deadline is real time, also in tests"
    )]
    fn poll(&mut self, cx: &mut Context<'_>, after: Duration) -> Poll<io::Error> {
        let timer = match (self.at, &mut self.timer) {
            (Some(_), Some(timer)) => timer,
            (_, timer) => {
                let at = Instant::now() + after;
                self.at = Some(at);
                let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
                timer.as_mut().reset(at);
                timer
            }
        };
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}
