//! The admission policies of the hub, for who applies them by hand. What they say is decided where the hub takes them
//! from.

use anyhow::{Context as _, Result};
use homebase_iris::cluster::{placement, volume_policy};
use homebase_kube::policy::{PolicyKind, PolicyVersion};
use kube::api::DynamicObject;
use serde_json::Value;

use super::{Generated, HEADER};

/// A file with a policy and its binding, to be applied on a work cluster.
struct File {
    path: &'static str,
    name: &'static str,
    kind: PolicyKind,
    specs: [Value; 2],
}

fn all() -> [File; 2] {
    [
        File {
            path: "deploy/policies/mirror-zones.yaml",
            name: placement::POLICY,
            kind: PolicyKind::Mutating,
            specs: [placement::policy_spec(), placement::binding_spec()],
        },
        File {
            path: "deploy/policies/volume-retention.yaml",
            name: volume_policy::POLICY,
            kind: PolicyKind::Validating,
            specs: [volume_policy::policy_spec(), volume_policy::binding_spec()],
        },
    ]
}

/// The files.
pub(super) fn files() -> Result<Vec<Generated>> {
    all().into_iter().map(File::generate).collect()
}

impl File {
    fn generate(self) -> Result<Generated> {
        let version = PolicyVersion::V1;
        let documents = [self.kind.policy(version), self.kind.binding(version)]
            .iter()
            .zip(self.specs)
            .map(|(kind, spec)| DynamicObject::new(self.name, kind).data(serde_json::json!({ "spec": spec })))
            .map(|object| serde_saphyr::to_string(&object))
            .collect::<Result<Vec<_>, _>>()
            .context("cannot write the policy as YAML")?;
        Ok(Generated { path: self.path.into(), content: format!("{HEADER}{}", documents.join("---\n")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_applied_by_hand_is_what_the_hub_wants() {
        for (file, wanted) in files().unwrap().into_iter().zip(all()) {
            let specs: Vec<Value> = file
                .content
                .split("---\n")
                .map(|document| serde_saphyr::from_str::<Value>(document).unwrap()["spec"].take())
                .collect();
            assert_eq!(specs, wanted.specs);
        }
    }
}
