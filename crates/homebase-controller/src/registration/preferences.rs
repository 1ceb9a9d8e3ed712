//! The settings that a registration carries as annotations. Each is checked; a bad one is told by name and read
//! in the way that does the least: nobody forbids something by a typing error and then finds it done.

use std::collections::BTreeMap;
use std::sync::Arc;

use homebase_api::annotations;
use homebase_core::namespaces::NamespaceList;
use homebase_core::{ClusterUid, Namespaces};
use homebase_kube::client::ClientLimits;
use homebase_kube::crd::CrdPolicy;

mod keys;
#[cfg(test)]
mod tests;

const MAX_QPS: u64 = ClientLimits::MAX_REQUESTS_PER_SECOND;
/// The longest UID that is compared: Kubernetes' own have 36 characters.
const MAX_UID: usize = 64;
/// The one thing that becomes of workloads when a registration ends.
const ORPHAN: &str = "Orphan";
/// As many entries of a list as are told to be wrong: one is enough to go and look.
const MAX_PLACES: usize = 10;

/// What the Secret of another tool says about where a cluster may be worked on, in its own keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Restriction<'a> {
    /// The key with a list of namespaces, and the list; none when all are meant.
    pub(super) namespaces: Option<(&'static str, &'a [u8])>,
    /// Whether what lies in no namespace is not to be written.
    pub(super) keeps_cluster: bool,
}

/// What a registration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// Why the cluster is not worked on; none when it is.
    pub paused: Option<String>,
    /// The limits of its client, where they differ from the hub's.
    pub limits: Limits,
    /// What the cluster must be.
    pub expected_uid: Option<ClusterUid>,
    /// What may be done about its CRDs.
    pub crd_policy: CrdPolicy,
    /// Where it is worked on.
    pub namespaces: Arc<Namespaces>,
    /// Whether it may have an insecure kubeconfig, if the hub's settings allow it too.
    pub allow_insecure: bool,
    /// All faults, with the annotation and the fix.
    pub faults: Vec<String>,
    /// Why the registration cannot be used; none when it can.
    pub refused: Option<String>,
}

/// Limits of one cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests that begin within one second.
    pub qps: Option<u64>,
    /// Requests that wait for an answer at the same time.
    pub max_in_flight: Option<usize>,
}

impl Limits {
    /// The limits of the cluster's client.
    pub fn over(self, hub: ClientLimits) -> ClientLimits {
        ClientLimits {
            max_in_flight: self.max_in_flight.unwrap_or(hub.max_in_flight),
            requests_per_second: self.qps.unwrap_or(hub.requests_per_second),
        }
    }
}

impl Preferences {
    /// Reads the annotations and labels of a registration, and what the tool that wrote it restricts.
    pub(super) fn read(
        found: &BTreeMap<String, String>,
        labels: &BTreeMap<String, String>,
        restriction: Restriction<'_>,
    ) -> Self {
        let mut faults = Vec::new();
        let unknown = keys::unknown(found, labels);
        let paused = read_paused(found, &mut faults).or_else(|| unknown.clone());
        faults.extend(unknown);
        let qps = read_number(found, annotations::QPS, 1..=MAX_QPS, &mut faults);
        let burst = read_number(found, annotations::BURST, 1..=MAX_QPS, &mut faults);
        let in_flight = read_number(
            found,
            annotations::MAX_IN_FLIGHT,
            1..=ClientLimits::MAX_IN_FLIGHT as u64,
            &mut faults,
        );
        let expected_uid = read_uid(found, &mut faults);
        let crd_policy = read_crd_policy(found, restriction.keeps_cluster, &mut faults);
        let allow_insecure = read_allow_insecure(found, &mut faults);
        let (namespaces, refused) = match read_namespaces(found, restriction, &mut faults) {
            Ok(namespaces) => (namespaces, None),
            Err(refused) => (Namespaces::default(), Some(refused)),
        };
        if found.get(annotations::DEREGISTRATION_POLICY).is_some_and(|policy| policy != ORPHAN) {
            faults.push(format!(
                "{}: the only policy is {ORPHAN}, and it is what applies: what runs on a cluster keeps running",
                annotations::DEREGISTRATION_POLICY
            ));
        }
        Self {
            paused,
            // One second's worth of requests may come at once, so the larger of the two is what is let through.
            limits: Limits {
                qps: qps.max(burst),
                max_in_flight: in_flight.and_then(|number| usize::try_from(number).ok()),
            },
            expected_uid,
            crd_policy,
            namespaces: Arc::new(namespaces),
            allow_insecure,
            faults,
            refused,
        }
    }
}

fn read_paused(found: &BTreeMap<String, String>, faults: &mut Vec<String>) -> Option<String> {
    let key = annotations::PAUSED;
    match found.get(key).map(String::as_str) {
        None | Some("false") => None,
        Some("true") => Some(format!("paused by the annotation {key}")),
        Some(_) => {
            let fault = format!("{key}: must be true or false; until it is, the cluster is paused");
            faults.push(fault.clone());
            Some(fault)
        }
    }
}

fn read_number(
    found: &BTreeMap<String, String>,
    key: &str,
    range: std::ops::RangeInclusive<u64>,
    faults: &mut Vec<String>,
) -> Option<u64> {
    let number = found.get(key)?.parse().ok().filter(|number| range.contains(number));
    if number.is_none() {
        let (first, last) = range.into_inner();
        faults.push(format!(
            "{key}: must be a whole number from {first} to {last}; the hub's own limit applies"
        ));
    }
    number
}

fn read_uid(found: &BTreeMap<String, String>, faults: &mut Vec<String>) -> Option<ClusterUid> {
    let key = annotations::EXPECTED_CLUSTER_UID;
    let uid = found.get(key)?;
    if (1..=MAX_UID).contains(&uid.len()) && uid.chars().all(|c| c.is_ascii_graphic()) {
        return Some(ClusterUid::new(uid.clone()));
    }
    faults.push(format!(
        "{key}: must be the UID of the cluster's Namespace kube-system; no cluster matches this"
    ));
    // No cluster has this UID, as a UID has no blanks: none is written to, and none is pinned.
    Some(ClusterUid::new("no UID"))
}

/// A tool that says nothing of CRDs but does not want the cluster as a whole touched gets none written.
fn read_crd_policy(
    found: &BTreeMap<String, String>,
    keeps_cluster: bool,
    faults: &mut Vec<String>,
) -> CrdPolicy {
    let key = annotations::CRD_POLICY;
    match found.get(key).map(String::as_str) {
        None if keeps_cluster => CrdPolicy::Never,
        None | Some("Install") => CrdPolicy::Install,
        Some("Adopt") => CrdPolicy::Adopt,
        Some("Never") => CrdPolicy::Never,
        Some(_) => {
            faults.push(format!("{key}: must be Install, Adopt or Never; until it is, Never applies"));
            CrdPolicy::Never
        }
    }
}

fn read_allow_insecure(found: &BTreeMap<String, String>, faults: &mut Vec<String>) -> bool {
    let key = annotations::ALLOW_INSECURE;
    match found.get(key).map(String::as_str) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            faults.push(format!("{key}: must be true or false; until it is, false applies"));
            false
        }
    }
}

/// Who restricts a cluster is never given more than was meant: entries that are no names are left out, and a list of
/// which nothing is left, or which is too long, refuses the registration. It never comes to all namespaces.
fn read_namespaces(
    found: &BTreeMap<String, String>,
    restriction: Restriction<'_>,
    faults: &mut Vec<String>,
) -> Result<Namespaces, String> {
    let key = annotations::WATCH_NAMESPACES;
    let own = found.get(key).map(|text| read_list(key, text, faults)).transpose()?;
    let others = restriction.namespaces.map(|(key, bytes)| {
        // What is no text is no name of a namespace either.
        read_list(key, &String::from_utf8_lossy(bytes), faults)
    });
    let list = match (own, others.transpose()?) {
        (None, None) => return Ok(Namespaces::All),
        (Some(list), None) | (None, Some(list)) => list,
        (Some(own), Some(others)) => {
            let both = NamespaceList { names: &own.names & &others.names, invalid: Vec::new() };
            let other = restriction.namespaces.map_or("", |(key, _)| key);
            if both.names.is_empty() {
                return Err(format!(
                    "{key}: none of its namespaces is in the key {other} of the Secret, which restricts the cluster \
                     too: name some that are in both"
                ));
            }
            both
        }
    };
    Ok(Namespaces::Only(list.names))
}

/// Reads one list, or says why nothing of it can be used.
fn read_list(key: &str, text: &str, faults: &mut Vec<String>) -> Result<NamespaceList, String> {
    let list = NamespaceList::read(text);
    let form = "names of namespaces, separated by commas";
    if list.names.is_empty() {
        return Err(format!("{key}: must be {form}; to work in all namespaces, remove it"));
    }
    if list.names.len() > Namespaces::MAX {
        let max = Namespaces::MAX;
        return Err(format!(
            "{key}: must be at most {max} {form}; for more, remove it, which is all namespaces"
        ));
    }
    if !list.invalid.is_empty() {
        let places: Vec<String> = list.invalid.iter().take(MAX_PLACES).map(ToString::to_string).collect();
        faults.push(format!(
            "{key}: must be {form}; entry {} is none and is left out, the others are worked in",
            places.join(", ")
        ));
    }
    Ok(list)
}
