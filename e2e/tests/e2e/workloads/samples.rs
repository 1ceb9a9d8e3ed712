//! Every sample of the distribution on a real control plane, each in a namespace of its own, until it is Ready. It must
//! not know any sample by name.

use std::fs;
use std::path::{Path, PathBuf};

use futures::future::join_all;
use homebase_testkit::workspace_root;
use serde_json::Value;

use super::fixture::{CLUSTER, Case, IRIS, text};

/// Fewer samples than this mean that some were lost.
const MIN_SAMPLES: usize = 17;
/// The storage class of the control plane: those of clouds bind no volume here.
const STORAGE_CLASS: &str = "kwok-volume";

fn samples() -> Vec<PathBuf> {
    let folder = workspace_root().join("deploy/samples");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A sample as it is applied here: in the namespace of its test, with volumes that can be had.
fn here(sample: &str) -> String {
    let line = |line: &str| {
        let place = line.len() - line.trim_start().len();
        match line.trim_start().split_once(": ") {
            Some(("namespace", _)) => String::new(),
            Some((field @ "storageClassName", _)) => {
                format!("{}{field}: {STORAGE_CLASS}\n", " ".repeat(place))
            }
            _ => format!("{line}\n"),
        }
    };
    sample.lines().map(line).collect()
}

/// Applies a sample and waits until everything in it that is ours is Ready.
async fn comes_up(sample: &Path) -> Case {
    let name = sample.file_stem().unwrap().to_string_lossy().into_owned();
    let case = Case::begin(&format!("sample-{name}")).await;
    let manifest = here(&fs::read_to_string(sample).unwrap());
    let file = case.plane().dir().join(format!("sample-{name}.yaml"));
    fs::write(&file, &manifest).unwrap();
    case.kubectl(&["apply", "--server-side", "--validate=strict", "-f", file.to_str().unwrap()]).await;
    let documents: Vec<Value> = serde_saphyr::from_multiple(&manifest).unwrap();
    let is_ours = |document: &&Value| document["kind"] == CLUSTER || document["kind"] == IRIS;
    for document in documents.iter().filter(is_ours) {
        let kind = if document["kind"] == IRIS { IRIS } else { CLUSTER };
        case.until_ready(kind, &text(document, "/metadata/name")).await;
    }
    case
}

#[tokio::test]
async fn every_sample_becomes_ready() {
    let samples = samples();
    assert!(samples.len() >= MIN_SAMPLES, "{} samples", samples.len());
    let mut cases = join_all(samples.iter().map(|sample| comes_up(sample))).await;
    let last = cases.pop().unwrap();
    // The others have looked at nothing that this one does not look at: the requests of the whole cluster.
    drop(cases);
    last.end().await;
}
