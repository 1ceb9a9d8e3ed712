//! Who may work on a cluster that is registered twice.

use std::sync::Arc;

use homebase_core::ClusterUid;
use homebase_fleet::session::Session;
use jiff::Timestamp;

use super::{Claim, Cluster, ClusterCounters, NO_ANSWER, Registry, SecretRef, View};

fn cluster(name: &str, created: i64) -> Arc<Cluster> {
    let secret = SecretRef {
        name: name.to_owned(),
        uid: name.to_owned(),
        resource_version: "1".to_owned(),
        created: Timestamp::from_second(created).unwrap(),
    };
    let view = View::Session(Box::new(Session::start(Timestamp::UNIX_EPOCH).0));
    Cluster::new(name.parse().unwrap(), secret, None, view)
}

#[tokio::test]
async fn the_older_registration_wins_whichever_connects_first() {
    let (registry, uid) = (Registry::default(), ClusterUid::new("uid"));
    let (older, younger) = (cluster("older", 1), cluster("younger", 2));
    assert_eq!(registry.claim(&uid, &younger), Claim::Granted);
    assert_eq!(registry.claim(&uid, &older), Claim::Granted);
    tokio::time::timeout(std::time::Duration::from_secs(1), younger.displaced.notified()).await.unwrap();
    assert_eq!(registry.claim(&uid, &younger), Claim::HeldBy(older.id.clone()));
    registry.release(&older);
    assert_eq!(registry.claim(&uid, &younger), Claim::Granted);
}

#[test]
fn a_registration_that_was_replaced_does_not_remove_its_successor() {
    let registry = Registry::default();
    let (first, second) = (cluster("boston", 1), cluster("boston", 2));
    registry.insert(first.clone());
    registry.insert(second.clone());
    registry.remove(&first);
    assert!(Arc::ptr_eq(&registry.get(&second.id).unwrap(), &second));
    registry.remove(&second);
    assert!(registry.all().is_empty());
}

#[test]
fn requests_are_counted_by_class() {
    let counters = ClusterCounters::default();
    for status in [Some(200), Some(201), Some(404), Some(503), None] {
        counters.request(status.map(|code| http::StatusCode::from_u16(code).unwrap()));
    }
    let counts: Vec<u64> =
        counters.requests.iter().map(|count| count.load(std::sync::atomic::Ordering::Relaxed)).collect();
    assert_eq!(counts, [0, 2, 0, 1, 1, 1]);
    assert_eq!(counts[NO_ANSWER], 1);
}
