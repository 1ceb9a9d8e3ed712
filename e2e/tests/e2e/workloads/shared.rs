//! The headless Service `iris-svc`: all clusters of a namespace share it, and the last one takes it along, also
//! when no hub was there to see it go.

use super::fixture::{CLUSTER, Case, single, uid, with_compute};

#[tokio::test]
async fn it_goes_with_the_last_cluster_of_its_namespace() {
    let case = Case::begin("shared").await;
    for name in ["first", "second"] {
        case.apply(CLUSTER, name, &single()).await;
    }
    for name in ["first", "second"] {
        case.until_ready(CLUSTER, name).await;
    }
    let shared = case.get("Service", "iris-svc").await.unwrap();

    case.delete(CLUSTER, "first").await;
    case.until_gone("StatefulSet", "first-data").await;
    case.until_gone("Service", "first").await;
    case.assert_quiet().await;
    assert_eq!(uid(&case.get("Service", "iris-svc").await.unwrap()), uid(&shared));
    case.until_ready(CLUSTER, "second").await;

    case.delete(CLUSTER, "second").await;
    case.until_gone("Service", "iris-svc").await;
    let writes = case.hub_writes();
    let deleted = writes.iter().find(|write| write.verb == "delete").unwrap();
    assert_eq!(deleted.precondition_uid.as_deref(), Some(uid(&shared).as_str()));
    case.end().await;
}

#[tokio::test]
async fn it_goes_also_when_the_last_cluster_went_without_a_hub() {
    let mut case = Case::alone("shared-alone").await;
    for name in ["gone", "stays"] {
        case.apply(CLUSTER, name, &single()).await;
        case.until_ready(CLUSTER, name).await;
    }
    let shared = case.get("Service", "iris-svc").await.unwrap();
    let survivor = case.get("StatefulSet", "stays-data").await.unwrap();

    case.hub_mut().kill9();
    case.delete(CLUSTER, "gone").await;
    case.until_gone("StatefulSet", "gone-data").await;
    restart(&mut case).await;
    // A new spec is what shows that the hub has come to look at it.
    case.apply(CLUSTER, "stays", &with_compute(single(), 0)).await;
    case.until_ready(CLUSTER, "stays").await;
    case.assert_quiet().await;
    assert_eq!(uid(&case.get("Service", "iris-svc").await.unwrap()), uid(&shared));
    assert_eq!(uid(&case.get("StatefulSet", "stays-data").await.unwrap()), uid(&survivor));

    case.hub_mut().kill9();
    case.delete(CLUSTER, "stays").await;
    case.until_gone("StatefulSet", "stays-data").await;
    assert!(case.get("Service", "iris-svc").await.is_some(), "no hub, and it has no owner");
    restart(&mut case).await;
    case.until_gone("Service", "iris-svc").await;
    case.end().await;
}

async fn restart(case: &mut Case) {
    case.start_hub().await;
    case.wait_cluster_ready("workloads").await;
}
