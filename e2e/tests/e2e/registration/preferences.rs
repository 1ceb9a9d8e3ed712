//! What the annotations of a registration ask for: to leave a cluster alone, to spare it, or to work on no other one.
//! It must not try all that an annotation could say: the tests of their parser do.

use homebase_api::annotations;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use serde_json::json;

use super::secrets::{Form, assert_left_alone, wait_taken, works};
use crate::fleet::pool::{apply_iris, connections, fleet, lease, no_connection, settled, wait_deployment};
use crate::support::{SOON, hub_requests, kubeconfig};

const PAUSED: (&str, &str, &str) = ("Ready", "False", "Paused");

#[tokio::test]
async fn a_paused_cluster_is_left_alone_and_goes_on_where_it_was() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let secret = Form::native("paused", &kubeconfig(&plane).await);
    let pause = |value: &str| secret.clone().annotated(json!({annotations::PAUSED: value}));
    let mark = plane.audit_mark().unwrap();
    // From the start: nobody has ever seen the cluster.
    pause("true").put(fleet).await;
    let (message, _) = fleet.wait_condition("paused", PAUSED, SOON).await;
    assert!(message.contains(annotations::PAUSED), "{message}");
    assert_eq!(connections(fleet.hub(), &plane), 0);
    assert_eq!(hub_requests(&plane, mark), Vec::new());

    let version = secret.put(fleet).await;
    wait_taken(fleet, "paused", &version).await;
    let uid = works(&plane, "paused", 1).await.0;
    for (replicas, value) in [(2, "true"), (3, "yes")] {
        let mark = settled(&plane).await;
        let before = wait_deployment(&plane, ("paused", "app"), i64::from(replicas - 1)).await;
        pause(value).put(fleet).await;
        let (message, _) = fleet.wait_condition("paused", PAUSED, SOON).await;
        assert!(message.contains(annotations::PAUSED), "{message}");
        assert_eq!(message.contains("must be true or false"), value == "yes", "{message}");
        no_connection(fleet.hub(), &plane).await;
        // Somebody asks for something meanwhile, and the cluster is looked at no more.
        apply_iris(&plane, "paused", "app", replicas).await;
        assert_left_alone(fleet, &plane, "paused", ((replicas - 1).into(), &before)).await;
        assert_eq!(hub_requests(&plane, mark), Vec::new());

        let version = secret.put(fleet).await;
        wait_taken(fleet, "paused", &version).await;
        assert_eq!(wait_deployment(&plane, ("paused", "app"), replicas.into()).await.0, uid);
    }
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_misspelt_annotation_is_named_and_nothing_is_written_until_it_is_right() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let secret = Form::native("misspelt", &kubeconfig(&plane).await);
    let mark = plane.audit_mark().unwrap();
    for (key, value, known) in [
        ("homebase.dev/watch-namespace", "team-a", annotations::WATCH_NAMESPACES),
        ("homebase.dev/pausd", "true", annotations::PAUSED),
    ] {
        secret.clone().annotated(json!({key: value})).put(fleet).await;
        let named = fleet.wait_work_cluster("misspelt", SOON, |found| {
            let ready = crate::support::condition(found, "Ready")?;
            crate::support::is(&ready, "False", "Paused")?;
            let is_named =
                ready.message.contains(&format!("{key}: unknown annotation; did you mean {known}?"));
            if is_named { Ok(()) } else { Err(ready.message) }
        });
        named.await;
        assert_eq!(connections(fleet.hub(), &plane), 0);
        assert_eq!(hub_requests(&plane, mark), Vec::new());
    }
    let version = secret.put(fleet).await;
    wait_taken(fleet, "misspelt", &version).await;
    works(&plane, "misspelt", 1).await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_limit_that_is_none_is_named_and_the_cluster_works() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let secret = Form::native("limits", &kubeconfig(&plane).await);
    let bad = [
        (annotations::QPS, "fast"),
        (annotations::BURST, "0"),
        (annotations::MAX_IN_FLIGHT, "1000000"),
        (annotations::DEREGISTRATION_POLICY, "Delete"),
    ];
    let version = secret.clone().annotated(bad.into_iter().collect()).put(fleet).await;
    wait_taken(fleet, "limits", &version).await;
    let (message, _) = fleet.wait_condition("limits", ("Ready", "True", "AllChecksPassed"), SOON).await;
    for (key, _) in bad {
        assert!(message.contains(key), "{key}: {message}");
    }
    let before = works(&plane, "limits", 1).await;

    let good = json!({
        annotations::QPS: "5", annotations::BURST: "20", annotations::MAX_IN_FLIGHT: "2",
        annotations::DEREGISTRATION_POLICY: "Orphan", annotations::CRD_POLICY: "Install",
    });
    let version = secret.annotated(good).put(fleet).await;
    wait_taken(fleet, "limits", &version).await;
    let (message, _) = fleet.wait_condition("limits", ("Ready", "True", "AllChecksPassed"), SOON).await;
    assert!(!message.contains("homebase.dev/"), "{message}");
    assert_eq!(works(&plane, "limits", 2).await.0, before.0);
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_cluster_other_than_the_expected_one_is_not_written_to() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let namespaces: Api<Namespace> = Api::all(plane.client().await.unwrap());
    let uid = namespaces.get("kube-system").await.unwrap().metadata.uid.unwrap();
    let secret = Form::native("expected", &kubeconfig(&plane).await);
    let expect = |uid: &str| secret.clone().annotated(json!({annotations::EXPECTED_CLUSTER_UID: uid}));
    let mark = plane.audit_mark().unwrap();
    for wrong in ["00000000-0000-0000-0000-000000000000", ""] {
        expect(wrong).put(fleet).await;
        fleet.wait_condition("expected", ("IdentityVerified", "False", "Mismatch"), SOON).await;
        let not_verified = ("Ready", "False", "IdentityNotVerified");
        let (message, _) = fleet.wait_condition("expected", not_verified, SOON).await;
        assert_eq!(hub_requests(&plane, mark), Vec::new());
        if wrong.is_empty() {
            let named = fleet.wait_work_cluster("expected", SOON, |found| {
                let ready = crate::support::condition(found, "Ready")?;
                let is_named = ready.message.contains(annotations::EXPECTED_CLUSTER_UID);
                if is_named { Ok(()) } else { Err(ready.message) }
            });
            named.await;
        } else {
            assert!(!message.contains(annotations::EXPECTED_CLUSTER_UID), "{message}");
        }
    }

    let version = expect(&uid).put(fleet).await;
    wait_taken(fleet, "expected", &version).await;
    fleet.wait_condition("expected", ("IdentityVerified", "True", "Matched"), SOON).await;
    works(&plane, "expected", 1).await;
    fleet.assert_invariants().await;
}
