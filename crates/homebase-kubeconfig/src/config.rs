//! What is left of a kubeconfig after everything that could do harm is gone: values to build a client
//! from, field by field. It must not grow a path, a command, or a value that the policy did not see.

use homebase_core::Fingerprint;
use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::server::{Server, Trust};

/// A kubeconfig that is safe to use: one server, one way to trust it, one set of credentials.
///
/// It holds secrets, so it has no `Debug`; print [`server`](Self::server) instead.
pub struct SanitizedKubeconfig {
    server: Server,
    trust: Trust,
    tls_server_name: Option<String>,
    credentials: Credentials,
    namespace: Option<String>,
    fingerprint: Fingerprint,
}

impl SanitizedKubeconfig {
    pub(crate) fn new(
        server: Server,
        trust: Trust,
        tls_server_name: Option<String>,
        credentials: Credentials,
        namespace: Option<String>,
    ) -> Self {
        let fingerprint =
            fingerprint(&server, &trust, tls_server_name.as_deref(), &credentials, namespace.as_deref());
        Self { server, trust, tls_server_name, credentials, namespace, fingerprint }
    }

    /// Where the apiserver is.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// How the apiserver proves who it is.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The name that the server's certificate is checked against, and that is sent as SNI. When `None`,
    /// that is the [host](Server::host).
    pub fn tls_server_name(&self) -> Option<&str> {
        self.tls_server_name.as_deref()
    }

    /// How the hub proves who it is.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The namespace that the context names. When `None`, Kubernetes' own default is `default`.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The mark of the whole effective configuration, secrets included: it changes exactly when a
    /// connection would be made in another way. Comments, the order of fields, names of entries and
    /// unused entries do not count, so an update of the Secret that changes nothing is recognised.
    ///
    /// It is for comparison within the hub; do not publish it, for a weak static token could be guessed
    /// by trying.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

fn fingerprint(
    server: &Server,
    trust: &Trust,
    tls_server_name: Option<&str>,
    credentials: &Credentials,
    namespace: Option<&str>,
) -> Fingerprint {
    let mut content = Content(Zeroizing::new(Vec::new()));
    content.add(server.url().as_bytes());
    content.add(trust.as_str().as_bytes());
    if let Trust::Authorities(authorities) = trust {
        content.count(authorities.len());
        for authority in authorities {
            content.add(authority);
        }
    }
    content.add_optional(tls_server_name);
    content.add(credentials.as_str().as_bytes());
    match credentials {
        Credentials::Token(token) => content.add(token.expose().as_bytes()),
        Credentials::ClientCertificate { certificate_pem, key_pem } => {
            content.add(certificate_pem);
            content.add(key_pem.expose());
        }
    }
    content.add_optional(namespace);
    Fingerprint::of_bytes(&*content.0)
}

/// Bytes in which each part is preceded by its length, so that no two configurations look the same.
struct Content(Zeroizing<Vec<u8>>);

impl Content {
    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&count.to_le_bytes());
    }

    fn add(&mut self, part: &[u8]) {
        self.count(part.len());
        self.0.extend_from_slice(part);
    }

    fn add_optional(&mut self, part: Option<&str>) {
        self.count(usize::from(part.is_some()));
        if let Some(part) = part {
            self.add(part.as_bytes());
        }
    }
}
