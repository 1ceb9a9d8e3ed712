//! Two hubs that know of one cluster: one of them works on it, the other says why it does not, and which it is changes
//! only when somebody asks for it. It must not look into a CRD but for its claim.

use std::time::Duration;

use homebase_api::{annotations, remote_crds};
use homebase_testkit::{AuditEvent, AuditMark, ControlPlane};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;
use kube::api::Api;

use super::pool::{apply_iris, settled, wait_deployment};
use crate::support::{
    CLUSTER_READY, Fleet, Registration, SOON, hub_requests, kubeconfig, kubeconfig_with, shipped,
};

const CLUSTER: &str = "shared";
const REFUSED: (&str, &str, &str) = ("CRDsInstalled", "False", "ForeignOwner");
/// Between two tries of what has to be mended, at most; and some for the try.
const MENDED: Duration = Duration::from_secs(75);

/// The writes of one of the hubs, which have accounts of their own on the cluster.
fn writes(plane: &ControlPlane, mark: AuditMark, is_second: bool) -> Vec<AuditEvent> {
    let mut requests = hub_requests(plane, mark);
    requests.retain(|request| request.user.ends_with("-second") == is_second);
    requests
}

/// Who has claimed the cluster by its CRDs.
async fn holders(plane: &ControlPlane) -> Vec<Option<String>> {
    let api: Api<CustomResourceDefinition> = Api::all(plane.client().await.unwrap());
    let mut holders = Vec::new();
    for crd in remote_crds() {
        let found = api.get(&crd.name_any()).await.unwrap();
        holders.push(found.annotations().get(annotations::HUB_ID).cloned());
    }
    holders
}

/// Waits until a hub says that another one works on the cluster; returns the ID of that one.
async fn refused(fleet: &Fleet) -> String {
    let (message, took) = fleet.wait_condition(CLUSTER, REFUSED, MENDED).await;
    eprintln!("figure: Secret to ForeignOwner: {took:?}");
    fleet.wait_condition(CLUSTER, ("Ready", "False", "CRDsNotInstalled"), SOON).await;
    assert!(message.contains("another hub"), "{message}");
    let (_, id) = message.rsplit_once("--take-over ").unwrap();
    id.split_whitespace().next().unwrap().to_owned()
}

async fn works(plane: &ControlPlane, replicas: i32) -> String {
    apply_iris(plane, CLUSTER, "app", replicas).await;
    wait_deployment(plane, (CLUSTER, "app"), replicas.into()).await.0
}

#[tokio::test]
async fn of_two_hubs_on_one_cluster_the_second_writes_nothing_until_it_is_told_to() {
    let (one, two) = futures::join!(
        Fleet::builder("claim-one").work(ControlPlane::builder("claimed").api_only()).start(),
        Fleet::builder("claim-two").start(),
    );
    let (mut one, mut two) = (one, two);
    let registration = one.register_as(CLUSTER, kubeconfig(&one.work[0]).await).await;
    one.wait_cluster_ready(CLUSTER).await;
    let uid = works(&one.work[0], 1).await;
    let first = holders(&one.work[0]).await;
    assert!(first.iter().all(|holder| holder.is_some() && *holder == first[0]), "{first:?}");

    let second = kubeconfig_with(&one.work[0], "second", &shipped()).await;
    one.keep_tokens_of(&second);
    two.register_as(CLUSTER, &second).await;
    let id = refused(&two).await;
    assert_eq!(Some(&id), first[0].as_ref());
    assert_eq!(works(&one.work[0], 2).await, uid);
    // The hub that works may come and go.
    one.start_hub().await;
    one.wait_cluster_ready(CLUSTER).await;
    assert_eq!(works(&one.work[0], 3).await, uid);
    two.wait_condition(CLUSTER, REFUSED, SOON).await;
    assert_eq!(writes(&one.work[0], AuditMark::default(), true), Vec::new());

    let taken = taken_over(&one, &mut two, &registration, &id).await;
    assert_eq!(works(&one.work[0], 4).await, uid);

    // Who had it before is the one that is refused now.
    let mark = settled(&one.work[0]).await;
    one.register_as(CLUSTER, kubeconfig(&one.work[0]).await).await;
    assert_eq!(Some(refused(&one).await), taken);
    assert_eq!(works(&one.work[0], 5).await, uid);
    assert_eq!(writes(&one.work[0], mark, false), Vec::new());
    one.assert_invariants().await;
    two.assert_invariants().await;
}

/// Ends the first hub's registration, starts the second one so that it takes over; returns who has the cluster then.
async fn taken_over(one: &Fleet, two: &mut Fleet, registration: &Registration, id: &str) -> Option<String> {
    one.deregister(registration).await;
    // That the first is gone is not enough: somebody has to say so.
    assert_eq!(holders(&one.work[0]).await[0].as_deref(), Some(id));
    two.add_hub_arg(format!("--take-over={id}"));
    two.start_hub().await;
    let (_, took) = two.wait_condition(CLUSTER, ("Ready", "True", "AllChecksPassed"), CLUSTER_READY).await;
    eprintln!("figure: hub with --take-over ready to cluster Ready: {took:?}");
    let mut holders = holders(&one.work[0]).await;
    assert!(
        holders.iter().all(|holder| *holder == holders[0] && holder.as_deref() != Some(id)),
        "{holders:?}"
    );
    holders.remove(0)
}
