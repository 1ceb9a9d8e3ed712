//! Categories of answers, and their words: an apiserver's own, and few. What sockets do is tested with the client.

use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use kube::core::Status;

use super::{Category, MAX_SAID, RequestError, categorize, categorize_transport};

#[test]
fn answers_are_sorted_by_their_code() {
    for (code, category) in [
        (401, Category::Unauthorized),
        (403, Category::Forbidden),
        (404, Category::NotFound),
        (409, Category::Conflict),
        (422, Category::Invalid),
        (429, Category::Throttled),
        (500, Category::ServerError),
        (503, Category::ServerError),
        (418, Category::Other),
    ] {
        let status = Status { code, ..Status::default() };
        assert_eq!(categorize(&kube::Error::Api(status.boxed())), category, "{code}");
    }
}

#[test]
fn a_refusal_of_admission_is_no_missing_permission() {
    for (message, category) in [
        (
            "pods \"a\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=2",
            Category::Denied,
        ),
        ("pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\"", Category::Denied),
        ("secrets is forbidden: User \"u\" cannot list resource \"secrets\"", Category::Forbidden),
        ("roles \"r\" is forbidden: user \"u\" is attempting to grant RBAC permissions", Category::Forbidden),
        ("admission webhook \"policy.example.com\" denied the request: no", Category::Denied),
        (
            "pods \"a\" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to it",
            Category::Forbidden,
        ),
        ("<html>no</html>", Category::Forbidden),
    ] {
        let status = Status { code: 403, message: message.to_owned(), ..Status::default() };
        assert_eq!(categorize(&kube::Error::Api(status.boxed())), category, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nobody_answers_a_ping_is_silent_and_not_broken() {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(10));
    let (mut sender, connection) = builder.handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://a.example.com/").body(kube::client::Body::empty()).unwrap();
    let error = sender.send_request(request).await.unwrap_err();
    assert_eq!(categorize_transport(&error), Category::ResponseTimeout, "{error:?}");
    drop(server);
}

fn told(code: u16, message: &str) -> String {
    let status = Status { code, message: message.to_owned(), ..Status::default() };
    RequestError::from(kube::Error::Api(status.boxed())).to_string()
}

#[test]
fn an_answer_is_told_by_its_code_and_message() {
    assert_eq!(told(401, "Unauthorized"), "the server answers 401: Unauthorized");
}

#[test]
fn a_page_in_the_place_of_an_answer_is_cut() {
    let words = told(503, &"<p>\n ä</p> ".repeat(10_000));
    assert!(words.chars().count() < MAX_SAID + 100 && words.ends_with('…'), "{words}");
    assert!(!words.contains('\n'));
}
