//! Reads all that an attestation or a comparison needs of a work cluster. What cannot be read is said to be unread, and
//! what the account has no right to read is not asked for. It writes nothing.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use anyhow::Context as _;
use homebase_api::{IrisCluster, labels};
use homebase_iris::cluster::attest::{
    Observation, Reading, SeenLease, SeenNode, SeenPod, key_by_name, leases_by_node,
};
use homebase_iris::cluster::{
    Claims, ConfigSource, ConfigTexts, Dereferenced, ObservedClaim, ObservedStatefulSet,
};
use homebase_kube::{Category, categorize};
use http::{Request, header};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node, PersistentVolumeClaim, Pod};
use kube::api::{ListParams, PostParams};
use kube::client::Body;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use super::super::fleet::list_all;
use super::words;

/// Where nodes renew their leases.
const LEASES: &str = "kube-node-lease";
/// All questions together; each has a bound of its own in the client, but a list has many pages.
const LOOK_TIMEOUT: Duration = Duration::from_secs(60);

/// What was found.
pub(in crate::commands) struct Found {
    pub(in crate::commands) cluster: IrisCluster,
    pub(in crate::commands) dereferenced: Dereferenced,
    pub(in crate::commands) seen: Observation,
}

/// An IrisCluster with its pods and their nodes; none when it does not exist.
pub(super) async fn look(client: &Client, namespace: &str, name: &str) -> anyhow::Result<Option<Found>> {
    let looking = Box::pin(look_unbounded(client, namespace, name));
    tokio::time::timeout(LOOK_TIMEOUT, looking)
        .await
        .with_context(|| format!("no complete answer within {} s", LOOK_TIMEOUT.as_secs()))?
}

async fn look_unbounded(client: &Client, namespace: &str, name: &str) -> anyhow::Result<Option<Found>> {
    let Some(cluster) = fetch_cluster(client, namespace, name).await? else { return Ok(None) };
    let of_cluster = ListParams::default().labels(&selector(name));
    let everything = ListParams::default();
    // Claims have this label, and those that somebody else made may lack the one with the name.
    let of_kind = ListParams::default().labels(&format!("{}={}", labels::KIND, labels::KIND_IRIS_CLUSTER));
    let (source, sets, pods, nodes, leases, claims, now) = tokio::join!(
        fetch_source(client, &cluster),
        read::<StatefulSet>(Api::namespaced(client.clone(), namespace), of_cluster.clone()),
        read::<Pod>(Api::namespaced(client.clone(), namespace), of_cluster),
        read_if_allowed::<Node>(client, Api::all(client.clone()), None, everything.clone()),
        read_if_allowed::<Lease>(
            client,
            Api::namespaced(client.clone(), LEASES),
            Some(LEASES),
            everything.clone()
        ),
        read_if_allowed::<PersistentVolumeClaim>(
            client,
            Api::namespaced(client.clone(), namespace),
            Some(namespace),
            of_kind
        ),
        fetch_time(client),
    );
    let uid = cluster.uid().unwrap_or_default();
    let mut stateful_sets = map(sets, |sets| standing(&sets, &uid));
    let mut dereferenced = Dereferenced {
        stateful_sets: stateful_sets.known().cloned().unwrap_or_default(),
        claims: claims_of(name, &claims),
        ..Dereferenced::default()
    };
    match source {
        Ok(source) => dereferenced.config_source = source,
        Err(why) => {
            // Where pods belong does not depend on it; what is in the StatefulSets does.
            dereferenced.config_source = ConfigSource::Found(ConfigTexts::default());
            stateful_sets = Reading::Unknown(why);
        }
    }
    let seen = Observation {
        stateful_sets,
        pods: map(pods, |pods| key_by_name::<Pod, SeenPod>(&pods)),
        nodes: map(nodes, |nodes| key_by_name::<Node, SeenNode>(&nodes)),
        leases: map(leases, |leases: Vec<Lease>| -> BTreeMap<String, SeenLease> { leases_by_node(&leases) }),
        now,
    };
    Ok(Some(Found { cluster, dereferenced, seen }))
}

/// The labels of what belongs to a cluster.
pub(in crate::commands) fn selector(name: &str) -> String {
    format!("{}={},{}={name}", labels::KIND, labels::KIND_IRIS_CLUSTER, labels::NAME)
}

/// The resource. It is listed, not read: the hub's own account may do that.
pub(in crate::commands) async fn fetch_cluster(
    client: &Client,
    namespace: &str,
    name: &str,
) -> anyhow::Result<Option<IrisCluster>> {
    let api: Api<IrisCluster> = Api::namespaced(client.clone(), namespace);
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    match list_all(&api, named).await {
        Ok(found) => Ok(found.into_iter().next()),
        // The kind is not installed.
        Err(error) if categorize(&error) == Category::NotFound => Ok(None),
        Err(error) => Err(anyhow::anyhow!("read IrisCluster {namespace}/{name}: {}", words(&error))),
    }
}

/// The StatefulSets that the cluster owns, as the hub sees them.
pub(in crate::commands) fn standing(
    sets: &[StatefulSet],
    uid: &str,
) -> BTreeMap<String, ObservedStatefulSet> {
    let is_owned = |set: &&StatefulSet| {
        let owned = set.owner_references().iter().any(|owner| owner.uid == uid);
        owned && set.metadata.deletion_timestamp.is_none()
    };
    sets.iter().filter(is_owned).map(|set| (set.name_any(), ObservedStatefulSet::from(set))).collect()
}

/// The claims that may be those of a cluster, as the hub sees them.
fn claims_of(cluster: &str, found: &Reading<Vec<PersistentVolumeClaim>>) -> Claims {
    let Ok(found) = found.known() else { return Claims::Unknown };
    let is_of =
        |claim: &&PersistentVolumeClaim| claim.labels().get(labels::NAME).is_none_or(|name| name == cluster);
    Claims::Known(
        found.iter().filter(is_of).map(|claim| (claim.name_any(), ObservedClaim::from(claim))).collect(),
    )
}

/// The ConfigMap that `spec.configSource` names, or why it could not be read.
pub(in crate::commands) async fn fetch_source(
    client: &Client,
    cluster: &IrisCluster,
) -> Result<ConfigSource, String> {
    let Some(reference) = &cluster.spec.config_source else { return Ok(ConfigSource::NotReferenced) };
    let namespace = cluster.namespace().unwrap_or_default();
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    match api.get_opt(&reference.name).await {
        Ok(None) => Ok(ConfigSource::Missing),
        Ok(Some(found)) => Ok(ConfigSource::Found(ConfigTexts::from(&found))),
        Err(error) => Err(format!("ConfigMap {} cannot be read: {}", reference.name, words(&error))),
    }
}

fn map<T, U>(reading: Reading<T>, change: impl FnOnce(T) -> U) -> Reading<U> {
    match reading {
        Reading::Known(value) => Reading::Known(change(value)),
        Reading::Unknown(why) => Reading::Unknown(why),
    }
}

/// Lists objects that the account may not be allowed to list: then it is not tried, so that no log has a refusal.
async fn read_if_allowed<K>(
    client: &Client,
    api: Api<K>,
    namespace: Option<&str>,
    params: ListParams,
) -> Reading<Vec<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let plural = K::plural(&());
    let right = ResourceAttributes {
        verb: Some("list".to_owned()),
        group: Some(K::group(&()).into_owned()),
        resource: Some(plural.to_string()),
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    };
    if may(client, right).await == Some(false) {
        let place = namespace.map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
        return Reading::Unknown(format!("this account has no right to list {plural}{place}"));
    }
    read(api, params).await
}

async fn read<K>(api: Api<K>, params: ListParams) -> Reading<Vec<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    match list_all(&api, params).await {
        Ok(found) => Reading::Known(found),
        Err(error) => Reading::Unknown(format!("{} cannot be read: {}", K::plural(&()), words(&error))),
    }
}

/// Whether the account has a right; none when the apiserver does not say.
async fn may(client: &Client, right: ResourceAttributes) -> Option<bool> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(right), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let answer = api.create(&PostParams::default(), &review).await.ok()?;
    answer.status.map(|status| status.allowed)
}

/// The time by the apiserver's own clock.
async fn fetch_time(client: &Client) -> Option<Timestamp> {
    let request = Request::get("/version").body(Body::empty()).ok()?;
    let answer = client.send(request).await.ok()?;
    let date = answer.headers().get(header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    //! Which claims are those of a cluster.

    use homebase_iris::cluster::Claims;
    use homebase_iris::cluster::attest::Reading;
    use k8s_openapi::api::core::v1::PersistentVolumeClaim;
    use serde_json::{Value, json};

    use super::claims_of;

    #[test]
    fn claims_are_known_only_where_they_could_be_read() {
        let claim = |name: &str, labels: Value| -> PersistentVolumeClaim {
            serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap()
        };
        let found = vec![
            claim("ours", json!({"intersystems.com/name": "iris"})),
            claim("unnamed", json!({})),
            claim("other", json!({"intersystems.com/name": "another"})),
        ];
        let Claims::Known(claims) = claims_of("iris", &Reading::Known(found)) else { panic!("unknown") };
        assert_eq!(claims.keys().collect::<Vec<_>>(), ["ours", "unnamed"]);
        assert_eq!(claims_of("iris", &Reading::Unknown("refused".to_owned())), Claims::Unknown);
    }
}
