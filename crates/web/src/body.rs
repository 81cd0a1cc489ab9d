//! Reads a request body with limits in bytes and time, before anything is parsed.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt;
use tokio::time::timeout;

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is longer than the limit, or its `Content-Length` is.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection broke, or the framing was invalid.
    Broken,
}

/// How many bytes of a too large body are read and discarded after the limit.
///
/// Most clients send their whole body before they read the answer. If the server closed the connection at once,
/// they would see a broken connection instead of a 413.
const DISCARD_BYTES: usize = 1024 * 1024;

/// Time limit for discarding.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// How much memory is reserved at once, whatever length a client announces.
const FIRST_RESERVATION: usize = 64 * 1024;

/// Reads the body, at most `limit` bytes of it, within `seconds`.
///
/// A `Content-Length` over the limit fails at once. A body without a length is stored up to the limit. In both
/// cases some of the rest is read and discarded, so that an ordinary client sees the answer. A client that waits
/// for `100 Continue` gets the refusal instead.
pub async fn read(
    body: Body,
    headers: &HeaderMap,
    limit: usize,
    seconds: u64,
) -> Result<Bytes, BodyError> {
    let announced = announced(headers);
    if announced.is_some_and(|length| length > limit as u64) {
        if !headers.contains_key(EXPECT) {
            discard(body).await;
        }
        return Err(BodyError::TooLarge);
    }
    let mut body = body;
    let reading = collect(&mut body, limit, announced.unwrap_or(0));
    let result = timeout(Duration::from_secs(seconds), reading)
        .await
        .unwrap_or(Err(BodyError::TooSlow));
    if result == Err(BodyError::TooLarge) {
        discard(body).await;
    }
    result
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn collect(body: &mut Body, limit: usize, announced: u64) -> Result<Bytes, BodyError> {
    let Some(first) = next(body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(BodyError::TooLarge);
    }
    let Some(second) = next(body).await? else {
        return Ok(first);
    };
    let reserve = usize::try_from(announced)
        .unwrap_or(FIRST_RESERVATION)
        .min(FIRST_RESERVATION);
    let mut whole = BytesMut::with_capacity(reserve.max(first.len() + second.len().min(limit)));
    whole.extend_from_slice(&first);
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        if bytes.len() > limit - whole.len() {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&bytes);
        piece = next(body).await?;
    }
    Ok(whole.freeze())
}

/// The next piece of data; trailers are skipped.
async fn next(body: &mut Body) -> Result<Option<Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

async fn discard(mut body: Body) {
    let discarding = async {
        let mut left = DISCARD_BYTES;
        while let Ok(Some(data)) = next(&mut body).await {
            match left.checked_sub(data.len()) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // It does not matter whether the end was reached: the answer is the same, and otherwise the connection is
    // closed.
    let _ = timeout(DISCARD_TIME, discarding).await;
}

#[cfg(test)]
mod tests;
