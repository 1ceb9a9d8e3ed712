//! A fleet of one: the home cluster as its own work cluster, beside a server that takes connections and never answers.
//! It must not say what the other cluster's conditions are in the long run: the tests of faults do.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use homebase_testkit::AuditMark;

use super::pool::{apply_iris, wait_deployment};
use crate::support::{Fleet, SOON, hub_requests, kubeconfig};

/// Far less than a request to the hung server may take.
const ENDED: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_home_cluster_may_be_registered_once_and_a_hung_one_holds_up_nothing() {
    let mut fleet = Fleet::builder("alone").start_planes().await;
    let text = kubeconfig(&fleet.home).await;
    // The kernel takes the connections, and nobody ever answers.
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", hung.local_addr().unwrap());
    fleet.register_as("a-hung-one", text.replace(&fleet.home.url(), &address)).await;
    fleet.register_as("home", &text).await;

    let start = Instant::now();
    fleet.start_hub().await;
    fleet.wait_cluster_ready("home").await;
    eprintln!("figure: hub started beside a hung cluster to home Ready: {:?}", start.elapsed());
    apply_iris(&fleet.home, "at-home", "app", 1).await;
    let before = wait_deployment(&fleet.home, ("at-home", "app"), 1).await;

    fleet.register_as("home-again", &text).await;
    fleet.wait_condition("home-again", ("IdentityVerified", "False", "Duplicate"), SOON).await;
    apply_iris(&fleet.home, "at-home", "app", 2).await;
    assert_eq!(wait_deployment(&fleet.home, ("at-home", "app"), 2).await.0, before.0);
    let made = hub_requests(&fleet.home, AuditMark::default()).into_iter();
    assert_eq!(made.filter(|request| request.code == 201 && request.resource == "deployments").count(), 1);

    let start = Instant::now();
    let status = fleet.hub_mut().terminate(ENDED).await.unwrap();
    eprintln!("figure: SIGTERM to exit beside a hung cluster: {:?}", start.elapsed());
    assert_eq!(status.code(), Some(0), "{}", fleet.hub().log_text());
    fleet.assert_invariants().await;
}
