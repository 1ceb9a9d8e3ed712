//! The kind `Iris`: the scenario of the article that it comes from, its bounds, and Deployments of others.

use serde_json::json;

use super::fixture::{Case, IRIS, condition, text, uid};

#[tokio::test]
async fn the_scenario_of_the_article() {
    let case = Case::begin("article").await;
    let spec = |name: &str, replicas: u32| json!({"spec": {"deploymentName": name, "replicas": replicas}});

    let iris = case.apply(IRIS, "demo", &spec("iris", 1)).await;
    let ready = case.until_ready(IRIS, "demo").await;
    assert_eq!(ready["status"]["readyReplicas"], 1);
    let deployment = case.get("Deployment", "iris").await.unwrap();
    assert_eq!(deployment["metadata"]["labels"]["iris/deployment-name"], "iris");
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], json!({"iris/deployment-name": "iris"}));
    assert_eq!(deployment["metadata"]["ownerReferences"][0]["uid"], iris["metadata"]["uid"]);
    assert_eq!(deployment["metadata"]["ownerReferences"][0]["controller"], true);

    case.apply(IRIS, "demo", &spec("iris", 2)).await;
    let ready = case.until_ready(IRIS, "demo").await;
    assert_eq!(ready["status"]["readyReplicas"], 2);
    let scaled = case.get("Deployment", "iris").await.unwrap();
    assert_eq!((&scaled["spec"]["replicas"], uid(&scaled)), (&json!(2), uid(&deployment)));
    let (header, line) = case.columns(&["iris"]).await;
    assert_eq!(header, ["NAME", "DEPLOYMENT", "DESIRED", "READY", "AGE"]);
    assert_eq!(line[..4], ["demo", "iris", "2", "2"]);

    case.apply(IRIS, "demo", &spec("renamed", 2)).await;
    case.until_ready(IRIS, "demo").await;
    case.until_gone("Deployment", "iris").await;
    assert_eq!(case.names("Deployment", "").await, ["renamed"]);
    assert_eq!(case.names("Pod", "iris/deployment-name=renamed").await.len(), 2);

    case.until_event("demo", "Normal Deleted").await;
    let told = case.events("demo").await;
    let expected = [
        "Normal Created Created deployment \"iris\"",
        "Normal Scaled Scaled deployment \"iris\" to 2 replicas",
        "Normal Created Created deployment \"renamed\"",
        "Normal Deleted Deleted deployment \"iris\"",
    ];
    assert_eq!(told, expected);

    case.delete(IRIS, "demo").await;
    case.until_gone("Deployment", "renamed").await;
    let deleted: Vec<_> = case.hub_writes().into_iter().filter(|write| write.verb == "delete").collect();
    assert_eq!(deleted.len(), 1, "the last Deployment is for the garbage collector: {deleted:?}");
    assert_eq!(deleted[0].name, "iris");
    case.end().await;
}

#[tokio::test]
async fn the_longest_name_and_no_replicas() {
    let case = Case::begin("iris-bounds").await;
    let longest = "i".repeat(63);
    case.apply(IRIS, "long", &json!({"spec": {"deploymentName": longest, "replicas": 0}})).await;
    let ready = case.until_ready(IRIS, "long").await;
    assert_eq!(ready["status"]["readyReplicas"], 0);
    let deployment = case.get("Deployment", &longest).await.unwrap();
    assert_eq!(deployment["spec"]["replicas"], 0);
    assert_eq!(deployment["metadata"]["labels"]["iris/deployment-name"], longest);

    // 64 characters are no label: the apiserver says so before the hub could fail.
    let patch = json!({"spec": {"deploymentName": "i".repeat(64)}}).to_string();
    let arguments = ["-n", "iris-bounds", "patch", "iris", "long", "--type=merge", "-p", &patch];
    let refused = case.plane().kubectl(&arguments).await.unwrap();
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("which has at most 63 characters: choose a shorter name"), "{words}");

    // The scale subresource is what an autoscaler uses.
    case.kubectl(&["scale", "iris", "long", "--replicas=3"]).await;
    let ready = case.until_ready(IRIS, "long").await;
    assert_eq!(ready["status"]["readyReplicas"], 3);
    let selector = text(&ready, "/status/selector");
    assert_eq!(case.names("Pod", &selector).await.len(), 3);
    case.end().await;
}

#[tokio::test]
async fn a_deployment_of_somebody_else_is_left_alone() {
    let case = Case::begin("iris-foreign").await;
    let foreign = json!({"metadata": {"labels": {"app": "theirs"}}, "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "theirs"}},
        "template": {
            "metadata": {"labels": {"app": "theirs"}},
            "spec": {"containers": [{"name": "theirs", "image": "theirs:1"}]},
        },
    }});
    let theirs = case.apply("Deployment", "taken", &foreign).await;
    case.apply(IRIS, "mine", &json!({"spec": {"deploymentName": "mine"}})).await;
    case.until_ready(IRIS, "mine").await;

    // A rename onto it: the old Deployment must stay until there is a new one.
    case.apply(IRIS, "mine", &json!({"spec": {"deploymentName": "taken"}})).await;
    let told = case.until_condition(IRIS, "mine", ("FieldConflict", "True")).await;
    let message = text(&condition(&told, "FieldConflict"), "/message");
    assert!(message.contains("Deployment iris-foreign/taken exists and is not ours"), "{message}");
    assert_eq!(condition(&told, "Ready")["status"], "False");
    assert_eq!(condition(&told, "Stalled")["reason"], "FieldConflict");
    case.until_event("mine", "Warning NameTaken Deployment iris-foreign/taken exists").await;
    let found = case.get("Deployment", "taken").await.unwrap();
    for field in ["/metadata/uid", "/metadata/labels", "/metadata/ownerReferences", "/spec"] {
        assert_eq!(found.pointer(field), theirs.pointer(field), "{field}");
    }
    assert_eq!(case.names("Deployment", "").await, ["mine", "taken"]);
    assert!(case.hub_writes().iter().all(|write| write.name != "taken"));

    case.delete("Deployment", "taken").await;
    let ready = case.until_ready(IRIS, "mine").await;
    assert_eq!(condition(&ready, "FieldConflict")["status"], "False");
    case.until_gone("Deployment", "mine").await;
    let ours = case.get("Deployment", "taken").await.unwrap();
    assert_ne!(uid(&ours), uid(&theirs));
    assert_eq!(ours["metadata"]["ownerReferences"][0]["name"], "mine");
    case.end().await;
}
