//! The policy by which a work cluster itself rejects an edit after which volumes would be deleted with pods: while the hub is
//! down or the cluster is paused, nothing else can. It says what the policy is; it must not install it.
//!
//! It is evaluated for every StatefulSet with our labels, so it must be *total*, and it must not lock in what is there: an
//! object that says `Delete` already may be written, or its owner could not repair anything else of it.

use homebase_api::labels;
use serde_json::{Value, json};

/// Name of the policy and of its binding. The permissions of the hub name it.
pub const POLICY: &str = "homebase-volume-retention";

/// The `spec` of the `ValidatingAdmissionPolicy`. Whatever an apiserver would fill in is said, so that what is stored can
/// be compared with this.
pub fn policy_spec() -> Value {
    let validations = ["whenDeleted", "whenScaled"].map(validation);
    json!({
        "failurePolicy": "Fail",
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": { "matchLabels": {
                labels::MANAGED_BY: labels::MANAGED_BY_HOMEBASE,
                labels::KIND: labels::KIND_IRIS_CLUSTER,
            } },
            "resourceRules": [{
                "apiGroups": ["apps"],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["statefulsets"],
                "scope": "Namespaced",
            }],
        },
        "validations": validations,
    })
}

/// The `spec` of the `ValidatingAdmissionPolicyBinding`: everywhere, and for everybody.
pub fn binding_spec() -> Value {
    json!({ "policyName": POLICY, "validationActions": ["Deny"] })
}

fn validation(field: &str) -> Value {
    let (now, before) = (deletes("object", field), deletes("oldObject", field));
    json!({
        "expression": format!("!{now} || (oldObject != null && {before})"),
        "message": format!(
            "spec.persistentVolumeClaimRetentionPolicy.{field} of a StatefulSet that Homebase manages must be Retain: the \
             volumes hold databases. Delete a PersistentVolumeClaim by name when its data is no longer needed"
        ),
        "reason": "Invalid",
    })
}

fn deletes(object: &str, field: &str) -> String {
    let policy = format!("{object}.spec.persistentVolumeClaimRetentionPolicy");
    format!("(has({policy}) && has({policy}.{field}) && {policy}.{field} == 'Delete')")
}
