use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::HeaderValue;
use http_body::Frame;

use super::*;

/// A body in pieces which counts how many bytes were taken from it.
struct Pieces {
    pieces: std::vec::IntoIter<Piece>,
    taken: Arc<AtomicUsize>,
}

enum Piece {
    Data(Vec<u8>),
    Trailers,
    Failure,
    Silence,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(match self.pieces.next() {
            Some(Piece::Data(data)) => {
                self.taken.fetch_add(data.len(), Ordering::Relaxed);
                Some(Ok(Frame::data(data.into())))
            }
            Some(Piece::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Piece::Failure) => Some(Err("gone")),
            Some(Piece::Silence) => {
                // Asked again, it is still silent.
                self.pieces = vec![Piece::Silence].into_iter();
                return Poll::Pending;
            }
            None => None,
        })
    }
}

fn pieces(pieces: Vec<Piece>) -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    (
        Body::new(Pieces {
            pieces: pieces.into_iter(),
            taken: Arc::clone(&taken),
        }),
        taken,
    )
}

fn length(bytes: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    headers
}

#[tokio::test]
async fn reads_up_to_the_limit_exactly() {
    let none = HeaderMap::new();
    assert_eq!(read(Body::empty(), &none, 0, 1).await.unwrap(), "");
    assert_eq!(
        read(Body::from("12345"), &length(5), 5, 1).await.unwrap(),
        "12345"
    );
    assert_eq!(
        read(Body::from("12345"), &none, 4, 1).await,
        Err(BodyError::TooLarge)
    );
    let (body, _) = pieces(vec![
        Piece::Data(b"123".into()),
        Piece::Data(b"45".into()),
        Piece::Trailers,
    ]);
    assert_eq!(read(body, &none, 5, 1).await.unwrap(), "12345");
    let (body, _) = pieces(vec![Piece::Data(b"123".into()), Piece::Data(b"45".into())]);
    assert_eq!(read(body, &none, 4, 1).await, Err(BodyError::TooLarge));
}

#[tokio::test]
async fn an_announced_length_decides_and_the_rest_is_thrown_away() {
    let (body, taken) = pieces(vec![Piece::Data(vec![0; 100]), Piece::Data(vec![0; 100])]);
    assert_eq!(
        read(body, &length(200), 10, 1).await,
        Err(BodyError::TooLarge)
    );
    assert_eq!(taken.load(Ordering::Relaxed), 200);
}

#[tokio::test]
async fn throwing_away_ends() {
    let chunks = (0..64).map(|_| Piece::Data(vec![0; 64 * 1024])).collect();
    let (body, taken) = pieces(chunks);
    assert_eq!(
        read(body, &HeaderMap::new(), 10, 1).await,
        Err(BodyError::TooLarge)
    );
    let taken = taken.load(Ordering::Relaxed);
    assert!(
        (DISCARD_BYTES..=DISCARD_BYTES + 2 * 64 * 1024).contains(&taken),
        "{taken}"
    );
}

#[tokio::test]
async fn a_client_that_waits_for_continue_is_not_asked_for_more() {
    let (body, taken) = pieces(vec![Piece::Data(vec![0; 100])]);
    let mut headers = length(100);
    headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
    assert_eq!(read(body, &headers, 10, 1).await, Err(BodyError::TooLarge));
    assert_eq!(taken.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn slow_and_broken_bodies_are_told_apart() {
    let (body, _) = pieces(vec![Piece::Data(b"1".into()), Piece::Silence]);
    assert_eq!(
        read(body, &HeaderMap::new(), 10, 30).await,
        Err(BodyError::TooSlow)
    );
    let (body, _) = pieces(vec![Piece::Data(b"1".into()), Piece::Failure]);
    assert_eq!(
        read(body, &HeaderMap::new(), 10, 30).await,
        Err(BodyError::Broken)
    );
    let (body, _) = pieces(vec![Piece::Data(vec![0; 100]), Piece::Silence]);
    assert_eq!(
        read(body, &HeaderMap::new(), 10, 30).await,
        Err(BodyError::TooLarge)
    );
}
