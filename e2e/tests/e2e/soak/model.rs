//! What events do to what is desired: registrations and resources of each cluster, as users have them in mind. It is
//! pure, and it must not know what the hub makes of it.

use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// One of the two registrations that a cluster may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Which {
    First,
    Twin,
}

/// How a Secret is labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Not at all: it registers nothing.
    Unlabelled,
    Native,
    MulticlusterRuntime,
}

/// What a Secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// One of several tokens that are all accepted.
    Valid(usize),
    Garbage,
    /// A token that says of itself that its time is over.
    Expired,
    /// A token that the apiserver refuses.
    Refused,
    /// A good kubeconfig of another cluster.
    OfCluster(usize),
}

/// What happens to the apiserver of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGSTOP.
    Hangs,
    /// SIGKILL.
    Ended,
}

/// The spec of an `Iris`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IrisSpec {
    /// Which of its two names the Deployment has.
    pub(super) renamed: bool,
    pub(super) replicas: i32,
}

/// The spec of an `IrisCluster` of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClusterSpec {
    /// The version of the image.
    pub(super) image: u8,
    /// A mark on its Service; none when the template is absent.
    pub(super) mark: Option<u8>,
}

/// Something that happens to one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Register(Which),
    Rotate(Which, Credentials),
    Relabel(Which, Form),
    Pause(Which, bool),
    Limit(Which, bool),
    Deregister(Which),
    /// Deleted and created again at once.
    Replace(Which),
    PutIris(usize, IrisSpec),
    DeleteIris(usize),
    PutCluster(usize, ClusterSpec),
    DeleteCluster(usize),
    Break(Fault),
    Heal,
}

/// A registration Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) form: Form,
    pub(super) credentials: Credentials,
    pub(super) paused: bool,
    pub(super) limited: bool,
    /// Whether it has held credentials of another cluster since it was created: which cluster was seen first, and so
    /// pinned, is then a matter of luck.
    pub(super) led_astray: bool,
}

impl Secret {
    fn new() -> Self {
        Self {
            form: Form::Native,
            credentials: Credentials::Valid(0),
            paused: false,
            limited: false,
            led_astray: false,
        }
    }
}

/// What is desired of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    pub(super) secrets: BTreeMap<Which, Secret>,
    pub(super) iris: BTreeMap<usize, IrisSpec>,
    pub(super) clusters: BTreeMap<usize, ClusterSpec>,
    pub(super) fault: Option<Fault>,
    /// Whether there ever was one.
    pub(super) was_broken: bool,
}

impl Cluster {
    /// A cluster that is registered, with nothing on it.
    pub(super) fn registered() -> Self {
        Self { secrets: [(Which::First, Secret::new())].into(), ..Self::default() }
    }

    /// Takes note of an event that went through.
    pub(super) fn apply(&mut self, event: &Event) {
        match *event {
            Event::Register(which) | Event::Replace(which) => drop(self.secrets.insert(which, Secret::new())),
            Event::Deregister(which) => drop(self.secrets.remove(&which)),
            Event::Rotate(which, credentials) => self.change(which, |secret| {
                secret.credentials = credentials;
                secret.led_astray |= matches!(credentials, Credentials::OfCluster(_));
            }),
            Event::Relabel(which, form) => self.change(which, |secret| secret.form = form),
            Event::Pause(which, paused) => self.change(which, |secret| secret.paused = paused),
            Event::Limit(which, limited) => self.change(which, |secret| secret.limited = limited),
            Event::PutIris(number, spec) => drop(self.iris.insert(number, spec)),
            Event::DeleteIris(number) => drop(self.iris.remove(&number)),
            Event::PutCluster(number, spec) => drop(self.clusters.insert(number, spec)),
            Event::DeleteCluster(number) => drop(self.clusters.remove(&number)),
            Event::Break(fault) => {
                self.fault = Some(fault);
                self.was_broken = true;
            }
            Event::Heal => self.fault = None,
        }
    }

    fn change(&mut self, which: Which, change: impl FnOnce(&mut Secret)) {
        if let Some(secret) = self.secrets.get_mut(&which) {
            change(secret);
        }
    }

    /// The registrations that count.
    pub(super) fn registrations(&self) -> impl Iterator<Item = Which> {
        self.secrets.iter().filter(|(_, secret)| secret.form != Form::Unlabelled).map(|(which, _)| *which)
    }

    /// What a person does in the end so that every registration that counts can be used: the apiserver runs, nothing
    /// is paused, and the credentials are good. `expects_identity` says that the registrations name their cluster, so
    /// that none can have pinned another one.
    pub(super) fn settling(&self, expects_identity: bool) -> Vec<Event> {
        let mut events: Vec<Event> = self.fault.map(|_| Event::Heal).into_iter().collect();
        for which in self.registrations() {
            let secret = &self.secrets[&which];
            if secret.led_astray && !expects_identity {
                events.push(Event::Replace(which));
                continue;
            }
            if secret.paused {
                events.push(Event::Pause(which, false));
            }
            let next = match secret.credentials {
                Credentials::Valid(token) => token + 1,
                _ => 0,
            };
            events.push(Event::Rotate(which, Credentials::Valid(next)));
        }
        events
    }
}
