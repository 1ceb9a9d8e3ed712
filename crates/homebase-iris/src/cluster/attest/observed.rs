//! What was seen of a cluster, and what could not be. Must not fetch it.

use std::collections::BTreeMap;

use homebase_api::labels;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube_core::Resource;

use crate::cluster::observed::ObservedStatefulSet;

/// What came of a question to an apiserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading<T> {
    /// The answer.
    Known(T),
    /// There is none; why, in words.
    Unknown(String),
}

impl<T> Reading<T> {
    /// The answer, or why there is none.
    pub fn known(&self) -> Result<&T, &str> {
        match self {
            Self::Known(value) => Ok(value),
            Self::Unknown(why) => Err(why),
        }
    }
}

/// All that was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The StatefulSets of the cluster by name.
    pub stateful_sets: Reading<BTreeMap<String, ObservedStatefulSet>>,
    /// Its pods by name.
    pub pods: Reading<BTreeMap<String, SeenPod>>,
    /// All nodes by name.
    pub nodes: Reading<BTreeMap<String, SeenNode>>,
    /// The leases that nodes renew, by node.
    pub leases: Reading<BTreeMap<String, SeenLease>>,
    /// The time by the apiserver's own clock, to which nodes keep theirs; this machine's may be off. `None`: it did not
    /// say.
    pub now: Option<Timestamp>,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenPod {
    /// The node that it is on; `None`: it is not scheduled.
    pub node: Option<String>,
    /// Why the scheduler does not place it, in the scheduler's words.
    pub unschedulable: Option<String>,
    /// Why it is not ready, in words; `None`: it is.
    pub unready: Option<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

impl From<&Pod> for SeenPod {
    fn from(pod: &Pod) -> Self {
        let status = pod.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let find = |type_: &str| conditions.iter().find(|condition| condition.type_ == type_);
        let words = |reason: Option<&String>, message: Option<&String>| {
            let said: Vec<&str> = [reason, message].into_iter().flatten().map(String::as_str).collect();
            said.join(": ")
        };
        let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Unknown");
        let ready = find("Ready");
        let unready = (ready.is_none_or(|ready| ready.status != "True")).then(|| {
            let why = ready.map(|ready| words(ready.reason.as_ref(), ready.message.as_ref()));
            why.filter(|why| !why.is_empty()).unwrap_or_else(|| format!("its phase is {phase}"))
        });
        let unscheduled = find("PodScheduled").filter(|scheduled| scheduled.status == "False");
        Self {
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).filter(|node| !node.is_empty()),
            unschedulable: unscheduled.map(|scheduled| {
                scheduled.message.clone().or_else(|| scheduled.reason.clone()).unwrap_or_default()
            }),
            unready,
            terminating: pod.metadata.deletion_timestamp.is_some(),
        }
    }
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenNode {
    /// Its zone label.
    pub zone: Option<String>,
    /// Why it is not ready, in words; `None`: it is.
    pub unready: Option<String>,
}

impl From<&Node> for SeenNode {
    fn from(node: &Node) -> Self {
        let all = node.metadata.labels.as_ref();
        let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref());
        let ready = conditions.unwrap_or_default().iter().find(|condition| condition.type_ == "Ready");
        let unready = match ready {
            None => Some("it has no condition Ready".to_owned()),
            Some(ready) if ready.status == "True" => None,
            Some(ready) => {
                let said: Vec<&str> =
                    [ready.reason.as_deref(), ready.message.as_deref()].into_iter().flatten().collect();
                Some(format!("Ready={} {}", ready.status, said.join(": ")).trim_end().to_owned())
            }
        };
        let zone = all.and_then(|all| all.get(labels::ZONE)).filter(|zone| !zone.is_empty());
        Self { zone: zone.cloned(), unready }
    }
}

/// The lease of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeenLease {
    /// When it was renewed last.
    pub renewed: Option<Timestamp>,
    /// For how many seconds it lasts.
    pub seconds: Option<i32>,
}

impl From<&Lease> for SeenLease {
    fn from(lease: &Lease) -> Self {
        let spec = lease.spec.as_ref();
        Self {
            renewed: spec.and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0),
            seconds: spec.and_then(|spec| spec.lease_duration_seconds),
        }
    }
}

/// What was listed, by name.
pub fn key_by_name<'a, K: Resource + 'a, T: From<&'a K>>(
    objects: impl IntoIterator<Item = &'a K>,
) -> BTreeMap<String, T> {
    objects.into_iter().filter_map(|object| Some((object.meta().name.clone()?, T::from(object)))).collect()
}

/// Leases of the namespace `kube-node-lease`: each has the name of its node.
pub fn leases_by_node<'a>(leases: impl IntoIterator<Item = &'a Lease>) -> BTreeMap<String, SeenLease> {
    key_by_name(leases)
}
