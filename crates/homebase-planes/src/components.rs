//! The command line of every component of a control plane. It must not start
//! anything: it turns settings into arguments.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::layout::{Layout, write_private};
use crate::nodes::{KWOK_LABEL, STORAGE_CLASS};
use crate::process::Program;
use crate::{Result, Tools};

/// A process of a control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The store.
    Etcd,
    /// The apiserver.
    Apiserver,
    /// The built-in controllers.
    ControllerManager,
    /// The scheduler.
    Scheduler,
    /// KWOK, which plays the kubelets.
    Kwok,
}

impl Component {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Etcd, Self::Apiserver, Self::ControllerManager, Self::Scheduler, Self::Kwok];

    /// The name of the program, which is also that of its log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Apiserver => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kwok => "kwok",
        }
    }
}

/// What the command lines depend on.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) tools: Tools,
    pub(crate) layout: Layout,
    pub(crate) etcd_port: u16,
    pub(crate) apiserver_port: u16,
    /// How many there are beside the default one.
    pub(crate) storage_classes: usize,
    pub(crate) controller_manager: bool,
    pub(crate) audit_log: bool,
    pub(crate) durable: bool,
    /// The socket of the proxy by which the apiserver reaches pods.
    pub(crate) pod_proxy: Option<PathBuf>,
}

/// The controllers and the scheduler may ask as often as a test makes them.
const COMPONENT_QPS: &str = "1000";
/// See `COMPONENT_QPS`.
const COMPONENT_BURST: &str = "2000";
/// Half of the grace that the node controller gives a node, as kubelets have it.
const NODE_LEASE_SECONDS: u32 = 40;
/// Above what any test writes: a rotation in the middle would lose events.
const AUDIT_LOG_MAX_MEGABYTES: u32 = 1024;
/// Large enough for thousands of pods on planes that share no network.
const POD_CIDR: &str = "10.244.0.0/16";
/// An address that no node of a test really has.
const NODE_ADDRESS: &str = "10.240.0.1";

impl Settings {
    pub(crate) fn apiserver_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.apiserver_port)
    }

    /// The program of a component.
    pub(crate) fn program(&self, component: Component) -> Program {
        let (path, arguments) = match component {
            Component::Etcd => (&self.tools.etcd, self.etcd()),
            Component::Apiserver => (&self.tools.apiserver, self.apiserver()),
            Component::ControllerManager => (&self.tools.controller_manager, self.controller_manager()),
            Component::Scheduler => (&self.tools.scheduler, self.scheduler()),
            Component::Kwok => (&self.tools.kwok, self.kwok()),
        };
        Program {
            name: component.name(),
            path: path.clone(),
            arguments: arguments.0,
            environment: Vec::new(),
            log: self.layout.log(component.name()),
            stdout: None,
        }
    }

    fn etcd(&self) -> Arguments {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let arguments = Arguments::default()
            .path("--data-dir", &self.layout.etcd_data())
            .text("--name", "default")
            .text("--listen-client-urls", &client)
            .text("--advertise-client-urls", &client)
            // There are no peers: any free port will do, and nobody asks which.
            .text("--listen-peer-urls", "http://127.0.0.1:0")
            .text("--log-level", "warn");
        if self.durable { arguments } else { arguments.flag("--unsafe-no-fsync") }
    }

    fn apiserver(&self) -> Arguments {
        let mut arguments = Arguments::default()
            .text("--etcd-servers", &format!("http://127.0.0.1:{}", self.etcd_port))
            .text("--bind-address", "127.0.0.1")
            .text("--advertise-address", "127.0.0.1")
            .text("--secure-port", &self.apiserver_port.to_string())
            .text("--endpoint-reconciler-type", "none")
            .text("--authorization-mode", "RBAC")
            .text("--service-cluster-ip-range", "10.0.0.0/24")
            .text("--service-account-issuer", "https://kubernetes.default.svc")
            .path("--service-account-key-file", &self.layout.service_account_public_key())
            .path("--service-account-signing-key-file", &self.layout.service_account_key())
            .path("--client-ca-file", &self.layout.authority())
            .path("--tls-cert-file", &self.layout.serving_certificate())
            .path("--tls-private-key-file", &self.layout.serving_key())
            .text("--profiling", "false");
        if self.audit_log {
            arguments = arguments
                .path("--audit-log-path", &self.layout.audit_log())
                .path("--audit-policy-file", &self.layout.audit_policy())
                .text("--audit-log-maxsize", &AUDIT_LOG_MAX_MEGABYTES.to_string());
        }
        if self.pod_proxy.is_some() {
            arguments = arguments.path("--egress-selector-config-file", &self.layout.egress());
        }
        if !self.controller_manager {
            // Nobody makes service accounts or takes the taint off new nodes.
            arguments = arguments.text("--disable-admission-plugins", "ServiceAccount,TaintNodesByCondition");
        }
        arguments
    }

    fn controller_manager(&self) -> Arguments {
        self.controller(Component::ControllerManager)
            .path("--root-ca-file", &self.layout.authority())
            .path("--service-account-private-key-file", &self.layout.service_account_key())
    }

    fn scheduler(&self) -> Arguments {
        self.controller(Component::Scheduler)
    }

    fn controller(&self, component: Component) -> Arguments {
        Arguments::default()
            .path("--kubeconfig", &self.layout.kubeconfig(component.name()))
            .text("--leader-elect", "false")
            .text("--secure-port", "0")
            .text("--kube-api-qps", COMPONENT_QPS)
            .text("--kube-api-burst", COMPONENT_BURST)
    }

    fn kwok(&self) -> Arguments {
        let kubeconfig = self.layout.kubeconfig(Component::Kwok.name());
        let mut arguments = kwok(&kubeconfig, &self.layout).text("--manage-all-nodes", "true");
        for number in 0..self.storage_classes {
            arguments = arguments.path("--config", &self.layout.kwok_stages(&class_topic(number)));
        }
        arguments
    }
}

/// KWOK with the stages of every plane; which nodes it plays is left to say.
fn kwok(kubeconfig: &Path, layout: &Layout) -> Arguments {
    let arguments = Arguments::default()
        .path("--kubeconfig", kubeconfig)
        .text("--node-lease-duration-seconds", &NODE_LEASE_SECONDS.to_string())
        .text("--cidr", POD_CIDR)
        .text("--node-ip", NODE_ADDRESS);
    let topics = STAGES.iter().map(|(topic, _)| layout.kwok_stages(topic));
    topics.fold(arguments, |arguments, path| arguments.path("--config", &path))
}

/// A KWOK that plays the nodes of [`played_node`](crate::played_node), and no others, on a cluster that was not
/// started here. A cluster must have one KWOK only.
///
/// # Errors
/// If the stages cannot be written to the layout's directory.
pub fn node_player(program: &Path, kubeconfig: &Path, layout: &Layout) -> Result<Program> {
    write_static_files(layout, &[])?;
    let (label, value) = KWOK_LABEL;
    let arguments = kwok(kubeconfig, layout)
        .text("--manage-all-nodes", "false")
        .text("--manage-nodes-with-label-selector", &format!("{label}={value}"));
    Ok(Program {
        name: Component::Kwok.name(),
        path: program.to_owned(),
        arguments: arguments.0,
        environment: Vec::new(),
        log: layout.log(Component::Kwok.name()),
        stdout: None,
    })
}

/// The behaviours that KWOK plays, by topic.
const STAGES: [(&str, &str); 3] = [
    ("node", include_str!("../kwok/node.yaml")),
    ("pod", include_str!("../kwok/pod.yaml")),
    ("volume", VOLUME_STAGES),
];

const VOLUME_STAGES: &str = include_str!("../kwok/volume.yaml");

/// Every write is logged once, when it is answered; a question about rights is a
/// `create` that writes nothing. Deletes and evictions come with their
/// options, so that tests can see preconditions; nothing else comes with a
/// body, so that no Secret is in the log. Reads are logged of those who may not do
/// everything: tests want to see which of them were refused. A watch is logged when it
/// begins, too: an apiserver that is killed never logs its end.
const AUDIT_POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
  "rules": [
    {"level": "None", "resources": [{"group": "authorization.k8s.io"}]},
    {"level": "Request", "verbs": ["delete", "deletecollection"]},
    {"level": "Request", "verbs": ["create"], "resources": [{"group": "", "resources": ["pods/eviction"]}]},
    {"level": "Metadata", "verbs": ["create", "update", "patch"]},
    {"level": "None", "userGroups": ["system:masters"]},
    {"level": "Metadata", "verbs": ["get", "list", "watch"]},
    {"level": "None"}
  ]
}"#;

/// Writes the files that depend on no port: what KWOK plays, with the storage classes beside the default one, and what
/// is logged.
pub(crate) fn write_static_files(layout: &Layout, storage_classes: &[String]) -> Result<()> {
    for (topic, text) in STAGES {
        write_private(&layout.kwok_stages(topic), text)?;
    }
    for (number, class) in storage_classes.iter().enumerate() {
        let stages = of_class(VOLUME_STAGES, class, number);
        write_private(&layout.kwok_stages(&class_topic(number)), &stages)?;
    }
    write_private(&layout.audit_policy(), AUDIT_POLICY)
}

fn class_topic(number: usize) -> String {
    format!("volume-{number}")
}

/// The volume stages for another class. Stages have names of their own.
fn of_class(stages: &str, class: &str, number: usize) -> String {
    stages
        .replace(&format!("'{STORAGE_CLASS}'"), &format!("'{class}'"))
        .replace(&format!("storageClassName: {STORAGE_CLASS}"), &format!("storageClassName: {class}"))
        .replace("name: homebase-volume-", &format!("name: homebase-volume-{number}-"))
}

/// Writes the file that leads the apiserver to its pods by a proxy (KEP-1281).
pub(crate) fn write_egress(layout: &Layout, socket: &Path) -> Result<()> {
    let text = format!(
        r#"{{
  "apiVersion": "apiserver.k8s.io/v1beta1", "kind": "EgressSelectorConfiguration",
  "egressSelections": [{{"name": "cluster", "connection": {{
    "proxyProtocol": "HTTPConnect", "transport": {{"uds": {{"udsName": "{}"}}}}
  }}}}]
}}"#,
        socket.display()
    );
    write_private(&layout.egress(), &text)
}

#[derive(Debug, Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn flag(mut self, flag: &str) -> Self {
        self.0.push(flag.into());
        self
    }

    fn text(self, flag: &str, value: &str) -> Self {
        self.flag(&format!("{flag}={value}"))
    }

    fn path(mut self, flag: &str, value: &Path) -> Self {
        let mut argument = OsString::from(format!("{flag}="));
        argument.push(value);
        self.0.push(argument);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_of_another_class_are_of_that_class_only() {
        let stages = of_class(VOLUME_STAGES, "fast", 3);
        let selectors = |text: &str, class: &str| text.matches(&format!("== '{class}'")).count();
        assert_eq!(selectors(&stages, "fast"), selectors(VOLUME_STAGES, STORAGE_CLASS));
        assert_eq!(selectors(&stages, STORAGE_CLASS), 0);
        assert!(
            stages.contains("storageClassName: fast\n")
                && stages.contains("name: homebase-volume-3-provision")
        );
    }
}
