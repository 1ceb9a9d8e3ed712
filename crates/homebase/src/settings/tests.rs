//! All faults of a command line are told at once.

use std::time::Duration;

use clap::Parser as _;
use homebase_controller::registration::Insecure;

use super::{InvalidSetting, Settings, validate};
use crate::arguments::{Arguments, Command};

fn settings(line: &[&str]) -> Result<Settings, Vec<InvalidSetting>> {
    let words = ["homebase", "run"].iter().chain(line);
    let Command::Run(arguments) = Arguments::try_parse_from(words).unwrap().command else { panic!("no run") };
    validate(&arguments)
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let settings = settings(&[]).unwrap();
    assert_eq!(settings.namespace, "homebase-system");
    assert_eq!(settings.http_address.to_string(), "0.0.0.0:8081");
    assert!(!settings.destinations.allow_loopback);
    assert_eq!(settings.insecure, Insecure::Refused);
}

#[test]
fn insecure_registrations_are_taken_only_on_request() {
    assert_eq!(settings(&["--allow-insecure-registrations"]).unwrap().insecure, Insecure::IfAsked);
}

#[test]
fn mirrors_are_asked_every_three_seconds_or_as_often_as_is_said() {
    assert_eq!(settings(&[]).unwrap().mirror_interval, Some(Duration::from_secs(3)));
    assert_eq!(settings(&["--mirror-interval=300"]).unwrap().mirror_interval, Some(Duration::from_secs(300)));
    assert_eq!(settings(&["--mirror-interval=0"]).unwrap().mirror_interval, None);
}

#[test]
fn every_fault_is_told() {
    let faults = settings(&[
        "--namespace=No_Good",
        "--http-address=nowhere",
        "--instance=a b",
        "--cluster-qps=0",
        "--cluster-max-in-flight=601",
        "--fleet-brake=101",
        "--mirror-interval=301",
        "--log-level=a=b=c",
    ])
    .unwrap_err();
    let flags: Vec<String> =
        faults.iter().map(|fault| fault.to_string().split(':').next().unwrap().to_owned()).collect();
    assert_eq!(
        flags,
        [
            "--namespace",
            "--http-address",
            "--instance",
            "--cluster-qps",
            "--cluster-max-in-flight",
            "--fleet-brake",
            "--mirror-interval",
            "--log-level"
        ]
    );
}

#[test]
fn limits_are_inclusive() {
    assert!(settings(&["--cluster-qps=1", "--cluster-max-in-flight=600"]).is_ok());
    assert!(settings(&["--cluster-qps=10000", "--cluster-max-in-flight=1"]).is_ok());
    assert_eq!(settings(&["--cluster-qps=10001"]).unwrap_err(), [InvalidSetting::Qps(10_001)]);
}

#[test]
fn the_memory_of_a_cluster_is_given_in_mebibytes() {
    use homebase_kube::budget::DEFAULT_MEMORY_PER_CLUSTER;
    assert_eq!(settings(&[]).unwrap().memory_per_cluster, DEFAULT_MEMORY_PER_CLUSTER);
    assert_eq!(settings(&["--memory-per-cluster=32"]).unwrap().memory_per_cluster, 32 * 1024 * 1024);
    for (argument, value) in [("--memory-per-cluster=15", 15), ("--memory-per-cluster=16385", 16_385)] {
        assert_eq!(settings(&[argument]).unwrap_err(), [InvalidSetting::Memory(value)]);
    }
}
