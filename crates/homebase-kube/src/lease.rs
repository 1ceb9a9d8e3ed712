//! Reads and writes the Leases of a hub. Every write of a Lease that exists bears its UID and resourceVersion: an update
//! may create a Lease, so that one without them would bring a deleted one back. When to take one is decided elsewhere.

use homebase_api::{annotations, labels};
pub use homebase_fleet::lease::RENEW;
use homebase_fleet::lease::{RENEW_DEADLINE, TAKE_OVER};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt as _};

use crate::error::{Category, RequestError, categorize};

#[cfg(test)]
mod tests;

/// The Lease that guards the namespace of registrations: whoever holds it works there. No name that [`own_name`] makes
/// is the same.
pub const GUARD: &str = "homebase.active";
/// What the name of the Lease of one instance begins with.
const OWN_PREFIX: &str = "homebase-";

/// A Lease could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// There was no answer in time.
    #[error("no answer about Lease {name} within {} s", RENEW_DEADLINE.as_secs())]
    AwaitAnswer {
        /// The Lease.
        name: String,
    },
    /// The request failed.
    #[error("{verb} Lease {name}: {source}")]
    Request {
        /// What was to be done.
        verb: &'static str,
        /// The Lease.
        name: String,
        /// Why it failed.
        source: RequestError,
    },
    /// The namespace of the Lease does not exist.
    #[error("namespace {0} does not exist in the home cluster: create it, or correct --namespace")]
    FindNamespace(String),
}

impl LeaseError {
    /// The kind of the error.
    pub fn category(&self) -> Category {
        match self {
            Self::AwaitAnswer { .. } => Category::ResponseTimeout,
            Self::Request { source, .. } => categorize(source),
            Self::FindNamespace(_) => Category::NotFound,
        }
    }

    /// Whether the Lease is not as it was read, or is no longer there.
    pub fn is_outdated(&self) -> bool {
        let is_outdated = matches!(self.category(), Category::Conflict | Category::NotFound);
        is_outdated && matches!(self, Self::Request { .. })
    }
}

/// What a hub writes into its Leases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The name of the instance.
    pub instance: String,
    /// Random, new at each start.
    pub term: String,
    /// A mark of the hub's ID, for the label.
    pub hub: String,
    /// The process, in a form that only a process of the same machine understands.
    pub process: Option<String>,
    /// The UID of its pod.
    pub pod_uid: Option<String>,
}

impl Holder {
    /// Who holds a Lease; none when it was released.
    pub fn of(lease: &Lease) -> Option<Self> {
        let instance = lease.spec.as_ref()?.holder_identity.clone().filter(|holder| !holder.is_empty())?;
        let annotation = |key: &str| lease.annotations().get(key).cloned();
        Some(Self {
            instance,
            term: annotation(annotations::TERM).unwrap_or_default(),
            hub: lease.labels().get(labels::HUB).cloned().unwrap_or_default(),
            process: annotation(annotations::PROCESS),
            pod_uid: annotation(annotations::POD_UID),
        })
    }

    /// Whether a Lease is held by this very hub.
    pub fn holds(&self, lease: &Lease) -> bool {
        Self::of(lease).is_some_and(|holder| holder.term == self.term && holder.instance == self.instance)
    }

    /// The Lease as this hub writes it, over what was read.
    fn lease(&self, name: &str, over: Option<&Lease>, now: Timestamp) -> Lease {
        let mut lease = over.cloned().unwrap_or_default();
        lease.metadata.name = Some(name.to_owned());
        lease.metadata.managed_fields = None;
        let continues = self.holds(&lease);
        lease.labels_mut().insert(labels::HUB.to_owned(), self.hub.clone());
        let marks = [
            (annotations::TERM, Some(&self.term)),
            (annotations::PROTOCOL, Some(&annotations::PROTOCOL_1.to_owned())),
            (annotations::PROCESS, self.process.as_ref()),
            (annotations::POD_UID, self.pod_uid.as_ref()),
        ];
        for (key, value) in marks {
            match value {
                Some(value) => lease.annotations_mut().insert(key.to_owned(), value.clone()),
                None => lease.annotations_mut().remove(key),
            };
        }
        let mut spec = lease.spec.take().unwrap_or_default();
        if !continues {
            spec.acquire_time = Some(MicroTime(now));
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |count| count.saturating_add(1)));
        }
        spec.holder_identity = Some(self.instance.clone());
        spec.lease_duration_seconds = i32::try_from(TAKE_OVER.as_secs()).ok();
        spec.renew_time = Some(MicroTime(now));
        lease.spec = Some(spec);
        lease
    }
}

/// The name of the Lease of one instance, which is the pod's name: what a name cannot have becomes a hyphen.
pub fn own_name(instance: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let plain: String = instance.chars().map(plain).collect();
    let parts = plain.split('.').map(|part| part.trim_matches('-')).filter(|part| !part.is_empty());
    let name = OWN_PREFIX.to_owned() + &parts.collect::<Vec<_>>().join(".");
    name.trim_end_matches('-').to_owned()
}

/// What tells one state of a Lease from all others.
pub fn version(lease: &Lease) -> String {
    format!("{}/{}", lease.uid().unwrap_or_default(), lease.resource_version().unwrap_or_default())
}

/// The Leases of one namespace.
#[derive(Clone)]
pub struct Leases {
    api: Api<Lease>,
    namespace: String,
}

impl Leases {
    /// The Leases of a namespace.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), namespace: namespace.to_owned() }
    }

    /// Reads a Lease.
    pub async fn fetch(&self, name: &str) -> Result<Option<Lease>, LeaseError> {
        within("read", name, self.api.get_opt(name)).await
    }

    /// Takes or renews a Lease, if it is still as it was read; creates it if there was none.
    pub async fn hold(&self, name: &str, holder: &Holder, over: Option<&Lease>) -> Result<Lease, LeaseError> {
        self.write(name, holder.lease(name, over, Timestamp::now())).await
    }

    /// Releases a Lease that was read, if it is still as it was read.
    pub async fn release(&self, name: &str, lease: &Lease) -> Result<Lease, LeaseError> {
        let mut lease = lease.clone();
        lease.metadata.managed_fields = None;
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(String::new());
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        self.write(name, lease).await
    }

    async fn write(&self, name: &str, lease: Lease) -> Result<Lease, LeaseError> {
        let params = PostParams::default();
        if lease.metadata.uid.is_some() {
            return within("renew", name, self.api.replace(name, &params, &lease)).await;
        }
        within("create", name, self.api.create(&params, &lease)).await.map_err(|error| {
            // All that a create does not find is its namespace.
            let is_missing = error.category() == Category::NotFound;
            if is_missing { LeaseError::FindNamespace(self.namespace.clone()) } else { error }
        })
    }
}

async fn within<T>(
    verb: &'static str,
    name: &str,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, LeaseError> {
    match tokio::time::timeout(RENEW_DEADLINE, request).await {
        Err(_) => Err(LeaseError::AwaitAnswer { name: name.to_owned() }),
        Ok(answer) => {
            answer.map_err(|error| LeaseError::Request { verb, name: name.to_owned(), source: error.into() })
        }
    }
}
