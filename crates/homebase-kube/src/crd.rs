//! Installs the CRDs on a work cluster as far as its registration allows: never downgrades, never deletes, never
//! removes a version that objects are stored in, and waits until the apiserver serves them.

use std::time::Duration;

use homebase_api::annotations;
use homebase_api::labels;
use homebase_core::Fingerprint;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};

use crate::error::{Category, categorize};

#[cfg(test)]
mod tests;

/// How long the apiserver may take to establish a CRD: seconds when it is busy, a minute never.
const ESTABLISH_TIMEOUT: Duration = Duration::from_secs(30);
/// How often to look whether it has.
const ESTABLISH_POLL: Duration = Duration::from_millis(200);

/// What may be done about the CRDs of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CrdPolicy {
    /// Install those that are missing and renew those that Homebase made.
    #[default]
    Install,
    /// Besides, take over those that somebody else made.
    Adopt,
    /// Write none: they must be there.
    Never,
}

/// What the installation of all CRDs came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installed {
    /// The cluster serves exactly the CRDs of this hub.
    UpToDate,
    /// The cluster has a newer CRD, which the hub left as it is.
    RemoteNewer(String),
}

/// A CRD could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallCrdError {
    /// The CRD could not be read.
    #[error("read CRD {name}")]
    ReadCrd {
        /// The CRD's name.
        name: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The CRD could not be applied.
    #[error("apply CRD {name}")]
    ApplyCrd {
        /// The CRD's name.
        name: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The CRD belongs to somebody else.
    #[error(
        "CRD {name} is there already and was not made by Homebase: remove it, or label it \
         app.kubernetes.io/managed-by=homebase to hand it over"
    )]
    ForeignOwner {
        /// The CRD's name.
        name: String,
    },
    /// The CRD is missing, or an older one, and may not be written.
    #[error(
        "CRD {name} is missing or older than this hub needs, and the policy Never forbids to install it: install it from deploy/crds"
    )]
    KeepOut {
        /// The CRD's name.
        name: String,
    },
    /// The change would remove a version in which objects are stored.
    #[error(
        "CRD {name} has objects stored in version {version}, which this hub does not know: migrate them first"
    )]
    RemoveStoredVersion {
        /// The CRD's name.
        name: String,
        /// The version.
        version: String,
    },
    /// The apiserver does not serve the CRD.
    #[error("CRD {name} was not established within {} s: {detail}", ESTABLISH_TIMEOUT.as_secs())]
    Establish {
        /// The CRD's name.
        name: String,
        /// What the apiserver says of it.
        detail: String,
    },
}

impl InstallCrdError {
    /// The kind of the failed request, when it was a request that failed.
    pub fn category(&self) -> Option<Category> {
        match self {
            Self::ReadCrd { source, .. } | Self::ApplyCrd { source, .. } => Some(categorize(source)),
            Self::ForeignOwner { .. }
            | Self::KeepOut { .. }
            | Self::RemoveStoredVersion { .. }
            | Self::Establish { .. } => None,
        }
    }
}

/// Installs all CRDs and waits until the apiserver serves them. Credentials without rights on CRDs are enough
/// where the kinds are served already.
pub async fn install_crds(
    client: &Client,
    crds: &[CustomResourceDefinition],
    manager: &str,
    policy: CrdPolicy,
) -> Result<Installed, InstallCrdError> {
    match try_install(client, crds, manager, policy).await {
        Err(error) if error.category() == Some(Category::Forbidden) && are_served(client, crds).await => {
            Ok(Installed::UpToDate)
        }
        outcome => outcome,
    }
}

/// Whether the apiserver serves all kinds in the versions that the hub uses; discovery is open to everybody.
async fn are_served(client: &Client, crds: &[CustomResourceDefinition]) -> bool {
    for crd in crds {
        for version in crd.spec.versions.iter().filter(|version| version.served) {
            let group_version = format!("{}/{}", crd.spec.group, version.name);
            let Ok(list) = client.list_api_group_resources(&group_version).await else { return false };
            if !list.resources.iter().any(|resource| resource.name == crd.spec.names.plural) {
                return false;
            }
        }
    }
    true
}

async fn try_install(
    client: &Client,
    crds: &[CustomResourceDefinition],
    manager: &str,
    policy: CrdPolicy,
) -> Result<Installed, InstallCrdError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut installed = Installed::UpToDate;
    for crd in crds {
        let name = crd.name_any();
        let found = api
            .get_opt(&name)
            .await
            .map_err(|error| InstallCrdError::ReadCrd { name: name.clone(), source: Box::new(error) })?;
        match judge(crd, found.as_ref()) {
            Verdict::Foreign if policy == CrdPolicy::Install => {
                return Err(InstallCrdError::ForeignOwner { name });
            }
            Verdict::Apply | Verdict::Foreign if policy == CrdPolicy::Never => {
                // A foreign one that is served may do: what it refuses will show on the resources.
                if found.is_none() {
                    return Err(InstallCrdError::KeepOut { name });
                }
            }
            Verdict::Apply | Verdict::Foreign => {
                refuse_removal(crd, found.as_ref())?;
                apply_crd(&api, crd, manager).await?;
            }
            Verdict::Keep => {}
            Verdict::RemoteNewer => installed = Installed::RemoteNewer(name.clone()),
        }
    }
    for crd in crds {
        await_established(&api, &crd.name_any()).await?;
    }
    Ok(installed)
}

/// What to do with one CRD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Apply,
    Keep,
    RemoteNewer,
    Foreign,
}

fn judge(wanted: &CustomResourceDefinition, found: Option<&CustomResourceDefinition>) -> Verdict {
    let Some(found) = found else { return Verdict::Apply };
    if found.labels().get(labels::MANAGED_BY).map(String::as_str) != Some(labels::MANAGED_BY_HOMEBASE) {
        return Verdict::Foreign;
    }
    let version = |crd: &CustomResourceDefinition| {
        crd.annotations().get(annotations::CRD_VERSION).and_then(|text| text.parse::<u64>().ok())
    };
    if version(found) > version(wanted) {
        return Verdict::RemoteNewer;
    }
    let applied = found.annotations().get(APPLIED_FINGERPRINT);
    if applied.is_some() && applied == fingerprint_of(wanted).as_ref() {
        Verdict::Keep
    } else {
        Verdict::Apply
    }
}

/// Refuses a change after which objects that are stored could not be read any more.
fn refuse_removal(
    wanted: &CustomResourceDefinition,
    found: Option<&CustomResourceDefinition>,
) -> Result<(), InstallCrdError> {
    let stored = found.and_then(|found| found.status.as_ref()?.stored_versions.as_ref());
    let is_known = |version: &&String| wanted.spec.versions.iter().any(|known| known.name == **version);
    match stored.into_iter().flatten().find(|version| !is_known(version)) {
        None => Ok(()),
        Some(version) => {
            Err(InstallCrdError::RemoveStoredVersion { name: wanted.name_any(), version: version.clone() })
        }
    }
}

/// The fingerprint of the CRD that was applied last: the apiserver fills in defaults, so what it stores
/// cannot be compared with what was sent.
const APPLIED_FINGERPRINT: &str = "homebase.dev/crd-fingerprint";

fn fingerprint_of(crd: &CustomResourceDefinition) -> Option<String> {
    Fingerprint::of(crd).ok().map(|fingerprint| fingerprint.to_string())
}

async fn apply_crd(
    api: &Api<CustomResourceDefinition>,
    crd: &CustomResourceDefinition,
    manager: &str,
) -> Result<(), InstallCrdError> {
    let name = crd.name_any();
    let mut marked = crd.clone();
    if let Some(fingerprint) = fingerprint_of(crd) {
        marked.annotations_mut().insert(APPLIED_FINGERPRINT.to_owned(), fingerprint);
    }
    api.patch(&name, &PatchParams::apply(manager).force(), &Patch::Apply(&marked))
        .await
        .map_err(|error| InstallCrdError::ApplyCrd { name, source: Box::new(error) })?;
    Ok(())
}

async fn await_established(api: &Api<CustomResourceDefinition>, name: &str) -> Result<(), InstallCrdError> {
    let deadline = tokio::time::Instant::now() + ESTABLISH_TIMEOUT;
    loop {
        let found = api
            .get(name)
            .await
            .map_err(|error| InstallCrdError::ReadCrd { name: name.to_owned(), source: Box::new(error) })?;
        let missing = unmet_conditions(&found);
        if missing.is_empty() {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(InstallCrdError::Establish { name: name.to_owned(), detail: missing.join("; ") });
        }
        tokio::time::sleep(ESTABLISH_POLL).await;
    }
}

/// The conditions that the CRD must have and has not, in words.
fn unmet_conditions(crd: &CustomResourceDefinition) -> Vec<String> {
    let conditions = crd.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    ["Established", "NamesAccepted"]
        .into_iter()
        .filter_map(|wanted| match conditions.iter().find(|condition| condition.type_ == wanted) {
            Some(condition) if condition.status == "True" => None,
            Some(condition) => {
                Some(format!("{wanted}: {}", condition.message.as_deref().unwrap_or("no reason")))
            }
            None => Some(format!("{wanted}: not reported yet")),
        })
        .collect()
}
