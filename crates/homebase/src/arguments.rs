//! The command line as people type it. It checks nothing that needs more than one argument; `settings` does.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Environment variable for `--namespace`.
pub(crate) const NAMESPACE_VARIABLE: &str = "HOMEBASE_NAMESPACE";
/// Environment variable for `--instance`; the chart sets it to the name of the pod.
pub(crate) const INSTANCE_VARIABLE: &str = "HOMEBASE_INSTANCE";
/// Environment variable for `--log-level`.
pub(crate) const LOG_LEVEL_VARIABLE: &str = "HOMEBASE_LOG";

/// Operates InterSystems IRIS on many Kubernetes clusters from one home cluster.
#[derive(Debug, Parser)]
#[command(name = "homebase", version, about, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the hub until it is told to stop.
    Run(RunArguments),
    /// Print the version.
    Version,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RunArguments {
    /// Kubeconfig of the home cluster. Without it: KUBECONFIG, ~/.kube/config, or the pod's service account.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Namespace of the home cluster that holds the registrations. It must exist.
    #[arg(long, env = NAMESPACE_VARIABLE, default_value = "homebase-system")]
    pub(crate) namespace: String,

    /// Address of /livez, /readyz and /metrics (plain HTTP). Port 0 takes a free one, which the log names.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8081")]
    pub(crate) http_address: String,

    /// Name of this replica in status and Events. Default: the host's name.
    #[arg(long, env = INSTANCE_VARIABLE, value_name = "NAME")]
    pub(crate) instance: Option<String>,

    /// Allow work clusters at loopback addresses: for demos, tests and laptops.
    #[arg(long)]
    pub(crate) allow_loopback_destinations: bool,

    /// ID of another hub whose objects this one takes over; may be given several times. Only for a hub that has
    /// ended for good: two hubs that write the same objects would undo each other's work.
    #[arg(long, value_name = "HUB_ID")]
    pub(crate) take_over: Vec<String>,

    /// Requests that each work cluster is sent within one second, at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) cluster_qps: u64,

    /// Requests to each work cluster that wait for an answer at the same time, at most.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) cluster_max_in_flight: usize,

    /// Format of the log on standard error.
    #[arg(long, value_enum, default_value_t = LogFormat::Json)]
    pub(crate) log_format: LogFormat,

    /// What to log: error, warn, info, debug, trace, or a filter such as `info,homebase_kube=debug`.
    #[arg(long, env = LOG_LEVEL_VARIABLE, value_name = "FILTER", default_value = "info")]
    pub(crate) log_level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}
