//! The clusters that sequences begin with. It must hold nothing that keeps KWOK pods from coming up.

use serde_json::{Value, json};

const IMAGE: &str = "containers.intersystems.com/intersystems/iris:2025.1";
const ARBITER: &str = "containers.intersystems.com/intersystems/arbiter:2025.1";
const GATEWAY: &str = "containers.intersystems.com/intersystems/webgateway:2025.1";

/// The specs of all seeds.
pub(super) fn all() -> Vec<Value> {
    vec![
        json!({"topology": {"data": {"image": IMAGE}}}),
        json!({"topology": {
            "data": {"image": IMAGE, "mirrored": true},
            "arbiter": {"image": ARBITER},
            "compute": {"image": IMAGE, "replicas": 2, "ephemeral": true},
        }}),
        json!({"topology": {
            "data": {"image": IMAGE, "storageDB": {"resources": {"requests": {"storage": "3Gi"}}}},
            "compute": {"image": IMAGE, "replicas": 1},
            "webgateway": {"image": GATEWAY, "type": "apache", "replicas": 1, "applicationPaths": ["/csp/user"]},
        }}),
    ]
}
