//! The command line as people type it. It checks nothing that needs more than one argument or a look at a cluster.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use homebase_core::ClusterId;

use crate::commands::values::{AccountName, Lifetime, NamespaceName, ServerUrl, WatchedNamespaces};

mod proof;
pub(crate) use proof::{AttestArguments, AttestFormat, PlanArguments, PlanFormat, SimulateArguments};

#[cfg(test)]
mod tests;

/// Environment variable for `--namespace`.
pub(crate) const NAMESPACE_VARIABLE: &str = "HOMEBASE_NAMESPACE";
/// Environment variable for `--instance`.
pub(crate) const INSTANCE_VARIABLE: &str = "HOMEBASE_INSTANCE";
/// Environment variable with the UID of the pod that the hub runs in: a container that is started again then need not wait
/// for the Lease of the one before.
pub(crate) const POD_UID_VARIABLE: &str = "HOMEBASE_POD_UID";
/// Environment variable for `--log-level`.
pub(crate) const LOG_LEVEL_VARIABLE: &str = "HOMEBASE_LOG";

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for `status`: the cluster is Ready; for `doctor`: every check passed; for `validate`: all is valid; for
     `attest` and `simulate`: every claim passes; for `plan --diff`: nothing would change
  1  failed; for `status`: the cluster is not Ready; for `doctor`: a check failed; for `validate`, `simulate` and `plan`
     without --diff: a resource is invalid; for `attest` and `simulate`: a claim fails; for `plan --diff`: something
     would change
  2  the arguments cannot be used; for `list` and `status`: no hub is alive, so that what is shown is not of now; for
     `status`, `doctor`, `attest`, `simulate` and `plan --diff`: it cannot be told;
     for `validate`, `plan` and `simulate`: a manifest cannot be read, or there is none; for `plan --diff`: a resource
     is invalid; for `simulate`: it was interrupted, or not everything could be cleaned up

Data goes to standard output, messages go to standard error. NO_COLOR switches colours off.";

/// Operates InterSystems IRIS on many Kubernetes clusters from one home cluster.
#[derive(Debug, Parser)]
#[command(name = "homebase", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the hub until it is told to stop.
    Run(RunArguments),
    /// List the registered clusters.
    List(ListArguments),
    /// Show what the hub knows of one cluster: exit code 0 when it is Ready, 1 when not, 2 when that is not known.
    Status(StatusArguments),
    /// Register a work cluster, or renew its registration: an account with least rights there, its kubeconfig here.
    Register(RegisterArguments),
    /// Let go of a cluster: delete its registration. What runs on the cluster keeps running.
    Deregister(DeregisterArguments),
    /// Put a new token into a registration, without a gap in the work.
    Rotate(RotateArguments),
    /// Stop all work on a cluster. What runs on it keeps running.
    Pause(PauseArguments),
    /// Take the work on a paused cluster up again.
    Resume(PauseArguments),
    /// Check the way to a cluster step by step, from where this command runs, and say how to mend what fails.
    Doctor(DoctorArguments),
    /// Check manifests of IrisCluster and Iris without a cluster: what an apiserver and the hub would refuse.
    Validate(ValidateArguments),
    /// Show every object that the hub would make of manifests of IrisCluster and Iris, without a cluster; with --diff
    /// what would change on one.
    Plan(PlanArguments),
    /// Prove a topology: compare what runs with what the hub would make, zone by zone, and say why where they differ.
    Attest(AttestArguments),
    /// Rehearse a topology on nodes that are only played: apply it to a scratch control plane, attest it, clean up.
    Simulate(SimulateArguments),
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the version.
    Version,
}

/// Where the home cluster is.
#[derive(Clone, Debug, Args)]
pub(crate) struct HomeArguments {
    /// Kubeconfig of the home cluster. Without it: KUBECONFIG, ~/.kube/config, or the pod's service account.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Namespace of the home cluster that holds the registrations.
    #[arg(long, env = NAMESPACE_VARIABLE, default_value = "homebase-system")]
    pub(crate) namespace: NamespaceName,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Table,
    /// For people, with more columns where there are any.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// How manifests are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManifestFormat {
    /// YAML documents.
    #[default]
    Yaml,
    /// One JSON list.
    Json,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) home: HomeArguments,

    /// Format of the list.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct StatusArguments {
    /// Name of the cluster.
    pub(crate) name: ClusterId,

    #[command(flatten)]
    pub(crate) home: HomeArguments,

    /// Format of the status; json and yaml print the `WorkCluster`.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PauseArguments {
    /// Name of the cluster.
    pub(crate) name: ClusterId,

    #[command(flatten)]
    pub(crate) home: HomeArguments,

    /// How long to wait for the hub, such as 30s; 0s does not wait.
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(crate) wait: Lifetime,
}

/// The hub's account on a work cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct AccountArguments {
    /// Namespace of the work cluster for the service account.
    #[arg(long, value_name = "NAMESPACE", default_value = "homebase-system")]
    pub(crate) work_namespace: NamespaceName,

    /// Name of the service account on the work cluster.
    #[arg(long, value_name = "NAME", default_value = "homebase")]
    pub(crate) service_account: AccountName,
}

/// The token that is asked for, and how long to wait for the hub.
#[derive(Clone, Debug, Args)]
pub(crate) struct TokenArguments {
    /// How long the token shall be valid, such as 90d, 24h or 30m; 10m at least. The work cluster may grant less.
    #[arg(long, value_name = "DURATION", default_value = "90d")]
    pub(crate) token_ttl: Lifetime,

    /// How long to wait for the hub, such as 2m or 30s; 0s does not wait.
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    wait: Lifetime,

    /// Do not wait for the hub: it need not be alive, and takes the registration up when it starts.
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
}

impl TokenArguments {
    /// How long to wait for the hub.
    pub(crate) fn bound(&self) -> Lifetime {
        if self.no_wait { Lifetime::ZERO } else { self.wait }
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RegisterArguments {
    /// Name of the cluster in the fleet.
    pub(crate) name: ClusterId,

    #[command(flatten)]
    pub(crate) home: HomeArguments,

    /// Kubeconfig of the work cluster with your own credentials, which must be allowed to grant rights. They are not
    /// stored.
    #[arg(long, value_name = "FILE", required_unless_present = "print_rbac")]
    pub(crate) work_kubeconfig: Option<PathBuf>,

    /// Context of that kubeconfig; its current one by default.
    #[arg(long, value_name = "NAME", requires = "work_kubeconfig")]
    pub(crate) context: Option<String>,

    /// URL at which the *hub* reaches the work cluster's apiserver, if it is not the one of that kubeconfig.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<ServerUrl>,

    /// Name that the apiserver's certificate is checked against, if it is not the host of the URL.
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_server_name: Option<String>,

    #[command(flatten)]
    pub(crate) account: AccountArguments,

    /// Namespaces of the work cluster, separated by commas, that the hub is to work in, with rights in no other; they
    /// must exist. Without it: all, or for a cluster that is registered already those of its registration.
    #[arg(long, value_name = "NAMESPACES")]
    pub(crate) watch_namespaces: Option<WatchedNamespaces>,

    #[command(flatten)]
    pub(crate) token: TokenArguments,

    /// ID of another hub that has marked the work cluster as its own and is gone. Start this hub with the same option.
    #[arg(long, value_name = "ID")]
    pub(crate) take_over: Option<String>,

    /// Print every object instead of writing it; no cluster is contacted, and no token is asked for.
    #[arg(long, conflicts_with = "print_rbac")]
    pub(crate) dry_run: bool,

    /// Print the roles and their bindings instead of writing anything; no cluster is contacted.
    #[arg(long)]
    pub(crate) print_rbac: bool,

    /// Format of what --dry-run and --print-rbac print.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: ManifestFormat,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DeregisterArguments {
    /// Name of the cluster.
    pub(crate) name: ClusterId,

    #[command(flatten)]
    pub(crate) home: HomeArguments,

    /// List what stays behind on the cluster instead of deleting anything.
    #[arg(long, conflicts_with = "remove_access")]
    pub(crate) plan: bool,

    /// Format of the plan.
    #[arg(short, long, value_enum, default_value_t, requires = "plan")]
    pub(crate) output: Output,

    /// Allow a work cluster at a loopback address.
    #[arg(long)]
    pub(crate) allow_loopback_destinations: bool,

    /// Delete the service account and its rights on the work cluster as well.
    #[arg(long, requires = "work_kubeconfig")]
    pub(crate) remove_access: bool,

    /// Kubeconfig of the work cluster with your own credentials, for --remove-access.
    #[arg(long, value_name = "FILE", requires = "remove_access")]
    pub(crate) work_kubeconfig: Option<PathBuf>,

    /// Context of that kubeconfig; its current one by default.
    #[arg(long, value_name = "NAME", requires = "work_kubeconfig")]
    pub(crate) context: Option<String>,

    #[command(flatten)]
    pub(crate) account: AccountArguments,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RotateArguments {
    /// Name of the cluster.
    pub(crate) name: ClusterId,

    #[command(flatten)]
    pub(crate) home: HomeArguments,

    /// Kubeconfig of the work cluster with your own credentials. They are not stored.
    #[arg(long, value_name = "FILE")]
    pub(crate) work_kubeconfig: PathBuf,

    /// Context of that kubeconfig; its current one by default.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,

    #[command(flatten)]
    pub(crate) account: AccountArguments,

    #[command(flatten)]
    pub(crate) token: TokenArguments,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Name of the cluster.
    #[arg(required_unless_present = "kubeconfig_file", conflicts_with = "kubeconfig_file")]
    pub(crate) name: Option<ClusterId>,

    /// Check the kubeconfig in this file, of a cluster that need not be registered.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) home: HomeArguments,

    /// Allow a work cluster at a loopback address, as `run` does with the same flag.
    #[arg(long)]
    pub(crate) allow_loopback_destinations: bool,

    /// Format of the findings.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// Which manifests are meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct ManifestArguments {
    /// File, directory with files *.yaml, *.yml and *.json, or - for standard input; may be given several times.
    #[arg(short, long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) filename: Vec<PathBuf>,

    /// Namespace of the resources that name none.
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    pub(crate) namespace: NamespaceName,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ValidateArguments {
    #[command(flatten)]
    pub(crate) manifests: ManifestArguments,

    /// Format of the findings.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
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

    /// Allow registrations with the annotation `homebase.dev/allow-insecure: "true"` to have a kubeconfig with http://,
    /// insecure-skip-tls-verify or a proxy.
    #[arg(long)]
    pub(crate) allow_insecure_registrations: bool,

    /// ID of another hub whose objects this one takes over, as the condition `CRDsInstalled` of the `WorkCluster`
    /// names it; may be given several times. Only for a hub that has ended for good: two hubs that write the same
    /// objects would undo each other's work.
    #[arg(long, value_name = "HUB_ID")]
    pub(crate) take_over: Vec<String>,

    /// Also take clusters from Secrets that other tools write, in the hub's namespace.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TOOL")]
    pub(crate) accept_secrets_of: Vec<SecretsOf>,

    /// Requests that each work cluster is sent within one second, at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) cluster_qps: u64,

    /// Requests to each work cluster that wait for an answer at the same time, at most.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) cluster_max_in_flight: usize,

    /// Delete nothing on any work cluster while at least this share of the fleet, in percent, and three clusters were
    /// lost within a minute: then it is rather the hub that has lost its network. 0 switches it off.
    #[arg(long, value_name = "PERCENT", default_value_t = 50)]
    pub(crate) fleet_brake: u8,

    /// Series in /metrics about single objects of one work cluster, at most. The metric
    /// `homebase_member_cluster_object_series_dropped` says how many were left out. An IrisCluster has up to 14, so the
    /// default is enough for 2,000 of them.
    #[arg(long, value_name = "N", default_value_t = 30_000)]
    pub(crate) cluster_max_object_series: usize,

    /// Memory in MiB that the objects of each work cluster may take in the hub, by the hub's estimate. A cluster that
    /// needs more is degraded until it needs less; other clusters are not affected. By its
    /// estimate the default holds about 2,000 IrisClusters with what belongs to them.
    #[arg(long, value_name = "MIB", default_value_t = 128)]
    pub(crate) memory_per_cluster: usize,

    /// Ask every mirror member this often, in seconds, whether it is the primary: at most 300, and 0 asks nobody. A cluster
    /// with more than 30 members for each of these seconds is asked less often.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub(crate) mirror_interval: u64,

    /// Format of the log on standard error.
    #[arg(long, value_enum, default_value_t = LogFormat::Json)]
    pub(crate) log_format: LogFormat,

    /// What to log: error, warn, info, debug, trace, or a filter such as `info,homebase_kube=debug`.
    #[arg(long, env = LOG_LEVEL_VARIABLE, value_name = "FILTER", default_value = "info")]
    pub(crate) log_level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecretsOf {
    /// Secrets of type cluster.x-k8s.io/secret with a kubeconfig.
    ClusterApi,
    /// Secrets with the label argocd.argoproj.io/secret-type=cluster.
    ArgoCd,
    /// Secrets with the label istio/multiCluster=true: each key is a cluster.
    Istio,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}
