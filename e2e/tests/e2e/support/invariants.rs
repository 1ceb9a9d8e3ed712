//! What must hold after every test, whatever it did: I1, I2, I3, I4 (on request), I5 and I8 of the reliability rules and that the shipped
//! rights are enough, from audit logs and from everything that the hub puts out. It must not depend on what a test did.

use std::collections::{BTreeMap, BTreeSet};

use homebase_testkit::{AuditEvent, AuditMark, ControlPlane, HOME_ACCOUNT};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Api, ListParams};

use super::registration::account;
use super::{Fleet, Metrics, NAMESPACE};

/// What the hub must never delete.
const NEVER_DELETED: [&str; 5] =
    ["persistentvolumeclaims", "persistentvolumes", "customresourcedefinitions", "namespaces", "secrets"];
/// The user of a plane's admin kubeconfig: tests, and no part of the plane.
const TESTER: &str = "admin";
/// The resources that users write on work clusters and the hub answers.
const OPERATED: [&str; 2] = ["iris", "irisclusters"];

/// Whether a request came from the hub: no other program calls itself so.
pub(crate) fn is_hub(event: &AuditEvent) -> bool {
    event.user_agent.starts_with("homebase/")
}

/// The hub's write requests to a cluster after a mark, refused ones too. Its sign of life is none of them: it is renewed
/// all the time, whatever happens.
pub(crate) fn hub_requests(plane: &ControlPlane, mark: AuditMark) -> Vec<AuditEvent> {
    let requests = plane.write_requests_since(mark).unwrap().into_iter();
    requests.filter(is_hub).filter(|request| !is_lease(request)).collect()
}

fn is_lease(request: &AuditEvent) -> bool {
    request.resource == "leases" && request.namespace == NAMESPACE && request.verb != "delete"
}

impl Fleet {
    /// Asserts the invariants. To be called at the end of every test; tests may share a fleet.
    pub(crate) async fn assert_invariants(&self) {
        for plane in self.planes() {
            for request in hub_requests(plane, AuditMark::default()) {
                assert_delete_is_safe(plane, &request);
            }
        }
        for plane in &self.work {
            assert_nothing_foreign(plane);
        }
        for plane in self.planes() {
            assert_nothing_denied(plane);
        }
        assert_home_writes(&self.home);
        self.assert_nothing_leaked().await;
    }

    /// I4: every claim that was ever made in a namespace is still there and bound to the volume that it got, but for those
    /// that a test deleted. Growth changes neither.
    pub(crate) async fn assert_volumes_kept(&self, plane: &ControlPlane, namespace: &str) {
        let log = plane.audit_log().unwrap();
        let of_claims = log.iter().filter(|event| {
            event.resource == "persistentvolumeclaims" && event.namespace == namespace && event.is_effective()
        });
        let (mut made, mut deleted): (BTreeMap<&str, usize>, BTreeMap<&str, usize>) = Default::default();
        for event in of_claims.filter(|event| event.subresource.is_none()) {
            match event.verb.as_str() {
                "create" => *made.entry(&event.name).or_default() += 1,
                "delete" => {
                    assert_eq!(event.user, TESTER, "I4 on {}: {event:?}", plane.name());
                    *deleted.entry(&event.name).or_default() += 1;
                }
                _ => {}
            }
        }
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(plane.client().await.unwrap(), namespace);
        let found = claims.list(&ListParams::default()).await.unwrap().items;
        for (name, count) in made {
            let by_tests = deleted.get(name).copied().unwrap_or_default();
            assert!(count <= by_tests + 1, "I4 on {}: the claim {name} was made {count} times", plane.name());
            let is_there = found.iter().any(|claim| claim.metadata.name.as_deref() == Some(name));
            assert!(is_there || by_tests > 0, "I4 on {}: the claim {name} is gone", plane.name());
        }
        for claim in found {
            let volume = claim.spec.and_then(|spec| spec.volume_name);
            let own = claim.metadata.uid.map(|uid| format!("pvc-{uid}"));
            assert!(volume.is_none() || volume == own, "I4 on {}: {:?} is {volume:?}", plane.name(), own);
        }
    }

    /// I8: no secret in log, metrics, statuses, Events.
    async fn assert_nothing_leaked(&self) {
        self.assert_no_secret_in("the hub's log", &self.hub().log_text());
        // A test may end with a hub that does not run.
        if let Ok(answer) = self.hub().get("/metrics").await {
            self.assert_no_secret_in("the metrics page", &Metrics(answer.body).0);
        }
        let client = self.home.client().await.unwrap();
        let list = ListParams::default();
        let clusters: Api<homebase_api::WorkCluster> = Api::namespaced(client, NAMESPACE);
        let clusters = serde_json::to_string(&clusters.list(&list).await.unwrap()).unwrap();
        self.assert_no_secret_in("a WorkCluster", &clusters);
        for plane in self.planes() {
            // A test may end with an apiserver that does not answer; Events are then looked at by the next one.
            let Ok(client) = plane.client().await else { continue };
            let events: Api<k8s_openapi::api::events::v1::Event> = Api::all(client);
            let Ok(events) = events.list(&list).await else { continue };
            let events = serde_json::to_string(&events).unwrap();
            self.assert_no_secret_in("an Event", &events);
        }
    }
}

/// I1, I2 and I3.
fn assert_delete_is_safe(plane: &ControlPlane, request: &AuditEvent) {
    assert_ne!(request.verb, "deletecollection", "I2 on {}: {request:?}", plane.name());
    if request.subresource.as_deref() == Some("eviction") {
        assert!(request.precondition_uid.is_some(), "I2 on {}: {request:?}", plane.name());
    }
    if request.verb != "delete" {
        return;
    }
    let is_kept = NEVER_DELETED.contains(&request.resource.as_str());
    assert!(!is_kept, "I1 on {}: {request:?}", plane.name());
    assert!(request.precondition_uid.is_some(), "I2 on {}: {request:?}", plane.name());
    if request.resource == "statefulsets" {
        assert_eq!(request.propagation.as_deref(), Some("Orphan"), "I3 on {}: {request:?}", plane.name());
    }
}

/// The namespaces in which a user of this very cluster has written a resource for the hub.
fn asked(log: &[AuditEvent]) -> BTreeSet<&str> {
    let is_asking = |event: &&AuditEvent| !is_hub(event) && OPERATED.contains(&event.resource.as_str());
    log.iter().filter(is_asking).map(|event| event.namespace.as_str()).collect()
}

fn is_crd(request: &AuditEvent) -> bool {
    request.resource == "customresourcedefinitions" && request.namespace.is_empty()
}

/// An admission policy or its binding: one for the whole cluster, where somebody has asked for anything.
fn is_policy(request: &AuditEvent, asked: &BTreeSet<&str>) -> bool {
    let of_policy = request.resource.contains("admissionpolic");
    of_policy
        && request.group == "admissionregistration.k8s.io"
        && request.verb != "delete"
        && !asked.is_empty()
}

/// I5: the hub writes only where a user of this very cluster has asked for it, and as the account that it was given for
/// this cluster. So tests use other namespaces on each cluster.
fn assert_nothing_foreign(plane: &ControlPlane) {
    let log = plane.audit_log().unwrap();
    let asked = asked(&log);
    let user = format!("system:serviceaccount:{NAMESPACE}:{}", account(plane));
    // An apiserver that was stopped in the middle of a request refuses it before it knows who asks.
    let is_known = |event: &&AuditEvent| event.code != 401 || !event.user.is_empty();
    for request in log.iter().filter(|event| is_hub(event)).filter(is_known) {
        let is_own = request.user.starts_with(&user);
        assert!(is_own, "I5 on {}: another cluster's account: {request:?}", plane.name());
        let is_asked = asked.contains(request.namespace.as_str());
        // A question about one's own rights is a create that keeps nothing.
        let is_question = request.group == "authorization.k8s.io";
        assert!(
            is_crd(request) || is_asked || is_question || is_policy(request, &asked),
            "I5 on {}: nobody asked for it: {request:?}",
            plane.name()
        );
    }
}

/// The shipped rights are enough for whatever the hub does: not even a read is refused to an account that has them.
/// Accounts to which a test gives other rights have other names.
fn assert_nothing_denied(plane: &ControlPlane) {
    let (namespace, name) = HOME_ACCOUNT;
    let user = |namespace: &str, name: &str| format!("system:serviceaccount:{namespace}:{name}");
    let shipped = [user(NAMESPACE, &account(plane)), user(namespace, name)];
    let mut log = plane.requests().unwrap();
    log.retain(|event| shipped.contains(&event.user));
    let granted: BTreeSet<_> = log
        .iter()
        // Whatever else was answered, it was allowed: requests are refused for their rights first.
        .filter(|event| event.denied_verb().is_none() && !matches!(event.code, 401 | 429))
        .flat_map(|event| verbs(event).map(|verb| right(event, verb)))
        .collect();
    let denied = |event: &&AuditEvent| {
        // An apiserver that has just begun does not know of all roles yet: what it grants at another time is granted.
        event.denied_verb().is_some_and(|verb| !granted.contains(&right(event, verb)))
    };
    let denied: Vec<_> = log.iter().filter(denied).collect();
    assert!(denied.is_empty(), "the shipped rights on {} do not do: {denied:#?}", plane.name());
}

type Right<'a> = (&'a str, &'a str, &'a str, &'a str, Option<&'a str>);

fn right<'a>(event: &'a AuditEvent, verb: &'a str) -> Right<'a> {
    (&event.user, verb, &event.group, &event.resource, event.subresource.as_deref())
}

/// The verbs that a request which was answered has proved to be granted.
fn verbs(event: &AuditEvent) -> impl Iterator<Item = &str> {
    let creates = event.verb == "patch" && event.code == 201;
    std::iter::once(event.verb.as_str()).chain(creates.then_some("create"))
}

/// On the home cluster the hub writes its own kind, its Leases, and Events; and what users ask of it, when that is registered too.
fn assert_home_writes(home: &ControlPlane) {
    let log = home.audit_log().unwrap();
    let asked = asked(&log);
    for request in log.iter().filter(|event| is_hub(event)) {
        let is_own = ["workclusters", "events"].contains(&request.resource.as_str());
        let expected = is_crd(request)
            || (is_own && request.namespace == NAMESPACE)
            || is_lease(request)
            // A hub with a namespace that does not exist hears of it when it asks for its Lease.
            || (request.resource == "leases" && request.code == 404)
            || asked.contains(request.namespace.as_str());
        assert!(expected, "an unexpected write to the home cluster: {request:?}");
    }
}
