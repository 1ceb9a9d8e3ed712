//! The table of everything that the hub asks of its home cluster. It must hold what the code sends and nothing else: the
//! end-to-end tests run the hub with exactly these rights, and fail when a request is refused.

use super::{Need, Scope, Target, Without, resource};

/// Every right that the hub needs on its home cluster. The namespace of [`Scope::WatchedNamespaces`] is that of the
/// registrations.
///
/// What is not in it, on purpose: writing Secrets; reading Secrets of any other namespace; deleting CRDs. Moving stored
/// `WorkClusters` to another version needs a list of all namespaces, so it is left to whoever may have one.
pub const HOME_NEEDS: &[Need] = &[
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
        why: "its UID is the identity of the cluster, and so a part of the hub's",
    },
    Need {
        target: Target::Resource {
            group: "apiextensions.k8s.io",
            resource: "customresourcedefinitions",
            subresource: None,
            names: &["workclusters.homebase.dev"],
        },
        verbs: &["get", "create", "patch"],
        scope: Scope::Cluster,
        without: Without::WorkGoesOn,
        why: "installs and upgrades the CRD of WorkClusters; not needed where it is served already",
    },
    Need {
        target: resource("", "secrets", None),
        verbs: &["get", "list", "watch"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "the registrations; the hub never changes them",
    },
    Need {
        target: resource("coordination.k8s.io", "leases", None),
        verbs: &["get", "create", "update"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "one hub at a time works in the namespace; commands see by them whether it is alive",
    },
    Need {
        target: resource("homebase.dev", "workclusters", None),
        verbs: &["list", "watch", "create", "patch", "delete"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "one beside each registration, which goes with it",
    },
    Need {
        target: resource("homebase.dev", "workclusters", Some("status")),
        verbs: &["patch"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkStops,
        why: "what is known of each cluster, and its pinned identity",
    },
    Need {
        target: resource("events.k8s.io", "events", None),
        verbs: &["create", "patch"],
        scope: Scope::WatchedNamespaces,
        without: Without::WorkGoesOn,
        why: "Events on WorkClusters and registrations; without it they are lost",
    },
];
