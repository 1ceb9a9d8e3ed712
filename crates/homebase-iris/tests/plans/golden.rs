//! Every folder of `tests/golden` is a test: `input.yaml` and `observed.yaml` give `expected.yaml`. Must not know any
//! folder by name. `UPDATE_GOLDEN=1` writes what is expected anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use homebase_api::{Iris, IrisCluster, labels};
use homebase_iris::cluster::{self, ConfigSource, ConfigTexts};
use homebase_iris::{Invalid, PlannedEvent, iris};
use serde_json::{Value, json};

use crate::folders;
use crate::found::Found;
use crate::simulate::{apply, bring_up, hash};

/// 2026-11-20T10:00:00Z, the time of every golden status.
const NOW: i64 = 1_795_168_800;

/// Fewer folders than this mean that some were lost.
const MIN_FOLDERS: usize = 75;

pub(crate) fn folders() -> Vec<PathBuf> {
    folders::below("tests/golden")
}

pub(crate) fn read_input(folder: &Path) -> Value {
    read_resource(&folder.join("input.yaml"))
}

fn read_resource(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    // Manifests in the wild hold several documents; other kinds in them are not ours.
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let ours = |document: &Value| document["kind"] == "IrisCluster" || document["kind"] == "Iris";
    documents.into_iter().find(ours).unwrap_or_else(|| panic!("{}: no resource", path.display()))
}

fn read_found(folder: &Path) -> Found {
    match fs::read_to_string(folder.join("observed.yaml")) {
        Ok(text) => serde_saphyr::from_str(&text)
            .unwrap_or_else(|error| panic!("{}/observed.yaml: {error}", folder.display())),
        Err(_) => Found::default(),
    }
}

#[test]
fn every_folder_gives_what_it_expects() {
    folders::check(&folders(), MIN_FOLDERS, |folder| run(&read_input(folder), &read_found(folder)));
}

#[test]
fn the_samples_of_the_distribution_are_accepted_without_a_warning() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/samples");
    let mut seen = 0;
    for entry in fs::read_dir(samples).unwrap() {
        let path = entry.unwrap().path();
        let result = run(&read_resource(&path), &Found::default());
        assert!(result.get("invalid").is_none(), "{}: {}", path.display(), result["invalid"]);
        assert!(result["warnings"].as_array().is_none_or(Vec::is_empty), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 17, "{seen} samples");
}

fn run(input: &Value, found: &Found) -> Value {
    if input["kind"] == "Iris" {
        run_iris(&serde_json::from_value(input.clone()).unwrap(), found)
    } else {
        run_cluster(&serde_json::from_value(input.clone()).unwrap(), found)
    }
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_second(NOW).unwrap()
}

fn run_cluster(input: &IrisCluster, file: &Found) -> Value {
    let mut found = file.dereferenced(&BTreeMap::new());
    if let Err(invalid) = cluster::validate(input, &found) {
        return json!({
            "invalid": invalid.iter().map(fault).collect::<Vec<_>>(),
            "events": events(&cluster::refused_events(input, &invalid)),
            "status": cluster::refused_status(input, &invalid, now()),
        });
    }
    let mut complete = found.clone();
    if complete.config_source == ConfigSource::Missing {
        complete.config_source = ConfigSource::Found(ConfigTexts::default());
    }
    let (_, ideal) = bring_up(input, &complete);
    let current = ideal
        .stateful_sets
        .iter()
        .map(|set| (set.metadata.name.clone().unwrap(), hash(set).unwrap()))
        .collect();
    found = file.dereferenced(&current);

    let validated = cluster::validate(input, &found).unwrap();
    let plan = cluster::plan(&validated);
    let planned_events = cluster::events(&validated, &plan);
    let after = apply(&plan, &found.stateful_sets);
    let applied = plan.applied(after);
    let status = cluster::status(&validated, &applied, now());
    let cluster::Plan {
        headless_service,
        service,
        group_services,
        config_maps,
        stateful_sets,
        recreations,
        growths,
        // Told in the status.
        storage: _,
        mirror_labels,
        updates,
        stuck,
        prune,
        waiting,
        observed: _,
    } = &applied;
    let mut result = json!({
        "headlessService": headless_service,
        "service": service,
        "configMaps": config_maps,
        "statefulSets": stateful_sets,
        "mirrorLabels": mirror_labels.iter().map(labelled).collect::<Vec<_>>(),
        "prune": prune.iter().map(pruned).collect::<Vec<_>>(),
        "waiting": waiting.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "events": events(&planned_events),
        "warnings": validated.warnings(),
        "status": status,
    });
    let seldom: [(&str, Vec<Value>); 4] = [
        ("recreations", recreations.iter().map(recreated).collect()),
        ("growths", growths.iter().map(grown).collect()),
        ("updates", updates.iter().map(update).collect()),
        ("stuck", stuck.iter().map(|set| json!(set.stateful_set)).collect()),
    ];
    for (key, list) in seldom.into_iter().filter(|(_, list)| !list.is_empty()) {
        result[key] = list.into();
    }
    for service in group_services {
        let component = service.metadata.labels.as_ref().unwrap()[labels::COMPONENT].as_str();
        let key = if component == "webgateway" { "gatewayService" } else { &format!("{component}Service") };
        result[key] = json!(service);
    }
    result
}

fn update(update: &cluster::MirrorUpdate) -> Value {
    let members = update.members.iter().map(|(pod, role)| format!("{pod} {role}"));
    json!({
        "shard": update.shard,
        "statefulSet": update.stateful_set,
        "uid": update.uid,
        "selector": update.selector,
        "members": members.collect::<Vec<_>>(),
    })
}

fn labelled(label: &cluster::MirrorLabel) -> Value {
    let cluster::MirrorLabel { pod, uid, resource_version, role } = label;
    json!({ "pod": pod, "uid": uid, "resourceVersion": resource_version, "role": role.as_str() })
}

fn pruned(child: &cluster::ObservedChild) -> Value {
    json!({ "kind": child.kind.as_str(), "name": child.name, "uid": child.uid })
}

fn recreated(recreation: &cluster::Recreation) -> Value {
    let cluster::Recreation { stateful_set, uid, fields, claims, .. } = recreation;
    let fields: Vec<_> = fields.iter().map(ToString::to_string).collect();
    json!({ "statefulSet": stateful_set, "uid": uid, "fields": fields, "claims": claims })
}

fn grown(growth: &cluster::ClaimGrowth) -> Value {
    let cluster::ClaimGrowth { claim, uid, resource_version, from, to } = growth;
    json!({ "claim": claim, "uid": uid, "resourceVersion": resource_version, "from": from, "to": to })
}

fn run_iris(input: &Iris, file: &Found) -> Value {
    let validated = match iris::validate(input) {
        Ok(validated) => validated,
        Err(invalid) => {
            return json!({
                "invalid": invalid.iter().map(fault).collect::<Vec<_>>(),
                "status": iris::refused_status(input, &invalid, now()),
            });
        }
    };
    let ideal = iris::plan(&validated, &iris::Observed::default());
    let current = ideal.deployment.metadata.annotations.unwrap()[homebase_iris::PLAN_HASH].clone();
    let found = iris::Observed { deployments: file.deployments(&current) };
    let plan = iris::plan(&validated, &found);
    let deployment = found.deployments.get(&input.spec.deployment_name);
    let status = iris::status(input, &plan, deployment, now());
    let events = events(&iris::events(&plan));
    let iris::Plan { deployment, delete, change } = plan;
    json!({
        "deployment": deployment,
        "delete": delete.iter().map(|surplus| json!({
            "name": surplus.name, "uid": surplus.uid,
        })).collect::<Vec<_>>(),
        "change": format!("{change:?}"),
        "events": events,
        "status": status,
    })
}

fn fault(invalid: &Invalid) -> Value {
    json!({ "path": invalid.path, "kind": invalid.kind.as_str(), "message": invalid.message })
}

fn events(events: &[PlannedEvent]) -> Vec<String> {
    events.iter().map(|event| format!("{}: {}", event.reason, event.note)).collect()
}
