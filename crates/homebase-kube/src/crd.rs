//! Installs the CRDs on a work cluster: never downgrades, never deletes, never takes over a CRD that somebody
//! else owns, and waits until the apiserver serves them.

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
            Self::ForeignOwner { .. } | Self::Establish { .. } => None,
        }
    }
}

/// Installs all CRDs and waits until the apiserver serves them.
pub async fn install_crds(
    client: &Client,
    crds: &[CustomResourceDefinition],
    manager: &str,
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
            Verdict::Apply => apply_crd(&api, crd, manager).await?,
            Verdict::Keep => {}
            Verdict::RemoteNewer => installed = Installed::RemoteNewer(name.clone()),
            Verdict::Foreign => return Err(InstallCrdError::ForeignOwner { name }),
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
