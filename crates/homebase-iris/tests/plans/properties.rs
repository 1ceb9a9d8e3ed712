//! What holds for every plan. Must not compare with a fixed result: that is what golden folders do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use homebase_api::{IrisCluster, IrisClusterSpec, labels};
use homebase_iris::cluster::fixed::FixedFields;
use homebase_iris::cluster::primary::{Answer, Asked, Finding};
use homebase_iris::cluster::{
    ChildKind, Claims, ConfigSource, ConfigTexts, Dereferenced, NoPlacement, NodeZones, ObservedChild,
    ObservedPod, ObservedStatefulSet, Placement, Plan, Prepared, Unread, events, plan, status, validate,
};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::simulate::{apply, bring_up, settle};

/// Most shards of a scene.
const MAX_SHARDS: i32 = 3;

/// Rounds in which everything comes up: arbiter, shards, compute and what stands beside them one after the other, and
/// one round to see the last.
const ROUNDS: usize = 7;

fn node() -> impl Strategy<Value = Value> {
    let label = prop::sample::select(vec!["team", "intersystems.com/name", "intersystems.com/shard"]);
    let strategy = prop::sample::select(vec![json!(null), json!({ "type": "OnDelete" }), json!({})]);
    let image = prop::sample::select(vec!["iris:2025.1", "iris:2021.2", "r:5000/iris@sha256:0"]);
    let zones = prop::sample::select(vec![json!(null), json!(["a"]), json!(["a", "b", "a"])]);
    (image, label, strategy, zones, any::<bool>()).prop_map(|(image, label, strategy, zones, unknown)| {
        let mut labels = json!({});
        labels[label] = json!("users");
        let mut spec = json!({ "env": [{ "name": "A", "value": "1" }, { "name": "A" }] });
        if unknown {
            spec["resources"] = json!({ "limit": {} });
        }
        json!({
            "image": image,
            "updateStrategy": strategy,
            "preferredZones": zones,
            "podTemplate": { "metadata": { "labels": labels }, "spec": spec },
        })
    })
}

fn spec() -> impl Strategy<Value = IrisClusterSpec> {
    let compute =
        (node(), prop::option::of(0..200), any::<bool>()).prop_map(|(mut node, replicas, ephemeral)| {
            node["replicas"] = json!(replicas);
            node["ephemeral"] = json!(ephemeral);
            node
        });
    let types = prop::sample::select(vec!["apache", "nginx", "apache-lockeddown"]);
    let gateway = (node(), prop::option::of(0..5), any::<bool>(), types).prop_map(
        |(mut node, replicas, login, type_)| {
            node["type"] = json!(type_);
            node["replicas"] = json!(replicas);
            node["applicationPaths"] = json!(["/csp/", "/api/app", "/csp"]);
            node["loginSecret"] = json!(login.then(|| json!({ "name": "login" })));
            node
        },
    );
    let optional = (prop::option::of(node()), prop::option::of(compute), prop::option::of(gateway));
    let beside = (prop::option::of(node()), prop::option::of(node()));
    let references = (any::<bool>(), any::<bool>());
    let data = (node(), prop::option::of(0..15_usize), prop::option::of(1..=MAX_SHARDS), any::<bool>());
    let tls = prop::sample::subsequence(vec!["common", "mirror", "webgateway", "superserver", "ecp"], 0..=5);
    (data, optional, beside, references, tls).prop_map(
        |(
            (mut data, asyncs, shards, bases),
            (arbiter, compute, gateway),
            (sam, iam),
            (license, config),
            tls,
        )| {
            if let Some(asyncs) = asyncs {
                data["mirrored"] = json!(true);
                data["mirrorMap"] = json!(format!("primary{}", ",drasync".repeat(asyncs)));
            }
            data["shards"] = json!(shards);
            if bases {
                let mirrored = (asyncs.is_some() && shards.is_some()).then_some(false);
                data["irisDatabases"] = json!([{ "name": "App", "mirrored": mirrored }]);
                data["irisNamespaces"] = json!([{ "name": "APP", "interop": true }]);
            }
            let reference = |present: bool| present.then(|| json!({ "name": "x" }));
            let source = |field: &str| (field.to_owned(), json!({ "secret": { "secretName": field } }));
            serde_json::from_value(json!({
                "licenseKeySecret": reference(license),
                "configSource": reference(config),
                "tls": tls.into_iter().map(source).collect::<serde_json::Map<_, _>>(),
                "topology": {
                    "data": data,
                    "arbiter": arbiter,
                    "compute": compute,
                    "webgateway": gateway,
                    "sam": sam,
                    "iam": iam,
                },
            }))
            .unwrap()
        },
    )
}

/// The StatefulSets of the data nodes.
fn data_sets(cluster: &IrisCluster) -> Vec<String> {
    let data = &cluster.spec.topology.data;
    if data.mirrored {
        (0..data.shards.unwrap_or(1)).map(|shard| format!("demo-data-{shard}")).collect()
    } else {
        vec!["demo-data".to_owned()]
    }
}

fn cluster() -> impl Strategy<Value = IrisCluster> {
    spec().prop_map(|spec| {
        let mut cluster = IrisCluster::new("demo", spec);
        cluster.metadata.uid = Some("uid-1".into());
        cluster.metadata.namespace = Some("ns".into());
        cluster.metadata.generation = Some(1);
        cluster
    })
}

fn stateful_set() -> impl Strategy<Value = ObservedStatefulSet> {
    (0..4_i64, 0..4_i64, 0..5, 0..5, 0..5, any::<bool>()).prop_map(
        |(generation, observed_generation, replicas, ready_replicas, updated_replicas, rolling)| {
            ObservedStatefulSet {
                uid: "uid".into(),
                generation: generation + 1,
                observed_generation,
                replicas,
                current_replicas: replicas,
                ready_replicas,
                updated_replicas,
                current_revision: Some("a".into()),
                update_revision: Some(if rolling { "b" } else { "a" }.into()),
                partition: None,
                plan_hash: Some("old".into()),
                adopted_template: None,
                fixed: FixedFields::default(),
                deletes_volumes: false,
            }
        },
    )
}

/// A cluster and what may be found of it: nothing, something old, strays, pods with and without labels.
fn scene() -> impl Strategy<Value = (IrisCluster, Dereferenced)> {
    let sets = prop::collection::vec(prop::option::of(stateful_set()), 8);
    let children =
        prop::sample::subsequence(vec!["demo-compute", "demo-webgateway", "demo-stray", "demo"], 0..=4);
    let roles = prop::collection::vec(prop::option::of(prop::option::of(Just("primary".to_owned()))), 3);
    (cluster(), sets, children, roles, any::<bool>()).prop_map(|(cluster, sets, children, roles, missing)| {
        let data = &cluster.spec.topology.data;
        let mut found = Dereferenced::default();
        if cluster.spec.config_source.is_some() {
            let data = BTreeMap::from([("common.cpf".to_owned(), "[config]".to_owned())]);
            found.config_source =
                if missing { ConfigSource::Missing } else { ConfigSource::Found(data.into()) };
        }
        let beside = ["demo-webgateway", "demo-sam", "demo-iam", "demo-arbiter", "demo-compute"];
        let names = data_sets(&cluster).into_iter().chain(beside.map(ToOwned::to_owned));
        for (name, set) in names.zip(sets) {
            let Some(mut set) = set else { continue };
            if let Some(shards) = data.shards.filter(|_| name == "demo-data") {
                // More of them than the spec has are refused, and that is tested elsewhere.
                set.replicas = set.replicas.min(shards);
            }
            found.stateful_sets.insert(name, set);
        }
        for kind in [ChildKind::StatefulSet, ChildKind::ConfigMap, ChildKind::Service] {
            let child =
                |name: &&str| ObservedChild { kind, name: (*name).into(), uid: format!("{kind}{name}") };
            found.existing.extend(children.iter().map(child));
        }
        for (ordinal, role) in roles.into_iter().enumerate() {
            let Some(mirror_role) = role else { continue };
            let uid = format!("p{ordinal}");
            let resource_version = "1".into();
            let pod =
                ObservedPod { uid, resource_version, mirror_role, marked: true, ..ObservedPod::default() };
            found.pods.insert(format!("demo-data-0-{ordinal}"), pod);
        }
        (cluster, found)
    })
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let answer = vec![Answer::Primary, Answer::NotPrimary, Answer::Silent, Answer::Forbidden];
    prop::collection::vec(prop::sample::select(answer), 3)
}

fn make(cluster: &IrisCluster, found: &Dereferenced) -> Plan<Prepared> {
    plan(&validate(cluster, found).unwrap())
}

fn objects(plan: &Plan<Prepared>) -> Vec<(ChildKind, &ObjectMeta)> {
    let services = [&plan.headless_service, &plan.service].into_iter().chain(&plan.group_services);
    let services = services.map(|service| (ChildKind::Service, &service.metadata));
    let maps = plan.config_maps.iter().map(|map| (ChildKind::ConfigMap, &map.metadata));
    let sets = plan.stateful_sets.iter().map(|set| (ChildKind::StatefulSet, &set.metadata));
    services.chain(maps).chain(sets).collect()
}

fn key(kind: ChildKind, meta: &ObjectMeta) -> (ChildKind, String) {
    (kind, meta.name.clone().unwrap())
}

fn contains(labels: Option<&BTreeMap<String, String>>, selector: Option<&BTreeMap<String, String>>) -> bool {
    let labels = labels.unwrap();
    selector.unwrap().iter().all(|(key, value)| labels.get(key) == Some(value))
}

proptest! {
    #[test]
    fn the_same_input_gives_the_same_plan((cluster, found) in scene()) {
        let first = make(&cluster, &found);
        prop_assert_eq!(&first, &make(&cluster, &found));
        let text = |plan: &Plan<Prepared>| serde_json::to_string(&plan.stateful_sets).unwrap();
        prop_assert_eq!(text(&first), text(&make(&cluster.clone(), &found.clone())));
    }

    #[test]
    fn objects_are_unique_owned_and_marked((cluster, found) in scene()) {
        let plan = make(&cluster, &found);
        let keys: BTreeSet<_> = objects(&plan).into_iter().map(|(kind, meta)| key(kind, meta)).collect();
        prop_assert_eq!(keys.len(), objects(&plan).len());
        for (_, meta) in objects(&plan) {
            let marks = meta.labels.as_ref().unwrap();
            prop_assert_eq!(marks[labels::MANAGED_BY].as_str(), "homebase");
            prop_assert_eq!(meta.namespace.as_deref(), Some("ns"));
            let owners = meta.owner_references.as_deref().unwrap_or_default();
            if meta.name.as_deref() == Some("iris-svc") {
                prop_assert!(owners.is_empty());
                prop_assert!(!marks.contains_key(labels::NAME), "shared by all clusters");
            } else {
                prop_assert_eq!(owners.len(), 1);
                prop_assert_eq!(owners[0].uid.as_str(), "uid-1");
                prop_assert_eq!(owners[0].controller, Some(true));
                prop_assert_eq!(marks[labels::NAME].as_str(), "demo");
            }
        }
    }

    #[test]
    fn selectors_match_the_templates((cluster, found) in scene()) {
        let plan = make(&cluster, &found);
        for set in &plan.stateful_sets {
            let spec = set.spec.as_ref().unwrap();
            let template = spec.template.metadata.as_ref().unwrap().labels.as_ref();
            prop_assert!(contains(template, spec.selector.match_labels.as_ref()));
            let headless = plan.headless_service.spec.as_ref().unwrap().selector.as_ref();
            prop_assert!(contains(template, headless));
            prop_assert!(!template.unwrap().contains_key(labels::MIRROR_ROLE));
            let mut service = plan.service.spec.as_ref().unwrap().selector.clone().unwrap();
            let by_role = service.remove(labels::MIRROR_ROLE).is_some();
            prop_assert_eq!(by_role, cluster.spec.topology.data.mirrored);
            let is_data = set.metadata.labels.as_ref().unwrap()[labels::COMPONENT] == "data";
            prop_assert_eq!(contains(template, Some(&service)), is_data);
            for service in &plan.group_services {
                let component = |meta: &ObjectMeta| meta.labels.as_ref().unwrap()[labels::COMPONENT].clone();
                let is_of_it = component(&set.metadata) == component(&service.metadata);
                let selector = service.spec.as_ref().unwrap().selector.as_ref();
                prop_assert_eq!(contains(template, selector), is_of_it);
            }
        }
    }

    #[test]
    fn volumes_are_always_kept((cluster, found) in scene()) {
        for set in make(&cluster, &found).stateful_sets {
            let spec = set.spec.unwrap();
            let policy = spec.persistent_volume_claim_retention_policy.unwrap();
            prop_assert_eq!(policy.when_deleted.as_deref(), Some("Retain"));
            prop_assert_eq!(policy.when_scaled.as_deref(), Some("Retain"));
            let mounts = spec.template.spec.unwrap().containers.remove(0).volume_mounts.unwrap_or_default();
            for claim in spec.volume_claim_templates.unwrap_or_default() {
                prop_assert!(mounts.iter().any(|mount| Some(&mount.name) == claim.metadata.name.as_ref()));
            }
        }
    }

    #[test]
    fn only_what_no_longer_belongs_is_pruned((cluster, found) in scene()) {
        let plan = make(&cluster, &found);
        let mut complete = found.clone();
        complete.config_source = ConfigSource::NotReferenced;
        let (_, ideal) = bring_up(&cluster, &complete);
        let wanted: BTreeSet<_> = objects(&ideal).into_iter().map(|(kind, meta)| key(kind, meta)).collect();
        for child in &found.existing {
            // A kind that could be a volume would not compile here.
            match child.kind { ChildKind::StatefulSet | ChildKind::Service | ChildKind::ConfigMap => {} }
            let belongs = wanted.contains(&(child.kind, child.name.clone()));
            prop_assert_eq!(plan.prune.contains(child), !belongs, "{:?}", child);
        }
        prop_assert!(plan.prune.iter().all(|child| found.existing.contains(child)));
    }

    #[test]
    fn a_group_is_applied_or_waits_and_never_both((cluster, found) in scene()) {
        let plan = make(&cluster, &found);
        let applied = plan.stateful_sets.iter().map(|set| set.metadata.name.clone().unwrap());
        let waiting = plan.waiting.iter().map(|waiting| {
            let shard = waiting.set.shard.map(|shard| format!("-{shard}")).unwrap_or_default();
            format!("demo-{}{shard}", waiting.set.component)
        });
        let all: Vec<_> = applied.chain(waiting).collect();
        let topology = &cluster.spec.topology;
        let optional = [
            ("demo-arbiter", topology.arbiter.is_some()),
            ("demo-compute", topology.compute.is_some()),
            ("demo-webgateway", topology.webgateway.is_some()),
            ("demo-sam", topology.sam.is_some()),
            ("demo-iam", topology.iam.is_some()),
        ];
        let present = optional.into_iter().filter(|(_, present)| *present).map(|(name, _)| name.to_owned());
        let expected: BTreeSet<_> = data_sets(&cluster).into_iter().chain(present).collect();
        prop_assert_eq!(all.len(), expected.len());
        prop_assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn scaling_changes_the_replicas_and_nothing_else(
        (mut cluster, found) in scene(), from in 0..300, to in 0..300,
    ) {
        prop_assume!(cluster.spec.topology.compute.is_some());
        // Web gateways know every compute pod by name: for them it is more than a number.
        cluster.spec.topology.webgateway = None;
        cluster.spec.topology.sam = None;
        cluster.spec.topology.iam = None;
        let complete = Dereferenced { config_source: ConfigSource::NotReferenced, ..found };
        let mut scaled_to = |replicas| {
            cluster.spec.topology.compute.as_mut().unwrap().replicas = Some(replicas);
            bring_up(&cluster, &complete).1
        };
        let mut scaled = scaled_to(to);
        let set = scaled.stateful_sets.last_mut().unwrap();
        prop_assert_eq!(set.metadata.name.as_deref(), Some("demo-compute"));
        set.spec.as_mut().unwrap().replicas = Some(from);
        prop_assert_eq!(scaled, scaled_to(from));
    }

    #[test]
    fn from_anywhere_it_comes_up_and_then_is_silent((mut cluster, mut found) in scene()) {
        if found.config_source == ConfigSource::Missing {
            found.config_source = ConfigSource::Found(ConfigTexts::default());
        }
        for round in 0..ROUNDS {
            let validated = validate(&cluster, &found).unwrap();
            let plan = plan(&validated);
            let mut after = apply(&plan, &found.stateful_sets);
            if round > 0 {
                settle(&mut after);
            }
            let status = status(&validated, &plan.applied(after.clone()), Timestamp::UNIX_EPOCH);
            found.stateful_sets = after;
            found.existing.clear();
            cluster.status = Some(status);
        }
        let validated = validate(&cluster, &found).unwrap();
        let last = plan(&validated);
        prop_assert_eq!(&last.waiting, &vec![]);
        prop_assert_eq!(events(&validated, &last), vec![]);
        prop_assert_eq!(apply(&last, &found.stateful_sets), found.stateful_sets.clone());
        // Later, but nothing happened: not one byte of the status moves.
        let later = Timestamp::from_second(1000).unwrap();
        let again = status(&validated, &last.applied(found.stateful_sets.clone()), later);
        prop_assert_eq!(Some(&again), cluster.status.as_ref());
        let ready = again.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
        prop_assert_eq!(ready.status.as_str(), "True");
    }

    #[test]
    fn no_object_depends_on_who_places_pods_and_what_is_seen_of_it((cluster, found) in scene()) {
        // Or the arrival of the policy, or of a right, would restart pods.
        let here = Dereferenced { placement: Placement::InPlace, ..found.clone() };
        let placement = Placement::Missing(NoPlacement::Unserved);
        let gone = Dereferenced { placement, zones: NodeZones::Unread(Unread::Forbidden), ..found };
        prop_assert_eq!(make(&cluster, &here), make(&cluster, &gone));
    }

    #[test]
    fn never_two_primaries_by_label((cluster, found) in scene()) {
        let plan = make(&cluster, &found);
        let before = found.pods.values().filter(|pod| pod.mirror_role.is_some()).count();
        let added = plan.mirror_labels.iter().filter(|label| label.role.as_str() == "primary").count();
        prop_assert!(added == 0 || (added == 1 && before == 0), "{} and {}", before, added);
        for label in &plan.mirror_labels {
            prop_assert_eq!(&found.pods[&label.pod].mirror_role, &None);
        }
    }

    #[test]
    fn answers_move_the_label_and_never_make_two((cluster, mut found) in scene(), answers in answers()) {
        let asked = found.pods.iter().zip(answers).map(|((name, pod), answer)| {
            (name.clone(), Asked { uid: pod.uid.clone(), answer })
        });
        let finding = Finding::of(&asked.collect());
        found.mirrors.insert(0, finding.clone());
        // A map that ends before the primary is refused.
        prop_assume!(validate(&cluster, &found).is_ok());
        let plan = make(&cluster, &found);
        let primaries = |found: &Dereferenced| {
            let pods = found.pods.iter();
            let labelled = pods.filter(|(_, pod)| pod.mirror_role.as_deref() == Some("primary"));
            labelled.map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        let before = primaries(&found);
        for label in &plan.mirror_labels {
            let pod = found.pods.get_mut(&label.pod).unwrap();
            prop_assert_eq!((&pod.uid, &pod.resource_version), (&label.uid, &label.resource_version));
            pod.mirror_role = Some(label.role.as_str().to_owned());
            // Whoever stops here leaves no more of them than there were.
            prop_assert!(primaries(&found).len() <= before.len().max(1), "{:?}", plan.mirror_labels);
        }
        match &finding {
            Finding::Primary { pod, .. } if cluster.spec.topology.data.mirrored => {
                prop_assert_eq!(&primaries(&found), &vec![pod.clone()]);
            }
            _ if !before.is_empty() => prop_assert_eq!(primaries(&found), before),
            _ => {}
        }
        prop_assert_eq!(make(&cluster, &found).mirror_labels, vec![]);
    }

    #[test]
    fn no_embedded_value_makes_it_panic(text in "\\PC{0,40}", number in any::<i64>(), place in 0..6_usize) {
        let values = [json!(text), json!(number), json!({ &text: number }), json!([{ "name": text }]), json!([[]])];
        for value in values {
            let mut spec = json!({ "topology": { "data": { "image": text, "podTemplate": { "spec": {} } } } });
            let pod = &mut spec["topology"]["data"]["podTemplate"]["spec"];
            match place {
                0 => pod["securityContext"] = value,
                1 => pod["env"] = json!([value]),
                2 => pod["affinity"] = value,
                3 => spec["volumes"] = json!([value]),
                4 => spec["serviceTemplate"] = json!({ "spec": value }),
                _ => spec["topology"]["data"]["storageDB"] = json!({ "mountPath": text }),
            }
            let Ok(spec) = serde_json::from_value(spec) else { continue };
            if let Ok(validated) = validate(&IrisCluster::new(&text, spec), &Dereferenced::default()) {
                plan(&validated);
            }
        }
    }

    #[test]
    fn a_shard_more_changes_no_pod_that_is_there((mut cluster, found) in scene()) {
        // Web gateways without compute nodes know every shard by name: for them it is more than a number.
        cluster.spec.topology.webgateway = None;
        let complete = Dereferenced { config_source: ConfigSource::NotReferenced, ..found };
        cluster.spec.topology.data.iris_databases.clear();
        cluster.spec.topology.data.shards.get_or_insert(1);
        let (before, plan) = bring_up(&cluster, &complete);
        let templates = |plan: &Plan<Prepared>| -> BTreeMap<_, _> {
            let of = |set: &StatefulSet| (set.metadata.name.clone(), set.spec.clone().unwrap().template);
            plan.stateful_sets.iter().map(of).collect()
        };
        let old = templates(&plan);
        *cluster.spec.topology.data.shards.as_mut().unwrap() += 1;
        let grown = templates(&make(&cluster, &before));
        for (name, template) in &old {
            prop_assert_eq!(grown.get(name), Some(template));
        }
    }

    #[test]
    fn a_shard_less_is_refused((mut cluster, found) in scene()) {
        let complete = Dereferenced { config_source: ConfigSource::NotReferenced, ..found };
        cluster.spec.topology.data.iris_databases.clear();
        cluster.spec.topology.data.shards = Some(2);
        let (mut before, last) = bring_up(&cluster, &complete);
        cluster.status =
            Some(status(&validate(&cluster, &before).unwrap(), &last.applied(before.stateful_sets.clone()), Timestamp::UNIX_EPOCH));
        before.existing.clear();
        for fewer in [Some(1), None] {
            cluster.spec.topology.data.shards = fewer;
            let faults = validate(&cluster, &before).unwrap_err();
            prop_assert_eq!(faults[0].path.as_str(), "spec.topology.data.shards");
        }
    }

    #[test]
    fn every_mount_has_its_volume_and_every_name_is_there_once((cluster, found) in scene()) {
        for set in make(&cluster, &found).stateful_sets {
            let spec = set.spec.unwrap();
            let pod = spec.template.spec.unwrap();
            let volumes: Vec<_> = pod.volumes.iter().flatten().map(|volume| volume.name.clone()).collect();
            let claims = spec.volume_claim_templates.into_iter().flatten();
            let all: Vec<_> = volumes.into_iter().chain(claims.filter_map(|claim| claim.metadata.name)).collect();
            prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
            let mut ports = BTreeSet::new();
            for container in pod.init_containers.into_iter().flatten().chain(pod.containers) {
                let mut paths = BTreeSet::new();
                for mount in container.volume_mounts.into_iter().flatten() {
                    prop_assert!(all.contains(&mount.name), "{} is mounted and not there", mount.name);
                    prop_assert!(paths.insert(mount.mount_path.clone()), "{} is taken", mount.mount_path);
                }
                let mut names = BTreeSet::new();
                for variable in container.env.into_iter().flatten() {
                    prop_assert!(names.insert(variable.name.clone()), "{} is there twice", variable.name);
                }
                for port in container.ports.into_iter().flatten() {
                    prop_assert!(ports.insert(port.name.clone()), "port {:?} is there twice", port.name);
                }
            }
        }
    }

    #[test]
    fn no_name_of_a_user_adds_a_property_to_the_cpf(
        name in "[ -~]{1,8}|[A-Za-z%][A-Za-z0-9_-]{0,8}", directory in "/[ -~]{0,12}|/[a-z/]{1,12}",
        database in "[ -~]{1,8}|[A-Za-z][A-Za-z0-9]{0,8}", compute in any::<bool>(),
    ) {
        let cluster = IrisCluster::new("demo", serde_json::from_value(json!({ "topology": {
            "data": {
                "image": "iris:2025.1",
                "irisDatabases": [{ "name": name, "directory": directory }],
                "irisNamespaces": [{ "name": name, "globals": database, "routines": database }],
            },
            "compute": { "image": "iris:2025.1" },
        } })).unwrap());
        let Ok(_) = validate(&cluster, &Dereferenced::default()) else { return Ok(()) };
        let (_, plan) = bring_up(&cluster, &Dereferenced::default());
        let (key, index) = if compute { ("compute.cpf", 1) } else { ("data.cpf", 0) };
        let text = plan.config_maps[index].data.as_ref().unwrap()[key].clone();
        let actions: Vec<_> = text.lines().filter(|line| line.starts_with("Create")).collect();
        let keys = |line: &str| -> Vec<String> {
            let (action, properties) = line.split_once(':').unwrap();
            let keys = properties.split(',').map(|property| property.split('=').next().unwrap().to_owned());
            [action.to_owned()].into_iter().chain(keys).collect()
        };
        let remote: &[&str] = if compute { &["Server", "LogicalOnly"] } else { &[] };
        prop_assert_eq!(actions.len(), 4);
        prop_assert_eq!(keys(actions[2]), [&["CreateDatabase", "Name", "Directory"], remote].concat());
        prop_assert_eq!(keys(actions[3]), ["CreateNamespace", "Name", "Globals", "Routines"]);
        prop_assert!(!text.contains(['#', ';']), "{}", text);
    }

    #[test]
    fn no_text_of_a_user_adds_a_line_to_the_cpf(hash in "\\PC*\n\\PC*|\\PC*", mount in "/[ -~\n]{1,20}") {
        let mut cluster = IrisCluster::new("demo", serde_json::from_value(json!({
            "topology": { "data": { "image": "iris:2025.1" } },
        })).unwrap());
        let lines = |cluster: &IrisCluster| {
            let plan = make(cluster, &Dereferenced::default());
            plan.config_maps[0].data.as_ref().unwrap()["data.cpf"].lines().count()
        };
        let before = lines(&cluster);
        cluster.spec.password_hash = Some(hash);
        cluster.spec.topology.data.storage.db =
            Some(serde_json::from_value(json!({ "mountPath": mount })).unwrap());
        if validate(&cluster, &Dereferenced::default()).is_ok() {
            prop_assert_eq!(lines(&cluster), before + 1);
            prop_assert!(!mount.contains([',', '\n', '"', ' ']));
        }
    }
}

/// An autoscaler, or somebody else, may write any number into a StatefulSet.
#[test]
fn no_number_of_pods_makes_a_plan_or_a_status_long() {
    let image = json!("iris:2025.1");
    let spec = json!({ "topology": {
        "data": { "image": image },
        "compute": { "image": image, "preferredZones": ["a"] },
        "webgateway": { "image": image, "type": "nginx", "applicationPaths": ["/csp"], "loginSecret": { "name": "login" } },
    } });
    let mut cluster = IrisCluster::new("demo", serde_json::from_value(spec).unwrap());
    cluster.metadata.namespace = Some("default".to_owned());
    cluster.metadata.generation = Some(1);
    let other: StatefulSet = serde_json::from_value(json!({ "spec": {
        "serviceName": "other", "selector": {}, "template": {},
        "volumeClaimTemplates": [{ "metadata": { "name": "iris-data" } }],
    } }))
    .unwrap();
    let set = |fixed: FixedFields| ObservedStatefulSet {
        uid: "u".to_owned(),
        replicas: i32::MAX,
        current_replicas: 3,
        fixed,
        ..ObservedStatefulSet::default()
    };
    for fixed in [FixedFields::default(), FixedFields::of(&other)] {
        let sets = BTreeMap::from([
            ("demo-compute".to_owned(), set(fixed.clone())),
            ("demo-data".to_owned(), set(fixed)),
        ]);
        let found = Dereferenced {
            stateful_sets: sets.clone(),
            claims: Claims::Known(BTreeMap::new()),
            ..Dereferenced::default()
        };
        let start = Instant::now();
        let validated = validate(&cluster, &found).unwrap();
        let planned = plan(&validated);
        let told = status(&validated, &planned.applied(sets), Timestamp::UNIX_EPOCH);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        let accepted = told.conditions.iter().find(|one| one.type_ == "SpecAccepted").unwrap();
        let words = "StatefulSet demo-compute asks for 2147483647 pods; only the first 1000";
        assert!(accepted.message.contains(words), "{}", accepted.message);
    }
}
