//! The allow list: which fields each part of a registration may have, which are refused by name and why.
//! Reading a mapping through a [`Shape`] is the only way to its fields, so nothing gets past the list.

use crate::document::Node;
use crate::faults::{Faults, Refused};
use crate::rejection::{Path, RejectionKind};

/// A field that is refused by name, and what to do instead.
pub(crate) struct Refusal {
    field: &'static str,
    fix: &'static str,
}

/// The fields of one mapping.
pub(crate) struct Shape {
    known: &'static [&'static str],
    refused: &'static [Refusal],
}

const FLATTEN: &str = "the hub reads no files; `kubectl config view --raw --minify --flatten` puts the content \
                       into the kubeconfig";
const EXEC: &str = "the hub runs no programs; use a service account token or a client certificate, or let \
                    `homebase register` create a service account with a token";
const AUTH_PROVIDER: &str = "the hub loads no credential plugins; use a service account token or a client certificate, or let \
     `homebase register` create a service account with a token";
const PASSWORD: &str = "the hub sends no passwords; use a service account token or a client certificate";
const IMPERSONATION: &str =
    "the hub acts as nobody else; give the service account the permissions that it needs";
/// The whole document.
pub(crate) const DOCUMENT: Shape = Shape {
    known: &[
        "apiVersion",
        "kind",
        "clusters",
        "users",
        "contexts",
        "current-context",
        "preferences",
        "extensions",
    ],
    refused: &[],
};

/// An entry of `clusters`.
pub(crate) const CLUSTER_ENTRY: Shape = Shape { known: &["name", "cluster"], refused: &[] };

/// An entry of `users`.
pub(crate) const USER_ENTRY: Shape = Shape { known: &["name", "user"], refused: &[] };

/// An entry of `contexts`.
pub(crate) const CONTEXT_ENTRY: Shape = Shape { known: &["name", "context"], refused: &[] };

/// `clusters[].cluster`.
pub(crate) const CLUSTER: Shape = Shape {
    known: &[
        "server",
        "certificate-authority-data",
        "tls-server-name",
        "insecure-skip-tls-verify",
        "proxy-url",
        "disable-compression",
        "extensions",
    ],
    refused: &[Refusal { field: "certificate-authority", fix: FLATTEN }],
};

/// `users[].user`.
pub(crate) const USER: Shape = Shape {
    known: &["token", "client-certificate-data", "client-key-data", "extensions"],
    refused: &[
        Refusal { field: "exec", fix: EXEC },
        Refusal { field: "auth-provider", fix: AUTH_PROVIDER },
        Refusal { field: "tokenFile", fix: FLATTEN },
        Refusal { field: "client-certificate", fix: FLATTEN },
        Refusal { field: "client-key", fix: FLATTEN },
        Refusal { field: "username", fix: PASSWORD },
        Refusal { field: "password", fix: PASSWORD },
        Refusal { field: "as", fix: IMPERSONATION },
        Refusal { field: "as-uid", fix: IMPERSONATION },
        Refusal { field: "as-groups", fix: IMPERSONATION },
        Refusal { field: "as-user-extra", fix: IMPERSONATION },
    ],
};

/// `contexts[].context`.
pub(crate) const CONTEXT: Shape =
    Shape { known: &["cluster", "user", "namespace", "extensions"], refused: &[] };

/// `config` of a cluster Secret of Argo CD.
pub(crate) const ARGO_CONFIG: Shape = Shape {
    known: &["bearerToken", "tlsClientConfig", "proxyUrl", "disableCompression"],
    refused: &[
        Refusal { field: "username", fix: PASSWORD },
        Refusal { field: "password", fix: PASSWORD },
        Refusal { field: "awsAuthConfig", fix: EXEC },
        Refusal { field: "execProviderConfig", fix: EXEC },
    ],
};

/// `config.tlsClientConfig` of a cluster Secret of Argo CD.
pub(crate) const ARGO_TLS: Shape =
    Shape { known: &["insecure", "serverName", "caData", "certData", "keyData"], refused: &[] };

/// Whether a value is one that kubectl treats like a field that is not there: `null`, and the empty text that Go's client
/// takes for a field's zero value, as in `username: ""`. An empty list counts too (`as-groups: []`). An empty mapping does
/// not: `exec: {}` asks for a program.
fn is_absent(value: &Node) -> bool {
    match value {
        Node::Null => true,
        Node::Text(text) => text.is_empty(),
        Node::List(nodes) => nodes.is_empty(),
        _ => false,
    }
}

/// A mapping whose fields have been held against its shape.
pub(crate) struct Fields<'a> {
    path: Path,
    entries: &'a [(Node, Node)],
}

impl Shape {
    /// Reports all fields of `node` that the shape does not have, and opens it.
    pub(crate) fn open<'a>(
        &self,
        node: &'a Node,
        path: &Path,
        faults: &mut Faults,
    ) -> Result<Fields<'a>, Refused> {
        let Node::Map(entries) = node else {
            return Err(faults.add(path.clone(), RejectionKind::WrongType { expected: "a mapping" }));
        };
        for (position, (key, value)) in entries.iter().enumerate() {
            let name = if let Node::Text(name) = key { Some(name.as_str()) } else { None };
            let refusal = self.refused.iter().find(|refusal| Some(refusal.field) == name);
            match refusal {
                Some(_) if is_absent(value) => {}
                Some(refusal) => {
                    faults.add(path.field(refusal.field), RejectionKind::Forbidden { fix: refusal.fix });
                }
                None if name.is_some_and(|name| self.known.contains(&name)) => {}
                None => {
                    faults.add(
                        path.clone(),
                        RejectionKind::Unknown { position: position + 1, known: self.known },
                    );
                }
            }
        }
        Ok(Fields { path: path.clone(), entries })
    }
}

impl<'a> Fields<'a> {
    /// A mapping that is not there: it has no fields.
    pub(crate) fn absent(path: Path) -> Self {
        Self { path, entries: &[] }
    }

    pub(crate) fn path(&self, field: &'static str) -> Path {
        self.path.field(field)
    }

    /// The value of a field; `null` and an empty value count as absent.
    pub(crate) fn get(&self, field: &'static str) -> Option<&'a Node> {
        self.entries.iter().find_map(|(key, value)| match key {
            Node::Text(name) if name.as_str() == field && !is_absent(value) => Some(value),
            _ => None,
        })
    }

    /// The text of a field.
    pub(crate) fn text(
        &self,
        field: &'static str,
        limit: usize,
        faults: &mut Faults,
    ) -> Result<Option<&'a str>, Refused> {
        let Some(node) = self.get(field) else { return Ok(None) };
        let kind = match node {
            Node::Text(text) if text.len() > limit => RejectionKind::TooLong { limit },
            Node::Text(text) => return Ok(Some(text)),
            _ => RejectionKind::WrongType {
                expected: "a text; put it in quotes if it looks like a number or a boolean",
            },
        };
        Err(faults.add(self.path(field), kind))
    }

    /// A boolean field; `false` when it is not there.
    pub(crate) fn flag(&self, field: &'static str, faults: &mut Faults) -> Result<bool, Refused> {
        match self.get(field) {
            None => Ok(false),
            Some(Node::Bool(value)) => Ok(*value),
            Some(_) => {
                Err(faults.add(self.path(field), RejectionKind::WrongType { expected: "`true` or `false`" }))
            }
        }
    }

    /// A list field; empty when it is not there.
    pub(crate) fn list(&self, field: &'static str, faults: &mut Faults) -> Result<&'a [Node], Refused> {
        match self.get(field) {
            None => Ok(&[]),
            Some(Node::List(nodes)) => Ok(nodes),
            Some(_) => Err(faults.add(self.path(field), RejectionKind::WrongType { expected: "a list" })),
        }
    }
}
