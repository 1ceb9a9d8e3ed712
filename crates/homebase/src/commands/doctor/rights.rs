//! What the credentials may see and do: the cluster's identity, the rights that the hub needs, and its CRDs.

use homebase_api::{annotations, labels, remote_crds};
use homebase_core::{Chain, Namespaces};
use homebase_kube::crd::CrdPolicy;
use homebase_kube::identity::fetch_identity;
use homebase_kube::permissions::{NEEDS, Without, compare_in, fetch_granted, needs_under};
use homebase_kube::{Category, categorize};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, ResourceExt as _};

use super::super::ownership::holder_of;
use super::STEP_TIMEOUT;
use super::report::{Check, Finding};

#[cfg(test)]
mod tests;

const RIGHTS_FIX: &str =
    "grant what `homebase register NAME --print-rbac` prints, or run `homebase register` again";

/// Whether the cluster is the one that was registered.
pub(super) async fn identity(client: &Client, pinned: Option<&str>) -> Finding {
    match fetch_identity(client).await {
        Ok(found) => judge_identity(found.uid.as_str(), pinned),
        Err(error) if error.category() == Category::Forbidden => Finding::fail(
            Check::Identity,
            "the account may not read the Namespace kube-system".to_owned(),
            "allow `get` on the Namespace kube-system: `homebase register NAME --print-rbac` has the rule",
        ),
        Err(error) => Finding::unknown(Check::Identity, Chain(&error).to_string()),
    }
}

fn judge_identity(uid: &str, pinned: Option<&str>) -> Finding {
    match pinned {
        None => Finding::pass(Check::Identity, format!("{uid}; none is on record")),
        Some(pinned) if pinned == uid => Finding::pass(Check::Identity, format!("{uid}, as on record")),
        Some(pinned) => Finding::fail(
            Check::Identity,
            format!("{uid}, and {pinned} is on record: this is another cluster"),
            "point the registration at the cluster that was registered, or register this one under another name",
        ),
    }
}

/// Whether the account has the rights that the hub needs where it works, under the policy of its registration.
pub(super) async fn permissions(client: &Client, policy: CrdPolicy, namespaces: &Namespaces) -> Finding {
    let granted = match fetch_granted(client, namespaces).await {
        Ok(granted) => granted,
        Err(error) => return Finding::unknown(Check::Permissions, Chain(&error).to_string()),
    };
    let verdict = compare_in(&needs_under(policy, NEEDS), &granted);
    let missing = |without: Without| {
        let words = verdict.missing.iter().filter(|missing| missing.without == without);
        words.map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let (stopping, lesser) = (missing(Without::WorkStops), missing(Without::WorkGoesOn));
    if let Some(why) = granted.incomplete().filter(|_| !verdict.missing.is_empty()) {
        return Finding::unknown(Check::Permissions, format!("the cluster does not tell all rights: {why}"));
    }
    if !stopping.is_empty() {
        return Finding::fail(Check::Permissions, format!("missing: {stopping}"), RIGHTS_FIX);
    }
    let mut notes = Vec::new();
    if !lesser.is_empty() {
        notes.push(format!("work goes on without: {lesser}"));
    }
    if !verdict.excessive.is_empty() {
        notes.push(format!("more than is needed: {}", verdict.excessive.join("; ")));
    }
    if notes.is_empty() {
        let place = if namespaces.is_list() { format!(" in {namespaces}") } else { String::new() };
        return Finding::pass(Check::Permissions, format!("all that is needed{place}, and not more"));
    }
    Finding::note(Check::Permissions, format!("enough; {}", notes.join("; ")), RIGHTS_FIX)
}

/// Whether the cluster serves the kinds that the hub operates.
pub(super) async fn crds(client: &Client, policy: CrdPolicy, hub: Option<&str>) -> Finding {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let (mut absent, mut notes) = (Vec::new(), Vec::new());
    for wanted in remote_crds() {
        let name = wanted.name_any();
        let found = match tokio::time::timeout(STEP_TIMEOUT, api.get_opt(&name)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) if categorize(&error) == Category::Forbidden => {
                let found = format!("the account may not read {name}");
                if policy == CrdPolicy::Never {
                    return Finding::unknown(
                        Check::Crds,
                        format!("{found}, which the policy Never leaves to you"),
                    );
                }
                return Finding::fail(Check::Crds, found, RIGHTS_FIX);
            }
            Ok(Err(error)) => return Finding::unknown(Check::Crds, Chain(&error).to_string()),
            Err(_) => {
                let found = format!("no answer within {} s", STEP_TIMEOUT.as_secs());
                return Finding::unknown(Check::Crds, found);
            }
        };
        match found.map(|found| judge_crd(&wanted, &found, hub)) {
            None => absent.push(name),
            Some(Ok(note)) => notes.extend(note),
            Some(Err(finding)) => return finding,
        }
    }
    if !absent.is_empty() {
        let found = format!("not there: {}", absent.join(", "));
        return Finding::fail(
            Check::Crds,
            found,
            "the hub installs them once the cluster is registered, if the account may; otherwise apply them yourself",
        );
    }
    notes.insert(0, "served".to_owned());
    Finding::pass(Check::Crds, notes.join("; "))
}

fn judge_crd(
    wanted: &CustomResourceDefinition,
    found: &CustomResourceDefinition,
    hub: Option<&str>,
) -> Result<Option<String>, Finding> {
    let name = found.name_any();
    if let (Some(hub), Some(holder)) = (hub, holder_of(found))
        && hub != holder
    {
        let fix = format!(
            "deregister the cluster at that hub; if that hub is gone, start this one with --take-over {holder}"
        );
        let words =
            format!("{name} is marked by another hub, {holder}: this one ({hub}) writes nothing here");
        return Err(Finding::fail(Check::Crds, words, fix));
    }
    if found.labels().get(labels::MANAGED_BY).map(String::as_str) != Some(labels::MANAGED_BY_HOMEBASE) {
        let fix = format!(
            "annotate the registration Secret with {}=Adopt to hand the CRD over with its objects; do not delete it, as \
             that deletes every object of its kind",
            annotations::CRD_POLICY
        );
        return Err(Finding::fail(Check::Crds, format!("{name} was not made by Homebase"), fix));
    }
    let conditions =
        found.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let unmet = ["Established", "NamesAccepted"].into_iter().find(|wanted| {
        !conditions.iter().any(|condition| condition.type_ == *wanted && condition.status == "True")
    });
    if let Some(unmet) = unmet {
        let fix = format!("see `kubectl describe crd {name}`: another CRD may have its names");
        return Err(Finding::fail(Check::Crds, format!("{name} is not served: {unmet} is not true"), fix));
    }
    let version = |crd: &CustomResourceDefinition| {
        crd.annotations().get(annotations::CRD_VERSION).and_then(|text| text.parse::<u64>().ok())
    };
    let is_newer = version(found) > version(wanted);
    Ok(is_newer.then(|| format!("{name} is newer than those of this version")))
}
