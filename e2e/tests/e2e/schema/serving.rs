//! What an apiserver serves for the kinds: columns, the scale and status subresources, generated files as they are
//! applied. Refusals are for `rules` and `bounds`.

use homebase_api::conditions::work_cluster::Ready;
use homebase_api::conditions::{ConditionStatus, NewCondition, set_condition};
use homebase_api::iriscluster::{IrisClusterStatus, NodeGroupStatus, NodesStatus, Phase};
use homebase_api::workcluster::{
    ClusterIdentity, ClusterResources, ClusterVersion, SessionState, WorkClusterStatus,
};
use homebase_api::{IrisCluster, WorkCluster, WorkClusterSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;

use super::fixture::{Kind, NAMESPACE, plane, unique_name};

fn now() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

fn ready() -> Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    let mut conditions = Vec::new();
    let new = NewCondition::new(ConditionStatus::True, Ready::AllChecksPassed, "all is well", 1);
    set_condition(&mut conditions, new, now());
    conditions
}

/// The words of a line of `kubectl get`.
async fn row(arguments: &[&str]) -> (Vec<String>, Vec<String>) {
    let text = plane().await.kubectl_ok(arguments).await.unwrap();
    let words = |line: &str| {
        line.split("  ").map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let mut lines = text.lines().map(words);
    (lines.next().unwrap(), lines.next().unwrap())
}

#[tokio::test]
async fn iris_clusters_have_the_columns_that_users_know() {
    let client = plane().await.client().await.unwrap();
    let api: Api<IrisCluster> = Api::namespaced(client, NAMESPACE);
    let kind = Kind::of::<IrisCluster>().await;
    let spec = json!({"topology": {"data": {"image": "iris", "mirrored": true}}});
    let name = kind.create(&spec).await.metadata.name.unwrap();
    let group =
        |ready, zones: &[&str]| Some(NodeGroupStatus::new(3, ready, zones.iter().map(ToString::to_string)));
    let status = IrisClusterStatus {
        observed_generation: Some(1),
        phase: Some(Phase::Creating),
        conditions: ready(),
        nodes: Some(NodesStatus {
            data: group(2, &["boston", "chicago"]),
            compute: group(0, &[]),
            arbiter: None,
            webgateway: group(1, &[]),
            ..NodesStatus::default()
        }),
        waiting: vec!["compute waits for data".to_owned()],
        ..IrisClusterStatus::default()
    };
    write_status(&api, &name, &status).await;
    let (header, cells) = row(&["get", "ic", &name, "-n", NAMESPACE]).await;
    assert_eq!(header.join(" "), "NAME DATA COMPUTE MIRRORED STATUS READY AGE");
    assert_eq!(cells[..6].join(" "), format!("{name} 2/3 0/3 true Creating True"));
    let (header, cells) = row(&["get", "irisclusters", &name, "-n", NAMESPACE, "-o", "wide"]).await;
    assert_eq!(header.join(" "), "NAME DATA COMPUTE MIRRORED STATUS READY ZONES GATEWAY AGE");
    assert_eq!(cells[6..8], [r#"["boston","chicago"]"#, "1/3"]);
    assert_eq!(api.get(&name).await.unwrap().status, Some(status));
}

async fn write_status<K>(api: &Api<K>, name: &str, status: &impl serde::Serialize)
where
    K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let object = json!({"apiVersion": K::api_version(&()), "kind": K::kind(&()), "status": status});
    api.patch_status(name, &PatchParams::apply("homebase").validation_strict(), &Patch::Apply(&object))
        .await
        .unwrap();
}

#[tokio::test]
async fn work_clusters_have_a_status_and_no_spec() {
    let client = plane().await.client().await.unwrap();
    let api: Api<WorkCluster> = Api::namespaced(client, NAMESPACE);
    let name = unique_name();
    api.create(&PostParams::default(), &WorkCluster::new(&name, WorkClusterSpec {})).await.unwrap();
    let observed_at = Time(now());
    let status = WorkClusterStatus {
        conditions: ready(),
        state: Some(SessionState::Running),
        owner: Some("hub-0".to_owned()),
        server: Some("boston.example:6443".to_owned()),
        identity: Some(ClusterIdentity { uid: "1234".to_owned(), observed_at: observed_at.clone() }),
        version: Some(ClusterVersion { git_version: "v1.36.0".to_owned(), observed_at: observed_at.clone() }),
        resources: Some(ClusterResources {
            iris_clusters: 2,
            ready_iris_clusters: 1,
            iris: 0,
            observed_at: observed_at.clone(),
        }),
        last_seen: Some(observed_at.clone()),
        latency_milliseconds: Some(7),
        credentials_expire: Some(observed_at),
        observed_secret: None,
    };
    write_status(&api, &name, &status).await;
    assert_eq!(api.get(&name).await.unwrap().status, Some(status));
    let (header, cells) = row(&["get", "wc", &name, "-n", NAMESPACE, "-o", "wide"]).await;
    assert_eq!(
        header.join(" "),
        "NAME READY REASON VERSION IRISCLUSTERS READY-IRISCLUSTERS LAST-SEEN CREDENTIALS-EXPIRE \
         SERVER LATENCY OWNER AGE"
    );
    assert_eq!(cells[..6].join(" "), format!("{name} True AllChecksPassed v1.36.0 2 1"));
    assert_eq!(cells[7..11].join(" "), "2026-11-20T10:00:00Z boston.example:6443 7 hub-0");
}

#[tokio::test]
async fn an_autoscaler_can_scale_compute() {
    let client = plane().await.client().await.unwrap();
    let api: Api<IrisCluster> = Api::namespaced(client, NAMESPACE);
    let kind = Kind::of::<IrisCluster>().await;
    let spec = json!({"topology": {"data": {"image": "iris"}, "compute": {"image": "iris", "replicas": 1}}});
    let name = kind.create(&spec).await.metadata.name.unwrap();
    let status = IrisClusterStatus {
        compute_replicas: Some(1),
        compute_selector: Some("intersystems.com/component=compute".to_owned()),
        ..IrisClusterStatus::default()
    };
    write_status(&api, &name, &status).await;

    let scale = api.get_scale(&name).await.unwrap();
    assert_eq!(scale.spec.unwrap().replicas, Some(1));
    let reported = scale.status.unwrap();
    assert_eq!(reported.replicas, 1);
    assert_eq!(reported.selector.as_deref(), Some("intersystems.com/component=compute"));

    let change = |replicas: i32| Patch::Merge(json!({"spec": {"replicas": replicas}}));
    for (replicas, accepted) in [(0, true), (1000, true), (1001, false), (-1, false)] {
        let answer = api.patch_scale(&name, &PatchParams::default(), &change(replicas)).await;
        assert_eq!(answer.is_ok(), accepted, "{replicas}: {answer:?}");
    }
    let compute = api.get(&name).await.unwrap().spec.topology.compute.unwrap();
    assert_eq!(compute.replicas, Some(1000));
}

#[tokio::test]
async fn an_autoscaler_of_the_cluster_needs_a_number_to_begin_with() {
    let client = plane().await.client().await.unwrap();
    let api: Api<IrisCluster> = Api::namespaced(client, NAMESPACE);
    let kind = Kind::of::<IrisCluster>().await;
    let spec = json!({"topology": {"data": {"image": "iris"}, "compute": {"image": "iris"}}});
    let name = kind.create(&spec).await.metadata.name.unwrap();
    let error = api.get_scale(&name).await.unwrap_err().to_string();
    assert!(error.contains(".spec.topology.compute.replicas"), "{error}");
}

#[tokio::test]
async fn a_status_does_not_hold_two_conditions_of_a_type() {
    let client = plane().await.client().await.unwrap();
    let api: Api<IrisCluster> = Api::namespaced(client, NAMESPACE);
    let kind = Kind::of::<IrisCluster>().await;
    let spec = json!({"topology": {"data": {"image": "iris"}}});
    let name = kind.create(&spec).await.metadata.name.unwrap();
    let twice = [ready(), ready()].concat();
    let patch = Patch::Merge(json!({"status": {"conditions": twice}}));
    let error = api.patch_status(&name, &PatchParams::default(), &patch).await.unwrap_err().to_string();
    assert!(error.contains("Duplicate value"), "{error}");
}
