//! Decides from what the members of a mirror answer who is primary, and what can be told while that is not clear. Must not
//! ask them, and must not move a label: `plan/mirror_label.rs` does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use homebase_api::conditions::Reason as _;
use homebase_api::conditions::iris::Ready;
use homebase_api::iriscluster::{MirrorStatus, WebgatewayType};
use homebase_api::labels::Component;
use homebase_api::{IrisCluster, IrisClusterStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::csp;
use super::mirror::{DEFAULT_MIRROR_MAP, MirrorMap};
use super::names::{ClusterName, GATEWAY_PORT, NodeSet, WEB_SERVER_PORT};
use super::observed::Dereferenced;
use super::validated::ValidatedCluster;

/// The page that IRIS answers with 200 on the primary of a mirror, and with another status elsewhere.
pub const STATUS_PAGE: &str = "/csp/bin/mirror_status.cxw";

/// What to do about [`Answer::Forbidden`].
pub const NOT_GRANTED: &str =
    "the hub's role lacks the rule apiGroups [\"\"], resources [\"pods/proxy\"], verbs [\"get\"]";

/// What one member answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is the primary.
    Primary,
    /// It is not.
    NotPrimary,
    /// It did not say.
    Silent,
    /// The hub lacks the right to ask.
    Forbidden,
}

impl Answer {
    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::NotPrimary => "not_primary",
            Self::Silent => "silent",
            Self::Forbidden => "forbidden",
        }
    }

    /// What a status of [`STATUS_PAGE`] says. A redirection, a login and "not found" come from a web server that does not
    /// have the page, and say nothing.
    pub const fn of_status(code: u16) -> Self {
        match code {
            200 => Self::Primary,
            300..=399 | 401 | 403 | 404 => Self::Silent,
            _ => Self::NotPrimary,
        }
    }
}

/// A pod that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// UID of the pod; another pod of the same name has not answered.
    pub uid: String,
    /// What it said.
    pub answer: Answer,
}

/// What the answers of a mirror come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Finding {
    /// Nobody has been asked since the hub began, or since the cluster came back.
    #[default]
    NotAsked,
    /// The hub lacks the right to ask.
    Forbidden,
    /// One member alone says that it is the primary.
    Primary {
        /// Its pod.
        pod: String,
        /// UID of that pod.
        uid: String,
        /// The pods that say that they are not.
        others: BTreeSet<String>,
    },
    /// Members answer, and none says that it is the primary.
    NoPrimary,
    /// More than one says so.
    TwoPrimaries,
    /// No member answers.
    Silent,
}

impl Finding {
    /// What all answers of one round come to, by pod.
    pub fn of(answers: &BTreeMap<String, Asked>) -> Self {
        let of = |wanted: Answer| answers.iter().filter(move |(_, asked)| asked.answer == wanted);
        let others = || of(Answer::NotPrimary).map(|(pod, _)| pod.clone()).collect::<BTreeSet<_>>();
        let mut primaries = of(Answer::Primary);
        match (primaries.next(), primaries.next()) {
            (Some(_), Some(_)) => Self::TwoPrimaries,
            // Whoever could not be asked may say so too; that is no reason to let writes go astray.
            (Some((pod, asked)), None) => {
                Self::Primary { pod: pod.clone(), uid: asked.uid.clone(), others: others() }
            }
            _ if of(Answer::Forbidden).next().is_some() => Self::Forbidden,
            _ if of(Answer::NotPrimary).next().is_some() => Self::NoPrimary,
            _ => Self::Silent,
        }
    }

    /// Why nobody can tell who is primary.
    pub(crate) fn problem(&self) -> Option<Ready> {
        match self {
            Self::NotAsked | Self::Forbidden | Self::Primary { .. } => None,
            Self::NoPrimary => Some(Ready::NoPrimary),
            Self::TwoPrimaries => Some(Ready::TwoPrimaries),
            Self::Silent => Some(Ready::MirrorSilent),
        }
    }
}

/// What is held of a mirror from round to round: a primary counts at once; what is wrong only when it is heard twice in a
/// row, for in the moment of a failover, or of a request that is lost, it means nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hearing {
    finding: Finding,
    /// Heard once, and another than `finding`.
    doubt: Option<Finding>,
}

impl Hearing {
    /// What counts.
    pub fn finding(&self) -> &Finding {
        &self.finding
    }

    /// Takes the finding of one more round; true when what counts has changed.
    pub fn take(&mut self, heard: Finding) -> bool {
        // An apiserver that has just begun forbids for a moment what it grants.
        let was_granted = !matches!(self.finding, Finding::NotAsked | Finding::Forbidden);
        let doubtful = heard.problem().is_some() || (heard == Finding::Forbidden && was_granted);
        if doubtful && heard != self.finding && self.doubt.as_ref() != Some(&heard) {
            self.doubt = Some(heard);
            return false;
        }
        self.doubt = None;
        let changed = self.finding != heard;
        self.finding = heard;
        changed
    }
}

/// The members of one mirror, and where they are to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorMembers {
    /// The shard that the mirror holds.
    pub shard: usize,
    /// The port of the web server that has [`STATUS_PAGE`].
    pub port: u16,
    /// The pods by ordinal.
    pub pods: Vec<String>,
}

/// The roles of the members of each mirror of a cluster, by what its spec says of them alone.
pub(crate) fn mirror_map(cluster: &IrisCluster) -> Option<MirrorMap> {
    let data = &cluster.spec.topology.data;
    let map = data.mirror_map.as_deref().unwrap_or(DEFAULT_MIRROR_MAP);
    data.mirrored.then(|| MirrorMap::parse(map).ok()).flatten()
}

/// The mirrors of a cluster. The rest of the spec may be refused: what runs keeps running then, and may fail over.
pub fn mirror_members(cluster: &IrisCluster) -> Vec<MirrorMembers> {
    let data = &cluster.spec.topology.data;
    let Some(map) = mirror_map(cluster) else { return Vec::new() };
    let key = ClusterName::of(cluster);
    let port = match &data.webgateway {
        // The web server is that of the gateway then.
        Some(sidecar)
            if csp::server_of(&sidecar.gateway, &sidecar.image) != WebgatewayType::ApacheLockeddown =>
        {
            GATEWAY_PORT
        }
        _ => WEB_SERVER_PORT,
    };
    let shards = data.shards.and_then(|shards| usize::try_from(shards).ok()).unwrap_or(1);
    let members = |shard| {
        let set = NodeSet { component: Component::Data, shard: Some(shard) };
        let pods = (0..map.roles().len()).map(|ordinal| key.pod(set, ordinal)).collect();
        MirrorMembers { shard, port, pods }
    };
    (0..shards).map(members).collect()
}

/// What the status has kept of a mirror: that somebody has ever answered, who was the last primary, what was wrong.
pub(crate) fn known(previous: Option<&IrisClusterStatus>, shard: usize) -> Option<&MirrorStatus> {
    let mirrors = previous.map(|status| status.mirrors.as_slice()).unwrap_or_default();
    mirrors.iter().find(|mirror| usize::try_from(mirror.shard) == Ok(shard))
}

/// What is heard of a mirror.
pub(crate) fn heard(found: &Dereferenced, shard: usize) -> &Finding {
    found.mirrors.get(&shard).unwrap_or(&Finding::NotAsked)
}

/// Whether a member of a mirror has ever said whether it is the primary. Before that, silence is no fault.
pub(crate) fn has_answered(cluster: &ValidatedCluster, shard: usize) -> bool {
    let heard = heard(&cluster.found, shard);
    known(cluster.previous.as_ref(), shard).is_some()
        || matches!(heard, Finding::Primary { .. } | Finding::NoPrimary | Finding::TwoPrimaries)
}

/// The pod that is primary, or was when somebody answered last; none when nobody has ever answered.
pub(crate) fn last_primary(cluster: &ValidatedCluster, shard: usize) -> Option<&str> {
    match heard(&cluster.found, shard) {
        Finding::Primary { pod, .. } => Some(pod),
        _ => known(cluster.previous.as_ref(), shard).and_then(|known| known.primary.as_deref()),
    }
}

/// The mirrors of a cluster as the status tells of them. One that has never answered is not there.
pub(crate) fn mirrors_status(cluster: &ValidatedCluster, now: &Time) -> Vec<MirrorStatus> {
    let shards = cluster.data_sets().into_iter().filter_map(|set| set.shard);
    shards.filter_map(|shard| mirror_status(cluster, shard, now)).collect()
}

fn mirror_status(cluster: &ValidatedCluster, shard: usize, now: &Time) -> Option<MirrorStatus> {
    let known = known(cluster.previous.as_ref(), shard);
    let finding = heard(&cluster.found, shard);
    let kept = || MirrorStatus { shard: i32::try_from(shard).unwrap_or(i32::MAX), ..MirrorStatus::default() };
    match finding {
        Finding::NotAsked => known.cloned(),
        // What was wrong may be mended, and nobody will ever hear of it.
        Finding::Forbidden => known.map(|known| MirrorStatus { problem: None, ..known.clone() }),
        Finding::Primary { pod, .. } => {
            let before = known.filter(|known| known.primary.as_ref() == Some(pod));
            let since = before.and_then(|known| known.primary_since.clone());
            Some(MirrorStatus {
                primary: Some(pod.clone()),
                primary_since: since.or_else(|| Some(now.clone())),
                ..kept()
            })
        }
        // Silence tells nothing of a mirror that never answered: its pods may have no such page.
        Finding::Silent if known.is_none() => None,
        Finding::NoPrimary | Finding::TwoPrimaries | Finding::Silent => {
            let problem = finding.problem().map(|problem| problem.as_str().to_owned());
            Some(MirrorStatus { problem, ..known.cloned().unwrap_or_else(kept) })
        }
    }
}

/// What is wrong with a mirror, for people.
pub(crate) struct Trouble {
    pub(crate) reason: Ready,
    set: NodeSet,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.set;
        match self.reason {
            Ready::TwoPrimaries => write!(f, "{set}: more than one member says that it is the primary"),
            Ready::NoPrimary => write!(f, "{set}: no member says that it is the primary"),
            _ => write!(f, "{set}: no member answers whether it is the primary"),
        }
    }
}

/// The mirrors of which nobody can tell who is primary.
pub(crate) fn troubles(cluster: &ValidatedCluster, mirrors: &[MirrorStatus]) -> Vec<Trouble> {
    let reasons = [Ready::TwoPrimaries, Ready::NoPrimary, Ready::MirrorSilent];
    let trouble = |set: NodeSet| {
        let of_set = |mirror: &&MirrorStatus| usize::try_from(mirror.shard).ok() == set.shard;
        let problem = mirrors.iter().find(of_set)?.problem.as_ref()?;
        let reason = reasons.into_iter().find(|reason| reason.as_str() == problem)?;
        Some(Trouble { reason, set })
    };
    cluster.data_sets().into_iter().filter_map(trouble).collect()
}

#[cfg(test)]
mod tests;
