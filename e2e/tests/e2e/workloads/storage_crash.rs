//! A hub that is killed (SIGKILL) between any two steps of a growth and started again: the same end, the same volumes, and
//! no pod restarted. Each step is held up by what it depends on, so that the hub dies exactly there.

use std::collections::BTreeMap;

use homebase_testkit::Component;
use serde_json::Value;

use super::fixture::{CLUSTER, Case, mirrored, text, uid};
use super::storage::{let_grow, sized, until_requested};

const CLAIM: &str = "PersistentVolumeClaim";
const SET: &str = "iris-data-0";
/// The claims in the order in which they grow.
const FIRST: &str = "iris-data-iris-data-0-1";
const SECOND: &str = "iris-data-iris-data-0-0";

/// Between which steps the hub dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Never.
    None,
    /// The set is being deleted and the first claim has been asked for more; it is so still when the hub is back.
    Deleting,
    /// The set is gone, and its pods belong to nobody.
    Gone,
    /// The set is there again.
    Made,
    /// The first claim gets its size.
    FirstGrows,
    /// The second one has been asked for more, and gets its size.
    SecondGrows,
}

/// What is there besides what was told of it.
#[derive(Clone, Debug, PartialEq)]
struct End {
    templates: Value,
    sizes: BTreeMap<String, String>,
}

async fn end(case: &Case) -> End {
    case.until_ready(CLUSTER, "iris").await;
    case.until_storage("iris", "AllBound").await;
    let set = case.get("StatefulSet", SET).await.unwrap();
    let claims = case.list(CLAIM, "").await;
    let size = |claim: &Value| text(claim, "/status/capacity/storage");
    let sizes = claims.iter().map(|claim| (text(claim, "/metadata/name"), size(claim))).collect();
    End { templates: set["spec"]["volumeClaimTemplates"].clone(), sizes }
}

async fn until_deleting(case: &Case) {
    case.until("StatefulSet", SET, |set| {
        let since = &set["metadata"]["deletionTimestamp"];
        if since.is_null() { Err("it stands".to_owned()) } else { Ok(()) }
    })
    .await;
}

/// Grows a mirror with a hub that dies at a moment, and returns what comes of it.
async fn grow(case: &mut Case, moment: Moment) -> End {
    case.apply(CLUSTER, "iris", &sized(mirrored(), "1Gi")).await;
    case.until_ready(CLUSTER, "iris").await;
    case.until_storage("iris", "AllBound").await;
    let before = (case.uids("Pod", "").await, case.uids(CLAIM, "").await);
    let old = uid(&case.get("StatefulSet", SET).await.unwrap());
    for claim in [FIRST, SECOND] {
        let_grow(case, claim, "held").await;
    }
    // Nobody lets go of the pods of a set that is deleted while this one is stopped.
    case.plane().pause(Component::ControllerManager).unwrap();
    case.apply(CLUSTER, "iris", &sized(mirrored(), "2Gi")).await;
    until_deleting(case).await;
    until_requested(case, FIRST, "2Gi").await;
    if matches!(moment, Moment::Deleting | Moment::Gone) {
        case.hub_mut().kill9();
    }
    if moment == Moment::Deleting {
        case.start_hub().await;
        let held = "data waits: its StatefulSet is being deleted";
        case.until(CLUSTER, "iris", |cluster| {
            let waiting = text(cluster, "/status/waiting/0");
            if waiting.starts_with(held) { Ok(()) } else { Err(waiting) }
        })
        .await;
    }
    case.plane().resume(Component::ControllerManager).unwrap();
    if moment == Moment::Gone {
        case.until_gone("StatefulSet", SET).await;
        for pod in case.list("Pod", "intersystems.com/component=data").await {
            assert!(pod["metadata"]["ownerReferences"].is_null(), "{}", pod["metadata"]);
        }
        case.start_hub().await;
    }
    case.until_replaced("StatefulSet", SET, &old).await;
    if moment == Moment::Made {
        case.hub_mut().kill9();
        case.start_hub().await;
    }
    for (claim, grows) in [(FIRST, Moment::FirstGrows), (SECOND, Moment::SecondGrows)] {
        until_requested(case, claim, "2Gi").await;
        if moment == grows {
            case.hub_mut().kill9();
        }
        let_grow(case, claim, "yes").await;
        if moment == grows {
            case.start_hub().await;
        }
    }
    let end = end(case).await;
    assert_eq!((case.uids("Pod", "").await, case.uids(CLAIM, "").await), before, "restarted or made anew");
    end
}

#[tokio::test]
async fn a_hub_that_is_killed_between_any_steps_of_a_growth_comes_to_the_same_end() {
    let mut reference = None;
    for moment in
        [Moment::None, Moment::Deleting, Moment::Gone, Moment::Made, Moment::FirstGrows, Moment::SecondGrows]
    {
        let mut case = Case::alone(&format!("crash-{moment:?}").to_lowercase()).await;
        let found = grow(&mut case, moment).await;
        assert_eq!(found, *reference.get_or_insert(found.clone()), "{moment:?}");
        let writes = case.hub_writes();
        let steps = |resource: &str, verb: &str| {
            let is_step = |write: &&_| is(write, resource, verb);
            writes.iter().filter(is_step).count()
        };
        assert_eq!(steps("persistentvolumeclaims", "patch"), 2, "{moment:?}: each claim is asked once");
        assert_eq!(steps("statefulsets", "delete"), 1, "{moment:?}: the set is deleted once");
        println!("growth with a hub that dies at {moment:?}: {} writes", writes.len());
        case.end().await;
    }
}

fn is(write: &homebase_testkit::AuditEvent, resource: &str, verb: &str) -> bool {
    write.resource == resource && write.verb == verb
}
