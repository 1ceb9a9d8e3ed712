//! The kind `Iris`: validate → plan → status of one Deployment. Must not touch a Deployment that it does not own.

mod observed;
mod status;

use homebase_api::{Iris, labels};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube_core::Resource as _;

pub use self::observed::{Observed, ObservedDeployment};
pub use self::status::{failed_status, refused_status, status};
use crate::cluster::names::{SUPERSERVER, SUPERSERVER_PORT, WEB_SERVER, WEB_SERVER_PORT};
use crate::events::{EventReason, PlannedEvent};
use crate::hash::{PLAN_HASH, fingerprint};
use crate::report::{Invalid, InvalidKind};

/// The image of an `Iris` that names none: the edition that runs without a license.
pub const DEFAULT_IMAGE: &str = "containers.intersystems.com/intersystems/iris-community:2025.1";

/// Name of the container.
const CONTAINER: &str = "iris";

/// Longest `spec.deploymentName`: the limit of the published API.
const MAX_DEPLOYMENT_NAME: usize = 64;

/// Longest value of a label.
const MAX_LABEL: usize = 63;

/// An `Iris` that can be built. Only [`validate`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidatedIris {
    name: String,
    namespace: String,
    uid: String,
    deployment_name: String,
    replicas: i32,
    image: String,
}

/// What becomes of an `Iris`.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The Deployment that it should have.
    pub deployment: Deployment,
    /// Its Deployments of earlier names.
    pub delete: Vec<Surplus>,
    /// What applying [`Plan::deployment`] changes.
    pub change: Change,
}

/// A Deployment to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surplus {
    /// Its name.
    pub name: String,
    /// Its UID: the precondition of its deletion.
    pub uid: String,
}

/// What applying a Deployment changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It comes into being.
    Created,
    /// The number of its pods changes.
    Scaled {
        /// Pods wanted before.
        from: i32,
        /// Pods wanted now.
        to: i32,
    },
    /// Nothing that is worth an event.
    None,
}

/// Checks an `Iris` and fills in its defaults. The error holds all faults, not only the first.
pub fn validate(iris: &Iris) -> Result<ValidatedIris, Vec<Invalid>> {
    let mut faults = Vec::new();
    let mut refuse = |path: &str, message: String| {
        faults.push(Invalid { path: path.to_owned(), kind: InvalidKind::Invalid, message });
    };
    let name = &iris.spec.deployment_name;
    if name.is_empty() || name.len() > MAX_DEPLOYMENT_NAME {
        refuse("spec.deploymentName", format!("must have 1 to {MAX_DEPLOYMENT_NAME} characters"));
    } else if !is_deployment_name(name) {
        let message =
            "use lower case letters, digits, `-` and `.`, and begin and end with a letter or a digit";
        refuse("spec.deploymentName", message.to_owned());
    }
    let replicas = iris.spec.replicas.unwrap_or(1);
    if replicas < 0 {
        refuse("spec.replicas", "must be 0 or more".to_owned());
    }
    let image = iris.spec.image.as_deref().unwrap_or(DEFAULT_IMAGE);
    if image.is_empty() || image.chars().any(|c| c.is_whitespace() || c.is_control()) {
        refuse("spec.image", "must be an image without spaces, or absent for the default".to_owned());
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(ValidatedIris {
        name: iris.metadata.name.clone().unwrap_or_default(),
        namespace: iris.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        uid: iris.metadata.uid.clone().unwrap_or_default(),
        deployment_name: name.clone(),
        replicas,
        image: image.to_owned(),
    })
}

fn is_deployment_name(name: &str) -> bool {
    let ends_well = |part: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(plain) && part.ends_with(plain) && part.chars().all(|c| plain(c) || c == '-')
    };
    name.split('.').all(ends_well)
}

/// The plan of an `Iris`.
pub fn plan(iris: &ValidatedIris, found: &Observed) -> Plan {
    let current = found.deployments.get(&iris.deployment_name);
    let change = match current {
        None => Change::Created,
        Some(current) if current.replicas != iris.replicas => {
            Change::Scaled { from: current.replicas, to: iris.replicas }
        }
        Some(_) => Change::None,
    };
    let delete = found
        .deployments
        .iter()
        .filter(|(name, _)| **name != iris.deployment_name)
        .map(|(name, deployment)| Surplus { name: name.clone(), uid: deployment.uid.clone() })
        .collect();
    Plan { deployment: build_deployment(iris), delete, change }
}

/// The events that tell what applying this plan changes; the texts are those of the published operator.
pub fn events(plan: &Plan) -> Vec<PlannedEvent> {
    let Plan { deployment, delete, change } = plan;
    let name = deployment.metadata.name.as_deref().unwrap_or_default();
    let mut events = Vec::new();
    match change {
        Change::Created => {
            events.push(PlannedEvent::new(EventReason::Created, format!("Created deployment \"{name}\"")));
        }
        Change::Scaled { from: _, to } => {
            let note = format!("Scaled deployment \"{name}\" to {to} replicas");
            events.push(PlannedEvent::new(EventReason::Scaled, note));
        }
        Change::None => {}
    }
    for Surplus { name, uid: _ } in delete {
        events.push(PlannedEvent::new(EventReason::Deleted, format!("Deleted deployment \"{name}\"")));
    }
    events
}

fn build_deployment(iris: &ValidatedIris) -> Deployment {
    let selector = [(labels::DEPLOYMENT_NAME.to_owned(), label_value(&iris.deployment_name))];
    let mut all = std::collections::BTreeMap::from(selector.clone());
    all.insert(labels::MANAGED_BY.to_owned(), labels::MANAGED_BY_HOMEBASE.to_owned());
    let mut deployment = Deployment {
        metadata: ObjectMeta {
            name: Some(iris.deployment_name.clone()),
            namespace: Some(iris.namespace.clone()),
            labels: Some(all.clone()),
            owner_references: Some(vec![build_owner(iris)]),
            ..ObjectMeta::default()
        },
        spec: Some(DeploymentSpec {
            replicas: None,
            selector: LabelSelector { match_labels: Some(selector.into()), match_expressions: None },
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(all), ..ObjectMeta::default() }),
                spec: Some(PodSpec { containers: vec![build_container(iris)], ..PodSpec::default() }),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    // Taken without the replicas: scaling is no update.
    let hash = fingerprint(&deployment);
    deployment.metadata.annotations = Some([(PLAN_HASH.to_owned(), hash)].into());
    if let Some(spec) = &mut deployment.spec {
        spec.replicas = Some(iris.replicas);
    }
    deployment
}

fn build_container(iris: &ValidatedIris) -> Container {
    let ports =
        [(SUPERSERVER, SUPERSERVER_PORT), (WEB_SERVER, WEB_SERVER_PORT)].map(|(name, port)| ContainerPort {
            name: Some(name.to_owned()),
            container_port: i32::from(port),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        });
    Container {
        name: CONTAINER.to_owned(),
        image: Some(iris.image.clone()),
        ports: Some(ports.into()),
        ..Container::default()
    }
}

fn build_owner(iris: &ValidatedIris) -> OwnerReference {
    OwnerReference {
        api_version: Iris::api_version(&()).into_owned(),
        kind: Iris::kind(&()).into_owned(),
        name: iris.name.clone(),
        uid: iris.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The name as a label value. The API allows a name that is one character too long for one: that is shortened, with
/// a hash, so that two such names stay apart.
fn label_value(name: &str) -> String {
    if name.len() <= MAX_LABEL {
        return name.to_owned();
    }
    let hash = fingerprint(&name);
    format!("{}-{}", &name[..MAX_LABEL - 11], &hash[..10])
}

#[cfg(test)]
mod tests;
