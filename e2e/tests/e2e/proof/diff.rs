//! `plan --diff` beside what runs: nothing after a reconcile, and of a change what it would do. It must not hold what an
//! apiserver would make of an object.

use std::path::PathBuf;

use homebase_api::IrisCluster;
use homebase_testkit::{AuditMark, ControlPlane};
use kube::api::ApiResource;
use serde_json::{Value, json};

use crate::cli::scene::Ran;
use crate::support::{Fleet, Identities, OBJECT_READY, apply, create_namespace, wait_ready};

const NAMESPACE: &str = "compared";

fn cluster() -> Value {
    json!({"apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": {"name": "iris", "namespace": NAMESPACE},
        "spec": {"configSource": {"name": "cpf"}, "passwordHash": "canary-one", "topology": {
            "data": {"image": "iris:2025.1", "storageDB": {"resources": {"requests": {"storage": "1Gi"}}}},
            "arbiter": {"image": "arbiter"},
            "compute": {"image": "iris:2025.1", "replicas": 3, "ephemeral": true}}}})
}

fn source() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cpf", "namespace": NAMESPACE},
        "data": {"common.cpf": "[config]\nglobals=0,0,64,0,0,0\n"}})
}

/// The differences of `change` made to the cluster, by registration.
async fn diff(fleet: &Fleet, change: impl FnOnce(&mut Value), more: &[&str]) -> Ran {
    let plane = &fleet.work[0];
    let mut resource = cluster();
    change(&mut resource);
    let file: PathBuf = plane.dir().join("changed.json");
    std::fs::write(&file, resource.to_string()).unwrap();
    let words =
        ["plan", "-f", file.to_str().unwrap(), "--allow-loopback-destinations", "--diff", plane.name()];
    let ran = fleet.homebase(&[&words, more].concat()).await;
    assert!(!format!("{}{}", ran.out, ran.err).contains("canary"), "{ran:?}");
    ran
}

/// Action, kind and name of each difference.
fn actions(ran: &Ran) -> Vec<String> {
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let all = report["differences"].as_array().unwrap().iter();
    all.map(|one| ["action", "kind", "name"].map(|key| text(one, key)).join(" ")).collect()
}

#[tokio::test]
async fn a_change_is_told_before_it_is_made() {
    let plane = ControlPlane::builder("diff-0").zones(["boston"]);
    let fleet = Fleet::builder("diff").work(plane).start().await;
    let plane = &fleet.work[0];
    fleet.register(plane).await;
    fleet.wait_cluster_ready(plane.name()).await;
    create_namespace(plane, NAMESPACE).await;

    let new = diff(&fleet, |resource| resource["spec"]["configSource"] = Value::Null, &["-o", "json"])
        .await
        .ended(1);
    assert!(actions(&new).contains(&"create StatefulSet iris-data".to_owned()), "{new:?}");

    apply(plane, &source()).await;
    apply(plane, &cluster()).await;
    let kind = ApiResource::erase::<IrisCluster>(&());
    wait_ready(plane, &kind, (NAMESPACE, "iris"), OBJECT_READY).await;
    let before = Identities::of(plane, &[NAMESPACE]).await;
    let mark = plane.audit_mark().unwrap();

    let same = diff(&fleet, |_| (), &[]).await.ended(0);
    assert_eq!(same.out, "", "{same:?}");
    assert!(same.err.contains("nothing would change"), "{same:?}");

    an_image(&fleet).await;
    what_cannot_change_goes_or_is_hidden(&fleet).await;
    with_few_rights(&fleet).await;

    assert_eq!(Identities::of(plane, &[NAMESPACE]).await, before, "a comparison has written");
    let by_cli = |mark: AuditMark| {
        let writes = plane.write_requests_since(mark).unwrap().into_iter();
        writes.filter(|write| write.user_agent.starts_with("homebase-cli/")).collect::<Vec<_>>()
    };
    let kept: Vec<_> = by_cli(mark)
        .into_iter()
        .filter(|one| one.is_effective() && one.group != "authorization.k8s.io")
        .collect();
    assert!(kept.is_empty(), "{kept:?}");
    fleet.assert_invariants().await;
}

async fn an_image(fleet: &Fleet) {
    let image =
        |resource: &mut Value| resource["spec"]["topology"]["compute"]["image"] = json!("iris:2025.2");
    let ran = diff(fleet, image, &[]).await.ended(1);
    assert!(ran.out.contains("--- StatefulSet compared/iris-compute\n"), "{ran:?}");
    for line in ["-          image: \"iris:2025.1\"", "+          image: \"iris:2025.2\""] {
        let has = ran.out.lines().any(|found| found.replace(['"', ' '], "") == line.replace(['"', ' '], ""));
        assert!(has, "no {line}: {}", ran.out);
    }
    let ran = diff(fleet, image, &["-o", "json"]).await.ended(1);
    assert_eq!(actions(&ran), ["change StatefulSet iris-compute"]);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let one = &report["differences"][0];
    assert_eq!(one["restarts"], "iris-compute-{0..2} would restart");
    let paths: Vec<&str> =
        one["fields"].as_array().unwrap().iter().map(|field| field["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&"spec.template.spec.containers[iriscluster].image"), "{paths:?}");

    let scaled = |resource: &mut Value| resource["spec"]["topology"]["compute"]["replicas"] = json!(7);
    let ran = diff(fleet, scaled, &["-o", "json"]).await.ended(1);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["differences"][0]["fields"].as_array().unwrap().len(), 1, "{ran:?}");
    assert_eq!(report["differences"][0]["fields"][0]["path"], "spec.replicas");
    assert_eq!(report["differences"][0]["restarts"], Value::Null);
}

async fn what_cannot_change_goes_or_is_hidden(fleet: &Fleet) {
    let class = |resource: &mut Value| resource["spec"]["storageClassName"] = json!("another");
    let ran = diff(fleet, class, &["-o", "json"]).await.ended(1);
    assert_eq!(actions(&ran), ["recreate StatefulSet iris-data"]);

    let without_arbiter = |resource: &mut Value| {
        resource["spec"]["topology"].as_object_mut().unwrap().remove("arbiter");
    };
    let ran = diff(fleet, without_arbiter, &["-o", "json"]).await.ended(1);
    assert!(actions(&ran).contains(&"remove StatefulSet iris-arbiter".to_owned()), "{ran:?}");

    // The hash is never shown, and that there is another one is.
    let hash = |resource: &mut Value| resource["spec"]["passwordHash"] = json!("canary-two");
    let ran = diff(fleet, hash, &[]).await.ended(1);
    assert!(ran.out.contains("PasswordHash=(hidden, another one)"), "{ran:?}");
    assert!(ran.err.contains("would restart"), "{ran:?}");

    let refused = diff(fleet, |resource| resource["spec"]["topology"]["data"]["image"] = json!(7), &[]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
}

/// Without the right to a dry run, the fields of the plan are compared with what is there.
async fn with_few_rights(fleet: &Fleet) {
    let plane = &fleet.work[0];
    let reading: Vec<_> = crate::support::shipped()
        .into_iter()
        .map(|mut rule| {
            rule.verbs.retain(|verb| ["get", "list", "watch"].contains(&verb.as_str()));
            rule
        })
        .filter(|rule| !rule.verbs.is_empty())
        .collect();
    let path = plane.dir().join("reader.kubeconfig");
    std::fs::write(&path, crate::support::kubeconfig_with(plane, "reader", &reading).await).unwrap();
    let file = plane.dir().join("same.json");
    std::fs::write(&file, cluster().to_string()).unwrap();
    let words = |file: &PathBuf| {
        ["plan", "-f", file.to_str().unwrap(), "--diff", "--kubeconfig", path.to_str().unwrap()]
            .map(str::to_owned)
    };
    let run = async |file: &PathBuf| {
        let words = words(file);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        fleet.bare(&words).await
    };
    run(&file).await.ended(0);
    let mut changed = cluster();
    changed["spec"]["topology"]["compute"]["image"] = json!("iris:2025.2");
    std::fs::write(&file, changed.to_string()).unwrap();
    let ran = run(&file).await.ended(1);
    assert!(ran.err.contains("iris-compute-{0..2} would restart") && ran.err.contains("dry run"), "{ran:?}");
}
