//! Names the fields that are part of the API and not built yet. Must not ignore one silently: a user would take the
//! cluster for what it is not.

use homebase_api::IrisClusterSpec;

use crate::report::Report;

/// Refuses every part of the spec that is not built.
pub(super) fn refuse_unsupported(spec: &IrisClusterSpec, report: &mut Report) {
    let data = &spec.topology.data;
    let mut refuse = |present: bool, path: &str| {
        if present {
            report.unsupported(path);
        }
    };
    // Volumes bind to the zone that a pod first comes up in, and each member has one of its own: members that are
    // only spread would end up in each other's zones for good.
    refuse(data.mirrored && !data.node.preferred_zones.is_empty(), "spec.topology.data.preferredZones");
}
