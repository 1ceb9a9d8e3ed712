//! Which of two clients a request goes through.

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tower::{BoxError, service_fn};

use super::ClientSlot;

fn answering(text: &'static str) -> Client {
    let answer = move |_: Request<Body>| async move {
        Ok::<_, BoxError>(Response::new(Body::from(text.as_bytes().to_vec())))
    };
    Client::new(service_fn(answer), text)
}

async fn ask(client: &Client) -> String {
    client.request_text(Request::get("/").body(Vec::new()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn requests_use_what_the_slot_holds_when_they_begin() {
    let slot = ClientSlot::new(answering("old"));
    let client = slot.client();
    assert_eq!(ask(&client).await, "old");
    slot.replace(answering("new"));
    assert_eq!(ask(&client).await, "new");
    assert_eq!(client.default_namespace(), "old");
}

#[tokio::test]
async fn errors_are_what_they_were() {
    let fail =
        |_: Request<Body>| async { Err::<Response<Body>, _>(BoxError::from(crate::client::ConnectTooSlow)) };
    let client = ClientSlot::new(Client::new(service_fn(fail), "ns")).client();
    let error = client.request_text(Request::get("/").body(Vec::new()).unwrap()).await.unwrap_err();
    assert_eq!(crate::categorize(&error), crate::Category::ConnectTimeout);
}
