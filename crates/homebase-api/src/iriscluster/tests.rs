//! Tests of reading manifests as users have them. What an apiserver says to them is for e2e.

use serde_json::{Value, json};

use super::*;
use crate::workcluster::SessionState;
use crate::{Iris, WorkCluster};

fn read(yaml: &str) -> IrisCluster {
    serde_saphyr::from_str(yaml).unwrap()
}

/// The inputs that were seen in the wild, in one manifest.
const WILD: &str = r#"
apiVersion: intersystems.com/v1alpha1
kind: IrisCluster
metadata: {name: wild}
spec:
  licenseKeySecret: null
  imagePullSecrets: null
  serviceTemplate:
    spec:
      type: LoadBalancer
      ports: [{name: MgmtPortal, port: 52773, targetPort: 52773}]
    surplus: 1
  topology:
    data:
      image: intersystems/iris:2024.1
      compatibilityVersion: "2020.4.0"
      mirrored: null
      preferredZones: null
      storageDB: {resources: {requests: {storage: 10Gi}, limits: null}}
      podTemplate:
        metadata: null
        spec:
          args: null
          resources: {limit: {cpu: 2}, requests: {memory: 1Gi, hugepages-2Mi: 2Gi}}
          securityContext: {fsGroup: 51773, allowPrivilegeEscalation: false}
          activeDeadlineSeconds: 5
    arbiter:
      image: intersystems/arbiter:2024.1
      mirrored: false
      podTemplate: {spec: null}
    compute:
      image: intersystems/iris:2024.1
      replicas: 0
      podTemplate:
        spec:
          args: ["--check-caps false"]
          env: [{name: A, value: null}]
"#;

#[test]
fn manifests_in_the_wild_are_read() {
    let cluster = read(WILD);
    let data = &cluster.spec.topology.data;
    assert!(
        !data.mirrored && data.node.preferred_zones.is_empty() && cluster.spec.image_pull_secrets.is_empty()
    );
    assert_eq!(data.node.compatibility_version.as_deref(), Some("2020.4.0"));
    assert_eq!(data.storage.database().unwrap().size().unwrap().0, "10Gi");
    let pod = data.node.pod_template.as_ref().unwrap().spec.as_ref().unwrap();
    assert!(pod.args.is_empty());
    assert_eq!(pod.unknown, [("activeDeadlineSeconds".to_owned(), json!(5))].into());
    assert_eq!(pod.resources.as_ref().unwrap().unknown_fields(), ["limit"]);
    assert_eq!(pod.security_context.as_ref().unwrap().unknown_fields(), ["allowPrivilegeEscalation"]);

    let arbiter = cluster.spec.topology.arbiter.as_ref().unwrap();
    assert_eq!(arbiter.unknown, [("mirrored".to_owned(), json!(false))].into());
    assert_eq!(arbiter.node.pod_template.as_ref().unwrap().spec, None);
    let compute = cluster.spec.topology.compute.as_ref().unwrap();
    assert_eq!(compute.replicas, Some(0));
    let pod = compute.node.pod_template.as_ref().unwrap().spec.as_ref().unwrap();
    assert_eq!(pod.args, ["--check-caps false"]);
    assert_eq!(pod.env[0].parse().unwrap().value, None);

    let service = cluster.spec.service_template.as_ref().unwrap();
    assert_eq!(service.unknown.keys().collect::<Vec<_>>(), ["surplus"]);
    let ports = service.spec.as_ref().unwrap().parse().unwrap().ports.unwrap();
    assert_eq!(ports[0].name.as_deref(), Some("MgmtPortal"));
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

#[test]
fn nothing_is_lost_or_added_by_writing_it_again() {
    let cluster = read(WILD);
    let written = serde_json::to_value(&cluster).unwrap();
    let spec = &written["spec"];
    assert_eq!(spec["topology"]["data"]["podTemplate"]["spec"]["resources"]["limit"], json!({"cpu": 2}));
    assert_eq!(spec["serviceTemplate"]["surplus"], json!(1));
    assert_eq!(spec["topology"]["compute"]["replicas"], json!(0));
    assert!(!has_null(&spec["topology"]["data"]), "{spec:#}");
    assert_eq!(serde_json::from_value::<IrisCluster>(written).unwrap(), cluster);
}

#[test]
fn a_web_gateway_keeps_the_words_of_its_manifests() {
    let cluster = read(
        r"
apiVersion: intersystems.com/v1alpha1
kind: IrisCluster
metadata: {name: gateways}
spec:
  topology:
    data:
      image: iris
      mirrored: true
      mirrorMap: primary,backup,drasync
      webgateway: {image: gw, type: apache-lockeddown, applicationPaths: [/csp/user], loginSecret: {name: login}}
    webgateway: {image: gw, type: nginx, replicas: 2, alternativeServers: FailOver, ephemeral: true}
",
    );
    let sidecar = cluster.spec.topology.data.webgateway.as_ref().unwrap();
    assert_eq!(sidecar.gateway.type_, Some(WebgatewayType::ApacheLockeddown));
    assert_eq!(sidecar.gateway.login_secret.as_ref().unwrap().name, "login");
    let gateway = cluster.spec.topology.webgateway.as_ref().unwrap();
    assert_eq!(gateway.replicas, Some(2));
    assert_eq!(gateway.gateway.alternative_servers, Some(AlternativeServers::FailOver));
    assert!(gateway.gateway.ephemeral);
    assert_eq!(gateway.node.image, "gw");
}

#[test]
fn mirror_roles_are_their_tokens() {
    for role in MirrorRole::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
    }
    assert_eq!("Primary".parse::<MirrorRole>(), Err(UnknownMirrorRole("Primary".to_owned())));
}

#[test]
fn a_group_is_told_in_numbers_and_words() {
    let group =
        NodeGroupStatus::new(128, 19, ["london".to_owned(), "boston".to_owned(), "london".to_owned()]);
    assert_eq!(group.pods, "19/128");
    assert_eq!(group.zones, ["boston", "london"]);
}

#[test]
fn a_word_of_a_newer_hub_does_not_break_an_older_one() {
    let status: IrisClusterStatus =
        serde_json::from_value(json!({"phase": "Levitating", "conditions": null})).unwrap();
    assert_eq!(status.phase, Some(Phase::Unknown));
}

#[test]
fn words_of_states_are_what_the_status_holds() {
    let phases =
        [Phase::Creating, Phase::Running, Phase::Updating, Phase::Degraded, Phase::Stalled, Phase::Unknown];
    for phase in phases {
        assert_eq!(json!(phase), json!(phase.as_str()));
    }
    let states = [
        SessionState::Registered,
        SessionState::Connecting,
        SessionState::Verifying,
        SessionState::InstallingCRDs,
        SessionState::Syncing,
        SessionState::Running,
        SessionState::Degraded,
        SessionState::Unreachable,
        SessionState::Paused,
        SessionState::Rejected,
        SessionState::Draining,
        SessionState::Unknown,
    ];
    for state in states {
        assert_eq!(json!(state), json!(state.as_str()));
    }
}

#[test]
fn a_work_cluster_has_no_spec() {
    let written = json!({
        "apiVersion": "homebase.dev/v1alpha1",
        "kind": "WorkCluster",
        "metadata": {"name": "boston", "namespace": "homebase"},
        "status": {
            "state": "Running",
            "identity": {"uid": "1", "observedAt": "2026-11-20T10:00:00Z"},
            "resources": {
                "irisClusters": 2, "readyIrisClusters": 1, "iris": 0, "observedAt": "2026-11-20T10:00:00Z"
            },
        },
    });
    let cluster: WorkCluster = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(cluster.status.as_ref().unwrap().resources.as_ref().unwrap().iris_clusters, 2);
    assert_eq!(serde_json::to_value(&cluster).unwrap(), written);
}

#[test]
fn samples_are_read() {
    let iris: Iris = serde_saphyr::from_str(include_str!("../../../../deploy/samples/iris.yaml")).unwrap();
    assert_eq!(iris.spec.deployment_name, "iris");
    let cluster = read(include_str!("../../../../deploy/samples/iriscluster-mirrored.yaml"));
    let Topology { data, compute, arbiter, webgateway, sam, iam } = &cluster.spec.topology;
    assert!(data.mirrored && compute.is_some() && arbiter.is_some());
    assert!(webgateway.is_none() && sam.is_none() && iam.is_none(), "a sample shows only what is built");
}
