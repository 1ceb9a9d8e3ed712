//! Reads registration Secrets: which cluster, and whether its kubeconfig may be used. It starts nothing, and
//! no text that it makes holds a value of a Secret.

use std::sync::Arc;

use homebase_api::annotations;
use homebase_api::conditions::work_cluster::CredentialsValid;
use homebase_core::{ClusterId, InvalidName};
use homebase_fleet::findings::Unusable;
use homebase_kubeconfig::{
    Policy, Reason, Rejection, SanitizedKubeconfig, Validity, sanitize, sanitize_argo,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;

use crate::registry::SecretRef;

mod convention;
mod preferences;
#[cfg(test)]
mod tests;

use convention::Place;
pub use convention::{Convention, NATIVE_KEYS};
pub use preferences::{Limits, Preferences};

/// The hub's setting without which no registration may be insecure.
pub const ALLOW_INSECURE_SETTING: &str = "--allow-insecure-registrations";

/// A registration as its Secret says it.
#[derive(Clone)]
pub struct Registration {
    /// The Secret.
    pub secret: SecretRef,
    /// The cluster's name, or why there is none.
    pub id: Result<ClusterId, InvalidName>,
    /// The kubeconfig, or why it cannot be used.
    pub kubeconfig: Result<Arc<SanitizedKubeconfig>, Unusable>,
    /// What its annotations ask for.
    pub preferences: Arc<Preferences>,
}

impl PartialEq for Registration {
    fn eq(&self, other: &Self) -> bool {
        self.secret == other.secret
    }
}

impl Registration {
    /// Whether a session that was started for `other` still does what this registration says.
    pub fn is_same_connection(&self, other: &Self) -> bool {
        self.secret.uid == other.secret.uid
            && match (&self.kubeconfig, &other.kubeconfig) {
                (Ok(mine), Ok(theirs)) => mine.fingerprint() == theirs.fingerprint(),
                (Err(mine), Err(theirs)) => mine == theirs,
                _ => false,
            }
    }

    /// Host and port of the apiserver; nothing else of the URL, which may hold a path that is nobody's business.
    pub fn server(&self) -> Option<String> {
        let kubeconfig = self.kubeconfig.as_ref().ok()?;
        let (host, port) = (kubeconfig.server().host(), kubeconfig.server().port());
        Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
    }
}

impl Registration {
    /// In which time the credentials can be used, as they say themselves.
    pub fn validity(&self) -> Validity {
        self.kubeconfig.as_ref().map(|kubeconfig| kubeconfig.credentials_validity()).unwrap_or_default()
    }

    /// What its owner should know of it: settings that cannot be carried out as they are, and what is insecure.
    pub fn remarks(&self) -> Vec<String> {
        let insecure =
            self.kubeconfig.as_ref().map(|kubeconfig| kubeconfig.insecurities()).unwrap_or_default();
        let insecure = (!insecure.is_empty()).then(|| {
            format!("it is insecure, as {} allows: {}", annotations::ALLOW_INSECURE, insecure.join("; "))
        });
        self.preferences.faults.iter().cloned().chain(insecure).collect()
    }

    /// Whether its kubeconfig has something that is insecure.
    pub fn is_insecure(&self) -> bool {
        self.kubeconfig.as_ref().is_ok_and(|kubeconfig| !kubeconfig.insecurities().is_empty())
    }

    /// Where the cluster is worked on, in words; none when that is everywhere.
    pub fn restricted_to(&self) -> Option<String> {
        let namespaces = &self.preferences.namespaces;
        namespaces.is_list().then(|| namespaces.to_string())
    }

    /// Whether a session that was started for `other` may go on under this registration, whatever its kubeconfig.
    pub fn has_same_preferences(&self, other: &Self) -> bool {
        self.preferences == other.preferences
    }
}

/// Whether the hub's settings allow what a registration allows too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Insecure {
    /// No registration may be insecure.
    #[default]
    Refused,
    /// A registration may be insecure that says so itself.
    IfAsked,
}

/// Reads the clusters that a Secret registers under a convention: none, when it is no registration of that form.
pub fn read(convention: Convention, secret: &Secret, insecure: Insecure) -> Vec<Registration> {
    if !convention.is_met(secret) {
        return Vec::new();
    }
    let reference = SecretRef {
        name: secret.name_any(),
        uid: secret.uid().unwrap_or_default(),
        resource_version: secret.resource_version().unwrap_or_default(),
        created: secret.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
    };
    let preferences =
        Arc::new(Preferences::read(secret.annotations(), secret.labels(), convention.restriction(secret)));
    let clusters = convention.clusters(secret).into_iter();
    let registration = |(name, place): (String, Place<'_>)| Registration {
        secret: reference.clone(),
        id: name.parse(),
        kubeconfig: match &preferences.refused {
            Some(message) => {
                Err(Unusable { reason: CredentialsValid::BadKubeConfig, message: message.clone() })
            }
            None => kubeconfig(&place, preferences.allow_insecure, insecure),
        },
        preferences: preferences.clone(),
    };
    clusters.map(registration).collect()
}

/// [`read`], unless an earlier one of these conventions is met as well: the Secret counts there alone. The watches of
/// both bring it one after the other, and it must not be taken for another cluster in between.
pub(crate) fn read_among<'a>(
    mut conventions: impl Iterator<Item = &'a Convention>,
    convention: Convention,
    secret: &Secret,
    insecure: Insecure,
) -> Vec<Registration> {
    match conventions.find(|convention| convention.is_met(secret)) {
        Some(first) if *first == convention => read(convention, secret, insecure),
        _ => Vec::new(),
    }
}

/// Reads a Secret under the first of these conventions that it meets.
pub fn read_first(conventions: &[Convention], secret: &Secret, insecure: Insecure) -> Vec<Registration> {
    let met = conventions.iter().find(|convention| convention.is_met(secret));
    met.map_or_else(Vec::new, |convention| read(*convention, secret, insecure))
}

fn kubeconfig(
    place: &Place<'_>,
    asked: bool,
    insecure: Insecure,
) -> Result<Arc<SanitizedKubeconfig>, Unusable> {
    let allowed = insecure == Insecure::IfAsked;
    let sanitized = match sanitize_place(place, asked && allowed)? {
        Ok(sanitized) => return Ok(Arc::new(sanitized)),
        Err(rejections) => rejections,
    };
    let mut unusable = unusable(&sanitized);
    let would_help = |rejections: &Vec<Rejection>| rejections.len() < sanitized.len();
    if !(asked && allowed) && sanitize_place(place, true)?.err().as_ref().is_none_or(would_help) {
        let lacks = match (asked, allowed) {
            (false, false) => "both are missing",
            (false, true) => "the annotation is missing",
            _ => "the hub runs without it",
        };
        unusable.message = format!(
            "{}. What is insecure is allowed only by the annotation {}: \"true\" together with the hub's setting {}: \
             {lacks}",
            unusable.message,
            annotations::ALLOW_INSECURE,
            ALLOW_INSECURE_SETTING
        );
    }
    Err(unusable)
}

fn sanitize_place(
    place: &Place<'_>,
    allow_insecure: bool,
) -> Result<Result<SanitizedKubeconfig, Vec<Rejection>>, Unusable> {
    let policy = Policy { allow_insecure, ..Policy::default() };
    match place {
        Place::Kubeconfig(bytes) => Ok(sanitize(bytes, &policy)),
        Place::ArgoCd { name, server, config } => Ok(sanitize_argo(name, server, config, &policy)),
        Place::Missing(keys) => {
            let message = format!("the Secret has no key {}: put the kubeconfig there", keys.join(" or "));
            Err(Unusable { reason: CredentialsValid::KeyNotFound, message })
        }
    }
}

fn unusable(rejections: &[Rejection]) -> Unusable {
    let reason = match Reason::of(rejections) {
        Some(Reason::InsecureKubeConfig) => CredentialsValid::InsecureKubeConfig,
        Some(Reason::BadKubeConfig) | None => CredentialsValid::BadKubeConfig,
    };
    let faults: Vec<String> = rejections.iter().map(ToString::to_string).collect();
    Unusable { reason, message: faults.join("; ") }
}
