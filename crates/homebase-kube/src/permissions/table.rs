//! The table of everything that the hub asks of a work cluster. It must hold what the code sends and nothing else:
//! whoever adds a request adds its row here, and a test on a real apiserver with exactly these rights fails otherwise.

use super::{Need, Scope, Target, Without, resource};

/// Every right that the hub needs on a work cluster.
///
/// What is not in it, on purpose: deleting volumes, claims, namespaces or CRDs; reading Secrets; `escalate`, `bind` and
/// `impersonate`; running anything in a pod.
pub const NEEDS: &[Need] = &[
    // The session.
    Need {
        target: Target::Resource {
            group: "",
            resource: "namespaces",
            subresource: None,
            names: &["kube-system"],
        },
        verbs: &["get"],
        scope: Scope::Cluster,
        without: Without::WorkStops,
        why: "its UID is the identity of the cluster, and reading it is the probe",
    },
    Need {
        target: Target::Url("/version"),
        verbs: &["get"],
        scope: Scope::Cluster,
        without: Without::WorkGoesOn,
        why: "the Kubernetes version in the status; Kubernetes grants it to everybody",
    },
    Need {
        target: Target::Resource {
            group: "authorization.k8s.io",
            resource: "selfsubjectrulesreviews",
            subresource: None,
            names: &[],
        },
        verbs: &["create"],
        scope: Scope::Cluster,
        without: Without::WorkGoesOn,
        why: "asks for the rights themselves and stores nothing; Kubernetes grants it to everybody",
    },
    Need {
        target: Target::Resource {
            group: "apiextensions.k8s.io",
            resource: "customresourcedefinitions",
            subresource: None,
            names: &["irisclusters.intersystems.com", "iris.test.myardyas.club"],
        },
        verbs: &["get", "create", "patch"],
        scope: Scope::Cluster,
        without: Without::WorkGoesOn,
        why: "installs and upgrades the CRDs of this hub; not needed where they are served already",
    },
    Need {
        target: Target::Resource {
            group: "apiextensions.k8s.io",
            resource: "customresourcedefinitions",
            subresource: Some("status"),
            names: &["irisclusters.intersystems.com", "iris.test.myardyas.club"],
        },
        verbs: &["patch"],
        scope: Scope::Cluster,
        without: Without::WorkGoesOn,
        why: "takes a version that is retired out of `storedVersions` once no object is stored in it",
    },
    Need {
        target: resource("events.k8s.io", "events", None),
        verbs: &["create", "patch"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkGoesOn,
        why: "Events on the resources; without it they are lost",
    },
    // What users write.
    Need {
        target: resource("intersystems.com", "irisclusters", None),
        verbs: &["list", "watch"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "what users want; the hub never changes it",
    },
    Need {
        target: resource("intersystems.com", "irisclusters", Some("status")),
        verbs: &["patch"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "tells users what became of it",
    },
    Need {
        target: resource("intersystems.com", "irisclusters", Some("finalizers")),
        verbs: &["update"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkGoesOn,
        why: FINALIZERS,
    },
    Need {
        target: resource("test.myardyas.club", "iris", None),
        verbs: &["list", "watch"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "what users want; the hub never changes it",
    },
    Need {
        target: resource("test.myardyas.club", "iris", Some("status")),
        verbs: &["patch"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "tells users what became of it",
    },
    Need {
        target: resource("test.myardyas.club", "iris", Some("finalizers")),
        verbs: &["update"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkGoesOn,
        why: FINALIZERS,
    },
    // What the hub makes of it.
    Need {
        target: resource("apps", "statefulsets", None),
        verbs: CHILD,
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "the nodes of an IrisCluster; deleted only when empty or to be made anew, and never with their pods",
    },
    Need {
        target: resource("apps", "deployments", None),
        verbs: CHILD,
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "the Deployment of an Iris",
    },
    Need {
        target: resource("", "services", None),
        verbs: CHILD,
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "the names of an IrisCluster and of its pods",
    },
    Need {
        target: resource("", "configmaps", None),
        verbs: CHILD,
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "the configuration of an IrisCluster, and reading what `spec.configSource` names",
    },
    Need {
        target: resource("", "pods", None),
        verbs: &["list", "watch", "patch"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "the label that says which pod of a mirror is primary, and on which nodes the pods run",
    },
    // Zones.
    Need {
        target: resource("", "nodes", None),
        verbs: &["list", "watch"],
        scope: Scope::WholeCluster,
        without: Without::WorkGoesOn,
        why: "the zones of nodes; without it nobody tells whether pods run in the zones of `preferredZones`",
    },
    Need {
        target: Target::Resource {
            group: "admissionregistration.k8s.io",
            resource: "mutatingadmissionpolicies",
            subresource: None,
            names: &["homebase-mirror-zones"],
        },
        verbs: POLICY,
        scope: Scope::WholeCluster,
        without: Without::WorkGoesOn,
        why: PLACES,
    },
    Need {
        target: Target::Resource {
            group: "admissionregistration.k8s.io",
            resource: "mutatingadmissionpolicybindings",
            subresource: None,
            names: &["homebase-mirror-zones"],
        },
        verbs: POLICY,
        scope: Scope::WholeCluster,
        without: Without::WorkGoesOn,
        why: PLACES,
    },
    Need {
        target: Target::Resource {
            group: "admissionregistration.k8s.io",
            resource: "validatingadmissionpolicies",
            subresource: None,
            names: &["homebase-volume-retention"],
        },
        verbs: POLICY,
        scope: Scope::WholeCluster,
        without: Without::WorkGoesOn,
        why: RETAINS,
    },
    Need {
        target: Target::Resource {
            group: "admissionregistration.k8s.io",
            resource: "validatingadmissionpolicybindings",
            subresource: None,
            names: &["homebase-volume-retention"],
        },
        verbs: POLICY,
        scope: Scope::WholeCluster,
        without: Without::WorkGoesOn,
        why: RETAINS,
    },
    Need {
        target: resource("", "pods", Some("proxy")),
        verbs: &["get"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkGoesOn,
        why: "asks each member of a mirror whether it is primary; without it labels stay where they are after a \
              failover",
    },
    Need {
        target: resource("", "pods", Some("eviction")),
        verbs: &["create"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkGoesOn,
        why: "restarts pods that an update would not reach in another way: those of a mirror while another member than \
              the first is primary, the primary last; one that never started and holds up a corrected spec; those of \
              nodes that get additional volume claims. Without it such updates wait",
    },
    Need {
        target: resource("", "persistentvolumeclaims", None),
        verbs: &["list", "watch", "patch"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkGoesOn,
        why: "`StorageReady`, and asking for more where the spec does; without it volumes do not grow, and no \
              StatefulSet with volumes is made anew",
    },
];

/// What becomes of an object that the hub makes: looked at, applied (which is a `patch`, and a `create` where it is
/// not there yet), removed when no longer wanted.
const CHILD: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// Looked at by name, and applied.
const POLICY: &[&str] = &["list", "watch", "create", "patch"];

const PLACES: &str = "has the cluster itself place each member of a mirror in its zone of `preferredZones`; without it \
                      members are spread. Whoever holds it can have any object changed as it is written: leave it out \
                      where no mirror has zones, or install the policy by hand";

const RETAINS: &str = "has the cluster itself reject a StatefulSet that would delete its volumes when it is scaled down or \
                       deleted; without it the hub takes such an edit back, which is too late while it is down";

const FINALIZERS: &str = "owner references that hold the owner until its dependents are gone; only asked for where the \
                          admission plugin OwnerReferencesPermissionEnforcement is on, as in OpenShift";
