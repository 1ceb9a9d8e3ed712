//! Accounts of the hub with exactly the rights that are shipped in `deploy/rbac`. It
//! must not name a right of its own.

use std::time::Duration;

use homebase_planes::{ControlPlane, Result, eventually, workspace_root};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{Api, PostParams};

/// The role on a work cluster, and its file.
const WORK_ROLE: (&str, &str) = ("homebase-work-cluster", "deploy/rbac/work-cluster.yaml");
/// The account on the home cluster with its rights.
const HOME_FILE: &str = "deploy/rbac/home-cluster.yaml";
/// Namespace and name of the account that the file makes.
pub const HOME_ACCOUNT: (&str, &str) = ("homebase-system", "homebase");
/// The authorizer hears of a new binding within milliseconds; a loaded machine has
/// many of those.
const KNOWN: Duration = Duration::from_secs(30);

/// Ways into a plane with exactly the rights of the hub.
pub trait HubRights {
    /// A kubeconfig of an account with exactly the rights that the hub is given on a
    /// work cluster. Each call makes another token for the same account.
    ///
    /// # Errors
    /// If the apiserver refuses, or does not know of the rights in time.
    fn kubeconfig_for_work(
        &self,
        namespace: &str,
        account: &str,
        lifetime: Duration,
    ) -> impl Future<Output = Result<String>> + Send;

    /// The same for the hub itself on its home cluster, where its namespace must be.
    ///
    /// # Errors
    /// As [`HubRights::kubeconfig_for_work`].
    fn kubeconfig_for_home(&self, lifetime: Duration) -> impl Future<Output = Result<String>> + Send;

    /// Waits until the apiserver knows that an account has a right.
    ///
    /// # Errors
    /// If it does not in time.
    fn wait_allowed(
        &self,
        namespace: &str,
        account: &str,
        right: ResourceAttributes,
    ) -> impl Future<Output = Result<()>> + Send;
}

impl HubRights for ControlPlane {
    async fn kubeconfig_for_work(
        &self,
        namespace: &str,
        account: &str,
        lifetime: Duration,
    ) -> Result<String> {
        let (role, file) = WORK_ROLE;
        ship(self, file).await?;
        let text = self.kubeconfig_for_service_account(namespace, account, Some(role), lifetime).await?;
        self.wait_allowed(namespace, account, identity()).await?;
        Ok(text)
    }

    async fn kubeconfig_for_home(&self, lifetime: Duration) -> Result<String> {
        ship(self, HOME_FILE).await?;
        let (namespace, account) = HOME_ACCOUNT;
        let text = self.kubeconfig_for_service_account(namespace, account, None, lifetime).await?;
        self.wait_allowed(namespace, account, identity()).await?;
        // The other binding, which is of the namespace.
        let own = Some(namespace.to_owned());
        let secrets = ResourceAttributes { namespace: own, ..attributes("list", "secrets") };
        self.wait_allowed(namespace, account, secrets).await?;
        Ok(text)
    }

    async fn wait_allowed(&self, namespace: &str, account: &str, right: ResourceAttributes) -> Result<()> {
        let reviews: &Api<SubjectAccessReview> = &Api::all(self.client().await?);
        let review = &SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(format!("system:serviceaccount:{namespace}:{account}")),
                resource_attributes: Some(right),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        eventually(format!("{account} has its rights"), KNOWN, || async move {
            let answer = reviews.create(&PostParams::default(), review).await;
            let status = answer.map_err(|error| error.to_string())?.status;
            if status.is_some_and(|status| status.allowed) { Ok(()) } else { Err("denied".to_owned()) }
        })
        .await
    }
}

async fn ship(plane: &ControlPlane, file: &str) -> Result<()> {
    let path = workspace_root().join(file);
    let path = path.to_string_lossy();
    plane.kubectl_ok(&["apply", "--server-side", "--force-conflicts", "-f", &path]).await.map(drop)
}

/// What every role of the hub holds.
fn identity() -> ResourceAttributes {
    ResourceAttributes { name: Some("kube-system".to_owned()), ..attributes("get", "namespaces") }
}

fn attributes(verb: &str, resource: &str) -> ResourceAttributes {
    ResourceAttributes {
        verb: Some(verb.to_owned()),
        resource: Some(resource.to_owned()),
        ..ResourceAttributes::default()
    }
}
