//! Objects of others that hold a name which an `IrisCluster` needs: told of, never touched, and no obstacle any more
//! once they are gone.

use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, condition, single, text, uid};

fn service() -> Value {
    json!({"spec": {"selector": {"app": "theirs"}, "ports": [{"name": "http", "port": 80}]}})
}

fn stateful_set() -> Value {
    json!({"spec": {
        "replicas": 0,
        "serviceName": "theirs",
        "selector": {"matchLabels": {"app": "theirs"}},
        "template": {
            "metadata": {"labels": {"app": "theirs"}},
            "spec": {"containers": [{"name": "theirs", "image": "theirs:1"}]},
        },
    }})
}

#[tokio::test]
async fn an_object_of_somebody_else_is_left_alone() {
    let case = Case::begin("foreign").await;
    // The last one looks like ours, and belongs to another owner all the same.
    let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "kube-root-ca.crt", "controller": true,
        "uid": uid(&case.until("ConfigMap", "kube-root-ca.crt", |object| Ok(object.clone())).await)});
    let labels = json!({"app.kubernetes.io/managed-by": "homebase", "intersystems.com/name": "d"});
    let owned =
        json!({"metadata": {"labels": labels, "ownerReferences": [other]}, "data": {"theirs": "yes"}});
    let obstacles = [
        ("a", "Service", "a", service()),
        ("b", "StatefulSet", "b-data", stateful_set()),
        ("c", "ConfigMap", "c-data", json!({"data": {"theirs": "yes"}})),
        ("d", "ConfigMap", "d-data", owned),
    ];
    let mut theirs = Vec::new();
    for (cluster, kind, name, fields) in &obstacles {
        theirs.push(case.apply(kind, name, fields).await);
        case.apply(CLUSTER, cluster, &single()).await;
    }
    for ((cluster, kind, name, _), theirs) in obstacles.iter().zip(&theirs) {
        let told = case.until_condition(CLUSTER, cluster, ("FieldConflict", "True")).await;
        let message = text(&condition(&told, "FieldConflict"), "/message");
        let wanted = format!("{kind} foreign/{name} exists and is not ours");
        assert!(message.contains(&wanted), "{message}");
        assert_eq!(condition(&told, "Stalled")["reason"], "FieldConflict");
        assert_eq!(told["status"]["phase"], "Stalled");
        case.until_event(cluster, &format!("Warning NameTaken {wanted}")).await;
        let found = case.get(kind, name).await.unwrap();
        for field in ["/metadata/uid", "/metadata/labels", "/metadata/ownerReferences", "/spec", "/data"] {
            assert_eq!(found.pointer(field), theirs.pointer(field), "{kind} {name} {field}");
        }
    }
    for (_, kind, name, _) in &obstacles {
        let resource = format!("{}s", kind.to_lowercase());
        let touched: Vec<_> = case
            .hub_writes()
            .into_iter()
            .filter(|write| write.resource == resource && write.name == *name)
            .collect();
        assert!(touched.is_empty(), "{touched:?}");
    }

    for (cluster, kind, name, _) in &obstacles {
        case.delete(kind, name).await;
        let ready = case.until_ready(CLUSTER, cluster).await;
        assert_eq!(condition(&ready, "FieldConflict")["status"], "False");
        assert_eq!(condition(&ready, "Stalled")["status"], "False");
    }
    case.end().await;
}

#[tokio::test]
async fn a_headless_service_of_somebody_else_is_used_and_kept() {
    let case = Case::begin("foreign-headless").await;
    let fields = json!({"spec": {"clusterIP": "None", "selector": {"intersystems.com/role": "iris"}}});
    let theirs = case.apply("Service", "iris-svc", &fields).await;
    case.apply(CLUSTER, "iris", &single()).await;
    case.until_ready(CLUSTER, "iris").await;
    case.delete(CLUSTER, "iris").await;
    case.until_gone("StatefulSet", "iris-data").await;
    case.until_gone("Service", "iris").await;
    case.assert_quiet().await;
    let found = case.get("Service", "iris-svc").await.unwrap();
    assert_eq!(found["metadata"]["resourceVersion"], theirs["metadata"]["resourceVersion"]);
    case.end().await;
}
