//! The policy by which a work cluster itself places the members of mirrors: member M in the M-th zone, while the hub is
//! down as well. It says what the policy is; it must not install it, and it is the same for every IrisCluster.
//!
//! A pod template cannot say where one of its pods goes, and nobody can say it of a pod that is there. The policy is
//! evaluated inside the apiserver when the pod is created. It must be *total*: an expression that fails would refuse a
//! pod, and any pod of any user may bear our labels and our annotation with whatever text.

use homebase_api::{annotations, labels};
use serde_json::{Value, json};

/// Name of the policy and of its binding. The rights of the hub name it.
pub const POLICY: &str = "homebase-mirror-zones";

/// The ordinal of a pod of a StatefulSet: a label that Kubernetes sets.
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// The longest list that is read: a mirror has 16 members and a zone 63 characters. What is longer is not ours, and
/// could cost more than CEL allows one expression, which is a refusal.
const MAX_ZONES: usize = 2048;

/// What is not a value of a label cannot be selected either: the pod would be refused.
const ZONE: &str = "^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";

/// The `spec` of the `MutatingAdmissionPolicy`. Whatever an apiserver would fill in is said, so that what is stored can
/// be compared with this.
pub fn policy_spec() -> Value {
    let zone = labels::ZONE;
    let listed = format!("object.metadata.annotations['{}']", annotations::ZONES_BY_ORDINAL);
    let index = format!("object.metadata.labels['{POD_INDEX}']");
    let add = |path: &str, value: &str| format!("[JSONPatch{{op: 'add', path: '{path}', value: {value}}}]");
    let one = add(&format!("/spec/nodeSelector/{}", zone.replace('/', "~1")), "variables.zone");
    let first = add("/spec/nodeSelector", &format!("{{'{zone}': variables.zone}}"));
    json!({
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": { "matchLabels": {
                labels::MANAGED_BY: labels::MANAGED_BY_HOMEBASE,
                labels::KIND: labels::KIND_IRIS_CLUSTER,
                labels::COMPONENT: labels::Component::Data.as_str(),
            } },
            "resourceRules": [{
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }],
        },
        "matchConditions": [
            { "name": "zones-are-listed", "expression": format!(
                "has(object.metadata.annotations) && '{}' in object.metadata.annotations && \
                 size({listed}) <= {MAX_ZONES}", annotations::ZONES_BY_ORDINAL
            ) },
            { "name": "it-has-an-ordinal", "expression": format!(
                "has(object.metadata.labels) && '{POD_INDEX}' in object.metadata.labels && \
                 {index}.matches('^[0-9]{{1,3}}$')"
            ) },
            { "name": "no-zone-is-chosen", "expression": format!(
                "!has(object.spec.nodeSelector) || !('{zone}' in object.spec.nodeSelector)"
            ) },
            { "name": "no-node-is-chosen", "expression":
                "!has(object.spec.nodeName) || object.spec.nodeName == ''"
            },
        ],
        "variables": [
            { "name": "zones", "expression": format!("{listed}.split(',')") },
            { "name": "ordinal", "expression": format!("int({index})") },
            // A member beyond the list may run in any of its zones.
            { "name": "zone", "expression":
                "variables.ordinal < size(variables.zones) ? variables.zones[variables.ordinal] : ''"
            },
        ],
        // Not an apply configuration: nodeSelector is atomic, so the user's other keys would go.
        "mutations": [{ "patchType": "JSONPatch", "jsonPatch": { "expression": format!(
            "!variables.zone.matches('{ZONE}') ? [] : \
             has(object.spec.nodeSelector) && size(object.spec.nodeSelector) > 0 ? {one} : {first}"
        ) } }],
    })
}

/// The `spec` of the `MutatingAdmissionPolicyBinding`: everywhere.
pub fn binding_spec() -> Value {
    json!({ "policyName": POLICY })
}
