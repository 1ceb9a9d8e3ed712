//! How long it takes to decide what one IrisCluster should be: `cargo bench -p homebase-iris`. The hub does it for every
//! cluster at every change of one of its objects, so the target is 100 µs at most for a cluster of the usual kind.
//! Must not measure anything but this crate.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use homebase_api::IrisCluster;
use homebase_iris::cluster::{ConfigSource, Dereferenced, ObservedStatefulSet, plan, status, validate};
use jiff::Timestamp;
use serde_json::{Value, json};

const IMAGE: &str = "containers.intersystems.com/intersystems/iris:2025.1";

fn cluster(spec: Value) -> IrisCluster {
    let mut cluster =
        IrisCluster::new("demo", serde_json::from_value(spec).expect("the spec is written here"));
    cluster.metadata.namespace = Some("default".to_owned());
    cluster.metadata.uid = Some("uid-1".to_owned());
    cluster.metadata.generation = Some(1);
    cluster
}

/// The least.
fn minimal() -> IrisCluster {
    cluster(json!({ "topology": { "data": { "image": IMAGE } } }))
}

/// What most clusters in production are: a mirror, compute nodes, web gateways, resources, settings.
fn usual() -> IrisCluster {
    let template = json!({ "spec": { "resources": { "requests": { "cpu": "2", "memory": "4Gi" } } } });
    cluster(json!({
        "licenseKeySecret": { "name": "license" },
        "configSource": { "name": "cpf" },
        "topology": {
            "arbiter": { "image": "arbiter:2025.1" },
            "data": {
                "image": IMAGE, "mirrored": true, "mirrorMap": "primary,backup,drasync", "podTemplate": template,
                "storageDB": { "resources": { "requests": { "storage": "100Gi" } } },
            },
            "compute": {
                "image": IMAGE, "replicas": 4, "ephemeral": true, "preferredZones": ["a", "b"], "podTemplate": template,
            },
            "webgateway": {
                "image": "webgateway:2025.1", "type": "apache", "replicas": 2, "applicationPaths": ["/csp/sys", "/api"],
            },
        },
    }))
}

/// The most: 64 shards, each a mirror, and 1000 compute nodes that web gateways know by name.
fn largest() -> IrisCluster {
    let mut cluster = usual();
    cluster.spec.topology.data.shards = Some(64);
    cluster.spec.topology.compute.as_mut().expect("it has compute nodes").replicas = Some(1000);
    cluster
}

/// What is found of a cluster that is up: every StatefulSet as it was planned last.
fn found(cluster: &IrisCluster) -> Dereferenced {
    let mut found = Dereferenced::default();
    if cluster.spec.config_source.is_some() {
        let texts = [
            ("data.cpf", "[config]\nglobals=0,0,800,0,0,0\n"),
            ("CSP-merge.ini", "[SYSTEM]\nSM_Timeout=60\n"),
        ];
        let texts = texts.map(|(key, text)| (key.to_owned(), text.to_owned()));
        found.config_source = ConfigSource::Found(BTreeMap::from(texts).into());
    }
    loop {
        let plan = plan(&validate(cluster, &found).expect("the spec is valid"));
        for set in &plan.stateful_sets {
            let applied = ObservedStatefulSet::from(set);
            let settled = ObservedStatefulSet {
                current_replicas: applied.replicas,
                ready_replicas: applied.replicas,
                updated_replicas: applied.replicas,
                ..applied
            };
            found.stateful_sets.insert(set.metadata.name.clone().unwrap_or_default(), settled);
        }
        if plan.waiting.is_empty() {
            return found;
        }
    }
}

fn measure(criterion: &mut Criterion, name: &str, cluster: &IrisCluster) {
    let found = found(cluster);
    let validated = validate(cluster, &found).expect("the spec is valid");
    criterion.bench_function(&format!("validate/{name}"), |bencher| {
        bencher.iter(|| validate(black_box(cluster), black_box(&found)));
    });
    criterion.bench_function(&format!("plan/{name}"), |bencher| bencher.iter(|| plan(black_box(&validated))));
    let applied = plan(&validated).applied(found.stateful_sets.clone());
    criterion.bench_function(&format!("status/{name}"), |bencher| {
        bencher.iter(|| status(black_box(&validated), black_box(&applied), Timestamp::UNIX_EPOCH));
    });
}

fn planning(criterion: &mut Criterion) {
    measure(criterion, "minimal", &minimal());
    measure(criterion, "usual", &usual());
    measure(criterion, "largest", &largest());
}

criterion_group!(benches, planning);
criterion_main!(benches);
