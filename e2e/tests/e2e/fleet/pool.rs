//! One fleet for the tests of this module, and work clusters that each test has for itself while it runs. It must not
//! hold a case.

use std::collections::HashSet;
use std::fs;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use homebase_api::{WorkCluster, labels, remote_crds};
use homebase_testkit::{AuditMark, ControlPlane, HubProcess, eventually};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::{Value, json};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use crate::support::{Fleet, FleetBuilder, NAMESPACE, SOON, apply, create_namespace, events, hub_requests};

/// What is planted into every hostile kubeconfig.
pub(crate) const CANARY: &str = "c4n4ry-that-must-appear-nowhere";
/// A registration that is there before the hub starts, and cannot be used.
pub(crate) const BROKEN: &str = "broken-from-the-start";
/// The conventions of other tools that need to be asked for: here all are.
const ACCEPTED: &str = "--accept-secrets-of=cluster-api,argo-cd,istio";
/// Tests deregister what they registered, many within seconds, and each expects its session to end.
const NO_BRAKE: &str = "--fleet-brake=0";
/// Two tests run at a time, and one of them needs two clusters.
const PLANES: usize = 3;

/// The fleet. It ends with the test binary: its watchdog sees to that. The hub logs all it can, as any of it might
/// hold a secret.
pub(crate) async fn fleet() -> &'static Fleet {
    static FLEET: OnceCell<Fleet> = OnceCell::const_new();
    FLEET
        .get_or_init(|| async {
            let names = (0..PLANES).map(|number| format!("pool-{number}"));
            let planes = names.map(|name| ControlPlane::builder(name).api_only());
            let builder = planes.fold(Fleet::builder("pool"), FleetBuilder::work).hub_arg(NO_BRAKE);
            let fleet = builder.hub_arg("--log-level=trace").hub_arg(ACCEPTED);
            let mut fleet = fleet.start_planes().await;
            fleet.keep_secret(CANARY);
            fleet.register_as(BROKEN, format!("token: {CANARY}")).await;
            fleet.start_hub().await;
            fleet
        })
        .await
}

static FREE: Semaphore = Semaphore::const_new(PLANES);
static TAKEN: Mutex<[bool; PLANES]> = Mutex::new([false; PLANES]);

/// A work cluster that no other test uses.
pub(crate) struct Lease {
    index: usize,
    plane: &'static ControlPlane,
    _permit: SemaphorePermit<'static>,
}

impl Deref for Lease {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        self.plane
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner)[self.index] = false;
    }
}

/// Takes some clusters at once, so that no two tests wait for each other.
pub(crate) async fn lease<const N: usize>() -> [Lease; N] {
    let fleet = fleet().await;
    let mut permits = FREE.acquire_many(u32::try_from(N).unwrap()).await.unwrap();
    let leases = std::array::from_fn(|_| {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let index = taken.iter().position(|taken| !taken).expect("a permit means a free one");
        taken[index] = true;
        Lease { index, plane: &fleet.work[index], _permit: permits.split(1).unwrap() }
    });
    for lease in &leases {
        forget(fleet, lease).await;
    }
    leases
}

/// Removes the registrations that an earlier test, which may have failed, has left, and CRDs that are not the hub's.
async fn forget(fleet: &Fleet, plane: &ControlPlane) {
    let secrets = fleet.registrations().await;
    let clusters: Api<WorkCluster> = Api::namespaced(fleet.home.client().await.unwrap(), NAMESPACE);
    let url = plane.url();
    // A Secret may hold garbage by now while its session goes on, or lead here and have no session yet.
    let by_status = clusters.list(&ListParams::default()).await.unwrap().into_iter().filter_map(|cluster| {
        let status = cluster.status?;
        status.server.is_some_and(|server| url.ends_with(&server)).then_some(status.observed_secret?.name)
    });
    let by_content = secrets.list(&ListParams::default()).await.unwrap().into_iter().filter_map(|secret| {
        let mut values = secret.data.unwrap_or_default().into_values();
        values.any(|value| String::from_utf8_lossy(&value.0).contains(&url)).then_some(secret.metadata.name?)
    });
    for name in by_status.chain(by_content).collect::<HashSet<_>>() {
        match secrets.delete(&name, &DeleteParams::default()).await {
            // Its WorkCluster is on its way out.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            deleted => drop(deleted.unwrap()),
        }
    }
    no_connection(fleet.hub(), plane).await;
    remove(plane, |crd| {
        !crd.metadata.labels.as_ref().is_some_and(|all| all.contains_key(labels::MANAGED_BY))
    })
    .await;
}

/// Waits until the hub holds no connection to a cluster: it can then do nothing there.
pub(crate) async fn no_connection(hub: &HubProcess, plane: &ControlPlane) {
    eventually(format!("the hub holds no connection to {}", plane.name()), SOON, || async {
        match connections(hub, plane) {
            0 => Ok(()),
            count => Err(format!("{count} connections")),
        }
    })
    .await
    .unwrap();
}

/// Removes the CRDs of a work cluster, with all that is stored under them, and waits until they are gone.
pub(crate) async fn remove_crds(plane: &ControlPlane) {
    remove(plane, |_| true).await;
}

async fn remove(plane: &ControlPlane, is_meant: impl Fn(&CustomResourceDefinition) -> bool) {
    let api: &Api<CustomResourceDefinition> = &Api::all(plane.client().await.unwrap());
    for crd in remote_crds() {
        let name = &crd.metadata.name.unwrap();
        if !api.get_opt(name).await.unwrap().is_some_and(|found| is_meant(&found)) {
            continue;
        }
        api.delete(name, &DeleteParams::default()).await.unwrap();
        eventually(format!("{name} is gone from {}", plane.name()), SOON, || async move {
            api.get_opt(name).await.unwrap().map_or(Ok(()), |_| Err("it is there"))
        })
        .await
        .unwrap();
    }
}

/// How many TCP connections a hub holds to a cluster.
pub(crate) fn connections(hub: &HubProcess, plane: &ControlPlane) -> usize {
    let url = plane.url();
    let port: u16 = url.rsplit_once(':').unwrap().1.parse().unwrap();
    let remote = format!(":{port:04X}");
    let links = fs::read_dir(format!("/proc/{}/fd", hub.id())).unwrap();
    let sockets: HashSet<String> =
        links.filter_map(|link| fs::read_link(link.ok()?.path()).ok()?.to_str().map(str::to_owned)).collect();
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let of_hub = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words[2].ends_with(&remote) && sockets.contains(&format!("socket:[{}]", words[9]))
    };
    table.lines().skip(1).filter(of_hub).count()
}

/// How many descriptors a hub has open.
pub(crate) fn descriptors(hub: &HubProcess) -> usize {
    fs::read_dir(format!("/proc/{}/fd", hub.id())).unwrap().count()
}

/// An `Iris` that makes one Deployment of its name.
pub(crate) async fn apply_iris(plane: &ControlPlane, namespace: &str, name: &str, replicas: i32) {
    create_namespace(plane, namespace).await;
    apply(plane, &iris(namespace, name, replicas)).await;
}

fn iris(namespace: &str, name: &str, replicas: i32) -> Value {
    json!({
        "apiVersion": "test.myardyas.club/v1alpha1", "kind": "Iris",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"deploymentName": name, "replicas": replicas},
    })
}

/// Waits until the Deployment of an `Iris` has as many replicas; returns its UID and resourceVersion.
pub(crate) async fn wait_deployment(
    plane: &ControlPlane,
    (namespace, name): (&str, &str),
    replicas: i64,
) -> (String, String) {
    let kind = kube::api::ApiResource::erase::<k8s_openapi::api::apps::v1::Deployment>(&());
    crate::support::wait_object(plane, &kind, (namespace, name), SOON, |found| {
        let actual = found.data["spec"]["replicas"].as_i64();
        if actual != Some(replicas) {
            return Err(format!("replicas: {actual:?}"));
        }
        Ok((found.metadata.uid.clone().unwrap(), found.metadata.resource_version.clone().unwrap()))
    })
    .await
}

/// Waits until the hub has written nothing to a cluster for a second, so that a status on its way is not taken for a
/// consequence of what comes next; returns the end of its log. A bounded window of observation.
pub(crate) async fn settled(plane: &ControlPlane) -> AuditMark {
    let quiet = Duration::from_secs(1);
    let mut last = (plane.audit_mark().unwrap(), Instant::now());
    eventually(format!("the hub leaves {} alone", plane.name()), SOON, || {
        if !hub_requests(plane, last.0).is_empty() {
            last = (plane.audit_mark().unwrap(), Instant::now());
        }
        std::future::ready(if last.1.elapsed() > quiet { Ok(last.0) } else { Err("it writes") })
    })
    .await
    .unwrap()
}

/// Waits for an Event on a `WorkCluster`.
pub(crate) async fn wait_event(fleet: &Fleet, name: &str, reason: &str) {
    eventually(format!("an Event {reason} on {name}"), SOON, || async {
        let events = events(&fleet.home, NAMESPACE, name).await;
        let told = events.iter().any(|event| event.reason.as_deref() == Some(reason));
        if told { Ok(()) } else { Err(format!("{events:?}")) }
    })
    .await
    .unwrap();
}
