//! Tests of an `Iris` that no golden folder shows. Must not repeat the golden ones.

use homebase_api::IrisSpec;
use jiff::Timestamp;

use super::*;
use crate::failure::Failure;

fn iris(name: &str) -> Iris {
    Iris::new("test", IrisSpec { deployment_name: name.to_owned(), replicas: Some(1), image: None })
}

#[test]
fn a_name_has_1_to_64_characters_of_dns() {
    for name in ["a", "0", "a.b-c", &"a".repeat(64)] {
        assert!(validate(&iris(name)).is_ok(), "{name}");
    }
    for name in ["", "A", "a_b", "-a", "a-", "a..b", ".a", "a/b", "ä", &"a".repeat(65)] {
        assert_eq!(validate(&iris(name)).unwrap_err()[0].path, "spec.deploymentName", "{name}");
    }
}

#[test]
fn two_longest_names_have_two_labels() {
    let value = |last: &str| label_value(&format!("{}{last}", "a".repeat(63)));
    assert_ne!(value("b"), value("c"));
    assert!(value("b").len() <= MAX_LABEL);
    assert_eq!(label_value(&"a".repeat(63)), "a".repeat(63));
}

#[test]
fn scaling_changes_the_replicas_and_nothing_else() {
    let plan = |replicas| {
        let mut iris = iris("x");
        iris.spec.replicas = Some(replicas);
        plan(&validate(&iris).unwrap(), &Observed::default()).deployment
    };
    let mut scaled = plan(5);
    assert_ne!(scaled, plan(1));
    scaled.spec.as_mut().unwrap().replicas = Some(1);
    assert_eq!(scaled, plan(1));
}

#[test]
fn every_deployment_of_another_name_goes_and_the_wanted_one_stays() {
    let found = ["x", "old", "older"].map(|name| {
        let found = ObservedDeployment { uid: format!("uid-{name}"), ..ObservedDeployment::default() };
        (name.to_owned(), found)
    });
    let plan = plan(&validate(&iris("x")).unwrap(), &Observed { deployments: found.into() });
    let uids: Vec<_> = plan.delete.iter().map(|surplus| surplus.uid.as_str()).collect();
    assert_eq!(uids, ["uid-old", "uid-older"]);
}

#[test]
fn each_field_of_the_deployment_can_tell_that_it_is_not_ready() {
    let planned = plan(&validate(&iris("x")).unwrap(), &Observed::default());
    let hash = planned.deployment.metadata.annotations.clone().unwrap()[PLAN_HASH].clone();
    let ready = || ObservedDeployment {
        generation: 2,
        observed_generation: 2,
        replicas: 1,
        current_replicas: 1,
        ready_replicas: 1,
        updated_replicas: 1,
        plan_hash: Some(hash.clone()),
        ..ObservedDeployment::default()
    };
    let now = Timestamp::UNIX_EPOCH;
    let is_ready = |found: Option<&ObservedDeployment>| {
        let status = status(&iris("x"), &planned, found, now);
        status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    assert!(is_ready(Some(&ready())));
    for found in [
        ObservedDeployment { plan_hash: None, ..ready() },
        ObservedDeployment { replicas: 2, ..ready() },
        ObservedDeployment { observed_generation: 1, ..ready() },
        ObservedDeployment { ready_replicas: 0, ..ready() },
        ObservedDeployment { updated_replicas: 0, ..ready() },
        ObservedDeployment { current_replicas: 2, ..ready() },
    ] {
        assert!(!is_ready(Some(&found)), "{found:?}");
    }
    assert!(!is_ready(None));
}

#[test]
fn a_failure_stalls_unless_it_may_pass() {
    let stalled = |failure| {
        let status = failed_status(&iris("x"), failure, "no", Timestamp::UNIX_EPOCH);
        status.conditions.iter().any(|condition| condition.type_ == "Stalled" && condition.status == "True")
    };
    assert!(stalled(Failure::Forbidden));
    assert!(stalled(Failure::FieldConflict));
    assert!(!stalled(Failure::Transient));
}
