//! What the demo tells: tables by kubectl, and lines to paste. Data goes to
//! standard output; it must change nothing.

use anyhow::Result;
use homebase_testkit::{ControlPlane, HubProcess};

use crate::demo::fleet::{Fleet, NAMESPACE};

/// Enough of the hub's log to see what it complains about.
const LOG_LINES: usize = 20;

/// The fleet as tables.
pub(crate) async fn fleet(fleet: &Fleet) -> Result<()> {
    println!("\nTHE FLEET (from home)");
    print!("{}", fleet.home.kubectl_ok(&["get", "workclusters", "-n", NAMESPACE, "-o", "wide"]).await?);
    for plane in &fleet.work {
        println!("\nIRISCLUSTERS AND IRIS (on {})", plane.name());
        print!("{}", plane.kubectl_ok(&["get", "irisclusters,iris", "-A"]).await?);
        println!("\nPODS BY NODE, NAMED AFTER ITS ZONE (on {})", plane.name());
        print!("{}", pods_by_node(plane).await?);
    }
    Ok(())
}

async fn pods_by_node(plane: &ControlPlane) -> Result<String> {
    let columns = "NODE:.spec.nodeName,NAMESPACE:.metadata.namespace,POD:.metadata.name,PHASE:.status.phase";
    let columns = format!("custom-columns={columns}");
    Ok(plane.kubectl_ok(&["get", "pods", "-A", "--sort-by=.spec.nodeName", "-o", &columns]).await?)
}

/// Lines to paste into another terminal.
pub(crate) fn things_to_try(fleet: &Fleet, hub: &HubProcess) {
    println!("\nIN ANOTHER TERMINAL");
    for plane in fleet.planes() {
        println!("export KUBECONFIG={}   # {}", fleet.kubeconfig(plane).display(), plane.name());
    }
    println!("\nTHINGS TO TRY");
    println!("curl http://{}/metrics", hub.address());
    let (home, work) = (fleet.kubeconfig(&fleet.home), fleet.work.first());
    let home = format!("kubectl --kubeconfig {}", home.display());
    println!("{home} get workclusters -n {NAMESPACE} --watch");
    println!("{home} label secret boston-kubeconfig -n {NAMESPACE} homebase.dev/cluster-   # deregister");
    println!("{home} label secret boston-kubeconfig -n {NAMESPACE} homebase.dev/cluster=true   # and again");
    if let Some(plane) = work {
        let work = format!("kubectl --kubeconfig {}", fleet.kubeconfig(plane).display());
        println!("{work} get irisclusters,iris,statefulsets,deployments,pods,pvc -A");
        println!("{work} delete statefulset --all   # watch the hub put them back");
    }
    println!("less {}/homebase.log", hub.dir().display());
}

/// What helps to see why the demo did not get there.
pub(crate) async fn failure(fleet: &Fleet, hub: &HubProcess) {
    eprintln!("\nit did not get there; what the clusters say:");
    let home = ["get", "workclusters", "-n", NAMESPACE, "-o", "wide"].as_slice();
    tell(&fleet.home, home).await;
    for plane in &fleet.work {
        tell(plane, &["get", "irisclusters,iris,pods,pvc", "-A"]).await;
    }
    let log = hub.log_text();
    let lines: Vec<&str> = log.lines().collect();
    let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
    eprintln!("\nthe end of the hub's log ({}):\n{}", hub.dir().display(), tail.join("\n"));
}

async fn tell(plane: &ControlPlane, arguments: &[&str]) {
    eprintln!("\n{}: kubectl {}", plane.name(), arguments.join(" "));
    match plane.kubectl_ok(arguments).await {
        Ok(text) => eprint!("{text}"),
        Err(error) => eprintln!("{error}"),
    }
}
