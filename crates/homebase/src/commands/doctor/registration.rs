//! What the home cluster says: the Secret, and whether the hub has heard from the cluster lately.

use homebase_api::WorkCluster;
use homebase_api::conditions::find_condition;
use homebase_api::conditions::work_cluster::Reachable;
use homebase_controller::registration::Registration;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;

use super::super::fleet::observed_secret;
use super::super::output::age;
use super::report::{Check, Finding};

#[cfg(test)]
mod tests;

/// The hub refreshes the time of a cluster that is well every 5 minutes; some more for the write.
const FRESH: SignedDuration = SignedDuration::from_secs(6 * 60);
const HUB_FIX: &str =
    "check that the hub runs, and that it runs with this namespace: its log and /readyz say more";

/// A registered cluster as the home cluster has it.
pub(super) struct HubView {
    pub(super) shown: Option<WorkCluster>,
    pub(super) secret: Secret,
}

/// The Secret is there; what its annotations ask for is told, as it changes what the hub does.
pub(super) fn secret(registration: &Registration) -> Finding {
    let mut found = format!("Secret {}", registration.secret.name);
    if let Some(namespaces) = registration.restricted_to() {
        found = format!("{found}, for {namespaces} only");
    }
    let preferences = &registration.preferences;
    if !preferences.faults.is_empty() {
        let found = format!("{found}: {}", preferences.faults.join("; "));
        return Finding::fail(Check::Registration, found, "correct the annotations of the Secret");
    }
    match &preferences.paused {
        Some(why) => {
            Finding::note(Check::Registration, format!("{found}, {why}"), "`homebase resume` ends the pause")
        }
        None if registration.is_insecure() => Finding::note(
            Check::Registration,
            format!("{found}: {}", registration.remarks().join("; ")),
            "the hub takes it only with --allow-insecure-registrations; better make it secure",
        ),
        None => Finding::pass(Check::Registration, found),
    }
}

/// Whether the hub sees the cluster, by its own words.
pub(super) fn freshness(view: &HubView, now: Timestamp) -> Finding {
    let Some(shown) = &view.shown else {
        return Finding::fail(Check::Freshness, "no hub has taken the registration up".to_owned(), HUB_FIX);
    };
    let is_current = observed_secret(shown).is_some_and(|observed| {
        Some(&observed.uid) == view.secret.metadata.uid.as_ref()
            && Some(&observed.resource_version) == view.secret.metadata.resource_version.as_ref()
    });
    if !is_current {
        let found = "the hub has not read the Secret as it is now".to_owned();
        return Finding::fail(Check::Freshness, found, HUB_FIX);
    }
    let status = shown.status.as_ref();
    let reachable = status.and_then(|status| find_condition::<Reachable>(&status.conditions));
    if let Some(lost) = reachable.filter(|condition| condition.status == "False") {
        let since = age(now, lost.last_transition_time.0);
        let found = format!("the hub does not reach it, since {since}: {} {}", lost.reason, lost.message);
        return Finding::fail(
            Check::Freshness,
            found,
            "mend what fails above; if nothing does, look from the hub's pod",
        );
    }
    match status.and_then(|status| status.last_seen.as_ref()) {
        None => Finding::fail(
            Check::Freshness,
            "the hub has never heard from it".to_owned(),
            "`homebase status` has the reason",
        ),
        Some(seen) if now.duration_since(seen.0) > FRESH => {
            let found = format!("the hub last heard from it {} ago", age(now, seen.0));
            Finding::fail(Check::Freshness, found, HUB_FIX)
        }
        Some(seen) => {
            Finding::pass(Check::Freshness, format!("the hub heard from it {} ago", age(now, seen.0)))
        }
    }
}
