//! Turns arguments into settings that need no further check, or says all that is wrong with them at once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use homebase_controller::registration::{Convention, Insecure};
use homebase_kube::client::ClientLimits;
use homebase_kube::destination::DestinationPolicy;
use tracing_subscriber::EnvFilter;

use crate::arguments::{LogFormat, RunArguments, SecretsOf};

#[cfg(test)]
mod tests;

/// The longest name of a Kubernetes namespace.
const MAX_LABEL: usize = 63;
const MAX_QPS: u64 = ClientLimits::MAX_REQUESTS_PER_SECOND;
const MAX_IN_FLIGHT: usize = ClientLimits::MAX_IN_FLIGHT;
const MIB: usize = 1024 * 1024;
/// MiB. The objects of an empty cluster and a few of the largest ones fit into this.
const MIN_MEMORY: usize = 16;
/// MiB. A cluster that needs more than this is one of the hub's mistakes.
const MAX_MEMORY: usize = 16 * 1024;
/// Seconds. Less often than this, a label would be wrong for longer than users wait for a failover.
const MAX_MIRROR_INTERVAL: u64 = 300;

/// The settings of `homebase run`.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) namespace: String,
    pub(crate) http_address: SocketAddr,
    pub(crate) instance: String,
    pub(crate) destinations: DestinationPolicy,
    pub(crate) limits: ClientLimits,
    pub(crate) take_over: Vec<String>,
    pub(crate) conventions: Vec<Convention>,
    pub(crate) fleet_brake: u8,
    pub(crate) max_object_series: usize,
    /// The memory that the objects of one cluster may take, in bytes.
    pub(crate) memory_per_cluster: usize,
    /// How often mirror members are asked who is primary; never without it.
    pub(crate) mirror_interval: Option<Duration>,
    pub(crate) insecure: Insecure,
    pub(crate) logging: Logging,
}

/// The settings of the log.
#[derive(Debug)]
pub(crate) struct Logging {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

/// An argument that cannot be used; the text names it and the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidSetting {
    #[error(
        "--namespace: `{0}` is no name of a namespace: use 1 to {MAX_LABEL} lower case letters, digits and `-`"
    )]
    Namespace(String),
    #[error("--http-address: `{0}` is no address with a port: write it like 0.0.0.0:8081 or [::]:8081")]
    HttpAddress(String),
    #[error("--instance: `{0}` is no name: use 1 to {MAX_LABEL} letters, digits, `-`, `_` and `.`")]
    Instance(String),
    #[error("--cluster-qps: {0} is out of range: use 1 to {MAX_QPS}")]
    Qps(u64),
    #[error("--cluster-max-in-flight: {0} is out of range: use 1 to {MAX_IN_FLIGHT}")]
    InFlight(usize),
    #[error("--fleet-brake: {0} is out of range: use 0 to 100")]
    FleetBrake(u8),
    #[error("--memory-per-cluster: {0} is out of range: use {MIN_MEMORY} to {MAX_MEMORY} (MiB)")]
    Memory(usize),
    #[error("--mirror-interval: {0} is out of range: use 0 to {MAX_MIRROR_INTERVAL}")]
    MirrorInterval(u64),
    #[error(
        "--log-level: `{0}` is no filter: use error, warn, info, debug, trace, or TARGET=LEVEL pairs with commas"
    )]
    LogLevel(String),
}

/// Checks all arguments.
pub(crate) fn validate(arguments: &RunArguments) -> Result<Settings, Vec<InvalidSetting>> {
    let RunArguments {
        kubeconfig,
        namespace,
        http_address,
        instance,
        allow_loopback_destinations,
        allow_insecure_registrations,
        take_over,
        accept_secrets_of,
        cluster_qps,
        cluster_max_in_flight,
        fleet_brake,
        cluster_max_object_series,
        memory_per_cluster,
        mirror_interval,
        log_format,
        log_level,
    } = arguments.clone();
    let mut faults = Vec::new();
    if !is_label(&namespace) {
        faults.push(InvalidSetting::Namespace(namespace.clone()));
    }
    let address = http_address.parse().map_err(|_| faults.push(InvalidSetting::HttpAddress(http_address)));
    let instance = instance.unwrap_or_else(default_instance);
    if !is_instance(&instance) {
        faults.push(InvalidSetting::Instance(instance.clone()));
    }
    if !(1..=MAX_QPS).contains(&cluster_qps) {
        faults.push(InvalidSetting::Qps(cluster_qps));
    }
    if !(1..=MAX_IN_FLIGHT).contains(&cluster_max_in_flight) {
        faults.push(InvalidSetting::InFlight(cluster_max_in_flight));
    }
    if fleet_brake > 100 {
        faults.push(InvalidSetting::FleetBrake(fleet_brake));
    }
    if !(MIN_MEMORY..=MAX_MEMORY).contains(&memory_per_cluster) {
        faults.push(InvalidSetting::Memory(memory_per_cluster));
    }
    if mirror_interval > MAX_MIRROR_INTERVAL {
        faults.push(InvalidSetting::MirrorInterval(mirror_interval));
    }
    if EnvFilter::try_new(&log_level).is_err() {
        faults.push(InvalidSetting::LogLevel(log_level.clone()));
    }
    let (Ok(http_address), true) = (address, faults.is_empty()) else { return Err(faults) };
    Ok(Settings {
        kubeconfig,
        namespace,
        http_address,
        instance,
        destinations: DestinationPolicy { allow_loopback: allow_loopback_destinations },
        limits: ClientLimits { max_in_flight: cluster_max_in_flight, requests_per_second: cluster_qps },
        take_over,
        conventions: conventions(&accept_secrets_of),
        fleet_brake,
        max_object_series: cluster_max_object_series,
        memory_per_cluster: memory_per_cluster * MIB,
        mirror_interval: (mirror_interval > 0).then(|| Duration::from_secs(mirror_interval)),
        insecure: if allow_insecure_registrations { Insecure::IfAsked } else { Insecure::Refused },
        logging: Logging { format: log_format, filter: log_level },
    })
}

/// The default ones and those that were asked for, in their order.
fn conventions(accepted: &[SecretsOf]) -> Vec<Convention> {
    let asked = accepted.iter().map(|tool| match tool {
        SecretsOf::ClusterApi => Convention::ClusterApi,
        SecretsOf::ArgoCd => Convention::ArgoCd,
        SecretsOf::Istio => Convention::Istio,
    });
    Convention::DEFAULT.into_iter().chain(asked).collect::<BTreeSet<_>>().into_iter().collect()
}

fn is_label(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=MAX_LABEL).contains(&text.len())
        && text.starts_with(plain)
        && text.ends_with(plain)
        && text.chars().all(|c| plain(c) || c == '-')
}

fn is_instance(text: &str) -> bool {
    (1..=MAX_LABEL).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// A pod's host name is the pod's name.
fn default_instance() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if is_instance(name) { name.to_owned() } else { "homebase".to_owned() }
}
