//! What a registration consists of: the hub's account on the work cluster with its rights, and the Secret at home.
//! It builds objects and texts and sends nothing.

use std::net::IpAddr;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use homebase_api::{annotations, labels};
use homebase_core::{ClusterId, NamespaceName, Namespaces};
use homebase_kube::destination::DestinationPolicy;
use homebase_kube::permissions::{NEEDS, cluster_role, namespaced_roles};
use homebase_kubeconfig::{Policy, SanitizedKubeconfig, Trust, sanitize};
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef, Subject};
use kube::Config;
use kube::core::ObjectMeta;
use serde_json::json;

use crate::arguments::AccountArguments;

#[cfg(test)]
mod tests;

/// What stands for the token in a dry run.
pub(crate) const PLACEHOLDER: &str = "THE-TOKEN-IS-ASKED-FOR-WITHOUT-DRY-RUN";
/// Characters on a line of PEM (RFC 7468).
const PEM_LINE: usize = 64;

/// The hub's account on a work cluster, and what comes with it.
pub(crate) struct Account {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Where it has rights besides those on what lies in no namespace.
    pub(crate) watched: Namespaces,
    /// The ID of the hub that it is for; none where no cluster was asked.
    pub(crate) hub: Option<String>,
}

impl Account {
    pub(crate) fn new(arguments: &AccountArguments, watched: &Namespaces) -> Self {
        Self {
            namespace: arguments.work_namespace.as_str().to_owned(),
            name: arguments.service_account.as_str().to_owned(),
            watched: watched.clone(),
            hub: None,
        }
    }

    /// The metadata of an object of the account: it says whose it is.
    fn meta(&self, name: &str, namespace: Option<&str>) -> ObjectMeta {
        let mut meta = marked(name, namespace);
        meta.annotations = self.hub.clone().map(|hub| [(annotations::HUB_ID.to_owned(), hub)].into());
        meta
    }

    /// Name of the role and of its binding: both are names in the whole cluster, so it says whose they are.
    pub(crate) fn role_name(&self) -> String {
        format!("{}:{}", self.namespace, self.name)
    }

    pub(crate) fn namespace_object(&self) -> Namespace {
        Namespace { metadata: marked(&self.namespace, None), ..Namespace::default() }
    }

    pub(crate) fn service_account(&self) -> ServiceAccount {
        ServiceAccount {
            metadata: self.meta(&self.name, Some(&self.namespace)),
            // No pod runs as it.
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        }
    }

    /// The rights of the hub's table that hold in the whole cluster: all of them, or for an account of some namespaces
    /// those on what lies in none.
    pub(crate) fn role(&self) -> ClusterRole {
        let role = match self.watched {
            Namespaces::All => cluster_role(&self.role_name(), NEEDS),
            Namespaces::Only(_) => namespaced_roles(&self.role_name(), &[], NEEDS).0,
        };
        ClusterRole { metadata: self.meta(&self.role_name(), None), ..role }
    }

    pub(crate) fn binding(&self) -> ClusterRoleBinding {
        ClusterRoleBinding {
            metadata: self.meta(&self.role_name(), None),
            role_ref: self.role_ref("ClusterRole"),
            subjects: Some(vec![self.subject()]),
        }
    }

    /// For each namespace of an account of some, its rights there; none for an account of all.
    pub(crate) fn roles(&self) -> Vec<(Role, RoleBinding)> {
        let namespaces: Vec<&str> = self.watched.names().map(NamespaceName::as_str).collect();
        let (_, roles) = namespaced_roles(&self.role_name(), &namespaces, NEEDS);
        let bound = |(role, namespace): (Role, &&str)| {
            let metadata = self.meta(&self.role_name(), Some(namespace));
            let binding = RoleBinding {
                metadata: metadata.clone(),
                role_ref: self.role_ref("Role"),
                subjects: Some(vec![self.subject()]),
            };
            (Role { metadata, ..role }, binding)
        };
        roles.into_iter().zip(&namespaces).map(bound).collect()
    }

    fn role_ref(&self, kind: &str) -> RoleRef {
        RoleRef {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: kind.to_owned(),
            name: self.role_name(),
        }
    }

    fn subject(&self) -> Subject {
        Subject {
            kind: "ServiceAccount".to_owned(),
            name: self.name.clone(),
            namespace: Some(self.namespace.clone()),
            api_group: None,
        }
    }
}

fn marked(name: &str, namespace: Option<&str>) -> ObjectMeta {
    let mark = (labels::MANAGED_BY.to_owned(), labels::MANAGED_BY_HOMEBASE.to_owned());
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        labels: Some([mark].into()),
        ..ObjectMeta::default()
    }
}

/// Where and how the hub reaches an apiserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) server: String,
    /// Certificates as DER; none for the hub's system trust store.
    authorities: Option<Vec<Vec<u8>>>,
    tls_server_name: Option<String>,
    /// Whether the server is not verified, as an insecure registration may say.
    unverified: bool,
    /// The proxy on the way, likewise.
    proxy: Option<String>,
    /// Whether the hub has been asked to take what is insecure.
    allow_insecure: bool,
}

impl Endpoint {
    /// From the caller's own configuration, with what is to be different for the hub.
    pub(crate) fn new(config: &Config, server: Option<&str>, tls_server_name: Option<&str>) -> Self {
        let own_url = config.cluster_url.to_string();
        Self {
            // A URL without a path gets one when it is parsed.
            server: server.map_or_else(|| own_url.trim_end_matches('/').to_owned(), str::to_owned),
            authorities: config.root_cert.clone(),
            tls_server_name: tls_server_name.map(str::to_owned).or_else(|| config.tls_server_name.clone()),
            unverified: false,
            proxy: None,
            allow_insecure: false,
        }
    }

    /// The same as in a registration, which stays as insecure as it is.
    pub(crate) fn of_registration(kubeconfig: &SanitizedKubeconfig) -> Self {
        let authorities = match kubeconfig.trust() {
            Trust::Authorities(authorities) => Some(authorities.clone()),
            Trust::SystemRoots | Trust::Unverified | Trust::Plaintext => None,
        };
        Self {
            server: kubeconfig.server().url().to_owned(),
            authorities,
            tls_server_name: kubeconfig.tls_server_name().map(str::to_owned),
            unverified: *kubeconfig.trust() == Trust::Unverified,
            proxy: kubeconfig.proxy().map(|proxy| proxy.url().to_owned()),
            allow_insecure: !kubeconfig.insecurities().is_empty(),
        }
    }

    /// A self-contained kubeconfig that the hub takes, checked by the hub's own rules.
    pub(crate) fn kubeconfig(&self, id: &ClusterId, token: &str) -> anyhow::Result<String> {
        let name = id.as_str();
        let mut cluster = json!({"server": self.server});
        if let Some(authorities) = &self.authorities {
            cluster["certificate-authority-data"] = STANDARD.encode(pem(authorities)).into();
        }
        if let Some(tls_server_name) = &self.tls_server_name {
            cluster["tls-server-name"] = tls_server_name.as_str().into();
        }
        if self.unverified {
            cluster["insecure-skip-tls-verify"] = true.into();
        }
        if let Some(proxy) = &self.proxy {
            cluster["proxy-url"] = proxy.as_str().into();
        }
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        });
        // Each value on the line of its field, as kubectl writes it and people grep for it.
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let text =
            serde_saphyr::to_string_with_options(&kubeconfig, options).context("write the kubeconfig")?;
        checked(text.as_bytes(), self.allow_insecure)?;
        Ok(text)
    }

    /// Why the hub may not be able to use the address; none when nothing is known against it.
    pub(crate) fn doubt(&self) -> Option<String> {
        let url: http::Uri = self.server.parse().ok()?;
        let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = host == "localhost"
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| DestinationPolicy { allow_loopback: false }.check(address).is_err());
        is_loopback.then(|| {
            format!(
                "{host} is an address of this machine: the hub reaches it only when it runs here with \
                 --allow-loopback-destinations; otherwise give the address that it reaches with --server"
            )
        })
    }
}

/// Holds a kubeconfig against the hub's rules, and says all that is wrong with it.
pub(crate) fn checked(bytes: &[u8], allow_insecure: bool) -> anyhow::Result<SanitizedKubeconfig> {
    sanitize(bytes, &Policy { allow_insecure, ..Policy::default() }).map_err(|rejections| {
        let faults: Vec<String> = rejections.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the hub would not take this kubeconfig: {}", faults.join("; "))
    })
}

/// Namespaces as an annotation has them.
pub(crate) fn annotation_of(namespaces: &Namespaces) -> Option<String> {
    let names: Vec<&str> = namespaces.names().map(NamespaceName::as_str).collect();
    namespaces.is_list().then(|| names.join(","))
}

/// The registration Secret, as it is created.
pub(crate) fn secret(name: &str, namespace: &str, kubeconfig: String, watched: &Namespaces) -> Secret {
    let mut metadata = marked(name, Some(namespace));
    // It is the user's, so it does not say that the hub manages it.
    metadata.labels = Some([(labels::CLUSTER.to_owned(), labels::TRUE.to_owned())].into());
    metadata.annotations =
        annotation_of(watched).map(|list| [(annotations::WATCH_NAMESPACES.to_owned(), list)].into());
    Secret {
        metadata,
        type_: Some("Opaque".to_owned()),
        string_data: Some([("kubeconfig".to_owned(), kubeconfig)].into()),
        ..Secret::default()
    }
}

fn pem(certificates: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for der in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut rest = STANDARD.encode(der);
        while !rest.is_empty() {
            let tail = rest.split_off(rest.len().min(PEM_LINE));
            text.push_str(&rest);
            text.push('\n');
            rest = tail;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}
