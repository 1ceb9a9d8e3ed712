//! Names the fields that are part of the API and not built yet. Must not ignore one silently: a user would take the
//! cluster for what it is not.

use homebase_api::IrisClusterSpec;
use homebase_api::iriscluster::Topology;

use crate::report::Report;

/// Refuses every part of the spec that is not built.
pub(super) fn refuse_unsupported(spec: &IrisClusterSpec, report: &mut Report) {
    let Topology { data, compute: _, arbiter: _, webgateway: _, sam, iam } = &spec.topology;
    let mut refuse = |present: bool, path: &str| {
        if present {
            report.unsupported(path);
        }
    };
    refuse(spec.tls.is_some(), "spec.tls");
    refuse(sam.is_some(), "spec.topology.sam");
    refuse(iam.is_some(), "spec.topology.iam");
    refuse(data.shards.is_some(), "spec.topology.data.shards");
    refuse(!data.iris_databases.is_empty(), "spec.topology.data.irisDatabases");
    refuse(!data.iris_namespaces.is_empty(), "spec.topology.data.irisNamespaces");
}
