//! What one session knows of one kind of object: a compact view of each, kept true by one watch of all namespaces, or
//! by one for each namespace of a list. It asks nobody, and where it is not in sync its silence means nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use homebase_core::ObjectKey;
use kube::Resource;
use kube::runtime::watcher::Event;

#[cfg(test)]
mod tests;

/// The scope of a watch of everything.
pub(crate) const EVERYWHERE: &str = "";

struct Entry<V> {
    resource_version: String,
    /// The listing of its scope, counted from the first one, since which this is known.
    epoch: u64,
    view: V,
}

/// What one watch covers: everything, or one namespace.
#[derive(Default)]
struct Scope {
    /// Names seen since a listing began; none while no listing runs.
    listing: Option<BTreeSet<ObjectKey>>,
    /// How many listings have begun.
    epoch: u64,
    synced: bool,
    /// The last listing that was begun was refused: the hub may not list.
    refused: bool,
}

struct Inner<V> {
    entries: BTreeMap<ObjectKey, Entry<V>>,
    /// By namespace, or `EVERYWHERE` alone.
    scopes: BTreeMap<String, Scope>,
}

/// A change that a watch brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Change<V> {
    /// Where the object is.
    pub key: ObjectKey,
    /// What was known before.
    pub before: Option<V>,
    /// What is known now; none when the object is gone.
    pub after: Option<V>,
    /// Whether it came with a listing.
    pub listed: bool,
}

/// A store of views, shared by the watch that fills it and the reconcilers that read it.
pub struct Store<V> {
    inner: Arc<RwLock<Inner<V>>>,
}

impl<V> Clone for Store<V> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<V> Default for Store<V> {
    fn default() -> Self {
        let inner = Inner { entries: BTreeMap::new(), scopes: BTreeMap::new() };
        Self { inner: Arc::new(RwLock::new(inner)) }
    }
}

impl<V: Clone + PartialEq> Store<V> {
    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner<V>> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner<V>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a watch of each of these namespaces is going to feed the store, before the first of them does: it is
    /// not in sync before all of them have listed.
    pub fn expect<'a>(&self, namespaces: impl IntoIterator<Item = &'a str>) {
        let mut inner = self.write();
        for namespace in namespaces {
            inner.scopes.entry(namespace.to_owned()).or_default();
        }
    }

    /// Takes an event of a watch of all namespaces; `view` says what to keep of an object. Returns what really changed.
    pub fn on<K: Resource<DynamicType = ()>>(
        &self,
        event: Event<K>,
        view: impl Fn(&K) -> V,
    ) -> Vec<Change<V>> {
        self.on_in(EVERYWHERE, event, view)
    }

    /// The same of a watch of one namespace, which says nothing about any other: an object that is not in it is not
    /// taken.
    pub fn on_in<K: Resource<DynamicType = ()>>(
        &self,
        namespace: &str,
        event: Event<K>,
        view: impl Fn(&K) -> V,
    ) -> Vec<Change<V>> {
        let mut inner = self.write();
        let key_of = |object: &K| {
            let key = homebase_kube::apply::key_of(object);
            (namespace == EVERYWHERE || key.namespace == namespace).then_some(key)
        };
        match event {
            Event::Init => {
                let scope = inner.scope(namespace);
                scope.listing = Some(BTreeSet::new());
                scope.epoch += 1;
                Vec::new()
            }
            Event::InitApply(object) => {
                let Some(key) = key_of(&object) else { return Vec::new() };
                if let Some(listing) = &mut inner.scope(namespace).listing {
                    listing.insert(key.clone());
                }
                inner.insert(key, &object, view, true).into_iter().collect()
            }
            Event::InitDone => {
                let scope = inner.scope(namespace);
                let listing = scope.listing.take().unwrap_or_default();
                scope.synced = true;
                scope.refused = false;
                let is_covered = |key: &&ObjectKey| namespace == EVERYWHERE || key.namespace == namespace;
                let gone: Vec<_> = inner
                    .entries
                    .range(ObjectKey::new(namespace, "")..)
                    .map(|(key, _)| key)
                    .take_while(is_covered)
                    .filter(|key| !listing.contains(*key))
                    .cloned()
                    .collect();
                gone.into_iter().filter_map(|key| inner.remove(key, true)).collect()
            }
            Event::Apply(object) => {
                let Some(key) = key_of(&object) else { return Vec::new() };
                inner.insert(key, &object, view, false).into_iter().collect()
            }
            Event::Delete(object) => {
                let Some(key) = key_of(&object) else { return Vec::new() };
                inner.remove(key, false).into_iter().collect()
            }
        }
    }

    /// Takes note of an object as the apiserver answered it to a write of ours, so that the next reconcile
    /// need not wait for the watch. An older state never replaces a newer one, and only the watch brings an
    /// object into the store: one that was deleted again before its answer came would stay for ever.
    pub fn note<K: Resource<DynamicType = ()>>(&self, object: &K, view: impl Fn(&K) -> V) {
        let key = homebase_kube::apply::key_of(object);
        let mut inner = self.write();
        if inner.entries.contains_key(&key) {
            inner.insert(key, object, view, false);
        }
    }

    /// Takes note that a request of the watch of a namespace was refused for want of a right. Only of a listing does that
    /// mean that nothing is known: where objects can be listed and not watched, they are listed again and again. True
    /// when it is news.
    pub fn refuse(&self, namespace: &str) -> bool {
        let mut inner = self.write();
        let scope = inner.scope(namespace);
        let is_news = scope.listing.is_some() && !scope.refused;
        scope.refused |= is_news;
        is_news
    }

    /// Forgets all that a watch of a namespace, or of all, has brought, to free its memory: nothing is concluded from
    /// the absence of an object before the next listing is complete.
    pub fn forget(&self, namespace: &str) {
        let mut inner = self.write();
        let scope = inner.scope(namespace);
        (scope.listing, scope.synced) = (None, false);
        if namespace == EVERYWHERE {
            inner.entries = BTreeMap::new();
        } else {
            inner.entries.retain(|key, _| key.namespace != namespace);
        }
    }

    /// What is known of one object.
    pub fn get(&self, key: &ObjectKey) -> Option<V> {
        self.read().entries.get(key).map(|entry| entry.view.clone())
    }

    /// All objects of a namespace for which `wanted` holds.
    pub fn in_namespace(&self, namespace: &str, wanted: impl Fn(&V) -> bool) -> Vec<(ObjectKey, V)> {
        self.read()
            .entries
            .range(ObjectKey::new(namespace, "")..)
            .take_while(|(key, _)| key.namespace == namespace)
            .filter(|(_, entry)| wanted(&entry.view))
            .map(|(key, entry)| (key.clone(), entry.view.clone()))
            .collect()
    }

    /// Where all objects are.
    pub fn keys(&self) -> Vec<ObjectKey> {
        self.read().entries.keys().cloned().collect()
    }

    /// A figure over all objects.
    pub fn fold<T>(&self, start: T, step: impl FnMut(T, (&ObjectKey, &V)) -> T) -> T {
        self.read().entries.iter().map(|(key, entry)| (key, &entry.view)).fold(start, step)
    }

    /// Whether a whole listing of each watch has been taken in: only then does absence mean anything everywhere.
    pub fn is_synced(&self) -> bool {
        let inner = self.read();
        !inner.scopes.is_empty() && inner.scopes.values().all(|scope| scope.synced)
    }

    /// Whether waiting would bring more: a listing of what covers a namespace has been taken in, or was refused.
    pub fn is_settled_in(&self, namespace: &str) -> bool {
        self.read().covering(namespace).is_some_and(|scope| scope.synced || scope.refused)
    }

    /// [`Store::is_synced_in`], and the hub still has the right to list.
    pub fn is_readable_in(&self, namespace: &str) -> bool {
        self.read().covering(namespace).is_some_and(|scope| scope.synced && !scope.refused)
    }

    /// Whether a whole listing has been taken in of what covers a namespace: only then does absence mean anything in it.
    pub fn is_synced_in(&self, namespace: &str) -> bool {
        self.read().covering(namespace).is_some_and(|scope| scope.synced)
    }
}

impl<V: Clone + PartialEq> Inner<V> {
    fn scope(&mut self, namespace: &str) -> &mut Scope {
        self.scopes.entry(namespace.to_owned()).or_default()
    }

    /// What watches a namespace, alone or with all others.
    fn covering(&self, namespace: &str) -> Option<&Scope> {
        self.scopes.get(EVERYWHERE).or_else(|| self.scopes.get(namespace))
    }

    /// The listing that is the latest where an object is.
    fn epoch_at(&self, namespace: &str) -> u64 {
        self.covering(namespace).map_or(0, |scope| scope.epoch)
    }

    fn insert<K: Resource<DynamicType = ()>>(
        &mut self,
        key: ObjectKey,
        object: &K,
        view: impl Fn(&K) -> V,
        listed: bool,
    ) -> Option<Change<V>> {
        let resource_version = object.meta().resource_version.clone().unwrap_or_default();
        let (epoch, before) = (self.epoch_at(&key.namespace), self.entries.get(&key));
        // A new listing is the truth even where its versions are lower: etcd may have been restored.
        let is_late =
            |known: &Entry<V>| known.epoch == epoch && is_older(&resource_version, &known.resource_version);
        if before.is_some_and(is_late) {
            return None;
        }
        let after = view(object);
        let entry = Entry { resource_version, epoch, view: after.clone() };
        let before = self.entries.insert(key.clone(), entry);
        let before = before.map(|entry| entry.view);
        (before.as_ref() != Some(&after)).then_some(Change { key, before, after: Some(after), listed })
    }

    fn remove(&mut self, key: ObjectKey, listed: bool) -> Option<Change<V>> {
        let before = self.entries.remove(&key)?.view;
        Some(Change { key, before: Some(before), after: None, listed })
    }
}

/// Kubernetes promises that resourceVersions of one kind compare as numbers; where they are none, nothing
/// counts as older.
fn is_older(new: &str, known: &str) -> bool {
    matches!((new.parse::<u64>(), known.parse::<u64>()), (Ok(new), Ok(known)) if new < known)
}
