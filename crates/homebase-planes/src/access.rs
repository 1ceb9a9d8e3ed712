//! Ways into a plane: clients, kubectl, and kubeconfigs of service accounts. It
//! must not start or stop anything but a kubectl that runs to its end.

use std::ffi::OsStr;
use std::fs;
use std::process::{Output, Stdio};
use std::time::{Duration, SystemTime};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

use crate::kubeconfig::{self, Credential};
use crate::{ControlPlane, Error, Result};

/// Who writes, in the apiserver's own books.
const FIELD_MANAGER: &str = "homebase-planes";

impl ControlPlane {
    /// A new client with admin rights. It belongs to the runtime that it is
    /// made in, so a plane that several tests share hands out one to each.
    ///
    /// # Errors
    /// If the kubeconfig is not understood; a plane that is down is no error.
    pub async fn client(&self) -> Result<kube::Client> {
        client(self.name(), &self.admin_kubeconfig()).await
    }

    /// A self-contained kubeconfig with the token of a service account, which is
    /// created, as is its namespace, if need be. With `cluster_role` the account
    /// is bound to that role in all namespaces. (Without the controller manager
    /// the roles `view`, `edit` and `admin` are empty: it fills them.)
    ///
    /// # Errors
    /// If the apiserver refuses; it accepts a lifetime of ten minutes and more.
    pub async fn kubeconfig_for_service_account(
        &self,
        namespace: &str,
        name: &str,
        cluster_role: Option<&str>,
        lifetime: Duration,
    ) -> Result<String> {
        let client = self.client().await?;
        let apply = PatchParams::apply(FIELD_MANAGER).force();
        let object =
            Patch::Apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.patch(namespace, &apply, &object).await.map_err(Error::request("apply the namespace"))?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let object =
            Patch::Apply(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}));
        accounts.patch(name, &apply, &object).await.map_err(Error::request("apply the service account"))?;
        if let Some(role) = cluster_role {
            let binding = format!("{namespace}-{name}-{role}");
            let object = Patch::Apply(json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {"name": binding},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": name}],
            }));
            let bindings: Api<ClusterRoleBinding> = Api::all(client);
            bindings
                .patch(&binding, &apply, &object)
                .await
                .map_err(Error::request("bind the service account"))?;
        }
        let token = request_token(&accounts, name, lifetime).await?;
        Ok(kubeconfig::render(
            self.name(),
            &self.url(),
            self.authority().certificate(),
            Credential::Token(&token),
        ))
    }

    /// A self-contained kubeconfig with a new client certificate of a user in no
    /// group, who may do what is bound to the name; its end is the end of the year
    /// 4095.
    ///
    /// # Errors
    /// If the certificate cannot be made.
    pub fn kubeconfig_for_client_certificate(&self, user: &str) -> Result<String> {
        let identity = self.authority().plain_client(user)?;
        let credential = Credential::Certificate(&identity);
        Ok(kubeconfig::render(self.name(), &self.url(), self.authority().certificate(), credential))
    }

    /// The same with a certificate that ends at a moment, which may be past; it began a day before that.
    ///
    /// # Errors
    /// If the certificate cannot be made.
    pub fn kubeconfig_for_client_certificate_until(&self, user: &str, end: SystemTime) -> Result<String> {
        let identity = self.authority().client_until(user, end)?;
        let credential = Credential::Certificate(&identity);
        Ok(kubeconfig::render(self.name(), &self.url(), self.authority().certificate(), credential))
    }

    /// Runs kubectl with admin rights.
    ///
    /// # Errors
    /// If it cannot be run; what it answers, a failure too, is in the output.
    pub async fn kubectl<Argument: AsRef<OsStr>>(&self, arguments: &[Argument]) -> Result<Output> {
        let path = &self.settings().tools.kubectl;
        let mut command = tokio::process::Command::new(path);
        command.arg("--kubeconfig").arg(self.admin_kubeconfig_path());
        // Not in the home directory, as would be its default.
        command.arg("--cache-dir").arg(self.dir().join("kubectl-cache"));
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command.output().await.map_err(Error::io("run", path))
    }

    /// Runs kubectl and returns what it wrote to standard output.
    ///
    /// # Errors
    /// If it cannot be run or fails.
    pub async fn kubectl_ok<Argument: AsRef<OsStr>>(&self, arguments: &[Argument]) -> Result<String> {
        let output = self.kubectl(arguments).await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Kubectl { arguments: words.join(" "), message })
    }

    /// Applies manifests (server-side) that are given as text.
    ///
    /// # Errors
    /// As [`ControlPlane::kubectl_ok`].
    pub async fn apply(&self, manifests: &str) -> Result<String> {
        let path = self.dir().join("applied.yaml");
        fs::write(&path, manifests).map_err(Error::io("write", &path))?;
        let arguments =
            [OsStr::new("apply"), OsStr::new("--server-side"), OsStr::new("-f"), path.as_os_str()];
        self.kubectl_ok(&arguments).await
    }
}

async fn client(name: &str, text: &str) -> Result<kube::Client> {
    let fail = |source| Error::Kubeconfig { name: name.to_owned(), source: Box::new(source) };
    let kubeconfig = Kubeconfig::from_yaml(text).map_err(fail)?;
    let options = KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(fail)?;
    // A test wants to see the answer, not what comes after some retries.
    config.default_retry = false;
    config.proxy_url = None;
    kube::Client::try_from(config).map_err(Error::request("make a client"))
}

async fn request_token(accounts: &Api<ServiceAccount>, name: &str, lifetime: Duration) -> Result<String> {
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    let spec = TokenRequestSpec { expiration_seconds: Some(seconds), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
    let answer = answer.map_err(Error::request(format!("request a token for {name}")))?;
    let token = answer.status.and_then(|status| status.token);
    token.ok_or_else(|| Error::NoToken { account: name.to_owned() })
}
