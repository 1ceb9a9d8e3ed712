//! Credentials, names and rights that fail, one after the other on one cluster: at first registration and in mid-run.
//! Each is healed by putting right what was wrong. It must not repeat what rotations to bad credentials say.

use std::time::{Duration, Instant, SystemTime};

use homebase_testkit::{ControlPlane, Gateway, eventually};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

use super::lane::{assert_same, space};
use super::table::{Line, Table};
use super::{HEALED, TOLD};
use crate::fleet::pool::{apply_iris, wait_deployment};
use crate::support::{
    FIELD_MANAGER, Fleet, Identities, NAMESPACE, Registration, SOON, account, condition, kubeconfig,
};

/// How long the short-lived certificate lives: longer than an engagement takes beside other tests.
const SHORT_LIFE: Duration = Duration::from_secs(25);
/// The apiserver remembers for 10 s that it took a token.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Longer than the suite runs.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);
/// Enough of a key to know it by.
const KEY_TAIL: usize = 48;

/// The kind that is forbidden …
const FORBIDDEN: &str = "services";
/// … and all others that the hub needs.
const ALLOWED: [&str; 15] = [
    "iris",
    "iris/status",
    "iris/finalizers",
    "irisclusters",
    "irisclusters/status",
    "irisclusters/finalizers",
    "deployments",
    "statefulsets",
    "configmaps",
    "pods",
    "persistentvolumeclaims",
    "poddisruptionbudgets",
    "events",
    "namespaces",
    "customresourcedefinitions",
];

/// The cluster whose credentials fail.
struct Guarded<'a> {
    fleet: &'a Fleet,
    plane: &'a ControlPlane,
    gateway: Gateway,
    table: &'a Table,
}

/// A fault that has been told.
struct Told {
    fault: &'static str,
    condition: (&'static str, &'static str, &'static str),
    detected: Duration,
    message: String,
}

/// Every fault of credentials; `stranger` is the cluster that a foreign token is from.
pub(super) async fn fail_in_turn(
    fleet: &Fleet,
    plane: &ControlPlane,
    stranger: &ControlPlane,
    table: &Table,
) {
    let guarded = Guarded { fleet, plane, gateway: Gateway::start(plane).await.unwrap(), table };
    guarded.put(&guarded.good().await).await;
    fleet.wait_cluster_ready(plane.name()).await;
    guarded.unresolvable().await;
    guarded.foreign_token(stranger).await;
    let end = guarded.expired_before().await;
    guarded.expires_in_mid_run(end).await;
    guarded.expired_rotated_in().await;
    guarded.revoked_in_mid_run().await;
    guarded.forbidden_kind().await;
}

impl Guarded<'_> {
    /// A host name that nobody knows.
    async fn unresolvable(&self) {
        let good = self.good().await;
        let elsewhere = good.replace("https://127.0.0.1", "https://no-such-host.invalid");
        assert_ne!(elsewhere, good);
        self.register_anew(&elsewhere).await;
        let told = self.told("unresolvable", ("Reachable", "False", "DNSFailure"), Instant::now()).await;
        self.wait_not_ready("NotReachable").await;
        self.heal(told, self.put(&good)).await;
    }

    /// A token that another cluster has made.
    async fn foreign_token(&self, stranger: &ControlPlane) {
        let (good, foreign) = (self.good().await, kubeconfig(stranger).await);
        self.fleet.keep_tokens_of(&foreign);
        self.register_anew(&good.replace(token(&good), token(&foreign))).await;
        let refused = ("CredentialsValid", "False", "Unauthorized");
        let told = self.told("foreign-token", refused, Instant::now()).await;
        self.wait_not_ready("CredentialsInvalid").await;
        self.heal(told, self.put(&good)).await;
    }

    /// A certificate that ended before it was registered, in whose place comes one that ends soon; returns when.
    async fn expired_before(&self) -> SystemTime {
        self.register_anew(&self.certificate_until(SystemTime::now() - TOLD)).await;
        let expired = ("CredentialsValid", "False", "Expired");
        let told = self.told("certificate-expired", expired, Instant::now()).await;
        self.wait_not_ready("CredentialsInvalid").await;
        let end = SystemTime::now() + SHORT_LIFE;
        self.heal(told, self.put(&self.certificate_until(end))).await;
        end
    }

    /// The certificate in use ends. Connections that were made with it stay open, and the apiserver looks at it again
    /// with every request.
    async fn expires_in_mid_run(&self, end: SystemTime) {
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        let before = self.fleet.work_cluster(self.plane.name()).await.unwrap();
        assert_eq!(condition(&before, "CredentialsValid").unwrap().status, "True", "it has {left:?} left");
        let expired = ("CredentialsValid", "False", "Expired");
        let told = self.told("certificate-expires", expired, Instant::now() + left).await;
        assert!(SystemTime::now() >= end, "told before it was so");
        self.wait_not_ready("CredentialsInvalid").await;
        self.heal(told, async { self.put(&self.good().await).await }).await;
    }

    /// A certificate that has ended comes in the place of a good token, which stays in use.
    async fn expired_rotated_in(&self) {
        let (plane, space) = (self.plane, space(self.plane));
        self.put(&self.certificate_until(SystemTime::now() - TOLD)).await;
        let rejected = ("CredentialsValid", "False", "RotationRejected");
        let told = self.told("expired-rotated-in", rejected, Instant::now()).await;
        assert!(told.message.contains("401"), "{}", told.message);
        self.fleet.wait_condition(plane.name(), ("Ready", "True", "AllChecksPassed"), SOON).await;
        apply_iris(plane, &space, "with-the-old-token", 1).await;
        wait_deployment(plane, (&space, "with-the-old-token"), 1).await;
        self.heal(told, async {
            self.put(&self.good().await).await;
            self.wait_taken().await;
        })
        .await;
    }

    /// The account of the token in use is deleted. What counts is the moment in which the apiserver takes note.
    async fn revoked_in_mid_run(&self) {
        let client = self.plane.client().await.unwrap();
        let same = client_of(&self.good().await).await;
        let accounts: Api<ServiceAccount> = Api::namespaced(client, NAMESPACE);
        accounts.delete(&account(self.plane), &DeleteParams::default()).await.unwrap();
        let namespaces: &Api<Namespace> = &Api::all(same);
        eventually("the apiserver refuses tokens of the account", REMEMBERED, || async move {
            match namespaces.get("kube-system").await {
                Err(kube::Error::Api(status)) if status.code == 401 => Ok(()),
                other => Err(format!("{:?}", other.map(|_| "taken"))),
            }
        })
        .await
        .unwrap();
        let refused = ("CredentialsValid", "False", "Unauthorized");
        let told = self.told("token-revoked", refused, Instant::now()).await;
        self.wait_not_ready("CredentialsInvalid").await;
        self.heal(told, async { self.put(&self.good().await).await }).await;
    }

    /// The right to one kind is withdrawn and every connection cut, so that its watch begins anew. The others go on.
    async fn forbidden_kind(&self) {
        let (plane, space) = (self.plane, space(self.plane));
        self.allow(&[FORBIDDEN]).await;
        let name = format!("{}-one-kind", account(plane));
        let role = Some("one-kind");
        let text =
            plane.kubeconfig_for_service_account(NAMESPACE, &name, role, TOKEN_LIFETIME).await.unwrap();
        self.put(&text).await;
        self.wait_taken().await;
        // A role counts a moment after it was made, and what is told must not be from before.
        self.fleet.wait_condition(plane.name(), ("Synced", "True", "Synced"), HEALED).await;

        self.allow(&[]).await;
        self.gateway.cut();
        let unsynced = ("Synced", "False", "Syncing");
        let told = self.told("forbidden-kind", unsynced, Instant::now()).await;
        assert!(told.message.contains("Service (Forbidden)"), "{}", told.message);
        apply_iris(plane, &space, "another-kind", 1).await;
        wait_deployment(plane, (&space, "another-kind"), 1).await;
        let found = self.fleet.work_cluster(plane.name()).await.unwrap();
        assert_eq!(condition(&found, "Reachable").unwrap().status, "True");
        assert_eq!(condition(&found, "Synced").unwrap().status, "False", "it has healed by itself");
        self.heal(told, self.allow(&[FORBIDDEN])).await;
    }

    async fn good(&self) -> String {
        kubeconfig(self.plane).await
    }

    /// Writes the registration, by the address of the gateway.
    async fn put(&self, kubeconfig: &str) {
        let text = self.gateway.kubeconfig(self.plane, kubeconfig);
        for key in text.lines().filter_map(|line| line.trim().strip_prefix("client-key-data: ")) {
            self.fleet.keep_secret(&key[key.len() - KEY_TAIL..]);
        }
        self.fleet.register_as(self.plane.name(), text).await;
    }

    /// The same as if the cluster had never been registered.
    async fn register_anew(&self, kubeconfig: &str) {
        let name = self.plane.name();
        self.fleet.deregister(&Registration { secret: format!("{name}-kubeconfig") }).await;
        eventually(format!("the WorkCluster {name} is gone"), SOON, || async {
            self.fleet.work_cluster(name).await.map_or(Ok(()), |_| Err("it is there"))
        })
        .await
        .unwrap();
        self.put(kubeconfig).await;
    }

    /// A certificate of the hub's own account that ends then.
    fn certificate_until(&self, end: SystemTime) -> String {
        let user = format!("system:serviceaccount:{NAMESPACE}:{}", account(self.plane));
        self.plane.kubeconfig_for_client_certificate_until(&user, end).unwrap()
    }

    /// Makes the role of the account with fewer rights what it shall be.
    async fn allow(&self, beyond: &[&str]) {
        let roles: Api<ClusterRole> = Api::all(self.plane.client().await.unwrap());
        let resources: Vec<&str> = ALLOWED.iter().chain(beyond).copied().collect();
        let object = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "one-kind"},
            "rules": [{"apiGroups": ["*"], "resources": resources, "verbs": ["*"]}],
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        roles.patch("one-kind", &params, &Patch::Apply(object)).await.unwrap();
    }

    /// Waits until the newest Secret is the one in use.
    async fn wait_taken(&self) {
        let name = self.plane.name();
        let secret = self.fleet.registrations().await.get(&format!("{name}-kubeconfig")).await.unwrap();
        let version = secret.metadata.resource_version.unwrap();
        let taken = self.fleet.wait_work_cluster(name, SOON, |found| {
            let seen = found.status.as_ref().and_then(|status| status.observed_secret.as_ref());
            let is_seen = seen.is_some_and(|secret| secret.resource_version == version);
            let credentials = condition(found, "CredentialsValid")?;
            if is_seen && credentials.status == "True" {
                Ok(())
            } else {
                Err(format!("{seen:?} {credentials:?}"))
            }
        });
        taken.await;
        self.fleet.wait_cluster_ready(name).await;
    }

    /// Waits until the fault, which begins at a moment, is told within the bound for whatever answers.
    async fn told(
        &self,
        fault: &'static str,
        condition: (&'static str, &'static str, &'static str),
        begins: Instant,
    ) -> Told {
        let bound = begins.saturating_duration_since(Instant::now()) + TOLD;
        let (message, _) = self.fleet.wait_condition(self.plane.name(), condition, bound).await;
        Told { fault, condition, detected: begins.elapsed(), message }
    }

    async fn wait_not_ready(&self, reason: &str) {
        self.fleet.wait_condition(self.plane.name(), ("Ready", "False", reason), SOON).await;
    }

    /// Asks for work while the fault lasts, heals it, and waits until the cluster is well and the work is done.
    async fn heal(&self, told: Told, cure: impl Future<Output = ()>) {
        let (plane, space) = (self.plane, space(self.plane));
        apply_iris(plane, &space, told.fault, 1).await;
        let before = Identities::of(plane, &[&space]).await;
        let start = Instant::now();
        cure.await;
        self.fleet.wait_condition(plane.name(), ("Ready", "True", "AllChecksPassed"), HEALED).await;
        let healed = start.elapsed();
        assert!(healed <= HEALED, "{}: {healed:?}", told.fault);
        wait_deployment(plane, (&space, told.fault), 1).await;
        let worked = start.elapsed();
        assert_same(plane, &before).await;
        let Told { fault, condition, detected, message } = told;
        self.table.add(&Line { fault, condition, detected, healed, worked, message: &message });
    }
}

/// A client with the credentials of a kubeconfig.
async fn client_of(kubeconfig: &str) -> kube::Client {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    kube::Client::try_from(config.unwrap()).unwrap()
}

fn token(kubeconfig: &str) -> &str {
    kubeconfig.lines().find_map(|line| line.trim().strip_prefix("token: ")).unwrap()
}
