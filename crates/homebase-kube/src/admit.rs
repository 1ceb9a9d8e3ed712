//! Checks the metadata of objects where they come in from a cluster: names, namespaces, UIDs and labels become parts of
//! URLs, queries, label values and log fields. It refuses only what no Kubernetes apiserver can have stored, so a
//! refused object is a fault of its cluster. It changes nothing.

use std::fmt;
use std::future::{Future, ready};

use futures::{Stream, StreamExt as _};
use homebase_core::NamespaceName;
use homebase_core::name::is_subdomain;
use homebase_core::text::{self, Limit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use kube::runtime::watcher::{self, Event};

#[cfg(test)]
mod tests;

/// The longest UID. UIDs of Kubernetes have 36 characters; some older servers number objects.
const MAX_UID: usize = 64;
/// The longest resourceVersion. It is opaque; that of Kubernetes is a number of 64 bits.
const MAX_RESOURCE_VERSION: usize = 128;
/// The longest name part of a key, and the longest value of a label (Kubernetes' limits).
const MAX_LABEL: usize = 63;
/// The size of all annotations of an object together, keys and values (Kubernetes' limit).
const MAX_ANNOTATIONS: usize = 256 * 1024;
/// As much of a refused value as is shown.
const SHOWN: Limit = Limit::Chars(64);

/// Why the metadata of an object cannot be of a Kubernetes apiserver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} \"{value}\" is not {rule}")]
pub struct Inadmissible {
    /// The field.
    field: &'static str,
    /// Its value, cleaned and cut.
    value: String,
    /// What a Kubernetes apiserver admits.
    rule: &'static str,
}

impl Inadmissible {
    fn new(field: &'static str, value: &str, rule: &'static str) -> Self {
        Self { field, value: text::line(value, SHOWN), rule }
    }
}

/// Objects of a watch that were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedObjects {
    /// How many.
    pub count: u64,
    /// Why the first one was.
    first: Inadmissible,
}

impl fmt::Display for RefusedObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, first } = self;
        let objects = if *count == 1 { "object" } else { "objects" };
        write!(f, "{count} {objects} refused that no Kubernetes apiserver can store: {first}")
    }
}

impl std::error::Error for RefusedObjects {}

/// Checks the metadata of an object. The kinds that the hub reads have names that are DNS-1123 subdomains; those of
/// RBAC, whose names are wider, are not among them.
///
/// The fields of owner references only have to be there, as for an apiserver: they are compared and become no request.
pub fn admit(meta: &ObjectMeta) -> Result<(), Inadmissible> {
    let name = meta.name.as_deref().unwrap_or_default();
    if !is_subdomain(name) {
        let rule = "a DNS-1123 subdomain of at most 253 characters";
        return Err(Inadmissible::new("metadata.name", name, rule));
    }
    if let Some(namespace) = &meta.namespace
        && namespace.parse::<NamespaceName>().is_err()
    {
        let rule = "a DNS-1123 label of at most 63 characters";
        return Err(Inadmissible::new("metadata.namespace", namespace, rule));
    }
    let uid = meta.uid.as_deref().unwrap_or_default();
    if !is_uid(uid) {
        return Err(Inadmissible::new("metadata.uid", uid, "a UID: 1 to 64 letters, digits and `-`"));
    }
    if let Some(version) = &meta.resource_version
        && !is_token(version, MAX_RESOURCE_VERSION, b"-._~:")
    {
        let rule = "a resourceVersion: 1 to 128 characters that are safe in a URL";
        return Err(Inadmissible::new("metadata.resourceVersion", version, rule));
    }
    for (key, value) in meta.labels.iter().flatten() {
        admit_key("a key of metadata.labels", key)?;
        if !value.is_empty() && !is_qualified(value) {
            let rule = "a label value: at most 63 letters, digits, `-`, `_` and `.`";
            return Err(Inadmissible::new("a value of metadata.labels", value, rule));
        }
    }
    admit_annotations(meta)?;
    meta.owner_references.iter().flatten().try_for_each(admit_owner)
}

fn admit_annotations(meta: &ObjectMeta) -> Result<(), Inadmissible> {
    let mut size = 0;
    for (key, value) in meta.annotations.iter().flatten() {
        // As an apiserver does: the prefix of an annotation may have capitals.
        admit_key("a key of metadata.annotations", &key.to_ascii_lowercase())?;
        size += key.len() + value.len();
    }
    if size <= MAX_ANNOTATIONS {
        return Ok(());
    }
    let rule = "at most 256 KiB";
    Err(Inadmissible::new("the size of metadata.annotations", &size.to_string(), rule))
}

fn admit_owner(owner: &OwnerReference) -> Result<(), Inadmissible> {
    let rule = "complete: apiVersion, kind, name and uid are required";
    let fields = [&owner.api_version, &owner.kind, &owner.name, &owner.uid];
    if fields.iter().any(|field| field.is_empty()) {
        return Err(Inadmissible::new("an entry of metadata.ownerReferences", &owner.name, rule));
    }
    Ok(())
}

/// A key of a label or an annotation: `name`, or `prefix/name`.
fn admit_key(field: &'static str, key: &str) -> Result<(), Inadmissible> {
    let valid = match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_qualified(name),
        None => is_qualified(key),
    };
    if valid {
        Ok(())
    } else {
        Err(Inadmissible::new(field, key, "a qualified name such as `example.com/name`"))
    }
}

/// 1 to 63 letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends.
fn is_qualified(text: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    is_token(text, MAX_LABEL, b"-_.") && ends(bytes.first()) && ends(bytes.last())
}

fn is_token(text: &str, longest: usize, besides: &[u8]) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || besides.contains(&byte))
}

/// Whether a text can be a UID.
pub(crate) fn is_uid(text: &str) -> bool {
    is_token(text, MAX_UID, b"-")
}

/// An answered object, checked.
pub(crate) fn admitted<K: Resource>(object: K) -> Result<K, kube::Error> {
    match admit(object.meta()) {
        Ok(()) => Ok(object),
        Err(why) => Err(refused(1, why)),
    }
}

/// The answer to a request for one object, checked.
pub(crate) async fn admitted_answer<K: Resource>(
    request: impl Future<Output = Result<K, kube::Error>>,
) -> Result<K, kube::Error> {
    request.await.and_then(admitted)
}

/// An error for refused objects, as if the request had failed.
fn refused(count: u64, first: Inadmissible) -> kube::Error {
    kube::Error::Service(Box::new(RefusedObjects { count, first }))
}

/// The refused objects that an error of a watch is about.
pub(crate) fn refused_in(error: &watcher::Error) -> Option<&RefusedObjects> {
    match error {
        watcher::Error::WatchFailed(kube::Error::Service(error)) => error.downcast_ref(),
        _ => None,
    }
}

/// A watch without the objects that are refused. A listing that holds one never completes: it ends in an error, so that
/// nothing is concluded from the absence of an object. A refused event is an error too.
pub(crate) fn admitting<K: Resource>(
    watch: impl Stream<Item = watcher::Result<Event<K>>>,
) -> impl Stream<Item = watcher::Result<Event<K>>> {
    let mut listing = None;
    watch.filter_map(move |item| ready(sift(&mut listing, item)))
}

fn sift<K: Resource>(
    listing: &mut Option<RefusedObjects>,
    item: watcher::Result<Event<K>>,
) -> Option<watcher::Result<Event<K>>> {
    let failed =
        |RefusedObjects { count, first }| Some(Err(watcher::Error::WatchFailed(refused(count, first))));
    match &item {
        Ok(Event::Init) => *listing = None,
        Ok(Event::InitApply(object)) => {
            if let Err(first) = admit(object.meta()) {
                listing.get_or_insert(RefusedObjects { count: 0, first }).count += 1;
                return None;
            }
        }
        Ok(Event::InitDone) => {
            if let Some(refused) = listing.take() {
                return failed(refused);
            }
        }
        Ok(Event::Apply(object) | Event::Delete(object)) => {
            if let Err(first) = admit(object.meta()) {
                return failed(RefusedObjects { count: 1, first });
            }
        }
        Err(_) => {}
    }
    Some(item)
}
