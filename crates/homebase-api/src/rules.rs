//! Rules about fields that an apiserver checks by itself (CEL), each with a message that names the field and the
//! fix. It must not repeat what a schema bound says already.
//!
//! The functions build the rules that the types carry; [`rules`] lists what the finished CRDs hold.

mod volumes;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
    ValidationRule as Rule,
};

use self::volumes::volume;
use crate::{iriscluster::MirrorRole, limits};

/// One rule of a CRD.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleAt {
    /// Kind that the CRD defines.
    pub kind: String,
    /// Field that carries the rule, such as `spec.topology.data`; empty for the object itself. Items of a list
    /// are `[]`, values of a map `{}`.
    pub path: String,
    /// The CEL expression.
    pub rule: String,
    /// What the user reads when it does not hold.
    pub message: String,
}

impl RuleAt {
    /// Whether the rule compares with the object as it was, so that it holds for every new object.
    pub fn is_transition(&self) -> bool {
        self.rule.contains("oldSelf")
    }
}

/// Every rule of a CRD, in the order of its fields.
pub fn rules(crd: &CustomResourceDefinition) -> Vec<RuleAt> {
    let mut found = Vec::new();
    let roots =
        crd.spec.versions.iter().filter_map(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref());
    for root in roots {
        collect(root, &crd.spec.names.kind, "", &mut found);
    }
    found
}

fn collect(node: &JSONSchemaProps, kind: &str, path: &str, found: &mut Vec<RuleAt>) {
    found.extend(node.x_kubernetes_validations.iter().flatten().map(|rule| RuleAt {
        kind: kind.to_owned(),
        path: path.to_owned(),
        rule: rule.rule.clone(),
        message: rule.message.clone().unwrap_or_default(),
    }));
    for (name, property) in node.properties.iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(property, kind, &path, found);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &node.items {
        collect(items, kind, &format!("{path}[]"), found);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &node.additional_properties {
        collect(values, kind, &format!("{path}{{}}"), found);
    }
}

fn rule(rule: impl Into<String>, message: impl Into<String>) -> Rule {
    Rule { rule: rule.into(), message: Some(message.into()), ..Rule::default() }
}

fn rule_at(field: &str, expression: impl Into<String>, message: impl Into<String>) -> Rule {
    Rule { field_path: Some(format!(".{field}")), ..rule(expression, message) }
}

/// The `IrisCluster` itself: its name ends up in names and labels of everything that it consists of.
pub(crate) fn iris_cluster() -> Vec<Rule> {
    let length = limits::CLUSTER_NAME_LENGTH;
    vec![
        rule(
            format!("self.metadata.name.size() <= {length}"),
            format!(
                "metadata.name is too long for the names of the pods and their labels: \
                 choose one of at most {length} characters"
            ),
        ),
        rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name is also the name of a Service: use lower case letters, digits and `-`, \
             begin with a letter and do not end with `-`",
        ),
    ]
}

/// `spec`.
pub(crate) fn spec() -> Vec<Rule> {
    vec![rule(
        "has(self.storageClassName) == has(oldSelf.storageClassName) && \
         (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
        "storageClassName cannot change, because claims that exist keep their storage class: restore the old value; \
         to move the data, make a new IrisCluster with the new class",
    )]
}

/// `spec.topology.data`, without its volumes.
pub(crate) fn data() -> Vec<Rule> {
    let mut rules = vec![
        rule(
            "(has(self.mirrored) && self.mirrored) == (has(oldSelf.mirrored) && oldSelf.mirrored)",
            "mirrored cannot change, because databases that exist do not become mirrored or the reverse: \
             restore the old value, or make a new IrisCluster and move the data",
        ),
        rule(
            format!(
                "!(has(self.mirrored) && self.mirrored) || has(self.mirrorMap) == has(oldSelf.mirrorMap) || \
                 (has(self.mirrorMap) && {}) || (has(oldSelf.mirrorMap) && {})",
                begins_as_default("self.mirrorMap"),
                begins_as_default("oldSelf.mirrorMap"),
            ),
            format!("{KEEP_ROLES} (without mirrorMap the roles are primary,backup)"),
        ),
        rule(
            "!has(oldSelf.shards) || (has(self.shards) && self.shards >= oldSelf.shards)",
            "shards cannot shrink, because each shard holds a part of the data: \
             keep the old number or a larger one",
        ),
        rule(
            "has(self.shards) == has(oldSelf.shards)",
            "shards can neither be set nor removed later, because databases that exist do not become sharded or the \
             reverse: restore the old value, or make a new IrisCluster and move the data",
        ),
    ];
    rules.push(rule_at(
        "irisDatabases",
        "!has(self.irisDatabases) || (has(self.mirrored) && self.mirrored) || \
         !self.irisDatabases.exists(database, has(database.mirrored) && database.mirrored)",
        "irisDatabases can be mirrored in a mirrored cluster only: set mirrored to true, or remove it from the database",
    ));
    rules.push(rule_at(
        "irisDatabases",
        "!has(self.irisDatabases) || !has(self.shards) || !has(self.mirrored) || !self.mirrored || \
         self.irisDatabases.all(database, has(database.mirrored) && !database.mirrored)",
        "irisDatabases cannot join the mirrors of a sharded cluster, which names them itself: \
         set mirrored to false in each database",
    ));
    rules.extend(storage(""));
    rules
}

/// `spec.topology.data.irisDatabases`.
pub(crate) fn iris_databases() -> Vec<Rule> {
    iris_names("irisDatabases", "database")
}

/// `spec.topology.data.irisNamespaces`.
pub(crate) fn iris_namespaces() -> Vec<Rule> {
    iris_names("irisNamespaces", "namespace")
}

/// IRIS does not tell names apart by case.
///
/// The list of one list gives the names in lower case a name: to make them anew for each comparison costs more than an
/// apiserver allows.
fn iris_names(field: &str, what: &str) -> Vec<Rule> {
    let ours = limits::CLUSTER_NAMESPACE.to_ascii_lowercase();
    vec![
        rule(
            format!("self.all(item, item.name.lowerAscii() != '{ours}')"),
            format!("{field} names the {what} {ours} that every cluster has: choose another name"),
        ),
        rule(
            "[self.map(item, item.name.lowerAscii())].all(names, \
             names.all(name, names.indexOf(name) == names.lastIndexOf(name)))",
            format!(
                "{field} names a {what} twice, as IRIS ignores case: choose another name for one of them"
            ),
        ),
    ]
}

/// Whether a map gives the members that it has the roles which they have without one.
fn begins_as_default(map: &str) -> String {
    let map = without_blanks(map);
    format!("({map}.startsWith('primary,backup') || {map} == 'primary')")
}

/// Blanks around a role are forgiven, and there are none within one.
fn without_blanks(map: &str) -> String {
    format!("{map}.replace(' ', '')")
}

/// No role is the beginning of another, so that comparing the beginnings of two maps compares their roles.
const KEEP_ROLES: &str =
    "mirrorMap cannot give members that exist another role: add or remove roles at its end only";

/// `spec.topology.data.mirrorMap`.
pub(crate) fn mirror_map_roles() -> Vec<Rule> {
    let roles: Vec<_> = MirrorRole::ALL.iter().map(|role| format!("'{role}'")).collect();
    let members = limits::MIRROR_MEMBERS;
    vec![
        rule(
            format!("self.split(',').all(role, role.trim() in [{}])", roles.join(", ")),
            "mirrorMap holds an unknown role: use primary, backup, drasync, rorasync and rwrasync, \
             separated by commas",
        ),
        rule(
            "self.split(',')[0].trim() == 'primary' && \
             self.split(',').filter(role, role.trim() == 'primary').size() == 1",
            "mirrorMap must begin with primary and name it once: move primary to the front",
        ),
        rule(
            "self.split(',').filter(role, role.trim() == 'backup').size() <= 1",
            "mirrorMap names more than one backup: a mirror has one failover partner, make the others drasync",
        ),
        rule(
            format!("self.split(',').size() <= {members}"),
            format!("mirrorMap has more than {members} members, which no mirror can have: remove some"),
        ),
        rule(
            format!(
                "{new}.startsWith({old}) || {old}.startsWith({new})",
                new = without_blanks("self"),
                old = without_blanks("oldSelf")
            ),
            KEEP_ROLES,
        ),
    ]
}

/// `spec.topology.compute`, with its volumes.
pub(crate) fn compute() -> Vec<Rule> {
    storage(WAS_OR_IS_EPHEMERAL)
}

/// A web gateway, as node or as sidecar.
pub(crate) fn webgateway() -> Vec<Rule> {
    volume("storageDB", None, WAS_OR_IS_EPHEMERAL).into()
}

/// Nodes that are or were ephemeral have no claims that could shrink or move.
const WAS_OR_IS_EPHEMERAL: &str = "self.?ephemeral.orValue(false) || oldSelf.?ephemeral.orValue(false) || ";

/// The predefined volumes.
const VOLUMES: [&str; 4] = ["storageDB", "storageWIJ", "storageJournal1", "storageJournal2"];

fn storage(guard: &str) -> Vec<Rule> {
    let mut rules = vec![rule_at(
        "storage",
        "!has(self.storage) || !has(self.storageDB)",
        "storage is the old name of storageDB: keep storageDB only",
    )];
    for name in VOLUMES {
        rules.extend(volume(name, (name == "storageDB").then_some("storage"), guard));
    }
    rules
}

/// A predefined volume.
pub(crate) fn volume_settings() -> Vec<Rule> {
    volumes::settings()
}

/// `spec.deploymentName` of an `Iris`.
pub(crate) fn deployment_name() -> Vec<Rule> {
    let length = limits::LABEL_LENGTH;
    vec![rule(
        format!("self.size() <= {length}"),
        format!(
            "deploymentName is also the value of a label, which has at most {length} characters: \
             choose a shorter name"
        ),
    )]
}
