//! A preview is what the planner comes to, round by round, for every golden input. It must hold no expectation of its
//! own.

use std::collections::{BTreeMap, BTreeSet};

use homebase_api::IrisCluster;
use homebase_api::labels::Component;
use homebase_iris::cluster::{ConfigSource, Dereferenced, PreviewObject, preview, validate};

use crate::golden::{folders, read_input};
use crate::simulate::bring_up;

/// Inputs of the golden folders that are accepted.
fn accepted() -> Vec<(String, IrisCluster, Dereferenced)> {
    let mut all = Vec::new();
    for folder in folders() {
        let input = read_input(&folder);
        if input["kind"] != "IrisCluster" {
            continue;
        }
        let cluster: IrisCluster = serde_json::from_value(input).unwrap();
        let config_source = match cluster.spec.config_source {
            None => ConfigSource::NotReferenced,
            Some(_) => {
                ConfigSource::Found(BTreeMap::from([("data.cpf".to_owned(), "[config]\n".to_owned())]).into())
            }
        };
        let found = Dereferenced { config_source, ..Dereferenced::default() };
        if validate(&cluster, &found).is_ok() {
            all.push((folder.display().to_string(), cluster, found));
        }
    }
    all
}

#[test]
fn a_preview_holds_all_that_the_planner_comes_to_and_nothing_else() {
    let accepted = accepted();
    assert!(accepted.len() >= 15, "{} inputs", accepted.len());
    for (folder, cluster, found) in accepted {
        let preview = preview(&validate(&cluster, &found).unwrap());
        assert_eq!(preview.held_back, [], "{folder}");
        let (_, last) = bring_up(&cluster, &found);
        let services = [last.headless_service, last.service].into_iter().chain(last.group_services);
        let services = services.map(Box::new).map(PreviewObject::Service);
        let config_maps = last.config_maps.into_iter().map(Box::new).map(PreviewObject::ConfigMap);
        let sets = last.stateful_sets.into_iter().map(Box::new).map(PreviewObject::StatefulSet);
        let expected: Vec<_> = services.chain(config_maps).chain(sets).collect();
        let is_missing = |object: &&PreviewObject| !preview.steps.iter().any(|step| step.object == **object);
        assert_eq!(expected.iter().find(is_missing), None, "{folder}");
        assert_eq!(preview.steps.len(), expected.len(), "{folder}");
    }
}

#[test]
fn groups_come_in_their_order_and_say_what_they_wait_for() {
    let mut seen = BTreeSet::new();
    for (folder, cluster, found) in accepted() {
        let preview = preview(&validate(&cluster, &found).unwrap());
        let groups: Vec<_> = preview
            .steps
            .iter()
            .filter_map(|step| match &step.object {
                PreviewObject::StatefulSet(set) => {
                    let labels = set.metadata.labels.as_ref().unwrap();
                    let waits_for = step.waits_for.map(|set| set.component);
                    Some((labels["intersystems.com/component"].clone(), waits_for))
                }
                _ => None,
            })
            .collect();
        let topology = &cluster.spec.topology;
        let mut expected = Vec::new();
        let mut before = None;
        let present = [
            (Component::Arbiter, topology.arbiter.is_some()),
            (Component::Data, true),
            (Component::Compute, topology.compute.is_some()),
            (Component::Webgateway, topology.webgateway.is_some()),
            (Component::Sam, topology.sam.is_some()),
            (Component::Iam, topology.iam.is_some()),
        ];
        let beside = [Component::Webgateway, Component::Sam, Component::Iam];
        let mirrors = if topology.data.mirrored { topology.data.shards.unwrap_or(1) } else { 1 };
        for (component, _) in present.into_iter().filter(|(_, present)| *present) {
            for _ in 0..if component == Component::Data { mirrors } else { 1 } {
                expected.push((component.to_string(), before));
                if !beside.contains(&component) {
                    before = Some(component);
                }
            }
        }
        assert_eq!(groups, expected, "{folder}");
        seen.extend(groups.into_iter().map(|(component, _)| component));
    }
    assert_eq!(seen.len(), 6, "not every group is in an input: {seen:?}");
}

#[test]
fn what_waits_for_a_config_map_is_held_back_for_ever() {
    let held = accepted().into_iter().filter(|(_, cluster, _)| cluster.spec.config_source.is_some());
    let mut seen = 0;
    for (folder, cluster, _) in held {
        let found = Dereferenced { config_source: ConfigSource::Missing, ..Dereferenced::default() };
        let preview = preview(&validate(&cluster, &found).unwrap());
        assert!(!preview.held_back.is_empty(), "{folder}");
        seen += 1;
    }
    assert!(seen > 0);
}
