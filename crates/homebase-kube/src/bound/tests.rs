//! What a hostile apiserver may send, and how long it may take.

use std::convert::Infallible;
use std::time::Duration;

use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Bytes;

use super::{BoundExceeded, Bounds, MAX_ANSWER, MAX_EVENT, MAX_PAUSE, bounded};

const MEBIBYTE: usize = 1024 * 1024;

async fn read(is_watch: bool, chunks: Vec<Bytes>) -> Result<usize, BoundExceeded> {
    let frames = stream::iter(chunks.into_iter().map(|chunk| Ok::<_, Infallible>(Frame::data(chunk))));
    let body = bounded(StreamBody::new(frames), Bounds { is_watch, seen: 0 });
    match body.collect().await {
        Ok(whole) => Ok(whole.to_bytes().len()),
        Err(error) => Err(*error.downcast_ref().unwrap()),
    }
}

fn filler(length: usize) -> Bytes {
    Bytes::from(vec![b'x'; length])
}

#[tokio::test]
async fn an_answer_may_be_as_large_as_its_bound_and_no_larger() {
    let full = vec![filler(MEBIBYTE); MAX_ANSWER / MEBIBYTE];
    assert_eq!(read(false, full.clone()).await, Ok(MAX_ANSWER));
    let more = full.into_iter().chain([filler(1)]).collect();
    assert_eq!(read(false, more).await, Err(BoundExceeded::Answer));
}

#[tokio::test]
async fn a_watch_may_go_on_for_ever_and_none_of_its_events_may() {
    let lines = Bytes::from([filler(MEBIBYTE).as_ref(), b"\n"].concat());
    assert!(read(true, vec![lines; 50]).await.is_ok());
    let endless = vec![filler(MEBIBYTE); MAX_EVENT / MEBIBYTE + 1];
    assert_eq!(read(true, endless).await, Err(BoundExceeded::Event));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stops_in_the_middle_ends() {
    let first = stream::iter([Ok::<_, Infallible>(Frame::data(filler(1)))]);
    let stops = futures::StreamExt::chain(first, stream::pending());
    let started = tokio::time::Instant::now();
    let error =
        bounded(StreamBody::new(stops), Bounds { is_watch: false, seen: 0 }).collect().await.err().unwrap();
    assert_eq!(error.downcast_ref(), Some(&BoundExceeded::Pause));
    assert!(started.elapsed() < MAX_PAUSE + Duration::from_secs(1));
}
