//! What is rehearsed is read from manifests as people keep them. That it comes up and goes is tested end to end.

use super::super::Exit;
use super::super::manifests::Manifests;
use super::subject::Subject;

const CLUSTER: &str = "---
apiVersion: intersystems.com/v1alpha1
kind: IrisCluster
metadata: {name: iris, namespace: rehearsal, uid: u, resourceVersion: '7', labels: {a: b}}
spec:
  storageClassName: fast
  configSource: {name: cpf}
  topology:
    data: {image: 'iris:2025.1', storageWIJ: {storageClassName: kwok-volume}}
    compute: {image: 'iris:2025.1', replicas: 1000, ephemeral: true, preferredZones: [london, boston]}
status: {phase: Running}
";

fn read(text: &str) -> Result<Subject, Exit> {
    Subject::of(&Manifests::of(text)).unwrap()
}

#[test]
fn nodes_and_storage_classes_are_those_of_the_spec() {
    let subject = read(CLUSTER).unwrap_or_else(|_| panic!("it is refused"));
    assert_eq!((subject.namespace.as_str(), subject.name.as_str()), ("rehearsal", "iris"));
    assert_eq!(subject.zones, ["london", "boston"]);
    assert_eq!(subject.nodes_per_zone, 3);
    assert_eq!(subject.storage_classes, ["fast"]);
    // What an apiserver wrote into it is not sent to another one.
    assert_eq!(subject.resource["metadata"]["labels"]["a"], "b");
    assert_eq!(subject.resource["metadata"].get("uid"), None);
    assert_eq!(subject.resource.get("status"), None);
    // An empty one stands in for the ConfigMap.
    assert_eq!(subject.companions[0]["metadata"]["name"], "cpf");
}

#[test]
fn what_is_in_the_manifests_goes_with_it() {
    let config = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cpf, namespace: rehearsal}\ndata: {common.cpf: '[x]'}\n";
    let elsewhere = config.replace("namespace: rehearsal", "namespace: other");
    let subject = read(&format!("{CLUSTER}{config}{elsewhere}")).unwrap_or_else(|_| panic!("it is refused"));
    assert_eq!(subject.companions.len(), 1);
    assert_eq!(subject.companions[0]["data"]["common.cpf"], "[x]");
}

#[test]
fn of_a_secret_only_the_keys_go_with_it() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: license, namespace: rehearsal, annotations: \
                  {kubectl.kubernetes.io/last-applied-configuration: canary}}\ndata: {iris.key: canary}\nstringData: \
                  {more: canary}\ntype: Opaque\n";
    let subject = read(&format!("{CLUSTER}{secret}")).unwrap_or_else(|_| panic!("it is refused"));
    let secret = &subject.companions[0];
    assert!(!secret.to_string().contains("canary"), "{secret}");
    assert_eq!((&secret["data"]["iris.key"], &secret["stringData"]["more"]), (&"e30=".into(), &"{}".into()));
    assert_eq!(secret["type"], "Opaque");
}

#[test]
fn one_cluster_is_rehearsed_and_nothing_that_is_invalid() {
    let two = format!("{CLUSTER}{}", CLUSTER.replace("name: iris,", "name: other,"));
    assert_eq!(read(&two).err(), Some(Exit::Unknown));
    assert_eq!(read(&CLUSTER.replace("replicas: 1000", "replicas: -1")).err(), Some(Exit::Failure));
    assert_eq!(read("").err(), Some(Exit::Unknown));
}
