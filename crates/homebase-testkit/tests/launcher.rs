//! The launcher against the real thing: planes come up, do what a test needs of
//! them, and leave nothing behind however the test ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use homebase_testkit::{Component, ControlPlane, DetachedPlane, Error, Tools, eventually, start_many};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use kube::api::{Api, ListParams};

/// Loaded machines are slow; a healthy one needs a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Set in the process that `a_kill_9_leaves_nothing_behind` starts.
const HOLD_VARIABLE: &str = "HOMEBASE_TESTKIT_HOLD";

const STATEFUL_SET: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: data, namespace: default}
spec:
  replicas: 3
  podManagementPolicy: Parallel
  serviceName: data
  selector: {matchLabels: {app: data}}
  template:
    metadata: {labels: {app: data}}
    spec:
      nodeSelector: {topology.kubernetes.io/zone: chicago}
      containers:
        - {name: data, image: none, resources: {requests: {cpu: "1", memory: 2Gi}}}
  volumeClaimTemplates:
    - metadata: {name: disk}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}
"#;

#[tokio::test]
async fn pods_are_placed_by_zone_and_their_claims_are_bound_and_grow() {
    let start = Instant::now();
    let plane = ControlPlane::builder("volumes").zones(["boston", "chicago"]).start().await.unwrap();
    println!("started in {:?}; KiB resident: {:?}", start.elapsed(), plane.resident_kib());

    plane.apply(STATEFUL_SET).await.unwrap();
    let client = plane.client().await.unwrap();
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), "default");
    eventually("all three replicas are ready", PATIENCE, || async {
        let status = sets.get("data").await.map_err(|error| error.to_string())?.status;
        match status.and_then(|status| status.ready_replicas) {
            Some(3) => Ok(()),
            other => Err(format!("ready: {other:?}")),
        }
    })
    .await
    .unwrap();
    println!("ready after {:?}", start.elapsed());

    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    for pod in pods.list(&ListParams::default()).await.unwrap() {
        assert_eq!(pod.spec.unwrap().node_name.as_deref(), Some("chicago-0"));
        assert!(pod.status.unwrap().pod_ip.is_some());
    }

    let capacity = |claim: PersistentVolumeClaim| {
        let status = claim.status.unwrap_or_default();
        (
            status.phase,
            status.capacity.and_then(|capacity| capacity.get("storage").map(|storage| storage.0.clone())),
        )
    };
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client, "default");
    let bound = claims.get("disk-data-2").await.unwrap();
    assert_eq!(capacity(bound), (Some("Bound".to_owned()), Some("10Gi".to_owned())));

    let grow = r#"{"spec":{"resources":{"requests":{"storage":"20Gi"}}}}"#;
    plane.kubectl_ok(&["patch", "pvc", "disk-data-2", "-p", grow]).await.unwrap();
    eventually("the claim has grown", PATIENCE, || async {
        let found = capacity(claims.get("disk-data-2").await.map_err(|error| error.to_string())?);
        if found.1.as_deref() == Some("20Gi") { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await
    .unwrap();
    plane.stop().await.unwrap();
}

#[tokio::test]
async fn many_pods_fit_on_one_node() {
    let plane = ControlPlane::builder("many").zones(["london"]).start().await.unwrap();
    let many = STATEFUL_SET.replace("replicas: 3", "replicas: 200").replace("chicago", "london");
    let many = &many[..many.find("  volumeClaimTemplates").unwrap()];
    plane.apply(many).await.unwrap();
    let start = Instant::now();
    let sets: Api<StatefulSet> = Api::namespaced(plane.client().await.unwrap(), "default");
    eventually("200 replicas are ready", PATIENCE, || async {
        let status = sets.get("data").await.map_err(|error| error.to_string())?.status;
        let ready = status.and_then(|status| status.ready_replicas);
        if ready == Some(200) { Ok(()) } else { Err(format!("ready: {ready:?}")) }
    })
    .await
    .unwrap();
    println!("200 pods ready after {:?}", start.elapsed());
}

#[tokio::test]
async fn a_service_account_can_do_what_its_role_says_and_its_writes_are_seen() {
    let plane = ControlPlane::builder("audit").api_only().audit_log(true).start().await.unwrap();
    let hour = Duration::from_secs(3600);
    let viewer = plane.kubeconfig_for_service_account("team", "viewer", Some("view"), hour).await.unwrap();
    let editor =
        plane.kubeconfig_for_service_account("team", "editor", Some("cluster-admin"), hour).await.unwrap();
    assert!(!viewer.contains(&plane.dir().display().to_string()), "a path is in {viewer}");

    let mark = plane.audit_mark().unwrap();
    let create = |kubeconfig: String, name: &'static str| {
        let path = plane.dir().join("user.kubeconfig");
        std::fs::write(&path, kubeconfig).unwrap();
        let arguments = ["--kubeconfig", path.to_str().unwrap(), "-n", "team", "create", "configmap", name];
        let arguments = arguments.map(str::to_owned);
        let plane = &plane;
        async move { plane.kubectl(&arguments).await.unwrap() }
    };
    assert!(!create(viewer, "refused").await.status.success());
    let accepted = create(editor, "accepted").await;
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
    plane.kubectl_ok(&["-n", "team", "delete", "configmap", "accepted"]).await.unwrap();

    let writes = plane.write_requests_since(mark).unwrap();
    let seen: Vec<_> =
        writes.iter().map(|e| (e.verb.as_str(), e.name.as_str(), e.user.as_str(), e.code)).collect();
    assert!(seen.contains(&("create", "accepted", "system:serviceaccount:team:editor", 201)), "{seen:?}");
    assert!(seen.contains(&("delete", "accepted", "admin", 200)), "{seen:?}");
    let refused = writes.iter().find(|e| e.user.ends_with(":viewer")).unwrap();
    assert_eq!((refused.code, refused.resource.as_str(), refused.is_effective()), (403, "configmaps", false));
    assert!(plane.write_requests_since(plane.audit_mark().unwrap()).unwrap().is_empty());
}

#[tokio::test]
async fn an_apiserver_can_be_paused_and_restarted() {
    let mut plane = ControlPlane::builder("faults").api_only().start().await.unwrap();
    plane.kubectl_ok(&["create", "configmap", "kept"]).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(plane.client().await.unwrap(), "default");

    plane.pause_apiserver().unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(1), maps.get("kept")).await;
    assert!(answer.is_err(), "a paused apiserver has answered: {answer:?}");
    plane.resume_apiserver().unwrap();
    maps.get("kept").await.unwrap();

    plane.restart_apiserver().await.unwrap();
    eventually("the object is still there", PATIENCE, || maps.get("kept")).await.unwrap();

    // A paused process must not survive the stop.
    plane.pause_apiserver().unwrap();
    let ids = plane.process_ids();
    let dir = plane.dir().to_owned();
    plane.stop().await.unwrap();
    assert_gone(&ids);
    assert!(!dir.exists());
}

#[tokio::test]
async fn several_planes_come_up_side_by_side() {
    let builders = ["one", "two", "three"].map(|name| ControlPlane::builder(name).api_only());
    let start = Instant::now();
    let planes = start_many(builders).await.unwrap();
    println!("three planes in {:?}", start.elapsed());
    assert_eq!(planes.iter().map(ControlPlane::name).collect::<Vec<_>>(), ["one", "two", "three"]);
    for plane in &planes {
        assert_eq!(plane.kubectl_ok(&["get", "--raw", "/readyz"]).await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn a_failed_start_tells_the_component_and_the_end_of_its_log() {
    type Spoil = fn(&mut Tools);
    // One that fails before the API is up, and one after.
    let spoil: [(&str, Spoil); 2] = [
        ("kube-apiserver", |tools| tools.apiserver = "/bin/ls".into()),
        ("kube-scheduler", |tools| tools.scheduler = "/bin/ls".into()),
    ];
    for (component, spoil) in spoil {
        let mut tools = Tools::locate().unwrap();
        spoil(&mut tools);
        let error = ControlPlane::builder("broken").zones(["boston"]).tools(tools).start().await.unwrap_err();
        let Error::Ended { name, log, tail, .. } = &error else { panic!("{error}") };
        assert_eq!(name, component);
        assert!(tail.contains("unrecognized option"), "{tail}");
        assert!(log.is_file(), "{} is gone", log.display());
        let dir = log.parent().unwrap();
        assert!(!dir.join("etcd").exists(), "etcd's data is still there");
        std::fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn a_panic_leaves_logs_and_nothing_else_behind() {
    let (send, receive) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let plane = ControlPlane::builder("panic").api_only().start().await.unwrap();
            send.send((plane.process_ids(), plane.dir().to_owned())).unwrap();
            panic!("as this test wants it");
        });
    });
    assert!(thread.join().is_err());
    let (ids, dir) = receive.recv().unwrap();
    assert_eq!(ids.len(), 2);
    assert_gone(&ids);
    assert!(dir.join("kube-apiserver.log").is_file());
    assert!(!dir.join("etcd").exists());
    std::fs::remove_dir_all(dir).unwrap();
}

/// Not a test of its own: the process that the next test kills.
#[tokio::test]
async fn hold_a_plane_until_killed() {
    if std::env::var_os(HOLD_VARIABLE).is_none() {
        return;
    }
    let plane = ControlPlane::builder("held").api_only().start().await.unwrap();
    plane.pause_apiserver().unwrap();
    let ids: Vec<String> = plane.process_ids().into_iter().map(|(_, id)| id.to_string()).collect();
    println!("\nheld {} {}", plane.dir().display(), ids.join(" "));
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_kill_9_leaves_nothing_running() {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hold_a_plane_until_killed", "--nocapture"])
        .env(HOLD_VARIABLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let held =
        lines.map_while(Result::ok).find_map(|line| line.strip_prefix("held ").map(str::to_owned)).unwrap();
    let mut words = held.split(' ');
    let dir = words.next().unwrap().to_owned();
    let ids: Vec<u32> = words.map(|id| id.parse().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| runs(*id)), "{held}");

    holder.kill().unwrap();
    holder.wait().unwrap();
    eventually("the watchdog has killed everything and removed the data", PATIENCE, || async {
        let left: Vec<_> = ids.iter().filter(|id| runs(**id)).collect();
        let data = Path::new(&dir).join("etcd").exists();
        if left.is_empty() && !data { Ok(()) } else { Err(format!("left: {left:?}, data: {data}")) }
    })
    .await
    .unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_detached_plane_lives_until_it_is_stopped() {
    let plane = ControlPlane::builder("detached").api_only().start().await.unwrap();
    let ids = plane.process_ids();
    let dir = plane.dir().to_owned();
    plane.detach().unwrap();
    let plane = DetachedPlane::load(&dir).unwrap().unwrap();
    assert!(plane.ended().is_empty(), "{:?}", plane.ended());
    // A state that is lost must not make it immortal.
    std::fs::remove_file(dir.join("plane.json")).unwrap();
    assert!(DetachedPlane::load(&dir).unwrap().is_none());
    assert!(DetachedPlane::clear(&dir).unwrap());
    assert_gone(&ids);
    assert!(!dir.exists());
    assert!(!DetachedPlane::clear(&dir).unwrap());
}

fn assert_gone(ids: &[(Component, u32)]) {
    let left: Vec<_> = ids.iter().filter(|(_, id)| runs(*id)).collect();
    assert!(left.is_empty(), "still running: {left:?}");
}

/// A zombie does not run: its command line is empty.
fn runs(id: u32) -> bool {
    std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty())
}
