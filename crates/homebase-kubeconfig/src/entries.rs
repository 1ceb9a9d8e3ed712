//! The lists of a kubeconfig: clusters, users and contexts, each entry checked whether it is used or not.
//! It must not decide which of them are used.

use crate::credentials::{CredentialFields, Credentials, read_credentials};
use crate::document::Node;
use crate::faults::{Faults, Refused};
use crate::policy::{MAX_NAME_BYTES, MAX_NAMESPACE_BYTES, Policy};
use crate::rejection::{Path, RejectionKind};
use crate::server::{Server, read_proxy, read_server};
use crate::shape::{self, Fields, Shape};
use crate::trust::{Tls, TlsFields, read_tls};

/// The field whose content makes credentials useless without TLS.
pub(crate) const CLIENT_CERTIFICATE: &str = "client-certificate-data";

/// The field that names a proxy.
pub(crate) const PROXY_URL: &str = "proxy-url";

/// The field by which a server is known.
pub(crate) const AUTHORITIES: &str = "certificate-authority-data";

const TLS: TlsFields = TlsFields {
    authorities: AUTHORITIES,
    server_name: "tls-server-name",
    unverified: "insecure-skip-tls-verify",
    insecure_fix: "remove the field and add `certificate-authority-data`, so that nobody can pose as the server",
    conflict_fix: "a server is verified or not; remove it, or remove `certificate-authority-data`",
};

/// An entry: its name, where its content is, and the content unless that was refused.
pub(crate) struct Entry<'a, T> {
    pub(crate) name: &'a str,
    pub(crate) path: Path,
    pub(crate) content: Result<T, Refused>,
}

/// `clusters[].cluster`
pub(crate) struct Cluster {
    pub(crate) server: Option<Server>,
    pub(crate) proxy: Option<Server>,
    pub(crate) tls: Tls,
}

/// `contexts[].context`
pub(crate) struct Context<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) user: &'a str,
    pub(crate) namespace: Option<String>,
}

/// A kubeconfig as it is written. A part that was refused says so, for the others to be looked at first.
pub(crate) struct Entries<'a> {
    pub(crate) clusters: Result<Vec<Entry<'a, Cluster>>, Refused>,
    pub(crate) users: Result<Vec<Entry<'a, Option<Credentials>>>, Refused>,
    pub(crate) contexts: Result<Vec<Entry<'a, Context<'a>>>, Refused>,
    pub(crate) current_context: Result<Option<&'a str>, Refused>,
}

/// Reads all of a document.
pub(crate) fn read<'a>(
    document: &'a Node,
    policy: &Policy,
    faults: &mut Faults,
) -> Result<Entries<'a>, Refused> {
    let fields = shape::DOCUMENT.open(document, &Path::document(), faults)?;
    check_constant(&fields, "apiVersion", "v1", "must be `v1`: store a kubeconfig here", faults);
    check_constant(&fields, "kind", "Config", "must be `Config`: store a kubeconfig here", faults);
    let clusters = read_list(&fields, "clusters", &shape::CLUSTER_ENTRY, faults, |entry, faults| {
        read_content(entry, "cluster", &shape::CLUSTER, faults, |fields, faults| {
            read_cluster(fields, policy, faults)
        })
    });
    let users = read_list(&fields, "users", &shape::USER_ENTRY, faults, |entry, faults| {
        read_content(entry, "user", &shape::USER, faults, read_user)
    });
    let contexts = read_list(&fields, "contexts", &shape::CONTEXT_ENTRY, faults, |entry, faults| {
        read_content(entry, "context", &shape::CONTEXT, faults, read_context)
    });
    let current_context = fields.text("current-context", MAX_NAME_BYTES, faults);
    Ok(Entries { clusters, users, contexts, current_context })
}

fn check_constant(
    fields: &Fields<'_>,
    field: &'static str,
    value: &str,
    fix: &'static str,
    faults: &mut Faults,
) {
    // A value of another type has been reported by the time we see it refused.
    if let Ok(Some(text)) = fields.text(field, MAX_NAME_BYTES, faults)
        && text != value
    {
        faults.add(fields.path(field), RejectionKind::Malformed { fix });
    }
}

fn read_list<'a, T>(
    document: &Fields<'a>,
    list: &'static str,
    shape: &Shape,
    faults: &mut Faults,
    mut read_content: impl FnMut(&Fields<'a>, &mut Faults) -> Result<T, Refused>,
) -> Result<Vec<Entry<'a, T>>, Refused> {
    let mut entries: Vec<Entry<'a, T>> = Vec::new();
    for (index, node) in document.list(list, faults)?.iter().enumerate() {
        let Ok(fields) = shape.open(node, &document.path(list).index(index), faults) else { continue };
        let name =
            read_required(&fields, "name", "name the entry, so that a context can refer to it", faults);
        let content = read_content(&fields, faults);
        let Ok(name) = name else { continue };
        if entries.iter().any(|earlier| earlier.name == name) {
            faults.add(fields.path("name"), RejectionKind::Duplicate);
        }
        entries.push(Entry { name, path: document.path(list).index(index), content });
    }
    Ok(entries)
}

fn read_content<'a, T>(
    entry: &Fields<'a>,
    field: &'static str,
    shape: &Shape,
    faults: &mut Faults,
    read: impl FnOnce(&Fields<'a>, &mut Faults) -> Result<T, Refused>,
) -> Result<T, Refused> {
    let Some(node) = entry.get(field) else {
        let fix = "give the entry its content, or remove the entry";
        return Err(faults.add(entry.path(field), RejectionKind::Missing { fix }));
    };
    let fields = shape.open(node, &entry.path(field), faults)?;
    read(&fields, faults)
}

fn read_required<'a>(
    fields: &Fields<'a>,
    field: &'static str,
    fix: &'static str,
    faults: &mut Faults,
) -> Result<&'a str, Refused> {
    match fields.text(field, MAX_NAME_BYTES, faults)? {
        Some(text) => Ok(text),
        None => Err(faults.add(fields.path(field), RejectionKind::Missing { fix })),
    }
}

fn read_cluster(fields: &Fields<'_>, policy: &Policy, faults: &mut Faults) -> Result<Cluster, Refused> {
    let proxy = read_proxy(fields, PROXY_URL, policy, faults);
    let server = read_server(fields, policy, faults);
    let tls = read_tls(fields, &TLS, policy, faults);
    let compression = fields.flag("disable-compression", faults);
    let (server, proxy, tls, _) = (server?, proxy?, tls?, compression?);
    Ok(Cluster { server, proxy, tls })
}

fn read_user(fields: &Fields<'_>, faults: &mut Faults) -> Result<Option<Credentials>, Refused> {
    let (token, certificate, key) = ("token", CLIENT_CERTIFICATE, "client-key-data");
    let sources =
        CredentialFields { token: (fields, token), certificate: (fields, certificate), key: (fields, key) };
    read_credentials(&sources, faults)
}

fn read_context<'a>(fields: &Fields<'a>, faults: &mut Faults) -> Result<Context<'a>, Refused> {
    let cluster = read_required(fields, "cluster", "name an entry of `clusters`", faults);
    let user = read_required(fields, "user", "name an entry of `users`", faults);
    let namespace = read_namespace(fields, faults);
    Ok(Context { cluster: cluster?, user: user?, namespace: namespace? })
}

fn read_namespace(fields: &Fields<'_>, faults: &mut Faults) -> Result<Option<String>, Refused> {
    const FIELD: &str = "namespace";
    let Some(namespace) = fields.text(FIELD, MAX_NAMESPACE_BYTES, faults)? else { return Ok(None) };
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if namespace.bytes().all(is_inner) && !namespace.starts_with('-') && !namespace.ends_with('-') {
        return Ok(Some(namespace.to_owned()));
    }
    let fix = "must be the name of a Namespace: lower case letters, digits and `-`, with a letter or digit at both ends";
    Err(faults.add(fields.path(FIELD), RejectionKind::Malformed { fix }))
}
