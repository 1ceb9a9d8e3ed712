//! What an apiserver would say of a new object, told from the CRD alone: types, bounds, unknown fields and CEL rules.
//!
//! Decides nothing that the CRD does not say. It must not do I/O, and must not know any kind by name.

mod bounds;
mod fault;
mod metadata;
mod nulls;
mod rules;
mod structure;
mod unknown;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use serde_json::Value;

use self::rules::Rules;

pub use self::fault::{Fault, FaultKind};

#[cfg(test)]
mod tests;

/// A CRD cannot be used to judge objects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadSchemaError {
    /// No version of the CRD is served with a schema.
    #[error("the CRD {name} has no served version with a schema")]
    FindVersion {
        /// The CRD.
        name: String,
    },
    /// The schema says something that is not judged here: a verdict without it would be wrong.
    #[error("the schema of the CRD {name} has a keyword that is not known offline: {path}: {keyword}")]
    KnowKeyword {
        /// The CRD.
        name: String,
        /// The field that has the keyword.
        path: String,
        /// The keyword.
        keyword: String,
    },
}

/// One version of a CRD, ready to judge objects.
#[derive(Debug)]
pub struct Schema {
    api_version: String,
    kind: String,
    root: JSONSchemaProps,
    rules: Rules,
}

impl Schema {
    /// Reads the storage version of a CRD: the one that objects are kept in.
    pub fn of(crd: &CustomResourceDefinition) -> Result<Self, ReadSchemaError> {
        let name = crd.metadata.name.clone().unwrap_or_default();
        let version = crd.spec.versions.iter().find(|version| version.served && version.storage);
        let schema = version
            .and_then(|version| Some((&version.name, version.schema.as_ref()?.open_api_v3_schema.clone()?)));
        let Some((version, root)) = schema else { return Err(ReadSchemaError::FindVersion { name }) };
        structure::check_keywords(&root, "").map_err(|(path, keyword)| ReadSchemaError::KnowKeyword {
            name,
            path,
            keyword,
        })?;
        let api_version = format!("{}/{version}", crd.spec.group);
        let rules = Rules::of(&root);
        Ok(Self { api_version, kind: crd.spec.names.kind.clone(), root, rules })
    }

    /// The kind that the schema is of.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// `group/version` of the kind.
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// Everything that an apiserver would refuse in a new object, with strict validation of its fields as kubectl asks
    /// for it. Rules are judged only once the structure is right, as an apiserver does it.
    pub fn examine(&self, object: &Value) -> Vec<Fault> {
        let mut faults = metadata::examine(object);
        unknown::collect(&self.root, object, "", true, &mut faults);
        // What somebody writes below `status` is dropped before anything is judged.
        let mut object = object.clone();
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        nulls::drop_unwanted(&self.root, &mut object);
        let before = faults.len();
        structure::examine(&self.root, &object, "", &mut faults);
        if faults[before..].iter().all(|fault| !fault.kind.blocks_rules()) {
            nulls::drop_all(&self.root, &mut object);
            self.rules.examine(&self.root, &object, &mut faults);
        }
        faults
    }
}
