//! What is kept of the pods of clusters, and which changes of them matter. It must not keep what nobody reads: a cluster
//! may have a thousand pods, and each of them changes several times as it comes up.

use homebase_api::labels;
use homebase_iris::cluster::{ObservedPod, PodState, REVISION, never_started};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use crate::store::Change;

/// What is kept of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownPod {
    /// The cluster that it belongs to.
    pub(super) cluster: String,
    pub(super) deleting: bool,
    is_data: bool,
    pub(super) observed: ObservedPod,
}

impl KnownPod {
    pub(super) fn of(pod: &Pod) -> Self {
        let label = |key: &str| pod.labels().get(key).cloned();
        let is_data = label(labels::COMPONENT).as_deref() == Some(labels::Component::Data.as_str());
        let status = pod.status.as_ref();
        let ready = status.and_then(|status| status.conditions.as_deref()).is_some_and(|conditions| {
            conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
        });
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).filter(|node| !node.is_empty());
        let marked = label(labels::MANAGED_BY).as_deref() == Some(labels::MANAGED_BY_HOMEBASE);
        let controller = pod.owner_references().iter().find(|owner| owner.controller == Some(true));
        let orphaned = controller.is_none();
        let state = if ready {
            PodState::Ready
        } else if is_data && never_started(pod) {
            // Told of data pods only: nobody asks how far an unready one of the others is.
            PodState::Pending
        } else {
            PodState::Unready
        };
        let mut observed = ObservedPod { node, state, marked, orphaned, ..ObservedPod::default() };
        if is_data {
            observed.uid = pod.uid().unwrap_or_default();
            observed.resource_version = pod.resource_version().unwrap_or_default();
            observed.mirror_role = label(labels::MIRROR_ROLE);
            observed.revision = label(REVISION);
            observed.controller = controller.map(|owner| owner.uid.clone());
        }
        let deleting = pod.metadata.deletion_timestamp.is_some();
        Self { cluster: label(labels::NAME).unwrap_or_default(), deleting, is_data, observed }
    }
}

/// Whether a change is worth a look at the cluster. That a pod is there which runs nowhere yet is none, unless its
/// label is to be written: its StatefulSet counts it.
pub(super) fn matters(change: &Change<KnownPod>) -> bool {
    let is_idle = |pod: &KnownPod| !pod.is_data && pod.observed.node.is_none();
    let [before, after] = [&change.before, &change.after].map(|pod| pod.as_ref().is_none_or(is_idle));
    !(before && after)
}

#[cfg(test)]
mod tests {
    //! What is kept of a pod, and what wakes nobody.

    use homebase_core::ObjectKey;
    use serde_json::json;

    use super::*;

    fn pod(component: &str, node: Option<&str>, version: &str) -> KnownPod {
        let pod = json!({
            "metadata": {
                "name": "iris-x-0", "namespace": "a", "uid": "u", "resourceVersion": version,
                "labels": {
                    labels::NAME: "iris", labels::COMPONENT: component, labels::MIRROR_ROLE: "primary",
                    REVISION: "r1",
                },
            },
            "spec": { "containers": [], "nodeName": node },
            "status": { "conditions": [{ "type": "Ready", "status": if node.is_some() { "True" } else { "False" } }] },
        });
        KnownPod::of(&serde_json::from_value(pod).unwrap())
    }

    fn change(before: Option<KnownPod>, after: Option<KnownPod>) -> Change<KnownPod> {
        Change { key: ObjectKey::new("a", "iris-x-0"), before, after, listed: false }
    }

    #[test]
    fn of_data_pods_more_is_kept_than_of_others() {
        let data = pod("data", Some("n"), "7");
        assert_eq!(data.cluster, "iris");
        let ObservedPod { node, state, uid, resource_version, mirror_role, revision, .. } = data.observed;
        assert_eq!(
            (node.as_deref(), state, uid.as_str(), resource_version.as_str()),
            (Some("n"), PodState::Ready, "u", "7")
        );
        assert_eq!((mirror_role.as_deref(), revision.as_deref()), (Some("primary"), Some("r1")));
        // Two versions of it are the same to us, so the second one is no change at all.
        assert_eq!(pod("compute", Some("n"), "7"), pod("compute", Some("n"), "8"));
        assert_ne!(pod("data", Some("n"), "7"), pod("data", Some("n"), "8"));
    }

    #[test]
    fn a_pod_that_runs_nowhere_yet_wakes_nobody_unless_it_holds_data() {
        let idle = || Some(pod("compute", None, "1"));
        let running = || Some(pod("compute", Some("n"), "2"));
        assert!(!matters(&change(None, idle())) && !matters(&change(idle(), None)));
        assert!(matters(&change(idle(), running())) && matters(&change(running(), None)));
        assert!(matters(&change(None, Some(pod("data", None, "1")))));
    }
}
