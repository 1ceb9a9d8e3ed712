//! From all entries of a kubeconfig to the one context in use: which cluster, which user, and whether they
//! have what a connection needs. It must not guess a context that was not named.

use crate::config::{SanitizedKubeconfig, Way};
use crate::credentials::Credentials;
use crate::entries::{AUTHORITIES, CLIENT_CERTIFICATE, Cluster, Entries, Entry, PROXY_URL};
use crate::faults::{Faults, Refused};
use crate::policy::Policy;
use crate::rejection::{Path, RejectionKind};
use crate::server::{Server, check_way};
use crate::trust::Trust;

impl Entries<'_> {
    /// The configuration that `current-context` describes.
    pub(crate) fn effective(
        self,
        policy: &Policy,
        faults: &mut Faults,
    ) -> Result<SanitizedKubeconfig, Refused> {
        let path = Path::document().field("current-context");
        let Some(name) = self.current_context? else {
            let fix = "name the context that the hub is to use (`kubectl config use-context NAME`)";
            return Err(faults.add(path, RejectionKind::Missing { fix }));
        };
        let context = find(self.contexts?, name, path, "contexts", faults)?;
        let place = context.path.field("context");
        let context = context.content?;
        let cluster = self
            .clusters
            .and_then(|list| find(list, context.cluster, place.field("cluster"), "clusters", faults));
        let cluster = cluster.and_then(|entry| complete_cluster(entry, policy, faults));
        let user = self.users.and_then(|list| find(list, context.user, place.field("user"), "users", faults));
        let user = user.and_then(|entry| complete_user(entry, faults));
        let (cluster, (credentials, user_path)) = (cluster?, user?);
        credentials
            .check_transport(&cluster.server)
            .map_err(|kind| faults.add(user_path.field(CLIENT_CERTIFICATE), kind))?;
        Ok(SanitizedKubeconfig::new(
            Way { server: cluster.server, proxy: cluster.proxy },
            cluster.trust,
            cluster.tls_server_name,
            credentials,
            context.namespace,
        ))
    }
}

struct CompleteCluster {
    server: Server,
    proxy: Option<Server>,
    trust: Trust,
    tls_server_name: Option<String>,
}

fn find<'a, T>(
    entries: Vec<Entry<'a, T>>,
    name: &str,
    reference: Path,
    list: &'static str,
    faults: &mut Faults,
) -> Result<Entry<'a, T>, Refused> {
    let found = entries.into_iter().find(|entry| entry.name == name);
    found.ok_or_else(|| faults.add(reference, RejectionKind::Dangling { list }))
}

fn complete_cluster(
    entry: Entry<'_, Cluster>,
    policy: &Policy,
    faults: &mut Faults,
) -> Result<CompleteCluster, Refused> {
    let path = entry.path.field("cluster");
    let cluster = entry.content?;
    let Some(server) = cluster.server else {
        let fix = "add the URL of the apiserver";
        return Err(faults.add(path.field("server"), RejectionKind::Missing { fix }));
    };
    let tls = cluster.tls;
    let trust = tls.trust(&server, policy).map_err(|kind| faults.add(path.field(AUTHORITIES), kind))?;
    let proxy = cluster.proxy;
    check_way(&server, proxy.as_ref()).map_err(|kind| faults.add(path.field(PROXY_URL), kind))?;
    Ok(CompleteCluster { server, proxy, trust, tls_server_name: tls.server_name })
}

fn complete_user(
    entry: Entry<'_, Option<Credentials>>,
    faults: &mut Faults,
) -> Result<(Credentials, Path), Refused> {
    let path = entry.path.field("user");
    let Some(credentials) = entry.content? else {
        let fix = "add a `token`, or `client-certificate-data` with `client-key-data`";
        return Err(faults.add(path.field("token"), RejectionKind::Missing { fix }));
    };
    Ok((credentials, path))
}
