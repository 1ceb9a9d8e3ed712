//! What a kubeconfig may hold: the switches of an installation and the fixed limits. It decides nothing
//! itself; the readers apply it.

/// The largest kubeconfig that is looked at. Real ones are 3 to 10 KiB; a Secret may hold 1 MiB.
pub const MAX_KUBECONFIG_BYTES: usize = 64 * 1024;

/// Deeper than any kubeconfig (clusters, entry, cluster, extensions, entry, extension and its own fields),
/// and far from where a recursive reader runs out of stack.
pub(crate) const MAX_DEPTH: usize = 16;

/// 64 KiB of `[,[,[` are more than 30,000 nodes. A kubeconfig with a hundred contexts has 1,500.
pub(crate) const MAX_NODES: usize = 8 * 1024;

/// Events of the parser: each node is at most two, plus the ends of document and stream.
pub(crate) const MAX_EVENTS: usize = 2 * MAX_NODES + 16;

/// The longest bearer token. Service account tokens are about 1 KiB, fat OIDC tokens 8 KiB; load balancers
/// stop taking headers at 8 to 16 KiB.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The longest base64 text of a certificate bundle or a key. A private cloud's bundle has some ten
/// certificates, each 2 to 3 KiB as base64 of PEM; a key of RSA 8192 has 9 KiB.
pub(crate) const MAX_PEM_FIELD_BYTES: usize = 44 * 1024;

/// The longest server URL: what load balancers and proxies take as a request line, less our own paths.
pub(crate) const MAX_SERVER_BYTES: usize = 2 * 1024;

/// The longest name of a cluster, user or context. They are free text (EKS puts an ARN there, which IAM
/// limits to 2 KiB) and are only compared with one another.
pub(crate) const MAX_NAME_BYTES: usize = 2 * 1024;

/// The longest DNS name (RFC 1035).
pub(crate) const MAX_HOST_BYTES: usize = 253;

/// The longest name of a Namespace: one DNS label (RFC 1123).
pub(crate) const MAX_NAMESPACE_BYTES: usize = 63;

/// How many faults are reported. More help nobody, and the list ends up in a status, whose message may
/// have 32 KiB.
pub(crate) const MAX_FAULTS: usize = 50;

/// The switches that the hub's settings and the registration decide on together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Accepts `http://` servers, `insecure-skip-tls-verify: true` and `proxy-url`. The caller sets it only when the
    /// registration opts in *and* the hub's settings allow it. Default `false`.
    ///
    /// A proxy is one that is asked by CONNECT and wants no credentials; with an `http://` server there is none, as it
    /// could read everything.
    pub allow_insecure: bool,
    /// Accepts a cluster without `certificate-authority-data`; the server is then verified against the
    /// hub's system trust store (as for a managed apiserver behind a public certificate). Default `true`.
    pub allow_system_roots: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { allow_insecure: false, allow_system_roots: true }
    }
}
