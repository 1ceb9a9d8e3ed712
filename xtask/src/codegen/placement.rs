//! The policy that places members of mirrors, for who applies it by hand. What it says is decided where the hub takes it
//! from.

use anyhow::{Context as _, Result};
use homebase_iris::cluster::placement::{POLICY, binding_spec, policy_spec};
use homebase_kube::policy::PolicyVersion;
use kube::api::DynamicObject;

use super::{Generated, HEADER};

/// The policy and its binding, to be applied on a work cluster.
const FILE: &str = "deploy/policies/mirror-zones.yaml";

/// The file.
pub(super) fn file() -> Result<Generated> {
    let version = PolicyVersion::V1;
    let documents = [(version.policy(), policy_spec()), (version.binding(), binding_spec())]
        .map(|(kind, spec)| DynamicObject::new(POLICY, &kind).data(serde_json::json!({ "spec": spec })))
        .iter()
        .map(serde_saphyr::to_string)
        .collect::<Result<Vec<_>, _>>()
        .context("cannot write the policy as YAML")?;
    Ok(Generated { path: FILE.into(), content: format!("{HEADER}{}", documents.join("---\n")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_applied_by_hand_is_what_the_hub_wants() {
        let text = file().unwrap().content;
        let specs: Vec<serde_json::Value> = text
            .split("---\n")
            .map(|document| serde_saphyr::from_str::<serde_json::Value>(document).unwrap()["spec"].take())
            .collect();
        assert_eq!(specs, [policy_spec(), binding_spec()]);
    }
}
