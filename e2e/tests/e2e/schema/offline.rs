//! Every new object that a test of the schema offers to the apiserver is judged offline too, and both must agree. It must
//! hold no case: those are beside it.

use std::sync::LazyLock;

use homebase_api::remote_crds;
use homebase_schema::{Fault, FaultKind, Schema};
use kube::api::DynamicObject;

use super::fixture::Refusal;

static SCHEMAS: LazyLock<Vec<Schema>> =
    LazyLock::new(|| remote_crds().iter().map(|crd| Schema::of(crd).unwrap()).collect());

/// What an apiserver says beside its refusals: that it did not look at the rules, and that its scale subresource cannot
/// read an object whose structure it refuses.
const REMARKS: [&str; 2] = ["some validation rules were not checked", "accessor error"];
/// How an apiserver writes the path of the object itself.
const ROOT: &str = "<nil>";

/// The verdict without an apiserver is the one of the apiserver, field by field.
#[track_caller]
pub(super) fn assert_agrees(object: &DynamicObject, refusal: Option<&Refusal>) {
    let value = serde_json::to_value(object).unwrap();
    let schema = SCHEMAS.iter().find(|schema| value["kind"] == schema.kind()).unwrap();
    // These offers do not ask for strict validation, which is what refuses unknown fields.
    let faults: Vec<Fault> =
        schema.examine(&value).into_iter().filter(|fault| fault.kind != FaultKind::Unknown).collect();
    let words = || format!("offline {faults:#?}\nan apiserver {refusal:#?}\n{value}");
    assert!(!faults.iter().any(|fault| fault.kind == FaultKind::Undecided), "{}", words());
    assert_eq!(faults.is_empty(), refusal.is_none(), "{}", words());
    let causes = refusal.map(|refusal| refusal.0.as_slice()).unwrap_or_default();
    let is_remark = |message: &str| REMARKS.iter().any(|remark| message.contains(remark));
    for (field, message) in causes.iter().filter(|(_, message)| !is_remark(message)) {
        let is_same = |fault: &Fault| plain(&fault.path) == plain(field);
        assert!(faults.iter().any(is_same), "only the apiserver refuses {field}: {message}\n{}", words());
    }
}

/// A path without the ways in which a key can be written.
fn plain(path: &str) -> String {
    path.replace(ROOT, "").replace('[', ".").replace(']', "").trim_start_matches('.').to_owned()
}
