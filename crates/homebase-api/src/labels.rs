//! Label keys and values. Users' Services and scripts select by them, so they must not change.

/// Marks a registration Secret; the value is [`TRUE`].
pub const CLUSTER: &str = "homebase.dev/cluster";

/// Value of labels that are switches.
pub const TRUE: &str = "true";

/// Lease of a hub: the first eight characters of the fingerprint of the hub's ID.
pub const HUB: &str = "homebase.dev/hub";

/// Who manages an object; the value is [`MANAGED_BY_HOMEBASE`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Value of [`MANAGED_BY`] on every object that the hub writes.
pub const MANAGED_BY_HOMEBASE: &str = "homebase";

/// Kind of the resource that an object belongs to; the value is [`KIND_IRIS_CLUSTER`].
pub const KIND: &str = "intersystems.com/kind";

/// Value of [`KIND`].
pub const KIND_IRIS_CLUSTER: &str = "IrisCluster";

/// Name of the `IrisCluster` that an object belongs to.
pub const NAME: &str = "intersystems.com/name";

/// Node group that an object belongs to: a [`Component`].
pub const COMPONENT: &str = "intersystems.com/component";

/// What runs in a pod; the value is [`ROLE_IRIS`].
pub const ROLE: &str = "intersystems.com/role";

/// Value of [`ROLE`].
pub const ROLE_IRIS: &str = "iris";

/// Number of the shard that an object belongs to, from 0.
pub const SHARD: &str = "intersystems.com/shard";

/// Role of a mirror member: a [`MirrorRole`](crate::iriscluster::MirrorRole).
pub const MIRROR_ROLE: &str = "intersystems.com/mirrorRole";

/// Name of the Deployment of an `Iris`: label and selector.
pub const DEPLOYMENT_NAME: &str = "iris/deployment-name";

/// Label of a node: the zone that it is in.
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// The node groups, as [`COMPONENT`] writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Nodes that hold the databases.
    Data,
    /// Nodes that run application code.
    Compute,
    /// The third vote of a mirror.
    Arbiter,
    /// Web gateways that are nodes of their own.
    Webgateway,
    /// System Alerting and Monitoring.
    Sam,
    /// InterSystems API Manager.
    Iam,
}

impl Component {
    /// Every node group.
    pub const ALL: [Self; 6] =
        [Self::Data, Self::Compute, Self::Arbiter, Self::Webgateway, Self::Sam, Self::Iam];

    /// The value of the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Compute => "compute",
            Self::Arbiter => "arbiter",
            Self::Webgateway => "webgateway",
            Self::Sam => "sam",
            Self::Iam => "iam",
        }
    }
}

impl std::fmt::Display for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
