//! Annotation keys. Those of a registration are settings of users, so they must not change.

/// Registration: name of the cluster. Default: name of the Secret without a trailing `-kubeconfig`.
pub const CLUSTER_NAME: &str = "homebase.dev/cluster-name";

/// Registration: `true` stops all work on the cluster; what runs there keeps running.
pub const PAUSED: &str = "homebase.dev/paused";

/// Registration: namespaces to watch, separated by commas. Default: all.
pub const WATCH_NAMESPACES: &str = "homebase.dev/watch-namespaces";

/// Registration: `Install` (default); `Adopt` also takes over CRDs that somebody else made; `Never` writes none.
pub const CRD_POLICY: &str = "homebase.dev/crd-policy";

/// Registration: requests to the cluster that begin within one second, 1 to 10000. Default: the hub's `--cluster-qps`.
pub const QPS: &str = "homebase.dev/qps";

/// Registration: the same as [`QPS`]; the larger one of the two counts.
pub const BURST: &str = "homebase.dev/burst";

/// Registration: requests to the cluster that wait for an answer at the same time, 1 to 600. Default: the hub's
/// `--cluster-max-in-flight`.
pub const MAX_IN_FLIGHT: &str = "homebase.dev/max-in-flight";

/// Registration: what happens on the cluster when it is deregistered. Default: `Orphan`.
pub const DEREGISTRATION_POLICY: &str = "homebase.dev/deregistration-policy";

/// Registration: UID that the `kube-system` Namespace of the cluster must have. Default: that of the first contact.
pub const EXPECTED_CLUSTER_UID: &str = "homebase.dev/expected-cluster-uid";

/// Registration: `true` accepts an insecure kubeconfig, where the hub's settings allow it too.
pub const ALLOW_INSECURE: &str = "homebase.dev/allow-insecure";

/// `WorkCluster`: UID of the `kube-system` Namespace of the cluster, pinned on first contact. The status shows it too;
/// as metadata it is part of the request that creates the `WorkCluster`.
pub const CLUSTER_UID: &str = "homebase.dev/cluster-uid";

/// The hub that an object was written by.
pub const HUB_ID: &str = "homebase.dev/hub-id";

/// Lease of a hub: random, new at each start. A hub that finds another term than its own has lost the Lease.
pub const TERM: &str = "homebase.dev/term";

/// Lease of a hub: version of the rules by which Leases are taken; the value is [`PROTOCOL_1`].
pub const PROTOCOL: &str = "homebase.dev/protocol";

/// Value of [`PROTOCOL`].
pub const PROTOCOL_1: &str = "1";

/// Lease of a hub: the process that holds it, by kernel, PID namespace, PID and start time.
pub const PROCESS: &str = "homebase.dev/process";

/// Lease of a hub: UID of the pod that holds it, where the hub knows it.
pub const POD_UID: &str = "homebase.dev/pod-uid";

/// `IrisCluster`: `true` lets the hub take over objects that bear the labels and names of its children and belong to
/// nobody. Those that belong to the `IrisCluster` already need no such word.
pub const ADOPT: &str = "homebase.dev/adopt";

/// Pod of a mirror: the zone of each member by its ordinal, separated by commas. The policy on the work cluster places
/// members by it; a member beyond the list has no zone of its own.
pub const ZONES_BY_ORDINAL: &str = "homebase.dev/zones-by-ordinal";

/// Version of a CRD, a whole number: the higher one is newer.
pub const CRD_VERSION: &str = "homebase.dev/crd-version";

/// Settings that a registration may carry: everything that a user may write.
pub const REGISTRATION: [&str; 10] = [
    CLUSTER_NAME,
    PAUSED,
    WATCH_NAMESPACES,
    CRD_POLICY,
    QPS,
    BURST,
    MAX_IN_FLIGHT,
    DEREGISTRATION_POLICY,
    EXPECTED_CLUSTER_UID,
    ALLOW_INSECURE,
];

/// On a `StatefulSet`: the order in which the hub itself restarts its pods for an update; the value is [`PRIMARY_LAST`].
/// Absent while the StatefulSet's own controller does it.
pub const UPDATE_ORDER: &str = "homebase.dev/update-order";

/// Value of [`UPDATE_ORDER`]: the other members of a mirror first, its primary last.
pub const PRIMARY_LAST: &str = "PrimaryLast";
