//! Paths of the Kubernetes API go through, and nothing that leads out of the object that was meant does.

use futures::FutureExt as _;
use http::{Request, Uri};
use tower::{BoxError, ServiceBuilder, ServiceExt as _, service_fn};

use super::{MAX_TARGET, PathLayer, RefusePath, check, segment};

fn is_sent(target: &str) -> bool {
    target.parse::<Uri>().is_ok_and(|target| check(&target).is_ok())
}

#[test]
fn requests_of_the_hub_are_sent() {
    for target in [
        "/version",
        "/api",
        "/apis/apps/v1",
        "/api/v1/namespaces/kube-system",
        "/api/v1/pods?labelSelector=a%3Db%2Cc&watch=true&continue=ab%3D%3D",
        "/apis/intersystems.com/v1alpha1/namespaces/default/irisclusters/db-0.x/status?fieldManager=homebase&force=true",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node-proxier",
        "/api/v1/namespaces/a/pods/db-data-0-0:52773/proxy/csp/bin/mirror_status.cxw",
    ] {
        assert!(is_sent(target), "{target}");
    }
}

#[test]
fn what_leads_elsewhere_is_not_sent() {
    let stateful_sets = "/apis/apps/v1/namespaces/default/statefulsets";
    let long = "a".repeat(254 + 6);
    for name in [
        "",
        ".",
        "..",
        "../../../../../../c-victim/apis/apps/v1/namespaces/default/statefulsets/db",
        "./db",
        "%2e%2e",
        "%2E%2e/db",
        "..%2f..%2fdb",
        "a%5cb",
        "a%00b",
        "a;b",
        "a//b",
        "a/",
        "a\\b",
        "a|b",
        "a/b/c",
        "\u{e4}",
        &long,
    ] {
        assert!(!is_sent(&format!("{stateful_sets}/{name}")), "{name}");
    }
    for target in ["/", "//api/v1", "/c-victim/api/v1/pods", "/api/../c-victim/api/v1/pods", "/api/v1//pods"]
    {
        assert!(!is_sent(target), "{target}");
    }
    let proxied = "/api/v1/namespaces/a/pods/db:52773/proxy";
    assert!(!is_sent(&format!("{proxied}/../../../secrets")));
    assert!(!is_sent(&format!("/api/v1/pods?continue={}", "x".repeat(MAX_TARGET))));
}

#[test]
fn a_name_stays_one_segment_and_one_that_is_no_name_is_not_sent() {
    assert_eq!(segment("db-0.x_~:1"), "db-0.x_~:1");
    for name in ["a/b", "a?force=true", "a#b", "a b", "%2e%2e", "\u{e4}", "a\nb", "a\\b"] {
        let encoded = segment(name);
        assert!(!encoded.contains(['/', '?', '#']), "{encoded}");
        let target = format!("/api/v1/namespaces/default/pods/{encoded}");
        let uri: Uri = target.parse().unwrap();
        assert_eq!((uri.path(), uri.query()), (target.as_str(), None));
        assert!(!is_sent(&target), "{target}");
    }
}

#[test]
fn a_refused_request_does_not_reach_what_sends() {
    let sent = service_fn(|_: Request<()>| async { Ok::<_, BoxError>(()) });
    let client = ServiceBuilder::new().layer(PathLayer).service(sent);
    let ask = |path: &str| {
        let request = Request::get(path).body(()).unwrap();
        client.clone().oneshot(request).now_or_never().unwrap()
    };
    assert!(ask("/api/v1/pods").is_ok());
    assert!(ask("/api/v1/../pods").unwrap_err().is::<RefusePath>());
}
