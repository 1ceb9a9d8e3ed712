//! Builds what is particular to InterSystems API Manager. Must not read the password with which it gets its licence:
//! the pod does that.
//!
//! Facts, from the scripts that come with it: the ports, the variables `KONG_*` and `ISC_IRIS_URL` with user, password
//! and path of the licence in IRIS. Choices of this project: without a word about `KONG_DATABASE` it runs without a
//! database, as there is none in the spec; the password is a variable of the user's that the URL refers to; and the
//! names of the ports.

use k8s_openapi::api::core::v1::EnvVar;

use super::service::web_port;
use crate::cluster::validated::ValidatedCluster;

/// The variable with the password of the user `IAM` of IRIS.
pub(crate) const PASSWORD: &str = "ISC_IAM_PASSWORD";
/// The variable with the place of the licence.
pub(crate) const LICENSE_URL: &str = "ISC_IRIS_URL";

/// The ports of the container and of its Service.
pub(crate) const PORTS: [(&str, u16); 8] = [
    ("proxy", 8000),
    ("admin", 8001),
    ("manager", 8002),
    ("portal", 8003),
    ("portal-api", 8004),
    ("proxy-tls", 8443),
    ("admin-tls", 8444),
    ("manager-tls", 8445),
];

/// What the container gets to know unless the user says otherwise.
const OURS: [(&str, &str); 7] = [
    ("KONG_ADMIN_ACCESS_LOG", "/dev/stdout"),
    ("KONG_ADMIN_ERROR_LOG", "/dev/stderr"),
    ("KONG_ADMIN_LISTEN", "0.0.0.0:8001"),
    ("KONG_ANONYMOUS_REPORTS", "off"),
    ("KONG_DATABASE", "off"),
    ("KONG_PROXY_ACCESS_LOG", "/dev/stdout"),
    ("KONG_PROXY_ERROR_LOG", "/dev/stderr"),
];

/// The environment of the container: the user's part first, because a variable can refer to earlier ones only.
pub(crate) fn build_iam_env(cluster: &ValidatedCluster, mut users: Vec<EnvVar>) -> Vec<EnvVar> {
    let has = |users: &[EnvVar], name: &str| users.iter().any(|variable| variable.name == name);
    let variable =
        |name: &str, value: String| EnvVar { name: name.to_owned(), value: Some(value), value_from: None };
    let ours: Vec<_> = OURS.into_iter().filter(|(name, _)| !has(&users, name)).collect();
    let licensed = has(&users, PASSWORD) && !has(&users, LICENSE_URL);
    users.extend(ours.into_iter().map(|(name, value)| variable(name, value.to_owned())));
    if licensed {
        let port = web_port(cluster);
        let host = cluster.key.service_host();
        users.push(variable(LICENSE_URL, format!("IAM:$({PASSWORD})@{host}:{port}/api/iam/license")));
    }
    users
}
