//! The settings that a registration carries as annotations. Each is checked; a bad one is told by name and read
//! in the way that does the least: nobody forbids something by a typing error and then finds it done.

use std::collections::BTreeMap;

use homebase_api::annotations;
use homebase_core::ClusterUid;
use homebase_kube::client::ClientLimits;
use homebase_kube::crd::CrdPolicy;

#[cfg(test)]
mod tests;

const MAX_QPS: u64 = ClientLimits::MAX_REQUESTS_PER_SECOND;
/// The longest UID that is compared: Kubernetes' own have 36 characters.
const MAX_UID: usize = 64;
/// The one thing that becomes of workloads when a registration ends.
const ORPHAN: &str = "Orphan";

/// Annotations that later versions will carry out. Until then a registration that has one is not used, for to
/// ignore it would do what somebody forbade.
const NOT_CARRIED_OUT: [&str; 2] = [annotations::WATCH_NAMESPACES, annotations::ALLOW_INSECURE];

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
    /// Reads the annotations of a registration.
    pub fn read(found: &BTreeMap<String, String>) -> Self {
        let mut faults = Vec::new();
        let paused = read_paused(found, &mut faults);
        let qps = read_number(found, annotations::QPS, 1..=MAX_QPS, &mut faults);
        let burst = read_number(found, annotations::BURST, 1..=MAX_QPS, &mut faults);
        let in_flight = read_number(
            found,
            annotations::MAX_IN_FLIGHT,
            1..=ClientLimits::MAX_IN_FLIGHT as u64,
            &mut faults,
        );
        let expected_uid = read_uid(found, &mut faults);
        let crd_policy = read_crd_policy(found, &mut faults);
        if found.get(annotations::DEREGISTRATION_POLICY).is_some_and(|policy| policy != ORPHAN) {
            faults.push(format!(
                "{}: the only policy is {ORPHAN}, and it is what applies: what runs on a cluster keeps running",
                annotations::DEREGISTRATION_POLICY
            ));
        }
        let refused: Vec<&str> = NOT_CARRIED_OUT.into_iter().filter(|key| found.contains_key(*key)).collect();
        let refused = (!refused.is_empty()).then(|| {
            format!(
                "this version of Homebase does not carry out the annotations {}: remove them from the Secret",
                refused.join(", ")
            )
        });
        Self {
            paused,
            // One second's worth of requests may come at once, so the larger of the two is what is let through.
            limits: Limits {
                qps: qps.max(burst),
                max_in_flight: in_flight.and_then(|number| usize::try_from(number).ok()),
            },
            expected_uid,
            crd_policy,
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
    // No cluster has this UID, so none is written to.
    Some(ClusterUid::new("invalid"))
}

fn read_crd_policy(found: &BTreeMap<String, String>, faults: &mut Vec<String>) -> CrdPolicy {
    let key = annotations::CRD_POLICY;
    match found.get(key).map(String::as_str) {
        None | Some("Install") => CrdPolicy::Install,
        Some("Adopt") => CrdPolicy::Adopt,
        Some("Never") => CrdPolicy::Never,
        Some(_) => {
            faults.push(format!("{key}: must be Install, Adopt or Never; until it is, Never applies"));
            CrdPolicy::Never
        }
    }
}
