//! Rules of RBAC in the words of the hub. It must hold no case.

use k8s_openapi::api::rbac::v1::PolicyRule;

/// A rule in the words of the hub.
pub(super) fn words(rule: &PolicyRule) -> String {
    let first =
        |list: &Option<Vec<String>>| list.clone().unwrap_or_default().first().cloned().unwrap_or_default();
    let (group, resource) = (first(&rule.api_groups), first(&rule.resources));
    let (plural, part) =
        resource.split_once('/').map_or((&*resource, None), |(plural, part)| (plural, Some(part)));
    let mut target = plural.to_owned();
    if !group.is_empty() {
        target = format!("{target}.{group}");
    }
    if let Some(part) = part {
        target = format!("{target}/{part}");
    }
    for name in rule.resource_names.iter().flatten() {
        target = format!("{target} {name}");
    }
    format!("{} {target}", rule.verbs.join(","))
}
