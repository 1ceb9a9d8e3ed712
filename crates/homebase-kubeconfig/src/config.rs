//! What is left of a kubeconfig after everything that could do harm is gone: values to build a client
//! from, field by field. It must not grow a path, a command, or a value that the policy did not see.

use homebase_core::Fingerprint;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::server::Server;
use crate::trust::Trust;
use crate::validity::Validity;

/// Where the apiserver is, and through what it is reached.
pub(crate) struct Way {
    pub(crate) server: Server,
    pub(crate) proxy: Option<Server>,
}

/// A kubeconfig that is safe to use: one server, one way to trust it, one set of credentials.
///
/// It holds secrets, so it has no `Debug`; print [`server`](Self::server) instead.
pub struct SanitizedKubeconfig {
    server: Server,
    proxy: Option<Server>,
    trust: Trust,
    tls_server_name: Option<String>,
    credentials: Credentials,
    namespace: Option<String>,
    validity: Validity,
    fingerprint: Fingerprint,
}

impl SanitizedKubeconfig {
    pub(crate) fn new(
        Way { server, proxy }: Way,
        trust: Trust,
        tls_server_name: Option<String>,
        credentials: Credentials,
        namespace: Option<String>,
    ) -> Self {
        let texts = [tls_server_name.as_deref(), namespace.as_deref(), proxy.as_ref().map(Server::url)];
        let fingerprint = fingerprint(&server, &trust, &credentials, texts);
        let validity = credentials.validity();
        Self { server, proxy, trust, tls_server_name, credentials, namespace, validity, fingerprint }
    }

    /// Where the apiserver is.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The HTTP proxy through which the apiserver is reached (by CONNECT); none for a direct connection. It has no path,
    /// and asks for no credentials. Only with [`Policy::allow_insecure`](crate::Policy::allow_insecure).
    pub fn proxy(&self) -> Option<&Server> {
        self.proxy.as_ref()
    }

    /// What of it is accepted only with [`Policy::allow_insecure`](crate::Policy::allow_insecure), in words that hold no
    /// value; empty when nothing is.
    pub fn insecurities(&self) -> Vec<&'static str> {
        let trust = match self.trust {
            Trust::Authorities(_) | Trust::SystemRoots => None,
            Trust::Unverified => Some("nobody verifies that the server is the one that is meant"),
            Trust::Plaintext => Some("everybody on the way to the server can read the credentials"),
        };
        let proxy = self.proxy.as_ref().map(|_| "the server is reached through a proxy");
        trust.into_iter().chain(proxy).collect()
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

    /// When the credentials expire: the end of the client certificate, or the claim `exp` of a JSON Web
    /// Token. `None` when they do not say, or nothing that could be true; an opaque token never says.
    ///
    /// It is what the credentials claim, read without any verification: good for a warning, never a reason
    /// to stop using them. Only the apiserver's answer is.
    pub fn credentials_expire(&self) -> Option<Timestamp> {
        self.validity.not_after()
    }

    /// The span in which the credentials claim to be usable.
    pub fn credentials_validity(&self) -> Validity {
        self.validity
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
    credentials: &Credentials,
    texts: [Option<&str>; 3],
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
    content.add(credentials.as_str().as_bytes());
    if let Some(token) = credentials.token() {
        content.add(token.expose().as_bytes());
    }
    if let Some(certificate) = credentials.certificate() {
        content.add(&certificate.certificate_pem);
        content.add(certificate.key_pem.expose());
    }
    for text in texts {
        content.add_optional(text);
    }
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
