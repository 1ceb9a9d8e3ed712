//! Counts the requests to one work cluster. It keeps no path and no answer.

use std::sync::{Arc, OnceLock};

use homebase_kube::pod_proxy::is_pod_proxy;
use jiff::Timestamp;

use super::{Cluster, Method, Observer, StatusCode};
use crate::metrics::Metrics;

/// The observer of one cluster's client.
pub(super) struct ClusterObserver {
    metrics: Arc<Metrics>,
    /// The client is built before the cluster it belongs to, so this comes later.
    cluster: OnceLock<Arc<Cluster>>,
}

impl ClusterObserver {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, cluster: OnceLock::new() }
    }

    pub(super) fn attach(&self, cluster: &Arc<Cluster>) {
        // A second attachment would be a second session on one client, which there never is.
        drop(self.cluster.set(cluster.clone()));
    }
}

impl Observer for ClusterObserver {
    fn request(&self, method: &Method, path: &str, status: Option<StatusCode>) {
        // What a pod answers says nothing of its cluster, and has figures of its own: its web server may well want a
        // login. Credentials that are refused by the cluster itself show in every other request.
        if is_pod_proxy(path) {
            return;
        }
        if let Some(cluster) = self.cluster.get() {
            cluster.counters.request(status);
            cluster.signals.request(path, status);
        }
        if let Some(verb) = write_verb(method)
            && !is_review(path)
            && status.is_some_and(|status| status.is_success())
        {
            self.metrics.write(verb, resource_of(path));
        }
    }

    fn watch_started(&self, watch: &str) {
        if let Some(cluster) = self.cluster.get() {
            cluster.signals.freshness().started(watch, Timestamp::now());
        }
    }

    fn watch_activity(&self, watch: &str) {
        if let Some(cluster) = self.cluster.get() {
            cluster.signals.freshness().heard(watch, Timestamp::now());
        }
    }

    fn watch_ended(&self, watch: &str) {
        if let Some(cluster) = self.cluster.get() {
            cluster.signals.freshness().ended(watch);
        }
    }
}

fn write_verb(method: &Method) -> Option<&'static str> {
    match *method {
        Method::POST => Some("create"),
        Method::PATCH => Some("patch"),
        Method::PUT => Some("update"),
        Method::DELETE => Some("delete"),
        _ => None,
    }
}

/// A question about rights is sent as a `create`, and the apiserver stores nothing of it.
fn is_review(path: &str) -> bool {
    path.starts_with("/apis/authorization.k8s.io/")
}

/// The resource in a path such as `/apis/apps/v1/namespaces/NS/statefulsets/NAME/status`. All such paths are
/// the hub's own, so the set of answers is closed.
pub(crate) fn resource_of(path: &str) -> &str {
    let mut parts = path.trim_start_matches('/').split('/');
    let group_parts = if parts.next() == Some("api") { 1 } else { 2 };
    let mut parts = parts.skip(group_parts);
    match (parts.next(), parts.next(), parts.next()) {
        (Some("namespaces"), Some(_), Some(resource)) | (Some(resource), _, _) => resource,
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    //! The resource is found in every form of path that the hub sends.

    use super::{is_review, resource_of};

    #[test]
    fn a_question_about_rights_is_no_write() {
        assert!(is_review("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"));
        assert!(!is_review("/apis/rbac.authorization.k8s.io/v1/clusterroles"));
    }

    #[test]
    fn the_resource_of_a_path() {
        for (path, resource) in [
            ("/api/v1/namespaces/default/services/iris-svc", "services"),
            ("/apis/apps/v1/namespaces/default/statefulsets/a/status", "statefulsets"),
            ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/a", "customresourcedefinitions"),
            ("/api/v1/namespaces/default", "namespaces"),
            ("/", "unknown"),
        ] {
            assert_eq!(resource_of(path), resource, "{path}");
        }
    }
}
