//! What is remembered of a refused growth, and for how long it counts.

use std::time::Duration;

use homebase_api::IrisCluster;
use homebase_core::ObjectKey;
use homebase_iris::cluster::{ClaimGrowth, Claims};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::runtime::watcher::Event;
use serde_json::json;
use tokio::time::advance;

use super::{Claim, GROWTH_RETRY, SHORTEST_RETRY, Volumes};

const NAME: &str = "iris-data-demo-data-0";

fn claim(uid: &str, cluster: Option<&str>) -> PersistentVolumeClaim {
    let labels = cluster.map(|name| json!({ "intersystems.com/name": name }));
    let metadata =
        json!({ "name": NAME, "namespace": "ns", "uid": uid, "resourceVersion": "1", "labels": labels });
    serde_json::from_value(json!({ "metadata": metadata })).unwrap()
}

fn cluster() -> IrisCluster {
    let spec = json!({ "topology": { "data": { "image": "iris:1" } } });
    let mut cluster = IrisCluster::new("demo", serde_json::from_value(spec).unwrap());
    cluster.metadata.namespace = Some("ns".to_owned());
    cluster
}

fn volumes(claims: impl IntoIterator<Item = PersistentVolumeClaim>) -> Volumes {
    let volumes = Volumes::default();
    volumes.store.on(Event::<PersistentVolumeClaim>::Init, Claim::of);
    for claim in claims {
        volumes.store.on(Event::InitApply(claim), Claim::of);
    }
    volumes.store.on(Event::<PersistentVolumeClaim>::InitDone, Claim::of);
    volumes
}

fn growth() -> ClaimGrowth {
    let size = |text: &str| Quantity(text.to_owned());
    let (claim, uid, resource_version) = (NAME.to_owned(), "u".to_owned(), "1".to_owned());
    ClaimGrowth { claim, uid, resource_version, from: size("1Gi"), to: size("2Gi") }
}

fn refuse(volumes: &Volumes) {
    volumes.refuse(ObjectKey::new("ns", NAME), "demo", &growth(), "no");
}

fn refusal(volumes: &Volumes) -> Option<String> {
    let Claims::Known(claims) = volumes.observe(&cluster()) else { panic!("unknown") };
    claims.get(NAME)?.refusal.as_ref().map(|refusal| refusal.words.clone())
}

fn next_try(volumes: &Volumes) -> Option<Duration> {
    volumes.next_try("ns", std::iter::once(NAME))
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_until_it_is_due_and_each_one_longer() {
    let volumes = volumes([claim("u", Some("demo"))]);
    assert_eq!((refusal(&volumes), next_try(&volumes)), (None, None));
    for failures in 1..10 {
        refuse(&volumes);
        let wait = GROWTH_RETRY.ceiling(failures);
        assert_eq!((refusal(&volumes).as_deref(), next_try(&volumes)), (Some("no"), Some(wait)));
        advance(wait).await;
        assert_eq!((refusal(&volumes), next_try(&volumes)), (None, Some(SHORTEST_RETRY)));
    }
    assert_eq!(GROWTH_RETRY.ceiling(10), GROWTH_RETRY.cap);
    // Nobody is asked about a claim that the plan does not name: one that has grown otherwise wakes nobody.
    assert_eq!(volumes.next_try("ns", std::iter::empty()), None);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_that_of_one_claim_and_goes_with_it_or_with_its_cluster() {
    let volumes = volumes([claim("another", Some("demo"))]);
    refuse(&volumes);
    assert_eq!(refusal(&volumes), None, "a claim of the same name is another one");
    volumes.forget(&ObjectKey::new("ns", "other"));
    assert!(next_try(&volumes).is_some());
    volumes.forget(&ObjectKey::new("ns", "demo"));
    assert_eq!(next_try(&volumes), None);
    refuse(&volumes);
    volumes.store.on(Event::Delete(claim("another", Some("demo"))), Claim::of);
    assert_eq!((refusal(&volumes), next_try(&volumes)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn claims_of_other_clusters_are_not_ours_and_those_without_a_name_may_be() {
    for (label, expected) in [(Some("demo"), 1), (None, 1), (Some("other"), 0)] {
        let Claims::Known(claims) = volumes([claim("u", label)]).observe(&cluster()) else {
            panic!("unknown")
        };
        assert_eq!(claims.len(), expected, "{label:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn claims_are_unknown_before_they_are_listed_and_without_the_right_to() {
    let volumes = Volumes::default();
    assert_eq!((volumes.observe(&cluster()), volumes.is_settled_in("ns")), (Claims::Unknown, false));
    volumes.store.on(Event::<PersistentVolumeClaim>::Init, Claim::of);
    assert!(volumes.store.refuse("") && !volumes.store.refuse(""), "told once");
    assert_eq!((volumes.observe(&cluster()), volumes.is_settled_in("ns")), (Claims::Unknown, true));
    volumes.store.on(Event::<PersistentVolumeClaim>::InitDone, Claim::of);
    assert!(matches!(volumes.observe(&cluster()), Claims::Known(_)));
    // Where only the watch is refused, listings keep coming.
    assert!(!volumes.store.refuse(""));
    assert!(matches!(volumes.observe(&cluster()), Claims::Known(_)));
}
