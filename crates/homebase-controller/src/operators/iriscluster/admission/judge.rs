//! What is to be done about the policy, or its binding, as it was found. It asks nobody and writes nothing.

use homebase_api::{annotations, labels};
use homebase_kube::claim::HubClaim;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

/// As much as is shown of another hub's ID: it is the cluster's text.
const MAX_SHOWN_ID: usize = 128;

/// What to do with one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is as it should be.
    Keep,
    /// It is to be applied.
    Apply,
    /// Somebody else made it, and it says something else.
    Foreign,
    /// Another hub, whose ID this is, made it, and it says something else.
    OtherHub(String),
}

/// `became` is what the apiserver made of what was applied last, where it differs from what was sent.
pub(super) fn judge(
    wanted: &Value,
    found: Option<&DynamicObject>,
    became: Option<&Value>,
    hub: &HubClaim,
) -> Verdict {
    let Some(found) = found else { return Verdict::Apply };
    let spec = found.data.get("spec");
    let is_wanted = spec == Some(wanted) || (became.is_some() && spec == became);
    let holder = found.annotations().get(annotations::HUB_ID).map(String::as_str);
    let is_managed =
        found.labels().get(labels::MANAGED_BY).is_some_and(|by| by == labels::MANAGED_BY_HOMEBASE);
    // What says the right thing does it, whoever made it: users may install it by hand instead of granting the right.
    if !hub.may_write(holder) {
        let shown = |holder: &str| holder.chars().filter(char::is_ascii_graphic).take(MAX_SHOWN_ID).collect();
        return if is_wanted {
            Verdict::Keep
        } else {
            Verdict::OtherHub(holder.map(shown).unwrap_or_default())
        };
    }
    if holder.is_none() && !is_managed {
        return if is_wanted { Verdict::Keep } else { Verdict::Foreign };
    }
    if is_wanted && is_managed && holder == Some(hub.id.as_str()) { Verdict::Keep } else { Verdict::Apply }
}

#[cfg(test)]
mod tests {
    //! Whose objects are written, and which are left as they are.

    use serde_json::json;

    use super::*;

    fn found(spec: &str, hub: Option<&str>, managed: bool) -> DynamicObject {
        let mut object: DynamicObject =
            serde_json::from_value(json!({ "metadata": { "name": "x" }, "spec": spec })).unwrap();
        if let Some(hub) = hub {
            object.annotations_mut().insert(annotations::HUB_ID.to_owned(), hub.to_owned());
        }
        if managed {
            object.labels_mut().insert(labels::MANAGED_BY.to_owned(), labels::MANAGED_BY_HOMEBASE.to_owned());
        }
        object
    }

    #[test]
    fn ours_is_kept_true_and_what_is_not_ours_is_left_alone() {
        let hub = HubClaim { id: "ours".to_owned(), take_over: vec!["old".to_owned()] };
        let other = Verdict::OtherHub("other".to_owned());
        for (object, expected) in [
            (None, Verdict::Apply),
            (Some(found("right", Some("ours"), true)), Verdict::Keep),
            (Some(found("wrong", Some("ours"), true)), Verdict::Apply),
            // Somebody took away a mark of ours.
            (Some(found("right", Some("ours"), false)), Verdict::Apply),
            (Some(found("right", None, true)), Verdict::Apply),
            (Some(found("right", Some("old"), true)), Verdict::Apply),
            (Some(found("right", None, false)), Verdict::Keep),
            (Some(found("wrong", None, false)), Verdict::Foreign),
            (Some(found("right", Some("other"), true)), Verdict::Keep),
            (Some(found("wrong", Some("other"), true)), other),
        ] {
            assert_eq!(judge(&json!("right"), object.as_ref(), None, &hub), expected, "{object:?}");
        }
        let defaulted = found("right, and a default", Some("ours"), true);
        let became = json!("right, and a default");
        assert_eq!(judge(&json!("right"), Some(&defaulted), Some(&became), &hub), Verdict::Keep);
    }
}
