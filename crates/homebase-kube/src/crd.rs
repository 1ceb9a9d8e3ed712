//! Installs the CRDs on a work cluster as far as its registration allows: never downgrades, never deletes, never
//! removes a version that objects are stored in, never writes where another hub does, and waits until the apiserver
//! serves them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use homebase_api::annotations;
use homebase_core::Chain;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::claim::HubClaim;
use crate::error::Category;

mod error;
mod judge;
mod migrate;

#[cfg(test)]
mod tests;

pub use error::{InstallCrdError, MigrateObjectsError};
use judge::{
    APPLIED_FINGERPRINT, Verdict, fingerprint_of, is_of_homebase, judge, restrict, retired_versions,
    unknown_versions, with_versions,
};

/// How long the apiserver may take to establish a CRD: seconds when it is busy, a minute never.
const ESTABLISH_TIMEOUT: Duration = Duration::from_secs(30);
/// How often to look whether it has.
const ESTABLISH_POLL: Duration = Duration::from_millis(200);
/// Tries when somebody else writes a CRD at the same moment, which the apiserver itself does after each change.
const CONFLICT_TRIES: usize = 3;

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

/// What one installation goes by.
#[derive(Clone, Copy, Debug)]
pub struct Installation<'a> {
    /// The field manager of this hub.
    pub manager: &'a str,
    /// What may be done.
    pub policy: CrdPolicy,
    /// The claim of this hub on the cluster, which stands on each CRD; none where hubs share the CRDs, as at home.
    pub claim: Option<&'a HubClaim>,
    /// Counts what has been done.
    pub progress: &'a Progress,
}

/// Counts the steps of an installation, so that its caller can tell a long one from one that hangs.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    /// How many steps have been done.
    pub fn steps(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Another one is done.
    pub fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Installs all CRDs and waits until the apiserver serves them. Credentials without rights on CRDs are enough
/// where the kinds are served already.
pub async fn install_crds(
    client: &Client,
    crds: &[CustomResourceDefinition],
    how: Installation<'_>,
) -> Result<Installed, InstallCrdError> {
    let installer = Installer { client, api: Api::all(client.clone()), how };
    let mut tries = 1;
    loop {
        match installer.install(crds).await {
            Err(error) if error.category() == Some(Category::Forbidden) => {
                return match installer.find_unserved(crds).await {
                    None => Ok(Installed::UpToDate),
                    Some(name) if how.policy == CrdPolicy::Never => Err(InstallCrdError::KeepOut { name }),
                    Some(_) => Err(error),
                };
            }
            Err(error) if error.category() == Some(Category::Conflict) && tries < CONFLICT_TRIES => {
                tries += 1;
                tokio::time::sleep(ESTABLISH_POLL).await;
            }
            outcome => return outcome,
        }
    }
}

struct Installer<'a> {
    client: &'a Client,
    api: Api<CustomResourceDefinition>,
    how: Installation<'a>,
}

impl Installer<'_> {
    async fn install(&self, crds: &[CustomResourceDefinition]) -> Result<Installed, InstallCrdError> {
        let mut judged = Vec::new();
        // All are looked at before one is written: a cluster that another hub claims gets no write at all.
        for wanted in crds {
            let found = self.fetch(&wanted.name_any()).await?;
            let verdict = judge(wanted, found.as_ref(), self.how.claim);
            let verdict = restrict(verdict, self.how.policy, &wanted.name_any(), found.is_some())?;
            judged.push((wanted, verdict, found));
        }
        let mut installed = Installed::UpToDate;
        for (wanted, verdict, found) in judged {
            match verdict {
                Verdict::Apply | Verdict::Foreign => match found {
                    None => drop(self.apply(wanted, None, fingerprint_of(wanted)).await?),
                    Some(found) => self.renew(wanted, found).await?,
                },
                Verdict::RemoteNewer { claim } => {
                    installed = Installed::RemoteNewer(wanted.name_any());
                    if let Some(found) = found.filter(|_| claim) {
                        self.claim_if_allowed(&found).await?;
                    }
                }
                Verdict::Keep | Verdict::OtherHub(_) | Verdict::HubTooOld(_) => {}
            }
            self.how.progress.step();
        }
        for crd in crds {
            self.await_established(&crd.name_any()).await?;
        }
        Ok(installed)
    }

    async fn fetch(&self, name: &str) -> Result<Option<CustomResourceDefinition>, InstallCrdError> {
        self.api
            .get_opt(name)
            .await
            .map_err(|error| InstallCrdError::ReadCrd { name: name.to_owned(), source: error.into() })
    }

    /// Brings a CRD that is there to what it should be. Where that takes a version away in which objects may be
    /// stored, they are moved out of it first; where it takes one away that objects still name, it stays unserved.
    async fn renew(
        &self,
        wanted: &CustomResourceDefinition,
        mut found: CustomResourceDefinition,
    ) -> Result<(), InstallCrdError> {
        let gone = unknown_versions(wanted, &found);
        if gone.is_empty() {
            return self.apply(wanted, Some(&found), fingerprint_of(wanted)).await.map(drop);
        }
        let retired = retired_versions(wanted, &found);
        if let Some(version) = retired.first() {
            let refuse = |source| InstallCrdError::RemoveStoredVersion {
                name: wanted.name_any(),
                version: version.clone(),
                source: Box::new(source),
            };
            if !is_of_homebase(&found) {
                return Err(refuse(MigrateObjectsError::KeepForeign));
            }
            found = self.retire(wanted, &found, [&gone, &retired], refuse).await?;
        }
        // From here on nobody can bring up the old versions any more. Without a fingerprint: it is not the end.
        let unserved = with_versions(wanted, &found, &gone, false);
        found = self.apply(&unserved, Some(&found), None).await?;
        let named = match migrate::find_named(self.client, wanted, &gone, self.how.progress).await {
            Ok(named) => named,
            Err(error) => {
                tracing::info!(crd = wanted.name_any(), error = %Chain(&error), "retired versions stay, unserved");
                gone
            }
        };
        let last = with_versions(wanted, &found, &named, false);
        self.apply(&last, Some(&found), fingerprint_of(wanted)).await.map(drop)
    }

    /// Moves all objects out of the retired versions; returns the CRD as it is then. Each step finds what an earlier
    /// try has done, so it may break off anywhere. All versions that are to be gone stay meanwhile: objects may name
    /// one that nothing is stored in.
    async fn retire(
        &self,
        wanted: &CustomResourceDefinition,
        found: &CustomResourceDefinition,
        [gone, retired]: [&[String]; 2],
        refuse: impl Fn(MigrateObjectsError) -> InstallCrdError,
    ) -> Result<CustomResourceDefinition, InstallCrdError> {
        let name = wanted.name_any();
        migrate::ask_for_right(&self.api, &name).await.map_err(&refuse)?;
        tracing::info!(crd = name, ?retired, "objects are moved out of stored versions that are retired");
        // Without a fingerprint: it is not what is wanted in the end.
        let both = with_versions(wanted, found, gone, true);
        self.apply(&both, Some(found), None).await?;
        self.await_established(&name).await?;
        self.await_served(wanted).await?;
        migrate::rewrite_objects(self.client, wanted, self.how.progress).await.map_err(&refuse)?;
        let found = self.fetch_established(&name).await?;
        migrate::record_versions(&self.api, &found, retired).await.map_err(&refuse)
    }

    /// Applies a CRD to what was found. Whoever has changed it since, or has made one where none was found, wins: the
    /// answer is then a conflict.
    async fn apply(
        &self,
        crd: &CustomResourceDefinition,
        found: Option<&CustomResourceDefinition>,
        fingerprint: Option<String>,
    ) -> Result<CustomResourceDefinition, InstallCrdError> {
        let name = crd.name_any();
        let mut marked = crd.clone();
        let marks = marked.annotations_mut();
        if let Some(fingerprint) = fingerprint {
            marks.insert(APPLIED_FINGERPRINT.to_owned(), fingerprint);
        }
        if let Some(claim) = self.how.claim {
            marks.insert(annotations::HUB_ID.to_owned(), claim.id.clone());
        }
        let mut params = PatchParams::apply(self.how.manager);
        if let Some(found) = found {
            marked.metadata.resource_version = found.resource_version();
            params = params.force();
        }
        self.api
            .patch(&name, &params, &Patch::Apply(&marked))
            .await
            .map_err(|error| InstallCrdError::ApplyCrd { name, source: error.into() })
    }

    /// Claims a cluster by a newer CRD where the rights do. A cluster that cannot be claimed works all the same, and stays one that is newer.
    async fn claim_if_allowed(&self, found: &CustomResourceDefinition) -> Result<(), InstallCrdError> {
        match self.claim(found).await {
            Err(error) if error.category() == Some(Category::Forbidden) => {
                tracing::info!(crd = found.name_any(), error = %Chain(&error), "a newer CRD is not claimed");
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Claims a cluster by a CRD that is left as it is.
    async fn claim(&self, found: &CustomResourceDefinition) -> Result<(), InstallCrdError> {
        let Some(claim) = self.how.claim else { return Ok(()) };
        let name = found.name_any();
        let patch = Patch::Merge(json!({"metadata": {
            "resourceVersion": found.resource_version(), "annotations": { (annotations::HUB_ID): claim.id },
        }}));
        let params =
            PatchParams { field_manager: Some(self.how.manager.to_owned()), ..PatchParams::default() };
        self.api
            .patch(&name, &params, &patch)
            .await
            .map(drop)
            .map_err(|error| InstallCrdError::ApplyCrd { name, source: error.into() })
    }

    async fn fetch_established(&self, name: &str) -> Result<CustomResourceDefinition, InstallCrdError> {
        self.api
            .get(name)
            .await
            .map_err(|error| InstallCrdError::ReadCrd { name: name.to_owned(), source: error.into() })
    }

    async fn await_established(&self, name: &str) -> Result<(), InstallCrdError> {
        let deadline = tokio::time::Instant::now() + ESTABLISH_TIMEOUT;
        loop {
            let missing = unmet_conditions(&self.fetch_established(name).await?);
            if missing.is_empty() {
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(InstallCrdError::Establish { name: name.to_owned(), detail: missing.join("; ") });
            }
            tokio::time::sleep(ESTABLISH_POLL).await;
        }
    }

    /// A CRD that was established before is so at once; what it has anew is served a moment later.
    async fn await_served(&self, crd: &CustomResourceDefinition) -> Result<(), InstallCrdError> {
        let deadline = tokio::time::Instant::now() + ESTABLISH_TIMEOUT;
        while let Some(name) = self.find_unserved(std::slice::from_ref(crd)).await {
            if tokio::time::Instant::now() >= deadline {
                let detail = "not all of its versions are served".to_owned();
                return Err(InstallCrdError::Establish { name, detail });
            }
            tokio::time::sleep(ESTABLISH_POLL).await;
        }
        Ok(())
    }

    /// A CRD of which the apiserver does not serve each version that the hub uses; discovery is open to everybody.
    async fn find_unserved(&self, crds: &[CustomResourceDefinition]) -> Option<String> {
        for crd in crds {
            for version in crd.spec.versions.iter().filter(|version| version.served) {
                let group_version = format!("{}/{}", crd.spec.group, version.name);
                let list = self.client.list_api_group_resources(&group_version).await;
                let is_served = list.is_ok_and(|list| {
                    list.resources.iter().any(|resource| resource.name == crd.spec.names.plural)
                });
                if !is_served {
                    return Some(crd.name_any());
                }
            }
        }
        None
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
