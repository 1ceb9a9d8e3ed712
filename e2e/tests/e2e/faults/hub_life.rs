//! Whether a hub is alive and may work: a stopped hub is told from a living one, two hubs of one namespace never work side
//! by side, and a hub that is locked out of home says so. It must not test what a hub does on a healthy cluster.

use std::time::{Duration, Instant};

use homebase_testkit::{ControlPlane, HubProcess, eventually};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, DeleteParams};
use kube::{Client, ResourceExt as _};

use crate::fleet::pool::{apply_iris, settled, wait_deployment};
use crate::support::{Fleet, Metrics, NAMESPACE, SOON, hub_requests};

const CLUSTER: &str = "lived-in";
/// The namespace of the resources.
const SPACE: &str = "on-lived-in";
/// A Lease must be unchanged for 15 s; then the hub begins.
const TAKEN_OVER: Duration = Duration::from_secs(45);
/// Commands call a hub silent after 60 s, and look again for some seconds.
const SILENT: Duration = Duration::from_secs(110);
/// How often a process is looked at.
const POLL: Duration = Duration::from_millis(100);
/// A hub that has lost its Lease ends with its next renewal.
const ENDED: Duration = Duration::from_secs(20);
/// What the hub may be refused before it is not ready, and the bound that is published for it. The apiserver caches that a
/// token is valid for 10 s.
const LOCKED_OUT: (Duration, Duration) = (Duration::from_secs(25), Duration::from_secs(60));
/// The files are read again at most 5 s after a 401, and the next renewal is 1 s later; some for a loaded machine.
const UNLOCKED: Duration = Duration::from_secs(20);

#[tokio::test]
async fn of_two_hubs_in_one_namespace_one_works_and_a_silent_one_is_told() {
    let plane = ControlPlane::builder(CLUSTER).api_only();
    let mut fleet = Fleet::builder("life").work(plane).start().await;
    fleet.register(&fleet.work[0]).await;
    fleet.wait_cluster_ready(CLUSTER).await;
    scale(&fleet, 1).await;
    assert_lease(&fleet).await;
    fleet.homebase(&["list"]).await.ended(0);
    fleet.homebase(&["status", CLUSTER]).await.ended(0);

    let mut second = second_hub(&fleet).await;
    stands_by(&second).await;
    scale(&fleet, 2).await;
    take_over(&mut fleet, &mut second).await;
    fall_silent(&fleet, &second).await;

    second.terminate(ENDED).await.unwrap();
    let stopped = fleet.homebase(&["list"]).await.ended(2);
    assert!(stopped.err.contains("hub stopped"), "{stopped:?}");
    // It was released in order, so nobody has to wait for it.
    let start = Instant::now();
    fleet.start_hub().await;
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    // The Lease of one that was killed is free because its process has ended.
    fleet.hub_mut().kill9();
    let start = Instant::now();
    fleet.start_hub().await;
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    scale(&fleet, 5).await;
    fleet.assert_invariants().await;
}

async fn scale(fleet: &Fleet, replicas: i32) {
    apply_iris(&fleet.work[0], SPACE, "app", replicas).await;
    wait_deployment(&fleet.work[0], (SPACE, "app"), replicas.into()).await;
}

/// What the protocol for several replicas will find.
async fn assert_lease(fleet: &Fleet) {
    let leases: Api<Lease> = Api::namespaced(fleet.home.client().await.unwrap(), NAMESPACE);
    let guard = leases.get("homebase.active").await.unwrap();
    let holder = guard.spec.as_ref().unwrap().holder_identity.clone().unwrap();
    let own = leases.get(&format!("homebase-{holder}")).await.unwrap();
    for lease in [&guard, &own] {
        assert_eq!(lease.labels().get("homebase.dev/hub").map(String::len), Some(8), "{lease:?}");
        assert_eq!(lease.annotations().get("homebase.dev/protocol").map(String::as_str), Some("1"));
        assert_eq!(lease.spec.as_ref().unwrap().lease_duration_seconds, Some(15));
    }
    let term = |lease: &Lease| lease.annotations().get("homebase.dev/term").cloned();
    assert!(term(&own).is_some() && term(&own) == term(&guard));
}

async fn second_hub(fleet: &Fleet) -> HubProcess {
    HubProcess::builder("life-second", fleet.home_kubeconfig())
        .arg("--allow-loopback-destinations")
        .arg("--instance=second")
        .start()
        .await
        .unwrap()
}

async fn stands_by(second: &HubProcess) {
    eventually("the second hub stands by", SOON, || async {
        let answer = second.get("/readyz?verbose").await.map_err(|error| error.to_string())?;
        let stands_by = answer.status == 503 && answer.body.contains("works in this namespace");
        if stands_by { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await
    .unwrap();
    assert_eq!(second.get("/livez").await.unwrap().status, 200);
    let metrics = Metrics::of(second).await;
    assert_eq!(metrics.sum("leader_election_master_status", &[]), Some(0.0));
    assert_eq!(metrics.sum("homebase_home_up", &[]), Some(1.0));
}

/// The first hub is stopped in its tracks; when it goes on it ends, and writes nothing more.
async fn take_over(fleet: &mut Fleet, second: &mut HubProcess) {
    fleet.hub().pause().unwrap();
    let start = Instant::now();
    second.wait_ready(TAKEN_OVER).await.unwrap();
    eprintln!("figure: hub stopped to the second one ready: {:?}", start.elapsed());
    scale(fleet, 3).await;
    fleet.homebase(&["list"]).await.ended(0);

    let work = settled(&fleet.work[0]).await;
    let home = settled(&fleet.home).await;
    fleet.hub().resume().unwrap();
    let start = Instant::now();
    while fleet.hub_mut().is_running() {
        assert!(start.elapsed() < ENDED, "{}", fleet.hub().log_text());
        tokio::time::sleep(POLL).await;
    }
    eprintln!("figure: hub resumed to its end: {:?}", start.elapsed());
    let log = fleet.hub().log_text();
    assert!(log.contains("another hub, second, has taken over the namespace"), "{log}");
    assert_eq!(hub_requests(&fleet.work[0], work), Vec::new());
    assert_eq!(hub_requests(&fleet.home, home), Vec::new());
    scale(fleet, 4).await;
}

/// No hub works: commands say so, until it goes on.
async fn fall_silent(fleet: &Fleet, second: &HubProcess) {
    second.pause().unwrap();
    eventually("list says that the hub is silent", SILENT, || async {
        let ran = fleet.homebase(&["list"]).await;
        let is_told = ran.code == 2 && ran.err.contains("hub silent for") && ran.out.contains("HubSilent");
        if is_told { Ok(()) } else { Err(format!("{ran:?}")) }
    })
    .await
    .unwrap();
    let status = fleet.homebase(&["status", CLUSTER]).await.ended(2);
    assert!(status.err.contains("hub silent for") && status.out.contains("Unknown (was True)"), "{status:?}");
    let json = fleet.homebase(&["list", "-o", "json"]).await.ended(2);
    assert!(json.out.contains("AllChecksPassed"), "{json:?}");
    let doctor = fleet.homebase(&["doctor", CLUSTER, "--allow-loopback-destinations"]).await.ended(1);
    assert!(doctor.out.contains("hub silent for"), "{doctor:?}");

    // Nobody has taken its Lease: it goes on.
    second.resume().unwrap();
    eventually("list finds the hub alive", SOON, || async {
        let ran = fleet.homebase(&["list"]).await;
        if ran.code == 0 { Ok(()) } else { Err(format!("{ran:?}")) }
    })
    .await
    .unwrap();
    scale(fleet, 3).await;
}

#[tokio::test]
async fn a_hub_that_is_locked_out_of_home_says_so_and_goes_on_with_new_credentials() {
    let mut fleet = Fleet::builder("locked").start().await;
    assert_typo_is_told(&fleet).await;

    let accounts: Api<ServiceAccount> = accounts(fleet.home.client().await.unwrap());
    accounts.delete("homebase", &DeleteParams::default()).await.unwrap();
    fleet.renew_home_kubeconfig().await;
    let start = Instant::now();
    wait_home(&fleet, (503, 0.0), "the home cluster has refused the hub's requests", LOCKED_OUT.1).await;
    let took = start.elapsed();
    eprintln!("figure: token revoked to not ready: {took:?}");
    assert!(took >= LOCKED_OUT.0, "{took:?}");

    let file = fleet.hub().dir().join("home.kubeconfig");
    assert!(file.is_file());
    std::fs::write(&file, fleet.home_kubeconfig()).unwrap();
    let start = Instant::now();
    wait_home(&fleet, (200, 1.0), "[+]home ok\n", UNLOCKED).await;
    eprintln!("figure: new kubeconfig to ready: {:?}", start.elapsed());
    let log = fleet.hub().log_text();
    assert!(log.contains("the home cluster answers the hub again"), "{log}");

    // One that does not answer at all is another matter.
    fleet.home.pause_apiserver().unwrap();
    wait_home(&fleet, (200, 0.0), "[+]home ok: the home cluster has not answered for", SOON).await;
    fleet.home.resume_apiserver().unwrap();
    wait_home(&fleet, (200, 1.0), "[+]home ok\n", SOON).await;
    fleet.assert_invariants().await;
}

fn accounts(client: Client) -> Api<ServiceAccount> {
    Api::namespaced(client, NAMESPACE)
}

/// Waits for an answer of `/readyz?verbose` and a value of `homebase_home_up`; the hub is alive all the time.
async fn wait_home(fleet: &Fleet, (status, up): (u16, f64), words: &str, bound: Duration) {
    eventually(format!("readyz {status}: {words}"), bound, || async {
        let hub = fleet.hub();
        assert_eq!(hub.get("/livez").await.unwrap().status, 200);
        let answer = hub.get("/readyz?verbose").await.map_err(|error| error.to_string())?;
        let is_up = Metrics::of(hub).await.sum("homebase_home_up", &[]);
        let is_so = answer.status == status && answer.body.contains(words) && is_up == Some(up);
        if is_so { Ok(()) } else { Err(format!("{answer:?}, home_up {is_up:?}")) }
    })
    .await
    .unwrap();
}

/// A namespace that does not exist, for somebody who may do everything in all of them.
async fn assert_typo_is_told(fleet: &Fleet) {
    let hub = HubProcess::builder("typo", fleet.home.admin_kubeconfig()).namespace("typo-ns").start().await;
    let hub = hub.unwrap();
    eventually("the namespace is named", SOON, || async {
        let answer = hub.get("/readyz").await.map_err(|error| error.to_string())?;
        let is_told = answer.status == 503 && answer.body.contains("namespace typo-ns does not exist");
        if is_told { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await
    .unwrap();
}
