//! How often a pod goes that comes back as it was.

use homebase_core::ObjectKey;
use tokio::time::advance;

use super::{AGAIN, Removals};

#[tokio::test(start_paused = true)]
async fn a_pod_that_comes_back_as_it_was_stays_longer_each_time() {
    let (pod, cluster) = (ObjectKey::new("ns", "iris-data-0"), ObjectKey::new("ns", "iris"));
    let removals = Removals::default();
    assert_eq!(removals.wait(&pod, "b"), None, "the first time it goes at once");
    removals.note(pod.clone(), cluster.clone(), "b");
    assert_eq!(removals.wait(&pod, "b"), Some(AGAIN.first));
    advance(AGAIN.first).await;
    assert_eq!(removals.wait(&pod, "b"), None);
    removals.note(pod.clone(), cluster.clone(), "b");
    assert_eq!(removals.wait(&pod, "b"), Some(AGAIN.first * 2));
    assert_eq!(removals.wait(&pod, "c"), None, "another spec");
    assert_eq!(removals.wait(&ObjectKey::new("ns", "iris-data-1"), "b"), None, "another pod");
    removals.forget(&cluster);
    assert_eq!(removals.wait(&pod, "b"), None);
}
