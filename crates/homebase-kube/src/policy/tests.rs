//! Which version is chosen, on the answers of a scripted apiserver: real ones serve `v1` only.

use std::convert::Infallible;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::{GROUP, PolicyKind, PolicyVersion, difference, find_served};

const PLURALS: [&str; 2] = PolicyKind::Mutating.plurals();
use crate::error::Category;

/// A client whose apiserver serves these resources of the two versions; a version of which there are none is not found.
fn client(served: [Option<&'static [&'static str]>; 2]) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| async move {
        let path = request.uri().path().to_owned();
        let asked = PolicyVersion::ALL.iter().position(|v| path == format!("/apis/{GROUP}/{}", v.as_str()));
        let answer = asked.and_then(|index| served[index]);
        Ok::<_, Infallible>(match answer {
            Some(names) => respond(200, &list(names)),
            None => {
                respond(404, &json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": "no"}))
            }
        })
    });
    Client::new(service, "default")
}

fn list(names: &[&str]) -> Value {
    let resource = |name: &&str| json!({"name": name, "singularName": "", "namespaced": false, "kind": "X", "verbs": []});
    let resources: Vec<Value> = names.iter().map(resource).collect();
    json!({"kind": "APIResourceList", "groupVersion": GROUP, "resources": resources})
}

fn respond(code: u16, body: &Value) -> Response<Body> {
    Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap()
}

#[tokio::test]
async fn the_stable_version_is_preferred_and_the_beta_will_do() {
    const OLD: &[&str] = &["validatingwebhookconfigurations", "validatingadmissionpolicies"];
    const HALF: &[&str] = &[PLURALS[0]];
    for (served, expected) in [
        ([Some(&PLURALS as &[_]), Some(&PLURALS as &[_])], Some(PolicyVersion::V1)),
        ([Some(&PLURALS), None], Some(PolicyVersion::V1)),
        ([Some(OLD), Some(&PLURALS)], Some(PolicyVersion::V1Beta1)),
        ([Some(HALF), Some(&PLURALS)], Some(PolicyVersion::V1Beta1)),
        ([Some(OLD), Some(HALF)], None),
        ([Some(OLD), None], None),
        ([None, None], None),
    ] {
        assert_eq!(find_served(&client(served), PolicyKind::Mutating).await.unwrap(), expected, "{served:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_no_answer() {
    let service = tower::service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(respond(
            403,
            &json!({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"}),
        ))
    });
    let error = find_served(&Client::new(service, "default"), PolicyKind::Mutating).await.unwrap_err();
    assert_eq!(error.category(), Category::Forbidden);
}

#[test]
fn kinds_have_the_names_that_rights_are_given_by() {
    for version in PolicyVersion::ALL {
        let kinds = [PolicyKind::Mutating.policy(version), PolicyKind::Mutating.binding(version)];
        assert_eq!(kinds.clone().map(|kind| kind.plural), PLURALS);
        assert!(kinds.iter().all(|kind| kind.api_version == format!("{GROUP}/{}", version.as_str())));
    }
}

#[test]
fn what_others_have_added_is_taken_away() {
    let wanted = json!({"a": 1, "b": {"c": 2, "list": [1]}});
    let found = json!({"a": 1, "b": {"c": 3, "list": [1, 2], "more": {"x": 1}}, "z": []});
    let merge = json!({"a": 1, "b": {"c": 2, "list": [1], "more": null}, "z": null});
    assert_eq!(difference(&found, &wanted), merge);
    assert_eq!(difference(&json!(null), &wanted), wanted);
}
