//! Decides whether System Alerting and Monitoring and the API Manager can be built. Must not decide what they watch.
//!
//! Facts, from the pages and scripts that come with them: the manager of SAM is an IRIS with its web application on the
//! web server's port, and works together with Prometheus, Grafana, Alertmanager and a web server on 8080; IAM keeps
//! what it knows in a database of its own and gets its licence from IRIS. Choices of this project, since the spec names
//! one image for each: that image in one pod, with a volume for SAM; what else there is to it is the user's.

use homebase_api::iriscluster::{PlainNode, StorageSpec};
use homebase_api::labels::Component;

use super::{Defaults, storage, validate_plain};
use crate::cluster::plan::build::iam::{LICENSE_URL, PASSWORD};
use crate::cluster::validated;
use crate::report::Report;

/// System Alerting and Monitoring: it has databases.
pub(super) fn validate_sam(
    node: &PlainNode,
    defaults: &Defaults<'_>,
    report: &mut Report,
) -> validated::Node {
    let storage = StorageSpec::default();
    // Only the first: its journals are beside its databases, as its image has it.
    let predefined = storage::Predefined::Gateway { storage: &storage, ephemeral: false };
    validate_plain(node, Component::Sam, predefined, defaults, report)
}

/// The API Manager: without its licence it starts, and does not do much.
pub(super) fn validate_iam(
    node: &PlainNode,
    defaults: &Defaults<'_>,
    report: &mut Report,
) -> validated::Node {
    let node = validate_plain(node, Component::Iam, storage::Predefined::None, defaults, report);
    let container = &node.template.container;
    let mut names = container.env.iter().flatten().map(|variable| variable.name.as_str());
    if !names.any(|name| name == PASSWORD || name == LICENSE_URL) && container.env_from.is_none() {
        report.warn(
            "spec.topology.iam.podTemplate.spec.env",
            format_args!("without {PASSWORD} from a Secret it gets no licence from IRIS"),
        );
    }
    node
}
