//! The comparison against rules as clusters have them, and what the table must and must not hold.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{NonResourceRule, ResourceRule};
use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::crd::CrdPolicy;

use super::{
    Granted, HOME_NEEDS, NEEDS, Need, Rules, Scope, Target, Verdict, Without, cluster_role, compare,
    compare_in, namespaced_roles, needs_under,
};

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> ResourceRule {
    ResourceRule {
        api_groups: Some(super::owned(groups)),
        resources: Some(super::owned(resources)),
        resource_names: None,
        verbs: super::owned(verbs),
    }
}

fn only(mut rule: ResourceRule, names: &[&str]) -> ResourceRule {
    rule.resource_names = Some(super::owned(names));
    rule
}

fn rules(resources: Vec<ResourceRule>) -> Rules {
    Rules { resources, ..Rules::default() }
}

/// What a review answers to somebody who has a role.
fn granted(policy: Vec<PolicyRule>) -> Rules {
    let mut granted = Rules::default();
    for rule in policy {
        let PolicyRule { api_groups, non_resource_urls, resource_names, resources, verbs } = rule;
        if non_resource_urls.is_some() {
            granted.urls.push(NonResourceRule { non_resource_urls, verbs });
        } else {
            granted.resources.push(ResourceRule { api_groups, resource_names, resources, verbs });
        }
    }
    granted
}

fn role() -> Vec<PolicyRule> {
    cluster_role("homebase", NEEDS).rules.unwrap()
}

fn words(verdict: &Verdict) -> Vec<String> {
    verdict.missing.iter().map(ToString::to_string).collect()
}

fn need(resource: &'static str, subresource: Option<&'static str>, verbs: &'static [&'static str]) -> Need {
    Need {
        target: Target::Resource { group: "apps", resource, subresource, names: &[] },
        verbs,
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "",
    }
}

#[test]
fn the_generated_role_is_enough_and_not_too_much() {
    assert_eq!(compare(NEEDS, &granted(role())), Verdict::default());
}

#[test]
fn each_rule_that_is_taken_away_is_named() {
    for (index, need) in NEEDS.iter().enumerate() {
        let mut policy = role();
        policy.remove(index);
        let verdict = compare(NEEDS, &granted(policy));
        assert_eq!(words(&verdict), [format!("{} {}", need.verbs.join(","), need.target)]);
        assert_eq!(verdict.stops_work(), need.without == Without::WorkStops);
    }
}

#[test]
fn each_verb_that_is_taken_away_is_named_alone() {
    for (index, need) in NEEDS.iter().enumerate() {
        for verb in need.verbs {
            let mut policy = role();
            policy[index].verbs.retain(|granted| granted != verb);
            assert_eq!(words(&compare(NEEDS, &granted(policy))), [format!("{verb} {}", need.target)]);
        }
    }
}

#[test]
fn nothing_granted_is_everything_missing() {
    let verdict = compare(NEEDS, &Rules::default());
    assert_eq!(verdict.missing.len(), NEEDS.len());
    assert!(verdict.stops_work());
    assert_eq!(verdict.excessive, Vec::<String>::new());
}

#[test]
fn wildcards_are_read_as_rbac_reads_them() {
    let plain = need("deployments", None, &["get", "patch"]);
    let part = need("deployments", Some("status"), &["patch"]);
    for (granted, grants_plain, grants_part) in [
        (rule(&["*"], &["*"], &["*"]), true, true),
        (rule(&["apps"], &["*"], &["get", "patch"]), true, true),
        (rule(&["apps"], &["deployments"], &["*"]), true, false),
        (rule(&["apps"], &["deployments/status"], &["*"]), false, true),
        (rule(&["apps"], &["*/status"], &["*"]), false, true),
        (rule(&["apps"], &["deployments/*"], &["*"]), false, false),
        (rule(&["apps"], &["*/scale"], &["*"]), false, false),
        (rule(&[""], &["*"], &["*"]), false, false),
        (rule(&["apps"], &["statefulsets"], &["*"]), false, false),
        (only(rule(&["*"], &["*"], &["*"]), &["one"]), false, false),
        (only(rule(&["*"], &["*"], &["*"]), &["*"]), true, true),
    ] {
        let granted = rules(vec![granted]);
        assert_eq!(compare(&[plain], &granted).missing.is_empty(), grants_plain, "{granted:?}");
        assert_eq!(compare(&[part], &granted).missing.is_empty(), grants_part, "{granted:?}");
    }
}

#[test]
fn rights_may_be_spread_over_rules_and_names_must_all_be_there() {
    let spread = rules(vec![
        rule(&["apps"], &["deployments"], &["get"]),
        rule(&["", "apps"], &["pods", "deployments"], &["patch"]),
    ]);
    assert!(compare(&[need("deployments", None, &["get", "patch"])], &spread).missing.is_empty());

    let target =
        Target::Resource { group: "apps", resource: "deployments", subresource: None, names: &["a", "b"] };
    let both = Need { target, ..need("deployments", None, &["get"]) };
    let get = || rule(&["apps"], &["deployments"], &["get"]);
    let one = rules(vec![only(get(), &["a", "c"])]);
    assert_eq!(words(&compare(&[both], &one)), ["get deployments.apps a b"]);
    let two = rules(vec![only(get(), &["a"]), only(get(), &["b"])]);
    assert!(compare(&[both], &two).missing.is_empty());
    assert!(compare(&[both], &rules(vec![get()])).missing.is_empty());
}

#[test]
fn paths_may_end_in_a_wildcard() {
    let need = NEEDS.iter().find(|need| need.target == Target::Url("/version")).unwrap();
    for (url, verb, is_enough) in [
        ("/version", "get", true),
        ("/ver*", "get", true),
        ("*", "*", true),
        ("/version/", "get", false),
        ("/version", "post", false),
    ] {
        let rule =
            NonResourceRule { non_resource_urls: Some(super::owned(&[url])), verbs: super::owned(&[verb]) };
        let granted = Rules { urls: vec![rule], ..Rules::default() };
        assert_eq!(compare(&[*need], &granted).missing.is_empty(), is_enough, "{url} {verb}");
    }
}

#[test]
fn cluster_admin_is_one_word_and_its_parts_are_named_where_they_are_alone() {
    let admin = rules(vec![rule(&["*"], &["*"], &["*"])]);
    assert_eq!(compare(NEEDS, &admin).excessive, ["every verb on every resource (cluster-admin)"]);

    let excessive = |rule: ResourceRule| compare(NEEDS, &rules(vec![rule])).excessive;
    assert_eq!(
        excessive(rule(&["*"], &["*"], &["get", "list"])),
        ["get,list secrets", "get pods/exec", "get pods/attach", "get nodes/proxy",]
    );
    assert_eq!(
        excessive(rule(&["rbac.authorization.k8s.io"], &["*"], &["escalate", "bind"])),
        [
            "escalate,bind clusterroles.rbac.authorization.k8s.io",
            "escalate,bind roles.rbac.authorization.k8s.io",
        ]
    );
    assert_eq!(excessive(rule(&["*"], &["*"], &["delete"])).len(), 8);
    assert_eq!(
        excessive(rule(&[""], &["users", "groups"], &["impersonate"])),
        ["impersonate users", "impersonate groups",]
    );
    assert_eq!(excessive(rule(&["*"], &["*/exec"], &["create"])), ["create pods/exec"]);
    assert_eq!(excessive(only(rule(&[""], &["secrets"], &["get"]), &["one"])), ["get secrets"]);
}

#[test]
fn what_does_no_harm_is_not_excessive() {
    let harmless = rules(vec![
        rule(&[""], &["pods", "nodes", "persistentvolumeclaims"], &["get", "list", "watch"]),
        rule(&["authorization.k8s.io"], &["selfsubjectaccessreviews"], &["create"]),
        rule(&["rbac.authorization.k8s.io"], &["roles", "clusterroles"], &["get", "list"]),
    ]);
    assert_eq!(compare(NEEDS, &harmless).excessive, Vec::<String>::new());
}

#[test]
fn what_is_needed_is_not_excessive() {
    let target = Target::Resource { group: "", resource: "secrets", subresource: None, names: &[] };
    let secrets = Need { target, ..need("secrets", None, &["get"]) };
    let granted = rules(vec![rule(&[""], &["secrets"], &["get", "list"])]);
    assert_eq!(compare(&[secrets], &granted).excessive, ["list secrets"]);
}

#[test]
fn the_tables_name_the_crds_of_this_hub() {
    for (table, crds, rows) in
        [(NEEDS, homebase_api::remote_crds(), 2), (HOME_NEEDS, homebase_api::home_crds(), 1)]
    {
        let expected: BTreeSet<String> = crds.into_iter().filter_map(|crd| crd.metadata.name).collect();
        let about: Vec<_> = table.iter().filter(|need| need.is_about_crds()).collect();
        assert_eq!(about.len(), rows);
        for need in about {
            let Target::Resource { names, .. } = need.target else { panic!("{need:?}") };
            assert_eq!(names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>(), expected);
        }
    }
}

#[test]
fn at_home_secrets_are_read_in_one_namespace_and_never_written() {
    for need in HOME_NEEDS {
        assert!(!need.verbs.contains(&"*") && !need.why.is_empty(), "{need:?}");
        let Target::Resource { group, resource, names, .. } = need.target else { continue };
        assert!(!group.contains('*') && !resource.contains('*'), "{need:?}");
        assert!(need.scope == Scope::WatchedNamespaces || !names.is_empty(), "{need:?}");
        if resource == "secrets" {
            let writes = ["create", "update", "patch", "delete", "deletecollection"];
            assert!(!need.verbs.iter().any(|verb| writes.contains(verb)), "{need:?}");
        }
        assert!(resource == "workclusters" || !need.verbs.contains(&"delete"), "{need:?}");
    }
}

#[test]
fn the_table_asks_for_nothing_that_the_hub_must_never_do() {
    for need in NEEDS {
        assert!(!need.verbs.contains(&"*") && !need.why.is_empty(), "{need:?}");
        for verb in ["deletecollection", "escalate", "bind", "impersonate"] {
            assert!(!need.verbs.contains(&verb), "{need:?}");
        }
        let Target::Resource { group, resource, .. } = need.target else { continue };
        assert!(!group.contains('*') && !resource.contains('*'), "{need:?}");
        assert!(!["secrets", "persistentvolumes"].contains(&resource), "{need:?}");
        let harmless = ["get", "list", "watch", "patch"];
        let is_harmless = need.verbs.iter().all(|verb| harmless.contains(verb));
        assert!(resource != "persistentvolumeclaims" || is_harmless, "{need:?}");
        assert_ne!(group, "rbac.authorization.k8s.io");
        if ["namespaces", "customresourcedefinitions"].contains(&resource) {
            assert!(!need.verbs.contains(&"delete"), "{need:?}");
        }
    }
}

#[test]
fn roles_for_namespaces_hold_the_same_rights_without_widening_any() {
    let (wide, narrow) = namespaced_roles("homebase", &["a", "b"], NEEDS);
    // What is for a whole cluster only is in none of them.
    let needs: Vec<Need> = NEEDS.iter().filter(|need| need.scope != Scope::WholeCluster).copied().collect();
    assert_eq!(NEEDS.len() - needs.len(), 5);
    let needs = needs.as_slice();
    let wide = wide.rules.unwrap();
    assert_eq!(narrow.len(), 2);
    for (role, namespace) in narrow.into_iter().zip(["a", "b"]) {
        assert_eq!(role.metadata.namespace.as_deref(), Some(namespace));
        let rules = role.rules.unwrap();
        assert!(rules.iter().all(|rule| rule.non_resource_urls.is_none()), "a Role cannot grant those");
        assert_eq!(compare(needs, &granted([wide.clone(), rules].concat())), Verdict::default());
    }
    let verdict = compare(needs, &granted(wide));
    let is_narrow = |need: &&Need| need.scope == Scope::WatchedNamespaces;
    assert_eq!(verdict.missing.len(), NEEDS.iter().filter(is_narrow).count());
}

/// What an account with the roles for some namespaces is granted, changed in each namespace by `change`.
fn granted_in(namespaces: &[&str], change: impl Fn(&str, &mut Vec<PolicyRule>)) -> Granted {
    let (wide, narrow) = namespaced_roles("homebase", namespaces, NEEDS);
    let wide = wide.rules.unwrap();
    let within = narrow.into_iter().zip(namespaces).map(|(role, namespace)| {
        let mut rules = role.rules.unwrap();
        change(namespace, &mut rules);
        (namespace.parse().unwrap(), granted([wide.clone(), rules].concat()))
    });
    Granted { within: within.collect(), everywhere: granted(wide.clone()) }
}

#[test]
fn roles_for_namespaces_are_enough_and_not_too_much_in_them() {
    let granted = granted_in(&["a", "b"], |_, _| {});
    assert_eq!(compare_in(NEEDS, &granted), Verdict::default());
    assert!(!compare(NEEDS, &granted.everywhere).missing.is_empty());
}

#[test]
fn what_is_missing_in_some_namespaces_is_named_with_them() {
    let pods = |rule: &PolicyRule| rule.resources.as_ref().is_some_and(|all| all == &["pods"]);
    let granted = granted_in(&["a", "b", "c"], |namespace, rules| {
        if namespace != "b" {
            rules.retain(|rule| !pods(rule));
        }
    });
    assert_eq!(words(&compare_in(NEEDS, &granted)), ["list,watch,patch pods in namespaces a, c"]);
    assert!(compare_in(NEEDS, &granted).stops_work());

    // The same need, with other verbs missing in each.
    let granted = granted_in(&["a", "b"], |namespace, rules| {
        let lost = if namespace == "a" { "list" } else { "patch" };
        rules.iter_mut().filter(|rule| pods(rule)).for_each(|rule| rule.verbs.retain(|verb| verb != lost));
    });
    assert_eq!(
        words(&compare_in(NEEDS, &granted)),
        ["list pods in namespace a", "patch pods in namespace b"]
    );
}

#[test]
fn a_right_that_lies_in_no_namespace_is_not_granted_by_one() {
    let mut granted = granted_in(&["a"], |_, _| {});
    granted.everywhere = Rules::default();
    let missing = words(&compare_in(NEEDS, &granted));
    assert_eq!(missing.len(), NEEDS.iter().filter(|need| need.scope == Scope::Cluster).count());
    assert!(missing.iter().all(|words| !words.contains("in namespace")), "{missing:?}");
}

#[test]
fn dangers_are_named_with_their_namespaces_unless_they_are_everywhere() {
    let mut granted = granted_in(&["a", "b", "c"], |_, _| {});
    let secrets = || rule(&[""], &["secrets"], &["get"]);
    granted.within[0].1.resources.push(secrets());
    granted.within[2].1.resources.push(secrets());
    assert_eq!(compare_in(NEEDS, &granted).excessive, ["get secrets in namespaces a, c"]);
    granted.everywhere.resources.push(secrets());
    assert_eq!(compare_in(NEEDS, &granted).excessive, ["get secrets"]);
}

#[test]
fn one_answer_that_is_not_whole_makes_the_whole_so() {
    let mut granted = granted_in(&["a", "b"], |_, _| {});
    assert_eq!(granted.incomplete(), None);
    granted.within[1].1.incomplete = Some("a webhook decides".to_owned());
    assert_eq!(granted.incomplete(), Some("a webhook decides"));
}

#[test]
fn rights_on_crds_are_needed_only_where_crds_are_written() {
    let none = needs_under(CrdPolicy::Never, NEEDS);
    assert_eq!(NEEDS.len() - none.len(), NEEDS.iter().filter(|need| need.is_about_crds()).count());
    assert!(!none.iter().any(Need::is_about_crds));
    for policy in [CrdPolicy::Install, CrdPolicy::Adopt] {
        assert_eq!(needs_under(policy, NEEDS), NEEDS);
    }
}
