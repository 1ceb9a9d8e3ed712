//! Names, ports, paths and label keys of an IrisCluster's children. Must not decide which children there are.
//!
//! Users' Services, monitors and clean-up scripts depend on every one of them: a change here breaks users.

use std::fmt;

use homebase_api::IrisCluster;
use homebase_api::labels::Component;
use kube_core::ResourceExt as _;

/// Superserver (SQL, ECP, native clients).
pub const SUPERSERVER_PORT: u16 = 1972;
/// The private web server of IRIS.
pub const WEB_SERVER_PORT: u16 = 52773;
/// The web server of a web gateway, but for the locked-down image: that one has [`WEB_SERVER_PORT`].
pub const GATEWAY_PORT: u16 = 80;
/// ISCAgent of the arbiter.
pub const ARBITER_PORT: u16 = 2188;

/// The web server of a web gateway with TLS, but for the locked-down image.
pub const GATEWAY_TLS_PORT: u16 = 443;
/// The same of the locked-down image, which may not listen on a port below 1024.
pub const LOCKED_DOWN_TLS_PORT: u16 = 52443;
/// The web application of System Alerting and Monitoring, at its Service.
pub const SAM_PORT: u16 = 8080;

/// Port name of [`SUPERSERVER_PORT`].
pub const SUPERSERVER: &str = "superserver";
/// Port name of [`WEB_SERVER_PORT`].
pub const WEB_SERVER: &str = "webserver";
/// Port name of [`GATEWAY_TLS_PORT`].
pub const WEB_SERVER_TLS: &str = "webserver-tls";
/// Port name of [`ARBITER_PORT`].
pub const ARBITER_AGENT: &str = "iscagent";

/// The group of the user that IRIS runs as in its images; volumes must belong to it, or IRIS cannot start.
pub const IRIS_GROUP: i64 = 51773;

/// The headless Service that all clusters of a namespace share.
pub const HEADLESS_SERVICE: &str = "iris-svc";
/// The container that runs IRIS, or the ISCAgent of an arbiter.
pub const CONTAINER: &str = "iriscluster";
/// Name of the volume that holds the CPF.
pub const CPF_VOLUME: &str = "iris-cpf";
/// Where the CPF is mounted.
pub const CPF_DIRECTORY: &str = "/irissys/cpf";
/// Name of the volume that holds the license key.
pub const KEY_VOLUME: &str = "iris-key";
/// Where the license key is mounted.
pub const KEY_DIRECTORY: &str = "/irissys/key";
/// The license key, as the Secret has it.
pub const KEY_FILE: &str = "iris.key";

/// The container of a web gateway beside IRIS.
pub const SIDECAR: &str = "webgateway";
/// Name of the volume of a web gateway beside IRIS.
pub const SIDECAR_VOLUME: &str = "iris-webgateway";
/// Name of the volume that holds the files of a web gateway.
pub const CSP_VOLUME: &str = "iris-csp";
/// Where the files of a web gateway are mounted.
pub const CSP_DIRECTORY: &str = "/irissys/csp";
/// Name of the volume that holds the files of a web gateway before its login is filled in.
pub const CSP_TEMPLATE_VOLUME: &str = "iris-csp-template";
/// Where [`CSP_TEMPLATE_VOLUME`] is mounted, in [`LOGIN_CONTAINER`] only.
pub const CSP_TEMPLATE_DIRECTORY: &str = "/irissys/csp-template";
/// The configuration of a web gateway.
pub const CSP_INI: &str = "CSP.ini";
/// What a web gateway adds to the configuration of its web server.
pub const CSP_CONF: &str = "CSP.conf";
/// Name of the volume that holds the login of a web gateway.
pub const LOGIN_VOLUME: &str = "iris-login";
/// Where the login is mounted, in [`LOGIN_CONTAINER`] only.
pub const LOGIN_DIRECTORY: &str = "/irissys/login";
/// The init container that fills in the login of a web gateway.
pub const LOGIN_CONTAINER: &str = "webgateway-login";

/// Where certificates are mounted, in a directory for each connection.
pub const TLS_DIRECTORY: &str = "/irissys/tls";
/// The certificate of a connection, in the source that the user names.
pub const TLS_CERTIFICATE: &str = "tls.crt";
/// The key of [`TLS_CERTIFICATE`].
pub const TLS_KEY: &str = "tls.key";
/// Certificates of the authorities that a connection trusts.
pub const TLS_AUTHORITIES: &str = "ca.pem";

/// A connection that has certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Connection {
    /// Between mirror members.
    Mirror,
    /// Of browsers to a web gateway.
    Webgateway,
    /// Of clients to the superserver.
    Superserver,
    /// Of compute nodes to data nodes.
    Ecp,
}

impl Connection {
    /// Every connection.
    pub const ALL: [Self; 4] = [Self::Mirror, Self::Webgateway, Self::Superserver, Self::Ecp];

    /// Its field of `spec.tls`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mirror => "mirror",
            Self::Webgateway => "webgateway",
            Self::Superserver => "superserver",
            Self::Ecp => "ecp",
        }
    }

    /// Where its certificates are mounted.
    pub const fn directory(self) -> &'static str {
        match self {
            Self::Mirror => "/irissys/tls/mirror",
            Self::Webgateway => "/irissys/tls/webgateway",
            Self::Superserver => "/irissys/tls/superserver",
            Self::Ecp => "/irissys/tls/ecp",
        }
    }

    /// Name of the volume with certificates of its own.
    pub const fn volume(self) -> &'static str {
        match self {
            Self::Mirror => "iris-tls-mirror",
            Self::Webgateway => "iris-tls-webgateway",
            Self::Superserver => "iris-tls-superserver",
            Self::Ecp => "iris-tls-ecp",
        }
    }
}

/// Name of the volume with the certificates of every connection that has none of its own.
pub const TLS_COMMON_VOLUME: &str = "iris-tls-common";

/// One StatefulSet among those of a cluster: a node group, or one shard of the data nodes where each is a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeSet {
    /// The node group.
    pub component: Component,
    /// The shard that the set holds alone; `None` where one set holds the whole group.
    pub shard: Option<usize>,
}

impl NodeSet {
    /// The set that holds a whole node group.
    pub const fn whole(component: Component) -> Self {
        Self { component, shard: None }
    }
}

/// The first shard is the only one of most clusters, so its number is left out.
impl fmt::Display for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.component.fmt(f)?;
        match self.shard {
            None | Some(0) => Ok(()),
            Some(shard) => write!(f, " shard {shard}"),
        }
    }
}

/// Name and namespace of an IrisCluster, from which all names of its children follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterName {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl ClusterName {
    /// Of an IrisCluster.
    pub(crate) fn of(cluster: &IrisCluster) -> Self {
        Self { namespace: cluster.namespace().unwrap_or_default(), name: cluster.name_any() }
    }

    /// A StatefulSet.
    pub fn stateful_set(&self, set: NodeSet) -> String {
        let NodeSet { component, shard } = set;
        match shard {
            Some(shard) => format!("{}-{component}-{shard}", self.name),
            None => format!("{}-{component}", self.name),
        }
    }

    /// The ConfigMap that the pods of a StatefulSet mount: it has the name of that.
    pub fn config_map(&self, set: NodeSet) -> String {
        self.stateful_set(set)
    }

    /// The Service of a node group that has one of its own: it has the name of the StatefulSet.
    pub fn group_service(&self, component: Component) -> String {
        self.stateful_set(NodeSet::whole(component))
    }

    /// The DNS name of the Service `NAME`.
    pub fn service_host(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.name, self.namespace)
    }

    /// A pod of a StatefulSet.
    pub fn pod(&self, set: NodeSet, ordinal: usize) -> String {
        format!("{}-{ordinal}", self.stateful_set(set))
    }

    /// The DNS name of a pod.
    pub fn pod_host(&self, pod: &str) -> String {
        format!("{pod}.{HEADLESS_SERVICE}.{}.svc.cluster.local", self.namespace)
    }
}
