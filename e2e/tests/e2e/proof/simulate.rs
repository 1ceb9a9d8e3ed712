//! `simulate` as a person runs it: a verdict, and nothing left of it, however it ends. It must not test what an
//! attestation says.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use homebase_api::{IrisCluster, WorkCluster};
use homebase_testkit::{ControlPlane, eventually, target_dir, workspace_root};
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Secret, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt as _};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::cli::scene::binary;

/// From the start to a verdict, beside a compiler.
const BOUND: Duration = Duration::from_secs(180);
/// Everything is killed at once, but for a loaded machine.
const GONE: Duration = Duration::from_secs(30);

const CLUSTER: &str = "
apiVersion: intersystems.com/v1alpha1
kind: IrisCluster
metadata: {name: iris, namespace: rehearsal}
spec:
  storageClassName: fast
  configSource: {name: cpf}
  topology:
    data: {image: 'iris:2025.1', preferredZones: [Boston_1]}
    compute: {image: 'iris:2025.1', replicas: 16, ephemeral: true, preferredZones: [london]}
";

/// A folder for the temporary files of one rehearsal: whatever is left there, or runs with files from there, was left
/// behind.
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new(name: &str) -> Self {
        let path = target_dir().join("testkit").join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("tmp")).unwrap();
        Self(path)
    }

    fn tmp(&self) -> PathBuf {
        self.0.join("tmp")
    }

    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn command(&self, file: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("simulate").arg("-f").arg(file).args(words);
        command.env("TMPDIR", self.tmp()).env_remove("KUBECONFIG").current_dir(workspace_root());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs it to its end: exit code, data, messages.
    pub(super) async fn run(&self, file: &Path, words: &[&str]) -> (i32, String, String) {
        let output = tokio::time::timeout(BOUND, self.command(file, words).output()).await;
        let output = output.expect("it ends").unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// Nothing is left: no file, and no process that was started with one.
    pub(super) async fn assert_clean(&self) {
        let tmp = self.tmp();
        eventually("nothing is left", GONE, || async {
            let files: Vec<_> = std::fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().path()).collect();
            let running = processes_with(&tmp);
            if files.is_empty() && running.is_empty() {
                Ok(())
            } else {
                Err(format!("{files:?} {running:?}"))
            }
        })
        .await
        .unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left in a failed test is of interest.
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// The command lines that name a file below a directory.
fn processes_with(directory: &Path) -> Vec<String> {
    let ids =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let lines = ids.filter(|id| id.parse::<u32>().is_ok()).filter_map(|id| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(directory.to_str().unwrap())).collect()
}

/// Reads messages until one has this beginning.
async fn read_until(child: &mut Child, beginning: &str) {
    let mut lines = BufReader::new(child.stderr.as_mut().unwrap()).lines();
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.starts_with(beginning) {
                return;
            }
        }
        panic!("it ended before it said `{beginning}`");
    };
    tokio::time::timeout(BOUND, reading).await.expect("it says so in time");
}

fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    kill(Pid::from_raw(id), signal).unwrap();
}

#[tokio::test]
async fn a_rehearsal_ends_with_a_verdict_and_leaves_nothing() {
    let place = Place::new("simulate");
    let file = place.file("iris.yaml", CLUSTER);
    let (code, out, err) = place.run(&file, &["-o", "json"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["result"], "PASS");
    assert_eq!(report["zones"][1]["observed"], 16);
    assert!(err.contains("ConfigMap cpf (spec.configSource) is not in the manifests"), "{err}");
    place.assert_clean().await;

    // A zone that is in no spec of the nodes: no pod can be placed, and the verdict says why.
    let selector = "compute: {podTemplate: {spec: {nodeSelector: {no/such: label}}}, ";
    let file = place.file("stuck.yaml", &CLUSTER.replace("compute: {", selector));
    let (code, out, err) = place.run(&file, &["--wait", "45s"]).await;
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("FAIL   pod counts match topology") && out.contains("Pending: 0/6 nodes"), "{out}");
    place.assert_clean().await;

    let (code, _, err) = place.run(&file, &["--assets", "/no/such"]).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("--assets") && err.contains("etcd"), "{err}");
    place.assert_clean().await;
}

#[tokio::test]
async fn one_that_is_interrupted_leaves_nothing() {
    let place = Place::new("interrupted");
    let file = place.file("iris.yaml", CLUSTER);
    for (said, sent) in [("starting a control plane", Signal::SIGTERM), ("applying", Signal::SIGINT)] {
        let mut child = place.command(&file, &[]).spawn().unwrap();
        read_until(&mut child, said).await;
        signal(&child, sent);
        let ended = tokio::time::timeout(GONE, child.wait()).await.expect("it ends").unwrap();
        assert_eq!(ended.code(), Some(2));
        place.assert_clean().await;
    }
    let mut kept = place.command(&file, &["--keep"]).spawn().unwrap();
    read_until(&mut kept, "Ctrl-C ends it").await;
    assert!(!processes_with(&place.tmp()).is_empty());
    signal(&kept, Signal::SIGINT);
    let ended = tokio::time::timeout(GONE, kept.wait()).await.expect("it ends").unwrap();
    // The verdict was there before.
    assert_eq!(ended.code(), Some(0));
    place.assert_clean().await;

    // Not even a kill leaves a process behind.
    let mut killed = place.command(&file, &[]).spawn().unwrap();
    read_until(&mut killed, "applying").await;
    killed.kill().await.unwrap();
    place.assert_clean().await;
}

/// The cluster without volume claims: nobody provisions volumes on a cluster of one's own, so every directory lies in one
/// that goes with the pod.
fn without_claims() -> String {
    let directories = "volumeMounts: [{name: v, mountPath: /v}], storageDB: {mountPath: /v/db}, storageWIJ: {mountPath: \
                       /v/wij}, storageJournal1: {mountPath: /v/j1}, storageJournal2: {mountPath: /v/j2}, ";
    CLUSTER
        .replace("  storageClassName: fast\n", "  volumes: [{name: v, emptyDir: {}}]\n")
        .replace("    data: {", &format!("    data: {{{directories}"))
}

#[tokio::test]
async fn a_scratch_cluster_of_ones_own_is_as_before() {
    let place = Place::new("given");
    let scratch = ControlPlane::builder("given").kwok(false).audit_log(true).start().await.unwrap();
    let path = scratch.admin_kubeconfig_path();
    let with = ["--kubeconfig", path.to_str().unwrap()];
    let text = without_claims();
    let file = place.file("iris.yaml", &text);
    let client = scratch.client().await.unwrap();
    // Somebody else's, and not ours to write or to delete.
    scratch.apply("{apiVersion: v1, kind: Namespace, metadata: {name: rehearsal}}").await.unwrap();
    scratch
        .apply(
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: cpf, namespace: rehearsal}, data: {a: theirs}}",
        )
        .await
        .unwrap();
    let theirs: Api<ConfigMap> = Api::namespaced(client.clone(), "rehearsal");
    let theirs_before = theirs.get("cpf").await.unwrap();
    let (code, out, err) = place.run(&file, &with).await;
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(theirs.get("cpf").await.unwrap(), theirs_before);
    assert!(err.contains("ConfigMap cpf is there already"), "{err}");
    assert!(err.contains("CRDs, namespaces and volume claims stay"), "{err}");
    place.assert_clean().await;
    let all = ListParams::default();
    assert!(Api::<Node>::all(client.clone()).list(&all).await.unwrap().items.is_empty());
    assert!(Api::<Pod>::all(client.clone()).list(&all).await.unwrap().items.is_empty());
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "homebase-simulate");
    assert!(accounts.get_opt("simulate").await.unwrap().is_none());
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "homebase-simulate");
    assert!(secrets.list(&all).await.unwrap().items.is_empty());
    assert_unclaimed(&client).await;

    one_that_is_interrupted_leaves_no_object(&place, &scratch, &file).await;
    what_is_in_use_is_not_touched(&place, &scratch, &text).await;
    beside_a_real_node(&place, &scratch, &text).await;
}

/// Whatever was on its way when it was told to stop.
async fn one_that_is_interrupted_leaves_no_object(place: &Place, scratch: &ControlPlane, file: &Path) {
    let (path, client) = (scratch.admin_kubeconfig_path(), scratch.client().await.unwrap());
    for said in ["making", "applying"] {
        let mut child = place.command(file, &["--kubeconfig", path.to_str().unwrap()]).spawn().unwrap();
        read_until(&mut child, said).await;
        signal(&child, Signal::SIGINT);
        let ended = tokio::time::timeout(BOUND, child.wait()).await.expect("it ends").unwrap();
        assert_eq!(ended.code(), Some(2));
        place.assert_clean().await;
        let all = ListParams::default();
        let nodes = Api::<Node>::all(client.clone()).list(&all).await.unwrap();
        let clusters = Api::<IrisCluster>::all(client.clone()).list(&all).await.unwrap();
        assert!(nodes.items.is_empty() && clusters.items.is_empty(), "{said}: {nodes:?} {clusters:?}");
        assert_unclaimed(&client).await;
    }
}

async fn what_is_in_use_is_not_touched(place: &Place, scratch: &ControlPlane, text: &str) {
    let path = scratch.admin_kubeconfig_path();
    let with = ["--kubeconfig", path.to_str().unwrap()];
    let file = place.file("iris.yaml", text);
    scratch
        .apply(
            &CLUSTER
                .replace("name: iris,", "name: theirs,")
                .replace("namespace: rehearsal", "namespace: default"),
        )
        .await
        .unwrap();
    scratch
        .apply(
            "{apiVersion: v1, kind: Node, metadata: {name: real}, status: {conditions: [{type: Ready, status: 'True'}]}}",
        )
        .await
        .unwrap();
    let (code, _, err) = place.run(&file, &with).await;
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("this is no scratch cluster") && err.contains("real") && err.contains("default/theirs"),
        "{err}"
    );
    place.assert_clean().await;

    // Nor is a resource of the same name, whatever is allowed.
    let anyway = [&with[..], &["--on-a-cluster-in-use"]].concat();
    scratch.apply(text).await.unwrap();
    let (code, _, err) = place.run(&file, &anyway).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("IrisCluster rehearsal/iris is there already"), "{err}");
    place.assert_clean().await;

    let client = scratch.client().await.unwrap();
    for (namespace, name) in [("rehearsal", "iris"), ("default", "theirs")] {
        let clusters: Api<IrisCluster> = Api::namespaced(client.clone(), namespace);
        clusters.delete(name, &DeleteParams::default()).await.unwrap();
    }
}

/// A real node stays, and so that a mirror is placed over zones the cluster gets a policy for a while.
async fn beside_a_real_node(place: &Place, scratch: &ControlPlane, text: &str) {
    let (path, client) = (scratch.admin_kubeconfig_path(), scratch.client().await.unwrap());
    let anyway = ["--kubeconfig", path.to_str().unwrap(), "--on-a-cluster-in-use"];
    let mirror = text
        .replace("    data: {", "    arbiter: {image: arbiter}\n    data: {mirrored: true, ")
        .replace("[Boston_1]", "[Boston_1, london]");
    let (file, mark) = (place.file("mirror.yaml", &mirror), scratch.audit_mark().unwrap());
    let (code, out, err) = place.run(&file, &anyway).await;
    assert_eq!(code, 0, "{out}{err}");
    place.assert_clean().await;
    let writes = scratch.write_requests_since(mark).unwrap();
    for resource in ["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"] {
        for verb in ["patch", "delete"] {
            let is_done = writes
                .iter()
                .any(|write| write.resource == resource && write.verb == verb && write.is_effective());
            assert!(is_done, "no {verb} of {resource}");
        }
    }
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await.unwrap();
    assert_eq!(nodes.iter().map(kube::ResourceExt::name_any).collect::<Vec<_>>(), ["real"]);
    assert_unclaimed(&client).await;
}

/// Another hub may operate the cluster: nothing bears the mark of one that is gone.
async fn assert_unclaimed(client: &Client) {
    let all = ListParams::default();
    for crd in Api::<CustomResourceDefinition>::all(client.clone()).list(&all).await.unwrap() {
        assert_eq!(crd.annotations().get("homebase.dev/hub-id"), None, "{}", crd.name_any());
    }
    let shown = Api::<WorkCluster>::all(client.clone()).list(&all).await.unwrap();
    assert!(shown.items.is_empty(), "{:?}", shown.items);
    for (kind, name) in [
        ("MutatingAdmissionPolicy", "homebase-mirror-zones"),
        ("MutatingAdmissionPolicyBinding", "homebase-mirror-zones"),
        ("ValidatingAdmissionPolicy", "homebase-volume-retention"),
        ("ValidatingAdmissionPolicyBinding", "homebase-volume-retention"),
    ] {
        let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
        let kind = kube::api::ApiResource::from_gvk(&kind);
        let policies: Api<kube::api::DynamicObject> = Api::all_with(client.clone(), &kind);
        let found = policies.get_metadata_opt(name).await.unwrap();
        assert!(found.is_none(), "{} is left", kind.kind);
    }
}
