//! Decides which pod of a mirror is restarted next for an update, so that the primary comes last. Must not restart any: it
//! says which, from what was read a moment ago.
//!
//! A StatefulSet updates its pods from the highest ordinal to 0, which is that order while member 0 is primary. While
//! another member is, the StatefulSet gets the strategy `OnDelete` and the hub restarts the pods.

use std::cmp::Reverse;
use std::fmt;

use homebase_api::annotations;
use homebase_api::iriscluster::{MirrorRole, UpdateStrategyType};
use homebase_api::labels::Component;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube_core::ResourceExt as _;

use super::build::meta::build_selector;
use super::readiness::is_applied;
use crate::cluster::names::NodeSet;
use crate::cluster::observed::ObservedStatefulSet;
use crate::cluster::primary::{Finding, NOT_GRANTED, last_primary};
use crate::cluster::validated::{Node, ValidatedCluster};

/// Label on the pods of a StatefulSet: the revision of the template that a pod was made from.
pub const REVISION: &str = "controller-revision-hash";

/// The update of one mirror by the hub, while pods of an earlier revision are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorUpdate {
    /// The shard that the mirror holds.
    pub shard: usize,
    /// Name of the StatefulSet.
    pub stateful_set: String,
    /// UID of the StatefulSet.
    pub uid: String,
    /// The labels by which its pods are selected.
    pub selector: String,
    /// The members by ordinal: name of the pod, and the role that it has while another one is primary.
    pub members: Vec<(String, MirrorRole)>,
}

/// A pod that is to be restarted now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Its name.
    pub pod: String,
    /// Its UID: a precondition.
    pub uid: String,
}

/// What an update comes to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestartStep {
    /// Nothing is to be done, or what was read is of another moment: the next look decides.
    Nothing,
    /// This pod is restarted.
    Restart(Restart),
    /// No pod may be restarted yet.
    Hold(Hold),
}

/// Why no pod may be restarted; its `Display` is a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A pod is on its way.
    NotReady(String),
    /// Nobody can tell who is primary.
    NotClear,
    /// The hub may not ask who is primary.
    NotGranted,
    /// No failover member but the primary answers, so that nobody could take over.
    NoPartner(String),
    /// A pod is not there, and comes only after the other one, which lacks a volume.
    Behind(String, String),
    /// A claim that the next pod needs is not there, so that it could not come back.
    NoClaim(String),
    /// Nobody can tell whether the claims are there that the next pod needs.
    ClaimsUnknown,
    /// A pod went before and came back as it was.
    CameBack(String),
}

impl MirrorUpdate {
    /// The nodes that are updated.
    pub fn set(&self) -> NodeSet {
        NodeSet { component: Component::Data, shard: Some(self.shard) }
    }
}

impl Hold {
    /// Whether it is a part of every update.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NotReady(_))
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady(pod) => write!(f, "pod {pod} is not ready"),
            Self::NotClear => f.write_str("it is not clear which member is the primary"),
            Self::NotGranted => write!(f, "which member is the primary cannot be asked: {NOT_GRANTED}"),
            Self::NoPartner(pod) => {
                write!(f, "the primary {pod} is the last, and no other failover member answers")
            }
            Self::Behind(pod, first) => write!(
                f,
                "pod {pod} is not there, and comes only after {first}, which lacks a volume: delete {first} if nobody needs \
                 it now"
            ),
            Self::NoClaim(claim) => write!(
                f,
                "PersistentVolumeClaim {claim} is not there, without which a pod could not come back: see the Events of the \
                 StatefulSet"
            ),
            Self::CameBack(pod) => {
                write!(f, "pod {pod} was removed, and came back as it was before: it is tried again")
            }
            Self::ClaimsUnknown => f.write_str("the claims of its pods cannot be read: see StorageReady"),
        }
    }
}

/// Whether the hub restarts the pods of a StatefulSet: a mirror whose last known primary is not member 0. A strategy that
/// the user has chosen stays, and a mirror that has never answered is left to its StatefulSet.
pub(crate) fn is_driven(cluster: &ValidatedCluster, set: NodeSet, node: &Node) -> bool {
    let Some(shard) = set.shard.filter(|_| cluster.mirror_map().is_some()) else { return false };
    node.update_strategy == UpdateStrategyType::RollingUpdate
        && last_primary(cluster, shard).is_some_and(|primary| primary != cluster.key.pod(set, 0))
}

/// Whether it is the hub that restarts the pods of this StatefulSet.
pub(crate) fn is_marked(set: &StatefulSet) -> bool {
    let annotation = set.annotations().get(annotations::UPDATE_ORDER);
    annotation.is_some_and(|order| order == annotations::PRIMARY_LAST)
}

/// The update of a StatefulSet that the hub has to go on with.
pub(super) fn plan_update(
    cluster: &ValidatedCluster,
    set: NodeSet,
    planned: &StatefulSet,
    observed: Option<&ObservedStatefulSet>,
) -> Option<MirrorUpdate> {
    let (shard, members, observed) = (set.shard?, mirror_roles(cluster, set)?, observed?);
    let is_settled = observed.observed_generation >= observed.generation;
    if !is_marked(planned) || !is_applied(planned, Some(observed)) || !is_settled {
        return None;
    }
    let is_old = |(name, _): &(String, MirrorRole)| {
        cluster.found.pods.get(name).is_some_and(|pod| pod.revision != observed.update_revision)
    };
    members.iter().any(is_old).then(|| MirrorUpdate {
        shard,
        stateful_set: cluster.key.stateful_set(set),
        uid: observed.uid.clone(),
        selector: selector_text(cluster, set),
        members,
    })
}

/// The members of the mirror that a StatefulSet holds by ordinal: name of the pod, and the role that it has while another
/// one is primary.
pub(super) fn mirror_roles(cluster: &ValidatedCluster, set: NodeSet) -> Option<Vec<(String, MirrorRole)>> {
    set.shard?;
    let member = |(ordinal, role): (usize, &MirrorRole)| {
        let role = if *role == MirrorRole::Primary { MirrorRole::Backup } else { *role };
        (cluster.key.pod(set, ordinal), role)
    };
    Some(cluster.mirror_map()?.roles().iter().enumerate().map(member).collect())
}

/// The selector of the pods of a StatefulSet, as an apiserver reads it.
pub(super) fn selector_text(cluster: &ValidatedCluster, set: NodeSet) -> String {
    let selector = build_selector(cluster, set);
    selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// A member as it is now.
struct Member<'a> {
    pod: &'a Pod,
    name: &'a str,
    ordinal: usize,
    role: MirrorRole,
    is_old: bool,
    is_ready: bool,
    is_primary: bool,
}

/// Which pod is restarted now, from the StatefulSet, its pods and their answers as they are at this moment.
///
/// One at a time, and the next only when every pod is ready; a pod of an earlier revision that is not ready is the first,
/// so that a mended spec gets past a pod that the broken one has left. Then asyncs, the failover partner, the primary.
pub fn restart_step(
    update: &MirrorUpdate,
    set: &StatefulSet,
    pods: &[Pod],
    finding: &Finding,
) -> RestartStep {
    let observed = ObservedStatefulSet::from(set);
    let strategy = set.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
    let is_by_hub = is_marked(set) && strategy.and_then(|one| one.type_.as_deref()) == Some("OnDelete");
    let is_settled = observed.observed_generation >= observed.generation;
    if observed.uid != update.uid || !is_by_hub || !is_settled || observed.update_revision.is_none() {
        return RestartStep::Nothing;
    }
    let revision = observed.update_revision.as_ref();
    match read_members(&update.members, &update.uid, pods, revision, finding) {
        Ok(members) => choose(&members, finding),
        Err(hold) => RestartStep::Hold(hold),
    }
}

/// Why a member of a mirror may not be restarted now; none when it may. Whose turn it is, is not asked.
pub(super) fn keeps_member(
    roles: &[(String, MirrorRole)],
    stateful_set_uid: &str,
    pods: &[Pod],
    name: &str,
    finding: &Finding,
) -> Option<Hold> {
    match read_members(roles, stateful_set_uid, pods, None, finding) {
        Ok(members) => match members.iter().find(|member| member.name == name) {
            Some(next) => hold(&members, next, finding),
            None => Some(Hold::NotReady(name.to_owned())),
        },
        Err(hold) => Some(hold),
    }
}

/// The members as they are now; each has to be there.
fn read_members<'a>(
    roles: &'a [(String, MirrorRole)],
    stateful_set_uid: &str,
    pods: &'a [Pod],
    revision: Option<&String>,
    finding: &Finding,
) -> Result<Vec<Member<'a>>, Hold> {
    let member = |(ordinal, (name, role)): (usize, &'a (String, MirrorRole))| {
        let found = pods.iter().find(|pod| pod.name_any() == *name && is_owned(pod, stateful_set_uid));
        let Some(pod) = found.filter(|pod| pod.metadata.deletion_timestamp.is_none()) else {
            return Err(Hold::NotReady(name.clone()));
        };
        let is_primary = match finding {
            Finding::Primary { pod: primary, uid, .. } => primary == name && pod.uid().as_ref() == Some(uid),
            _ => false,
        };
        Ok(Member {
            pod,
            name: name.as_str(),
            ordinal,
            role: *role,
            is_old: pod.labels().get(REVISION) != revision,
            is_ready: is_ready(pod),
            is_primary,
        })
    };
    roles.iter().enumerate().map(member).collect()
}

impl Member<'_> {
    fn is_failover(&self) -> bool {
        self.role == MirrorRole::Backup
    }
}

fn choose(members: &[Member<'_>], finding: &Finding) -> RestartStep {
    let broken = |member: &&Member<'_>| member.is_old && !member.is_ready && !member.is_primary;
    let order = |member: &&Member<'_>| (member.is_primary, member.is_failover(), Reverse(member.ordinal));
    let old = members.iter().filter(|member| member.is_old);
    let Some(next) = members.iter().find(broken).or_else(|| old.min_by_key(order)) else {
        return RestartStep::Nothing;
    };
    if let Some(new) = members.iter().find(|member| !member.is_old && !member.is_ready) {
        return RestartStep::Hold(Hold::NotReady(new.name.to_owned()));
    }
    match hold(members, next, finding) {
        Some(hold) => RestartStep::Hold(hold),
        None => RestartStep::Restart(Restart {
            pod: next.name.to_owned(),
            uid: next.pod.uid().unwrap_or_default(),
        }),
    }
}

/// Why a member may not be restarted now: nobody may go while another one is away, or while it is not clear who is primary,
/// and the primary only when somebody can take over.
fn hold(members: &[Member<'_>], next: &Member<'_>, finding: &Finding) -> Option<Hold> {
    if *finding == Finding::Forbidden {
        return Some(Hold::NotGranted);
    }
    if !members.iter().any(|member| member.is_primary) {
        return Some(Hold::NotClear);
    }
    let unready = members.iter().find(|member| !member.is_ready && member.ordinal != next.ordinal);
    if let Some(other) = unready {
        return Some(Hold::NotReady(other.name.to_owned()));
    }
    let Finding::Primary { others, .. } = finding else { return Some(Hold::NotClear) };
    let takes_over = |member: &Member<'_>| {
        member.is_failover() && member.ordinal != next.ordinal && others.contains(member.name)
    };
    let is_alone = next.is_primary && !members.iter().any(takes_over);
    is_alone.then(|| Hold::NoPartner(next.name.to_owned()))
}

pub(super) fn is_owned(pod: &Pod, uid: &str) -> bool {
    pod.owner_references().iter().any(|owner| owner.controller == Some(true) && owner.uid == uid)
}

pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests;
