//! The verdict about one manifest: that of the CRD and that of the hub, each fault once. It reads no file.

use anyhow::Context as _;
use homebase_api::{Iris, IrisCluster, remote_crds};
use homebase_iris::cluster::{ConfigSource, ConfigTexts, Dereferenced};
use homebase_iris::{Invalid, cluster, iris};
use homebase_schema::{Fault, FaultKind, Schema};
use k8s_openapi::api::core::v1::ConfigMap;
use serde::Serialize;
use serde_json::Value;

use crate::commands::manifests::{Document, Manifests, Place};

/// Most characters of a value that are shown.
const MAX_VALUE: usize = 60;
/// Fields below which values are not shown: an environment variable or a hash may be a secret.
const SECRET_FIELDS: [&str; 4] = ["passwordHash", "podTemplate", "volumes", "annotations"];

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::commands) enum Level {
    Invalid,
    Unknown,
    Warning,
}

impl Level {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID",
            Self::Unknown => "UNKNOWN",
            Self::Warning => "WARNING",
        }
    }
}

/// Who would say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::commands) enum Source {
    /// The work cluster's apiserver.
    Apiserver,
    /// The hub, in the status of the resource.
    Hub,
    /// kubectl, before it sends anything.
    Kubectl,
}

/// One thing to say of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::commands) struct Finding {
    pub(in crate::commands) level: Level,
    source: Source,
    reason: &'static str,
    /// The file and the line of the field.
    pub(in crate::commands) place: String,
    pub(in crate::commands) field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) value: Option<String>,
    pub(in crate::commands) message: String,
}

impl Finding {
    pub(in crate::commands) fn is_fatal(&self) -> bool {
        self.level == Level::Invalid
    }
}

/// What the findings come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::commands) enum Outcome {
    Valid,
    Invalid,
    Unknown,
}

/// The verdict about one manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::commands) struct Verdict {
    #[serde(flatten)]
    pub(in crate::commands) place: Place,
    kind: String,
    namespace: String,
    name: String,
    pub(in crate::commands) result: Outcome,
    pub(in crate::commands) findings: Vec<Finding>,
}

impl Verdict {
    /// The resource in words.
    pub(in crate::commands) fn resource(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Whoever knows the kinds.
pub(in crate::commands) struct Judge {
    schemas: Vec<Schema>,
}

impl Judge {
    pub(in crate::commands) fn new() -> anyhow::Result<Self> {
        let schemas = remote_crds().iter().map(Schema::of).collect::<Result<_, _>>();
        Ok(Self { schemas: schemas.context("read the CRDs of this version")? })
    }

    /// The verdict about a manifest; none when it is of another kind.
    pub(in crate::commands) fn verdict(&self, document: &Document, all: &Manifests) -> Option<Verdict> {
        let (kind, api_version) = (document.kind(), document.text("/apiVersion"));
        let is_ours =
            |schema: &&Schema| schema.kind() == kind && group(schema.api_version()) == group(api_version);
        let Some(schema) = self.schemas.iter().find(is_ours) else { return self.unknown_kind(document) };
        let mut findings = Vec::from_iter(repeated(document));
        if schema.api_version() == api_version {
            findings
                .extend(schema.examine(&document.value).into_iter().map(|fault| of_schema(fault, document)));
            findings.extend(of_hub(document, all, &findings));
        } else {
            findings.push(Finding {
                level: Level::Invalid,
                source: Source::Apiserver,
                reason: FaultKind::Form.as_str(),
                place: document.place_of("apiVersion"),
                field: "apiVersion".to_owned(),
                value: shown(document, "apiVersion"),
                message: format!("the cluster will serve {} only: write that", schema.api_version()),
            });
        }
        Some(Verdict::new(document, findings))
    }
}

impl Judge {
    /// The verdict about a kind that a group of ours does not have.
    fn unknown_kind(&self, document: &Document) -> Option<Verdict> {
        let is_near = |schema: &&Schema| group(schema.api_version()) == group(document.text("/apiVersion"));
        let near = self.schemas.iter().find(is_near)?;
        let finding = Finding {
            level: Level::Invalid,
            source: Source::Apiserver,
            reason: FaultKind::Form.as_str(),
            place: document.place_of("kind"),
            field: "kind".to_owned(),
            value: shown(document, "kind"),
            message: format!("the group has no such kind: write {}", near.kind()),
        };
        Some(Verdict::new(document, vec![finding]))
    }
}

impl Verdict {
    fn new(document: &Document, findings: Vec<Finding>) -> Self {
        let has = |level| findings.iter().any(|finding| finding.level == level);
        let result = match (has(Level::Invalid), has(Level::Unknown)) {
            (true, _) => Outcome::Invalid,
            (false, true) => Outcome::Unknown,
            (false, false) => Outcome::Valid,
        };
        Self {
            place: document.place.clone(),
            kind: document.kind().to_owned(),
            namespace: document.text("/metadata/namespace").to_owned(),
            name: document.text("/metadata/name").to_owned(),
            result,
            findings,
        }
    }
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// A field that is given twice, which kubectl lets pass.
fn repeated(document: &Document) -> Option<Finding> {
    let line = document.repeated?;
    Some(Finding {
        level: Level::Warning,
        source: Source::Kubectl,
        reason: "Repeated",
        place: document.place.at(line),
        field: String::new(),
        value: None,
        message: "the field on this line is given twice, and the last one counts: remove the other"
            .to_owned(),
    })
}

fn of_schema(fault: Fault, document: &Document) -> Finding {
    Finding {
        level: if fault.kind == FaultKind::Undecided { Level::Unknown } else { Level::Invalid },
        source: Source::Apiserver,
        reason: fault.kind.as_str(),
        value: shown(document, &fault.path),
        place: document.place_of(&fault.path),
        field: fault.path,
        message: fault.message,
    }
}

/// What the hub says beyond what the apiserver has said of the same fields.
fn of_hub(document: &Document, all: &Manifests, said: &[Finding]) -> Vec<Finding> {
    let judged = match document.kind() {
        "IrisCluster" => typed::<IrisCluster>(document).map(|resource| {
            cluster::validate(&resource, &dereferenced(&resource, all))
                .map(|validated| validated.warnings().to_vec())
        }),
        _ => typed::<Iris>(document).map(|resource| iris::validate(&resource).map(|_| Vec::new())),
    };
    let finding = |level, reason, field: String, message| {
        let value = shown(document, &field);
        let place = document.place_of(&field);
        Finding { level, source: Source::Hub, reason, place, field, value, message }
    };
    match judged {
        // The structure is wrong, and that is said already; or the hub could not read what an apiserver keeps.
        Err(()) if said.iter().any(Finding::is_fatal) => Vec::new(),
        Err(()) => {
            let message = "the hub cannot read this resource: compare it with the CRD".to_owned();
            vec![finding(Level::Invalid, "Invalid", String::new(), message)]
        }
        Ok(Ok(warnings)) => warnings
            .into_iter()
            .map(|warning| {
                let (field, message) = warning.split_once(": ").unwrap_or(("", &warning));
                finding(Level::Warning, "Warning", field.to_owned(), message.to_owned())
            })
            .collect(),
        Ok(Err(faults)) => faults
            .into_iter()
            .filter(|fault| !said.iter().any(|said| said.is_fatal() && said.field == fault.path))
            .map(|Invalid { path, kind, message }| finding(Level::Invalid, kind.as_str(), path, message))
            .collect(),
    }
}

/// The manifest as a resource. The words of a parser may hold a value, so they are left out.
pub(in crate::commands) fn typed<K: serde::de::DeserializeOwned>(document: &Document) -> Result<K, ()> {
    serde_json::from_value(document.value.clone()).map_err(drop)
}

/// What a resource refers to, as far as it is in the same manifests. A ConfigMap that is not there counts as empty: it
/// may be on the cluster.
pub(in crate::commands) fn dereferenced(resource: &IrisCluster, all: &Manifests) -> Dereferenced {
    let config_source = match &resource.spec.config_source {
        None => ConfigSource::NotReferenced,
        Some(reference) => {
            let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
            ConfigSource::Found(config_texts(all, namespace, &reference.name).unwrap_or_default())
        }
    };
    Dereferenced { config_source, ..Dereferenced::default() }
}

/// None also for a manifest that is no ConfigMap: the apiserver would refuse it, and says so of it by itself.
fn config_texts(all: &Manifests, namespace: &str, name: &str) -> Option<ConfigTexts> {
    let found: ConfigMap = typed(find(all, "ConfigMap", namespace, name)?).ok()?;
    Some(ConfigTexts::from(&found))
}

/// An object of the core group among the manifests.
pub(in crate::commands) fn find<'a>(
    all: &'a Manifests,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Option<&'a Document> {
    all.documents.iter().find(|document| {
        document.kind() == kind
            && document.text("/apiVersion") == "v1"
            && document.text("/metadata/namespace") == namespace
            && document.text("/metadata/name") == name
    })
}

/// The value of a field, if it is a single one that is no secret.
fn shown(document: &Document, path: &str) -> Option<String> {
    let names = || path.split(['.', '[', ']']).filter(|name| !name.is_empty());
    if names().any(|name| SECRET_FIELDS.contains(&name)) {
        return None;
    }
    let value = names().try_fold(&document.value, |value, name| match value {
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        value => value.get(name),
    })?;
    if value.is_object() || value.is_array() || value.is_null() {
        return None;
    }
    let text = value.to_string();
    let cut: String = text.chars().take(MAX_VALUE).collect();
    Some(if cut.len() < text.len() { format!("{cut}…") } else { text })
}
