//! Tests of what is kept of a Deployment. Must not judge it.

use k8s_openapi::api::apps::v1::{DeploymentSpec, DeploymentStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;

#[test]
fn every_field_comes_from_its_own_place() {
    let deployment = Deployment {
        metadata: ObjectMeta {
            uid: Some("uid".into()),
            generation: Some(1),
            annotations: Some([(PLAN_HASH.to_owned(), "hash".to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(DeploymentSpec { replicas: Some(2), ..DeploymentSpec::default() }),
        status: Some(DeploymentStatus {
            observed_generation: Some(3),
            replicas: Some(4),
            ready_replicas: Some(5),
            updated_replicas: Some(6),
            ..DeploymentStatus::default()
        }),
    };
    let expected = ObservedDeployment {
        uid: "uid".into(),
        generation: 1,
        observed_generation: 3,
        replicas: 2,
        current_replicas: 4,
        ready_replicas: 5,
        updated_replicas: 6,
        plan_hash: Some("hash".into()),
    };
    assert_eq!(ObservedDeployment::from(&deployment), expected);
}

#[test]
fn a_deployment_that_says_nothing_wants_one_pod_and_has_none() {
    let expected = ObservedDeployment { replicas: 1, ..ObservedDeployment::default() };
    assert_eq!(ObservedDeployment::from(&Deployment::default()), expected);
}
