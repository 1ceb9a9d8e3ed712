//! Asks what runs in a pod for a page, through the apiserver's pod proxy. It tells an answer of the pod from one that the
//! apiserver gives in its place, and decides nothing from either.

use std::time::Duration;

use homebase_core::ObjectKey;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;

use crate::client::paths::segment;

#[cfg(test)]
mod tests;

/// The most of an answer that is read. A `Status` of an apiserver has some hundred bytes; whatever is larger is none.
const MAX_STATUS: usize = 64 * 1024;

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodAnswer {
    /// What runs in the pod answered with this status.
    Pod(StatusCode),
    /// Nobody in the pod answered: it cannot be reached, it was silent until the deadline, or the apiserver or
    /// something on the way to it answered instead.
    None,
    /// The hub may not ask.
    Forbidden,
}

/// A `Status` object, as far as it says that it is one.
#[derive(Deserialize)]
struct Kind {
    kind: String,
    #[serde(rename = "apiVersion")]
    api_version: String,
}

/// Whether a request went to what runs in a pod: its outcome says nothing of the apiserver.
pub fn is_pod_proxy(path: &str) -> bool {
    let in_namespace = path.strip_prefix("/api/v1/namespaces/");
    let mut parts = in_namespace.unwrap_or_default().split('/').skip(1);
    (parts.next(), parts.nth(1)) == (Some("pods"), Some("proxy"))
}

/// Sends `GET path` to a port of a pod and waits no longer than `deadline` for the whole answer.
pub async fn ask_pod(
    client: &Client,
    pod: &ObjectKey,
    port: u16,
    path: &str,
    deadline: Duration,
) -> PodAnswer {
    let ObjectKey { namespace, name } = pod;
    let path = path.trim_start_matches('/');
    let (namespace, name) = (segment(namespace), segment(name));
    let uri = format!("/api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy/{path}");
    let Ok(request) = Request::get(uri).body(Body::empty()) else { return PodAnswer::None };
    let exchange = async {
        let answer = client.send(request).await.ok()?;
        let status = answer.status();
        if status.is_success() {
            return Some(PodAnswer::Pod(status));
        }
        let body = Limited::new(answer.into_body(), MAX_STATUS).collect().await;
        Some(sort(status, body.ok().map(http_body_util::Collected::to_bytes).as_deref()))
    };
    tokio::time::timeout(deadline, exchange).await.ok().flatten().unwrap_or(PodAnswer::None)
}

/// Whose an answer is that is no success. `body` is none when it is longer than a `Status` can be.
///
/// An apiserver that cannot reach the pod, does not know it, or refuses to ask says so in a `Status`. It is in plain text
/// only when it has too much to do (429), and what stands before it, or is a gateway in the pod, says with 502 and 504 that
/// somebody else did not answer.
fn sort(status: StatusCode, body: Option<&[u8]>) -> PodAnswer {
    let is_status = body.and_then(|body| serde_json::from_slice::<Kind>(body).ok());
    if is_status.is_some_and(|found| found.kind == "Status" && found.api_version == "v1") {
        return if status == StatusCode::FORBIDDEN { PodAnswer::Forbidden } else { PodAnswer::None };
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
            PodAnswer::None
        }
        _ => PodAnswer::Pod(status),
    }
}
