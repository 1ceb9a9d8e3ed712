//! Which request goes where, and when the place of a watch is free again. The stack here says its number.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::FutureExt as _;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Bytes;
use tower::Service;

use super::{Held, Lanes, WATCHES_ON_A_LANE};

#[derive(Clone)]
struct Numbered(usize);

impl Service<Request<()>> for Numbered {
    type Response = Response<Empty<Bytes>>;
    type Error = ();
    type Future = Ready<Result<Self::Response, ()>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        if request.uri().path() == FAILING {
            return ready(Err(()));
        }
        let mut answer = Response::new(Empty::new());
        answer.extensions_mut().insert(self.0);
        ready(Ok(answer))
    }
}

const MAIN: usize = 0;
const FAILING: &str = "/fails";
const WATCH: &str = "/api/v1/namespaces/a/configmaps?watch=true&fieldSelector=metadata.name%3Da";

/// Lanes, and how many were made.
fn lanes() -> (Lanes<Numbered>, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let count = made.clone();
    (Lanes::new(move || Numbered(count.fetch_add(1, Ordering::Relaxed))), made)
}

type Answer = Response<Held<Empty<Bytes>>>;

fn ask(lanes: &mut Lanes<Numbered>, uri: &str) -> Result<Answer, ()> {
    lanes.call(Request::get(uri).body(()).unwrap()).now_or_never().unwrap()
}

fn lane(answer: &Answer) -> usize {
    *answer.extensions().get().unwrap()
}

fn watches(lanes: &mut Lanes<Numbered>, number: usize) -> Vec<Answer> {
    (0..number).map(|_| ask(lanes, WATCH).unwrap()).collect()
}

#[test]
fn a_lane_has_so_many_watches_whatever_they_are_of_and_is_made_when_it_is_needed() {
    let (mut lanes, made) = lanes();
    assert_eq!(made.load(Ordering::Relaxed), 1);
    let open = watches(&mut lanes, 3 * WATCHES_ON_A_LANE);
    for (number, answer) in open.iter().enumerate() {
        assert_eq!(lane(answer), 1 + number / WATCHES_ON_A_LANE, "{number}");
    }
    assert_eq!(made.load(Ordering::Relaxed), 4);
}

#[test]
fn a_watch_that_comes_back_gets_its_place_and_no_lane_is_made_for_it() {
    let (mut lanes, made) = lanes();
    let mut open = watches(&mut lanes, 2 * WATCHES_ON_A_LANE);
    for _ in 0..10 {
        for place in [0, WATCHES_ON_A_LANE, 2 * WATCHES_ON_A_LANE - 1] {
            let left = lane(&open.remove(place));
            let back = ask(&mut lanes, WATCH).unwrap();
            assert_eq!(lane(&back), left);
            open.insert(place, back);
        }
    }
    assert_eq!(made.load(Ordering::Relaxed), 3);
}

#[test]
fn a_watch_that_was_never_answered_holds_no_place() {
    let (mut lanes, made) = lanes();
    for _ in 0..2 * WATCHES_ON_A_LANE {
        assert!(ask(&mut lanes, &format!("{FAILING}?watch=true")).is_err());
        drop(lanes.call(Request::get(WATCH).body(()).unwrap()));
    }
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

#[test]
fn a_watch_that_waits_for_its_answer_holds_a_place() {
    let (mut lanes, made) = lanes();
    let waiting: Vec<_> =
        (0..=WATCHES_ON_A_LANE).map(|_| lanes.call(Request::get(WATCH).body(()).unwrap())).collect();
    assert_eq!(made.load(Ordering::Relaxed), 3);
    drop(waiting);
}

#[test]
fn copies_of_a_client_share_its_lanes() {
    let (mut first, made) = lanes();
    let mut second = first.clone();
    let open = (watches(&mut first, WATCHES_ON_A_LANE / 2), watches(&mut second, WATCHES_ON_A_LANE / 2));
    assert_eq!(made.load(Ordering::Relaxed), 2);
    drop(open);
}

#[test]
fn nothing_shares_a_lane_with_watches() {
    let (mut lanes, _) = lanes();
    let open = watches(&mut lanes, WATCHES_ON_A_LANE + 1);
    for uri in ["/version", "/api/v1/namespaces/kube-system", "/api/v1/pods?fieldSelector=watch%3Dtrue"] {
        assert_eq!(lane(&ask(&mut lanes, uri).unwrap()), MAIN, "{uri}");
    }
    for uri in ["/api/v1/pods?watch=true", "/prefix/api/v1/namespaces/a/pods?&watch=true&a=b"] {
        assert_ne!(lane(&ask(&mut lanes, uri).unwrap()), MAIN, "{uri}");
    }
    drop(open);
}
