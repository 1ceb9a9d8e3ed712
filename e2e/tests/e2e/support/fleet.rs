//! A home cluster, some work clusters and the hub, started together. It must register nothing by itself.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use homebase_testkit::{Builder, ControlPlane, HubProcess, HubRights, start_many};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::registration::TOKEN_LIFETIME;
use super::{FIELD_MANAGER, NAMESPACE};

/// Its home watch is all that the hub's readiness waits for.
const HUB_READY: Duration = Duration::from_secs(60);

/// Control planes, and the hub that runs on the first.
pub(crate) struct Fleet {
    pub(crate) home: ControlPlane,
    pub(crate) work: Vec<ControlPlane>,
    hub: Option<HubProcess>,
    /// Of the hub's account at home, which has exactly the rights that are shipped.
    kubeconfig: String,
    name: String,
    arguments: Vec<String>,
    resolv_conf: Option<String>,
    /// What must appear nowhere: every token that was ever put into a registration, and planted texts.
    secrets: Mutex<BTreeSet<String>>,
}

/// What a fleet shall be.
#[must_use]
pub(crate) struct FleetBuilder {
    name: String,
    work: Vec<Builder>,
    arguments: Vec<String>,
    resolv_conf: Option<String>,
}

impl FleetBuilder {
    /// One more work cluster, as the builder describes it; writes are logged.
    pub(crate) fn work(mut self, plane: Builder) -> Self {
        self.work.push(plane.audit_log(true));
        self
    }

    /// One more argument for the hub.
    pub(crate) fn hub_arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The `/etc/resolv.conf` that the hub sees.
    pub(crate) fn resolv_conf(mut self, text: &str) -> Self {
        self.resolv_conf = Some(text.to_owned());
        self
    }

    /// Starts the control planes and makes the registration namespace; the hub follows with `Fleet::start_hub`.
    pub(crate) async fn start_planes(self) -> Fleet {
        let Self { name, work, arguments, resolv_conf } = self;
        // The controller manager is needed for its garbage collector.
        let home = ControlPlane::builder(format!("{name}-home")).scheduler(false).kwok(false).audit_log(true);
        let mut work = start_many([home].into_iter().chain(work)).await.unwrap();
        let home = work.remove(0);
        create_namespace(&home, NAMESPACE).await;
        let kubeconfig = home.kubeconfig_for_home(TOKEN_LIFETIME).await.unwrap();
        let (hub, secrets) = (None, Mutex::default());
        let fleet = Fleet { home, work, hub, kubeconfig, name, arguments, resolv_conf, secrets };
        fleet.keep_tokens_of(&fleet.kubeconfig);
        fleet
    }

    /// Starts the control planes, then the hub, and waits until the hub is ready.
    pub(crate) async fn start(self) -> Fleet {
        let mut fleet = self.start_planes().await;
        fleet.start_hub().await;
        fleet
    }
}

impl Fleet {
    /// Describes a fleet. The name tells its logs from others'.
    pub(crate) fn builder(name: &str) -> FleetBuilder {
        FleetBuilder { name: name.to_owned(), work: Vec::new(), arguments: Vec::new(), resolv_conf: None }
    }

    /// Home first, then the work clusters.
    pub(crate) fn planes(&self) -> impl Iterator<Item = &ControlPlane> {
        std::iter::once(&self.home).chain(&self.work)
    }

    /// The hub that was started last, which may have ended.
    pub(crate) fn hub(&self) -> &HubProcess {
        self.hub.as_ref().expect("the hub was started")
    }

    /// The same, to be stopped.
    pub(crate) fn hub_mut(&mut self) -> &mut HubProcess {
        self.hub.as_mut().expect("the hub was started")
    }

    /// The kubeconfig of the hub's account at home, for one more hub.
    pub(crate) fn home_kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// Makes the hub's account at home anew, as its owner would; the tokens of before are worth nothing.
    pub(crate) async fn renew_home_kubeconfig(&mut self) {
        self.kubeconfig = self.home.kubeconfig_for_home(TOKEN_LIFETIME).await.unwrap();
        self.keep_tokens_of(&self.kubeconfig);
    }

    /// One more argument for the next hub.
    pub(crate) fn add_hub_arg(&mut self, argument: impl Into<String>) {
        self.arguments.push(argument.into());
    }

    /// Starts the hub and waits until it is ready. One that still runs is killed before.
    pub(crate) async fn start_hub(&mut self) {
        self.spawn_hub().await;
        self.hub_mut().wait_ready(HUB_READY).await.unwrap();
    }

    /// The same without waiting until it is ready.
    pub(crate) async fn spawn_hub(&mut self) {
        if let Some(mut before) = self.hub.take() {
            before.kill9();
            // Its log goes with it.
            self.assert_no_secret_in("the log of the hub before", &before.log_text());
        }
        let name = format!("{}-hub", self.name);
        let mut hub = HubProcess::builder(name, &self.kubeconfig).arg("--allow-loopback-destinations");
        for argument in &self.arguments {
            hub = hub.arg(argument);
        }
        if let Some(text) = &self.resolv_conf {
            hub = hub.resolv_conf(text);
        }
        self.hub = Some(hub.start().await.unwrap());
    }

    /// Keeps a text that must never appear in anything that the hub puts out.
    pub(crate) fn keep_secret(&self, secret: impl Into<String>) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).insert(secret.into());
    }

    /// Every secret is absent from a text.
    pub(crate) fn assert_no_secret_in(&self, what: &str, text: &str) {
        for secret in self.secrets.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // The message must not spread it further.
            assert!(!text.contains(secret), "I8: {what} holds the secret that begins with {secret:.12}");
        }
    }
}

/// Creates a namespace if it is not there.
pub(crate) async fn create_namespace(plane: &ControlPlane, name: &str) {
    let namespaces: Api<Namespace> = Api::all(plane.client().await.unwrap());
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    namespaces.patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(object)).await.unwrap();
}
