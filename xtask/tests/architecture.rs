//! Holds the architecture: which crate may depend on which, what pure crates may
//! not pull in, and that every source file says what it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// The layer of every crate that ships: it may depend on lower ones only.
const LAYERS: [(&str, u8); 11] = [
    ("homebase-core", 0),
    ("homebase-api", 0),
    ("homebase-kubeconfig", 1),
    ("homebase-iris", 1),
    ("homebase-schema", 1),
    ("homebase-fleet", 2),
    ("homebase-kube", 3),
    ("homebase-planes", 3),
    ("homebase-controller", 4),
    ("homebase-http", 4),
    ("homebase", 5),
];

/// Crates for development: they may depend on everything, and nothing that
/// ships on them.
const DEV_CRATES: [&str; 3] = ["homebase-testkit", "homebase-e2e", "xtask"];

/// Up to here crates are pure: no I/O, no clock, no randomness.
const LAST_PURE_LAYER: u8 = 2;

/// What would let a pure crate do what it must not.
const BANNED_FROM_PURE: [&str; 12] = [
    "tokio",
    "async-std",
    "smol",
    "kube",
    "kube-client",
    "kube-runtime",
    "hyper",
    "reqwest",
    "ureq",
    "rand",
    "fastrand",
    "tracing-subscriber",
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None` is a normal dependency.
    kind: Option<String>,
    /// `None` is a path dependency.
    source: Option<String>,
}

#[test]
fn every_crate_depends_on_strictly_lower_layers_only() {
    let faults = layer_faults(&workspace_crates());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn pure_crates_pull_in_nothing_impure() {
    let mut faults = Vec::new();
    for (name, layer) in LAYERS {
        if layer <= LAST_PURE_LAYER {
            let tree = dependency_tree(name);
            assert!(tree.contains(name), "`cargo tree` shows no {name}: {tree:?}");
            let banned = BANNED_FROM_PURE.iter().filter(|banned| tree.contains(**banned));
            faults.extend(banned.map(|banned| {
                format!(
                    "{name} is pure and pulls in {banned}: cargo tree -p {name} -e normal,build -i {banned}"
                )
            }));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_source_file_opens_by_saying_what_it_is_for() {
    let mut files = Vec::new();
    for directory in ["crates", "e2e", "xtask"] {
        rust_files(&root().join(directory), &mut files);
    }
    assert!(files.len() > LAYERS.len(), "only {} files were found", files.len());
    let silent = files.iter().filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"));
    let silent: Vec<String> = silent.map(|path| path.display().to_string()).collect();
    assert!(silent.is_empty(), "these do not open with `//!`:\n{}", silent.join("\n"));
}

#[test]
fn the_layer_check_finds_what_it_is_for() {
    let path = |name: &str, kind: Option<&str>| Dependency {
        name: name.into(),
        kind: kind.map(Into::into),
        source: None,
    };
    let package = |name: &str, dependencies| Package { name: name.into(), dependencies };
    let faults = |package| layer_faults(&[package]);

    assert!(faults(package("homebase-iris", vec![path("homebase-api", None)])).is_empty());
    assert!(faults(package("homebase-iris", vec![path("homebase-testkit", Some("dev"))])).is_empty());
    for (name, dependency, kind) in [
        ("homebase-api", "homebase-core", None),
        ("homebase-core", "homebase-kube", Some("build")),
        ("homebase", "homebase-testkit", None),
    ] {
        let found = faults(package(name, vec![path(dependency, kind)]));
        assert_eq!(found.len(), 1, "{name} on {dependency}: {found:?}");
    }
    assert_eq!(faults(package("homebase-new", vec![])).len(), 1);
}

fn layer_faults(packages: &[Package]) -> Vec<String> {
    let layers = BTreeMap::from(LAYERS);
    let mut faults = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let Some(layer) = layers.get(name) else {
            if !DEV_CRATES.contains(&name) {
                faults.push(format!("{name} is in no layer: add it to the table of {}", file!()));
            }
            continue;
        };
        let ships = |dependency: &&Dependency| {
            dependency.source.is_none() && matches!(dependency.kind.as_deref(), None | Some("build"))
        };
        for dependency in package.dependencies.iter().filter(ships) {
            match layers.get(dependency.name.as_str()) {
                Some(below) if below < layer => {}
                Some(other) => faults.push(format!(
                    "{name} (layer {layer}) must not depend on {} (layer {other})",
                    dependency.name
                )),
                None => faults.push(format!("{name} ships and must not depend on {}", dependency.name)),
            }
        }
    }
    faults
}

fn workspace_crates() -> Vec<Package> {
    let output = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    serde_json::from_str::<Metadata>(&output).expect("cargo metadata writes JSON").packages
}

/// What a crate is built with: features are those that it asks for itself, not
/// those that another crate of the workspace switches on.
fn dependency_tree(name: &str) -> BTreeSet<String> {
    let output =
        cargo(&["tree", "--package", name, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    output.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn cargo(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a source directory can be listed") {
        let path = entry.expect("a source directory can be listed").path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root").to_owned()
}
