//! Compares the rights that are needed with those that are granted, as RBAC reads them. What is said of excess is a
//! closed list of dangers, in this file's own words: nothing that a cluster answers gets into them.

use std::collections::BTreeSet;
use std::fmt;

use homebase_core::NamespaceName;
use homebase_core::namespaces::said;
use k8s_openapi::api::authorization::v1::{NonResourceRule, ResourceRule};

use super::{Granted, Need, Rules, Scope, Target, Without};

/// What stands for everything in a rule.
const ALL: &str = "*";
/// What people know everything in the whole cluster as.
const CLUSTER_ADMIN: &str = " (cluster-admin)";

/// A right that is needed and not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The verbs that are not granted.
    pub verbs: Vec<&'static str>,
    /// What for.
    pub target: Target,
    /// What becomes of the cluster without it.
    pub without: Without,
    /// The namespaces in which it is missing; empty when it is the cluster as a whole.
    pub namespaces: Vec<NamespaceName>,
}

impl fmt::Display for Missing {
    /// Such as `patch,delete deployments.apps`, or `patch,delete deployments.apps in namespaces a, b`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verbs.join(","), self.target)?;
        if self.namespaces.is_empty() { Ok(()) } else { write!(f, " in {}", said(&self.namespaces)) }
    }
}

/// What the comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is needed and not granted, in the order of the table.
    pub missing: Vec<Missing>,
    /// Dangerous rights that are granted and not needed, in words such as `get,list,watch secrets`. What does no harm
    /// is not in it.
    pub excessive: Vec<String>,
}

impl Verdict {
    /// Whether something is missing without which some spec cannot be carried out.
    pub fn stops_work(&self) -> bool {
        self.missing.iter().any(|missing| missing.without == Without::WorkStops)
    }
}

/// A right that lets its holder take over a cluster, read what is secret or destroy what cannot be made again.
struct Danger {
    group: &'static str,
    resource: &'static str,
    subresource: Option<&'static str>,
    verbs: &'static [&'static str],
}

const fn danger(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Danger {
    Danger { group, resource, subresource: None, verbs }
}

const fn danger_of_part(
    resource: &'static str,
    part: &'static str,
    verbs: &'static [&'static str],
) -> Danger {
    Danger { group: "", resource, subresource: Some(part), verbs }
}

const RBAC: &str = "rbac.authorization.k8s.io";
const DELETE: &[&str] = &["delete", "deletecollection"];
const READ: &[&str] = &["get", "list", "watch"];
/// An upgraded connection is a `get` over a web socket and a `create` otherwise.
const CONNECT: &[&str] = &["get", "create"];
const ROLE: &[&str] = &["create", "update", "patch", "delete", "deletecollection", "escalate", "bind"];
const BINDING: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];
const IMPERSONATE: &[&str] = &["impersonate"];

const DANGERS: &[Danger] = &[
    danger("", "secrets", READ),
    danger_of_part("serviceaccounts", "token", &["create"]),
    danger_of_part("pods", "exec", CONNECT),
    danger_of_part("pods", "attach", CONNECT),
    danger_of_part("nodes", "proxy", CONNECT),
    danger(RBAC, "clusterroles", ROLE),
    danger(RBAC, "roles", ROLE),
    danger(RBAC, "clusterrolebindings", BINDING),
    danger(RBAC, "rolebindings", BINDING),
    danger("", "users", IMPERSONATE),
    danger("", "groups", IMPERSONATE),
    danger("", "serviceaccounts", IMPERSONATE),
    danger("", "persistentvolumeclaims", DELETE),
    danger("", "persistentvolumes", DELETE),
    danger("", "namespaces", DELETE),
    danger("apiextensions.k8s.io", "customresourcedefinitions", DELETE),
];

/// Compares what is needed with what is granted everywhere.
pub fn compare(needed: &[Need], granted: &Rules) -> Verdict {
    Verdict {
        missing: needed.iter().filter_map(|need| missing(need, granted)).collect(),
        excessive: excessive(needed, &granted.resources),
    }
}

/// The same where the hub works in some namespaces only: what lies in no namespace has to be granted in the whole
/// cluster, the rest in each of them.
pub fn compare_in(needed: &[Need], granted: &Granted) -> Verdict {
    let Granted { everywhere, within } = granted;
    if within.is_empty() {
        return compare(needed, everywhere);
    }
    let mut verdict = Verdict { missing: Vec::new(), excessive: excessive(needed, &everywhere.resources) };
    for need in needed {
        match need.scope {
            Scope::WatchedNamespaces => {}
            Scope::Cluster => {
                verdict.missing.extend(missing(need, everywhere));
                continue;
            }
            // Not for a hub that works in some namespaces only.
            Scope::WholeCluster => continue,
        }
        let mut lacks: Vec<Missing> = Vec::new();
        for (namespace, rules) in within {
            let Some(found) = missing(need, rules) else { continue };
            match lacks.iter_mut().find(|known| known.verbs == found.verbs) {
                Some(known) => known.namespaces.push(namespace.clone()),
                None => lacks.push(Missing { namespaces: vec![namespace.clone()], ..found }),
            }
        }
        verdict.missing.append(&mut lacks);
    }
    let is_known = |words: &String| verdict.excessive.contains(words);
    let mut beyond: Vec<(String, BTreeSet<NamespaceName>)> = Vec::new();
    for (namespace, rules) in within {
        for words in excessive(needed, &rules.resources).into_iter().filter(|words| !is_known(words)) {
            match beyond.iter_mut().find(|(known, _)| *known == words) {
                Some((_, namespaces)) => drop(namespaces.insert(namespace.clone())),
                None => beyond.push((words, BTreeSet::from([namespace.clone()]))),
            }
        }
    }
    let in_words = |(words, within): (String, BTreeSet<NamespaceName>)| {
        format!("{} in {}", words.trim_end_matches(CLUSTER_ADMIN), said(&within))
    };
    verdict.excessive.extend(beyond.into_iter().map(in_words));
    verdict
}

fn missing(need: &Need, granted: &Rules) -> Option<Missing> {
    let is_granted = |verb: &str| match need.target {
        Target::Url(url) => granted.urls.iter().any(|rule| allows_url(rule, url, verb)),
        Target::Resource { group, resource, subresource, names } => {
            let allowed = |name: Option<&str>| {
                let request = Request { group, resource, subresource, verb };
                granted.resources.iter().any(|rule| request.is_allowed_by(rule) && names_match(rule, name))
            };
            // A rule for some names grants none of a right that is needed for all.
            if names.is_empty() { allowed(None) } else { names.iter().all(|name| allowed(Some(name))) }
        }
    };
    let verbs: Vec<&str> = need.verbs.iter().copied().filter(|verb| !is_granted(verb)).collect();
    (!verbs.is_empty()).then_some(Missing {
        verbs,
        target: need.target,
        without: need.without,
        namespaces: Vec::new(),
    })
}

fn excessive(needed: &[Need], granted: &[ResourceRule]) -> Vec<String> {
    if granted.iter().any(is_everything) {
        return vec![format!("every verb on every resource{CLUSTER_ADMIN}")];
    }
    let mut found = Vec::new();
    for danger in DANGERS {
        let Danger { group, resource, subresource, verbs } = *danger;
        let is_excessive = |verb: &&str| {
            let request = Request { group, resource, subresource, verb };
            // Whatever the names: one Secret may be the one that matters.
            granted.iter().any(|rule| request.is_allowed_by(rule))
                && !needed.iter().any(|need| request.is_needed_by(need))
        };
        let verbs: Vec<&str> = verbs.iter().copied().filter(is_excessive).collect();
        if !verbs.is_empty() {
            let target = Target::Resource { group, resource, subresource, names: &[] };
            found.push(format!("{} {target}", verbs.join(",")));
        }
    }
    found
}

/// A question to a rule.
#[derive(Clone, Copy)]
struct Request<'a> {
    group: &'a str,
    resource: &'a str,
    subresource: Option<&'a str>,
    verb: &'a str,
}

impl Request<'_> {
    /// Whether a rule allows it, its names left aside.
    fn is_allowed_by(&self, rule: &ResourceRule) -> bool {
        has(&rule.verbs, self.verb)
            && has(rule.api_groups.as_deref().unwrap_or_default(), self.group)
            && rule
                .resources
                .as_deref()
                .unwrap_or_default()
                .iter()
                .any(|resource| self.is_of_resource(resource))
    }

    /// `pods/*` is none of RBAC's wildcards, and `pods` does not include `pods/exec`.
    fn is_of_resource(&self, granted: &str) -> bool {
        granted == ALL
            || granted == Target::rbac_resource(self.resource, self.subresource)
            || self.subresource.is_some_and(|part| granted.strip_prefix("*/") == Some(part))
    }

    fn is_needed_by(&self, need: &Need) -> bool {
        let Target::Resource { group, resource, subresource, .. } = need.target else { return false };
        (group, resource, subresource) == (self.group, self.resource, self.subresource)
            && need.verbs.contains(&self.verb)
    }
}

fn names_match(rule: &ResourceRule, name: Option<&str>) -> bool {
    let names = rule.resource_names.as_deref().unwrap_or_default();
    names.is_empty() || names.iter().any(|known| known == ALL || Some(known.as_str()) == name)
}

fn allows_url(rule: &NonResourceRule, url: &str, verb: &str) -> bool {
    let matches = |granted: &String| match granted.strip_suffix(ALL) {
        Some(prefix) => url.starts_with(prefix),
        None => granted == url,
    };
    has(&rule.verbs, verb) && rule.non_resource_urls.as_deref().unwrap_or_default().iter().any(matches)
}

fn is_everything(rule: &ResourceRule) -> bool {
    let is_all = |list: &[String]| list.iter().any(|entry| entry == ALL);
    let lists = [rule.api_groups.as_deref(), rule.resources.as_deref(), Some(rule.verbs.as_slice())];
    lists.into_iter().all(|list| is_all(list.unwrap_or_default())) && names_match(rule, None)
}

fn has(granted: &[String], wanted: &str) -> bool {
    granted.iter().any(|entry| entry == ALL || entry == wanted)
}
