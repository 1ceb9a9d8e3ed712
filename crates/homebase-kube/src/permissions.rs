//! The rights that the hub needs, on a work cluster and at home: a table of each, the RBAC objects made from them, and
//! the comparison with what a cluster grants. Nothing here grants a right, and the comparison asks nobody.

use std::fmt;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::crd::CrdPolicy;

mod compare;
mod home;
mod review;
mod table;

#[cfg(test)]
mod tests;

pub use compare::{Missing, Verdict, compare, compare_in};
pub use home::HOME_NEEDS;
pub use review::{FetchRulesError, Granted, NO_NAMESPACE, Rules, fetch_granted, fetch_rules};
pub use table::NEEDS;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Objects of the API.
    Resource {
        /// The API group; empty for the core.
        group: &'static str,
        /// The plural name.
        resource: &'static str,
        /// The part of the object, such as `status`; none for the object itself.
        subresource: Option<&'static str>,
        /// The only objects that are meant; all when empty.
        names: &'static [&'static str],
    },
    /// A path of the apiserver that is no resource.
    Url(&'static str),
}

/// Where a right has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the whole cluster: what it is about lies in no namespace.
    Cluster,
    /// The same, and only of a hub that works in all namespaces: one that is restricted to some does without.
    WholeCluster,
    /// In every namespace that the hub watches, which by default is all of them.
    WatchedNamespaces,
}

/// What becomes of a cluster that does not grant a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// Some spec of a user cannot be carried out: the cluster is not `Ready`.
    WorkStops,
    /// Resources are operated all the same; the row says what is lost.
    WorkGoesOn,
}

/// One row of the table: a right that the hub needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// What it is about.
    pub target: Target,
    /// The verbs, as RBAC knows them.
    pub verbs: &'static [&'static str],
    /// Where it has to hold.
    pub scope: Scope,
    /// What becomes of a cluster that does not grant it.
    pub without: Without,
    /// What the hub does with it.
    pub why: &'static str,
}

const fn resource(group: &'static str, resource: &'static str, subresource: Option<&'static str>) -> Target {
    Target::Resource { group, resource, subresource, names: &[] }
}

impl Target {
    /// The resource in the words of RBAC: `deployments`, `iris/status`.
    fn rbac_resource(resource: &str, subresource: Option<&str>) -> String {
        subresource.map_or_else(|| resource.to_owned(), |part| format!("{resource}/{part}"))
    }
}

impl fmt::Display for Target {
    /// In the words of `kubectl auth can-i`: `deployments.apps`, `iris.test.myardyas.club/status`,
    /// `namespaces kube-system`, `/version`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Resource { group, resource, subresource, names } = self else {
            let Self::Url(url) = self else { return Ok(()) };
            return f.write_str(url);
        };
        f.write_str(resource)?;
        if !group.is_empty() {
            write!(f, ".{group}")?;
        }
        if let Some(part) = subresource {
            write!(f, "/{part}")?;
        }
        if !names.is_empty() {
            write!(f, " {}", names.join(" "))?;
        }
        Ok(())
    }
}

impl Need {
    /// Whether it is for the sake of CRDs alone, which are nobody's business where the policy is to write none.
    pub fn is_about_crds(&self) -> bool {
        matches!(self.target, Target::Resource { resource: "customresourcedefinitions", .. })
    }

    /// The rule that grants it.
    fn rule(&self) -> PolicyRule {
        let verbs = owned(self.verbs);
        match self.target {
            Target::Url(url) => {
                PolicyRule { non_resource_urls: Some(owned(&[url])), verbs, ..PolicyRule::default() }
            }
            Target::Resource { group, resource, subresource, names } => PolicyRule {
                api_groups: Some(owned(&[group])),
                resources: Some(vec![Target::rbac_resource(resource, subresource)]),
                resource_names: (!names.is_empty()).then(|| owned(names)),
                verbs,
                non_resource_urls: None,
            },
        }
    }
}

/// The rights that are needed under a policy: where no CRD is to be written, none about CRDs.
pub fn needs_under(policy: CrdPolicy, needs: &[Need]) -> Vec<Need> {
    let is_needed = |need: &&Need| policy != CrdPolicy::Never || !need.is_about_crds();
    needs.iter().filter(is_needed).copied().collect()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn named(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ObjectMeta::default()
    }
}

/// A role with exactly these rights in all namespaces, one rule for each.
pub fn cluster_role(name: &str, needs: &[Need]) -> ClusterRole {
    ClusterRole {
        metadata: named(name, None),
        rules: Some(needs.iter().map(Need::rule).collect()),
        ..ClusterRole::default()
    }
}

/// The same rights for a hub that works in some namespaces only: a `ClusterRole` with what lies in no namespace, and
/// a `Role` of the same name for each namespace.
pub fn namespaced_roles(name: &str, namespaces: &[&str], needs: &[Need]) -> (ClusterRole, Vec<Role>) {
    let of = |scope: Scope| needs.iter().filter(move |need| need.scope == scope).copied();
    let (wide, narrow): (Vec<Need>, Vec<Need>) =
        (of(Scope::Cluster).collect(), of(Scope::WatchedNamespaces).collect());
    let rules: Vec<PolicyRule> = narrow.iter().map(Need::rule).collect();
    let role = |namespace: &&str| Role { metadata: named(name, Some(namespace)), rules: Some(rules.clone()) };
    (cluster_role(name, &wide), namespaces.iter().map(role).collect())
}
