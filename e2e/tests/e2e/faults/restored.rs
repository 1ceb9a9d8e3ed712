//! The etcd of a work cluster is put back to a backup: its revision is lower than what the hub has seen, deleted
//! objects are there again, and new ones are gone. What the specs of now say is done; nothing is a ghost, made twice or
//! lost. It must not test how the apiserver takes it.

use std::time::{Duration, Instant};

use homebase_testkit::ControlPlane;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DeleteParams, PostParams};
use serde_json::json;

use crate::fleet::pool::{apply_iris, settled, wait_deployment};
use crate::support::{Fleet, Identities, SOON, condition, hub_requests, is, object};

/// The published bound for a cluster that is well again; the apiserver answers when it begins.
const HEALED: Duration = Duration::from_secs(30);
/// The namespace of the resources.
const SPACE: &str = "on-restored";
/// Writes after the backup: so many that those after the restore do not catch up with the revision of before.
const WRITES: usize = 300;

#[tokio::test]
async fn a_cluster_whose_etcd_goes_back_to_a_backup_is_operated_as_it_is_now() {
    let plane = ControlPlane::builder("restored").api_only();
    let mut fleet = Fleet::builder("restored").work(plane).start().await;
    let plane = &fleet.work[0];
    fleet.register(plane).await;
    fleet.wait_cluster_ready("restored").await;
    for name in ["kept", "changed", "deleted"] {
        apply_iris(plane, SPACE, name, 1).await;
    }
    for name in ["kept", "changed", "deleted"] {
        wait_deployment(plane, (SPACE, name), 1).await;
    }
    settled(plane).await;
    let then = Identities::of(plane, &[SPACE]).await;
    let backup = plane.back_up_etcd("one").await.unwrap();

    apply_iris(plane, SPACE, "changed", 3).await;
    apply_iris(plane, SPACE, "created", 1).await;
    wait_deployment(plane, (SPACE, "changed"), 3).await;
    wait_deployment(plane, (SPACE, "created"), 1).await;
    delete(&fleet, "deleted").await;
    grow(plane).await;

    let mark = plane.audit_mark().unwrap();
    fleet.work[0].restore_etcd(&backup).await.unwrap();
    let plane = &fleet.work[0];
    let start = Instant::now();
    // What is there now, which is what was there then: three others than a moment ago.
    for (name, replicas) in [("kept", 2), ("changed", 4), ("deleted", 5)] {
        apply_iris(plane, SPACE, name, replicas).await;
    }
    apply_iris(plane, SPACE, "after", 1).await;
    for (name, replicas) in [("kept", 2), ("changed", 4), ("deleted", 5), ("after", 1)] {
        wait_deployment(plane, (SPACE, name), replicas).await;
    }
    let worked = start.elapsed();
    assert!(worked <= HEALED, "{worked:?}");
    fleet.wait_condition("restored", ("Ready", "True", "AllChecksPassed"), HEALED).await;
    wait_count(&fleet, 4).await;
    eprintln!("figure: etcd restored: work done {worked:?} after the apiserver was ready again");

    settled(plane).await;
    let now = Identities::of(plane, &[SPACE]).await;
    for (object, uid) in then.uids() {
        assert_eq!(now.uids().get(object), Some(&uid), "{object} was made anew or is lost");
    }
    let created: Vec<String> = hub_requests(plane, mark)
        .into_iter()
        .filter(|request| request.code == 201 && request.resource == "deployments")
        .map(|request| request.name)
        .collect();
    assert_eq!(created, ["after"]);
    let ghost = ApiResource::erase::<homebase_api::Iris>(&());
    assert!(object(plane, &ghost, SPACE, "created").await.is_none(), "the test has made it again");
    let found = fleet.work_cluster("restored").await.unwrap();
    is(&condition(&found, "IdentityVerified").unwrap(), "True", "Pinned").unwrap();
    forget_work_clusters(&fleet).await;
    fleet.assert_invariants().await;
}

/// Deletes the CRD of `WorkCluster`s at home while the cluster does not answer: the hub installs it again, and what it
/// knows of the cluster's identity is on record again although the cluster cannot be asked.
async fn forget_work_clusters(fleet: &Fleet) {
    let before = fleet.work_cluster("restored").await.unwrap();
    let pin = |found: &homebase_api::WorkCluster| {
        let annotations = found.metadata.annotations.clone().unwrap_or_default();
        annotations.get(homebase_api::annotations::CLUSTER_UID).cloned()
    };
    let uid = pin(&before).unwrap();
    assert_eq!(before.status.unwrap().identity.unwrap().uid, uid);
    fleet.work[0].pause_apiserver().unwrap();
    fleet.wait_condition("restored", ("Ready", "False", "NotReachable"), HEALED * 3).await;
    let crds: Api<CustomResourceDefinition> = Api::all(fleet.home.client().await.unwrap());
    crds.delete("workclusters.homebase.dev", &DeleteParams::default()).await.unwrap();
    let again = fleet.wait_work_cluster("restored", HEALED, |found| {
        let is_another = found.metadata.uid != before.metadata.uid;
        if is_another { Ok(pin(found)) } else { Err("the same".to_owned()) }
    });
    assert_eq!(again.await.0, Some(uid));
    fleet.work[0].resume_apiserver().unwrap();
    fleet.wait_condition("restored", ("Ready", "True", "AllChecksPassed"), HEALED * 2).await;
}

/// Deletes an `Iris`, and its Deployment, as the garbage collector would.
async fn delete(fleet: &Fleet, name: &str) {
    let client = fleet.work[0].client().await.unwrap();
    let irises: Api<homebase_api::Iris> = Api::namespaced(client.clone(), SPACE);
    irises.delete(name, &DeleteParams::default()).await.unwrap();
    wait_count(fleet, 3).await;
    let deployments: Api<Deployment> = Api::namespaced(client, SPACE);
    deployments.delete(name, &DeleteParams::default()).await.unwrap();
}

/// Moves the revision of etcd on.
async fn grow(plane: &ControlPlane) {
    let config_maps: Api<ConfigMap> = Api::namespaced(plane.client().await.unwrap(), "default");
    for number in 0..WRITES {
        let object = json!({"metadata": {"name": format!("write-{number}")}});
        let object: ConfigMap = serde_json::from_value(object).unwrap();
        config_maps.create(&PostParams::default(), &object).await.unwrap();
    }
    // The watches of the hub see this revision.
    apply_iris(plane, SPACE, "kept", 1).await;
    apply_iris(plane, SPACE, "changed", 2).await;
    wait_deployment(plane, (SPACE, "changed"), 2).await;
}

/// Waits until the hub counts as many `Iris`.
async fn wait_count(fleet: &Fleet, expected: i64) {
    fleet
        .wait_work_cluster("restored", SOON, |found| {
            let resources = found.status.as_ref().and_then(|status| status.resources.as_ref());
            let count = resources.map(|resources| resources.iris);
            if count == Some(expected) { Ok(()) } else { Err(format!("{count:?}")) }
        })
        .await;
}
