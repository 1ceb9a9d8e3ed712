//! The files about the rights that the hub needs, on a work cluster and at home, made from the tables that
//! the code is compared with. It must not name a right of its own.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use homebase_kube::permissions::{
    HOME_NEEDS, NEEDS, Need, Scope, Target, Without, cluster_role, namespaced_roles,
};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Generated, HEADER, PAGE_HEADER};

/// The role that is to be applied on a work cluster.
const ROLE: &str = "deploy/rbac/work-cluster.yaml";
/// Its name.
const ROLE_NAME: &str = "homebase-work-cluster";
/// The account of the hub with its rights, to be applied on the home cluster.
const HOME: &str = "deploy/rbac/home-cluster.yaml";
/// The name of its roles.
const HOME_ROLE_NAME: &str = "homebase-home-cluster";
/// The namespace of the hub and of the registrations.
const HOME_NAMESPACE: &str = "homebase-system";
/// The name of its account.
const HOME_ACCOUNT: &str = "homebase";
/// The page that explains them.
const PAGE: &str = "docs/reference/rbac.md";

/// The roles, and the page.
pub(super) fn files() -> Result<Vec<Generated>> {
    let role = serde_saphyr::to_string(&cluster_role(ROLE_NAME, NEEDS))
        .context("cannot write the ClusterRole as YAML")?;
    let role = Generated { path: ROLE.into(), content: format!("{HEADER}{role}") };
    let home = Generated { path: HOME.into(), content: home()? };
    let page = Generated { path: PAGE.into(), content: page() };
    Ok(vec![role, home, page])
}

/// The account on the home cluster, two roles with exactly its rights, and their bindings.
fn home() -> Result<String> {
    let named = |name: &str, namespace: Option<&str>| ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ObjectMeta::default()
    };
    let role_ref = |kind: &str| RoleRef {
        api_group: Some("rbac.authorization.k8s.io".to_owned()),
        kind: kind.to_owned(),
        name: HOME_ROLE_NAME.to_owned(),
    };
    let subjects = Some(vec![Subject {
        kind: "ServiceAccount".to_owned(),
        name: HOME_ACCOUNT.to_owned(),
        namespace: Some(HOME_NAMESPACE.to_owned()),
        api_group: None,
    }]);
    let account =
        ServiceAccount { metadata: named(HOME_ACCOUNT, Some(HOME_NAMESPACE)), ..ServiceAccount::default() };
    let (wide, narrow) = namespaced_roles(HOME_ROLE_NAME, &[HOME_NAMESPACE], HOME_NEEDS);
    let wide_binding = ClusterRoleBinding {
        metadata: named(HOME_ROLE_NAME, None),
        role_ref: role_ref("ClusterRole"),
        subjects: subjects.clone(),
    };
    let narrow_binding = RoleBinding {
        metadata: named(HOME_ROLE_NAME, Some(HOME_NAMESPACE)),
        role_ref: role_ref("Role"),
        subjects,
    };
    let mut documents = vec![serde_saphyr::to_string(&account), serde_saphyr::to_string(&wide)];
    documents.push(serde_saphyr::to_string(&wide_binding));
    documents.extend(narrow.iter().map(serde_saphyr::to_string));
    documents.push(serde_saphyr::to_string(&narrow_binding));
    let documents: Vec<String> =
        documents.into_iter().collect::<Result<_, _>>().context("cannot write the home roles as YAML")?;
    Ok(format!("{HEADER}{}", documents.join("---\n")))
}

/// What the hub never asks for, in words; the tests of the table hold it.
const NEVER: &str = "The hub never asks for the right to read Secrets, to delete volumes, claims, namespaces or CRDs, \
                     to run anything in a pod,\nor to `escalate`, `bind` or `impersonate`.";

/// What is said of rights on CRDs under another policy.
const NO_CRDS: &str = "With `homebase.dev/crd-policy: Never` on the registration the hub writes no CRD, and the rows about \
                       `customresourcedefinitions`\nare neither needed nor missed: leave them out of the role.";

/// The head of a table of rights.
const COLUMNS: &str =
    "| API group | resource | names | verbs | where | without it | why |\n|---|---|---|---|---|---|---|\n";

fn page() -> String {
    let mut page = format!("{PAGE_HEADER}# Rights\n\n");
    page.push_str(&on_work_clusters());
    for need in NEEDS {
        row(&mut page, need, "watched namespaces");
    }
    page.push_str(&at_home());
    for need in HOME_NEEDS {
        row(&mut page, need, HOME_NAMESPACE);
    }
    page
}

fn at_home() -> String {
    format!(
        "\n## On the home cluster\n\n\
         The hub's own account needs these rights and no others. [`{HOME}`](../../{HOME})\n\
         makes the account `{HOME_ACCOUNT}` in the namespace `{HOME_NAMESPACE}`, which must be there, and grants it \
         exactly these.\nFor another namespace of registrations (`--namespace`), change it throughout.\n\n{COLUMNS}"
    )
}

fn on_work_clusters() -> String {
    format!(
        "## On a work cluster\n\n\
         The account of a kubeconfig needs these rights on its work cluster and no others. [`{ROLE}`](../../{ROLE})\n\
         grants exactly these as the ClusterRole `{ROLE_NAME}`.\n{NEVER}\n{NO_CRDS}\n\n\
         The condition `PermissionsVerified` of the WorkCluster compares them with what the cluster grants:\n\n\
         | status | reason | meaning |\n|---|---|---|\n\
         | True | `Sufficient` | All of them are granted. |\n\
         | True | `Excessive` | All of them are granted, and dangerous ones beyond them, which the message names. The \
         hub works. |\n\
         | False | `Missing` | The message names what is not granted. `Ready` is False with the reason \
         `PermissionsMissing` if it stops work. |\n\
         | Unknown | `Unknown` | The cluster does not tell all rights, as where a webhook authorizes. Nothing is \
         concluded from it. |\n\n\
         They are looked at when a session begins, after a loss of the cluster, after a new kubeconfig, and every \
         5 minutes;\nevery 30 seconds while something is missing.\n\n\
         ## In some namespaces only\n\n\
         A registration with the annotation `homebase.dev/watch-namespaces: a,b` needs what is marked with *cluster* \
         below in\nthe whole cluster, and what is marked with *watched namespaces* in `a` and `b` alone: a ClusterRole \
         with the first, a Role\nwith the second in each namespace, and their bindings. `homebase register NAME \
         --watch-namespaces a,b` makes them with the\nregistration, and `homebase register NAME --print-rbac \
         --watch-namespaces a,b` prints them. `PermissionsVerified` then\ncompares namespace by namespace and names \
         the one in which something is missing.\n\n\
         ## The rights\n\n{COLUMNS}"
    )
}

fn row(page: &mut String, need: &Need, namespaces: &str) {
    let code = |text: &str| if text.is_empty() { "–".to_owned() } else { format!("`{text}`") };
    let list = |texts: &[&str]| texts.iter().map(|text| code(text)).collect::<Vec<_>>().join(", ");
    let (group, resource, names) = match need.target {
        Target::Url(url) => ("–".to_owned(), code(url), "–".to_owned()),
        Target::Resource { group, resource, subresource, names } => {
            let part = subresource.map(|part| format!("/{part}")).unwrap_or_default();
            let names = if names.is_empty() { "all".to_owned() } else { list(names) };
            (
                if group.is_empty() { "core".to_owned() } else { code(group) },
                code(&format!("{resource}{part}")),
                names,
            )
        }
    };
    let scope = match need.scope {
        Scope::Cluster => "cluster",
        Scope::WholeCluster => "cluster, unless restricted to namespaces",
        Scope::WatchedNamespaces => namespaces,
    };
    let without = match need.without {
        Without::WorkStops => "work stops",
        Without::WorkGoesOn => "work goes on",
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "| {group} | {resource} | {names} | {} | {scope} | {without} | {} |",
        list(need.verbs),
        need.why
    );
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::rbac::v1::ClusterRole;

    use super::*;

    #[test]
    fn the_role_survives_the_way_through_yaml() {
        let files = files().unwrap();
        let read: ClusterRole = serde_saphyr::from_str(&files[0].content).unwrap();
        assert_eq!(read, cluster_role(ROLE_NAME, NEEDS));
    }

    #[test]
    fn the_home_file_grants_the_table_to_the_account_it_makes() {
        let text = files().unwrap().remove(1).content;
        let documents: Vec<serde_json::Value> =
            text.split("---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect();
        let kinds: Vec<&str> = documents.iter().filter_map(|document| document["kind"].as_str()).collect();
        assert_eq!(kinds, ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]);
        let rules: usize =
            documents.iter().filter_map(|document| document["rules"].as_array()).map(Vec::len).sum();
        assert_eq!(rules, HOME_NEEDS.len());
        for binding in [&documents[2], &documents[4]] {
            assert_eq!(binding["subjects"][0]["name"], documents[0]["metadata"]["name"]);
            assert_eq!(binding["subjects"][0]["namespace"], documents[0]["metadata"]["namespace"]);
        }
    }

    #[test]
    fn the_page_has_a_row_for_each_right() {
        let page = page();
        let rows = page.lines().filter(|line| line.contains("| work "));
        assert_eq!(rows.count(), NEEDS.len() + HOME_NEEDS.len());
        assert!(
            page.contains("| core | `namespaces` | `kube-system` | `get` | cluster | work stops | "),
            "{page}"
        );
    }
}
