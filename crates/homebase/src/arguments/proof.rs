//! The arguments of the commands that show and prove a topology: `plan`, `attest` and `simulate`. They check nothing that needs more than
//! one argument.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use homebase_core::ClusterId;

use super::{ManifestArguments, NAMESPACE_VARIABLE};
use crate::commands::values::{AttestTarget, Lifetime, NamespaceName};

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// YAML documents, with the table on standard error.
    #[default]
    Yaml,
    /// One JSON list, with the table on standard error.
    Json,
    /// The table alone.
    Table,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) manifests: ManifestArguments,

    /// Format of the plan.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: PlanFormat,

    /// Show what would change on this registered cluster instead; without a name, on the cluster of --kubeconfig.
    #[arg(long, value_name = "CLUSTER", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "absent, without a name and with one are three things")]
    pub(crate) diff: Option<Option<ClusterId>>,

    /// Kubeconfig of the home cluster, or for --diff without a name of the work cluster. Without it: KUBECONFIG,
    /// ~/.kube/config, or the pod's service account.
    #[arg(long, value_name = "FILE", requires = "diff")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Namespace of the home cluster that holds the registrations.
    #[arg(long, env = NAMESPACE_VARIABLE, default_value = "homebase-system", value_name = "NAMESPACE")]
    pub(crate) hub_namespace: NamespaceName,

    /// Allow a work cluster at a loopback address, as `run` does with the same flag.
    #[arg(long, requires = "diff")]
    pub(crate) allow_loopback_destinations: bool,
}

/// How an attestation is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AttestFormat {
    /// A table of zones and one line for each claim.
    #[default]
    Table,
    /// JSON.
    Json,
    /// `JUnit` XML: one test case for each claim; what cannot be told is an error.
    Junit,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AttestArguments {
    /// The IrisCluster: on a registered cluster, or on the one of --kubeconfig.
    #[arg(value_name = "[CLUSTER/]NAMESPACE/NAME")]
    pub(crate) target: AttestTarget,

    /// Kubeconfig of the home cluster, or for NAMESPACE/NAME of the work cluster. Without it: KUBECONFIG,
    /// ~/.kube/config, or the pod's service account.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Namespace of the home cluster that holds the registrations.
    #[arg(long, env = NAMESPACE_VARIABLE, default_value = "homebase-system")]
    pub(crate) namespace: NamespaceName,

    /// Allow a work cluster at a loopback address, as `run` does with the same flag.
    #[arg(long)]
    pub(crate) allow_loopback_destinations: bool,

    /// Look again until every claim passes, for so long at most, such as 5m or 30s; 0s looks once.
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub(crate) wait: Lifetime,

    /// Format of what is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: AttestFormat,

    /// Also write `JUnit` XML to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SimulateArguments {
    #[command(flatten)]
    pub(crate) manifests: ManifestArguments,

    /// Kubeconfig of a scratch cluster to rehearse on. Without it, a control plane is started on this machine.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Rehearse on the cluster of --kubeconfig although it has nodes that KWOK does not play, or IrisClusters. The
    /// rehearsal makes nodes, pods and volumes there.
    #[arg(long, requires = "kubeconfig")]
    pub(crate) on_a_cluster_in_use: bool,

    /// Directory with etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and kwok. Without
    /// it: `KUBEBUILDER_ASSETS`, then target/tools below the current directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) assets: Option<PathBuf>,

    /// How long the topology may take to come up, such as 5m.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub(crate) wait: Lifetime,

    /// Leave it running after the verdict, until Ctrl-C.
    #[arg(long)]
    pub(crate) keep: bool,

    /// Format of the verdict.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: AttestFormat,

    /// Also write `JUnit` XML to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}
