//! The text of self-contained kubeconfigs. It must never write a path: what
//! comes out is usable by a hub that refuses to read files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::pki::Identity;

/// How the user of a kubeconfig proves who it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Credential<'a> {
    Certificate(&'a Identity),
    Token(&'a str),
}

/// A kubeconfig with one cluster, one user and one context, all named `name`,
/// which must need no quoting (names of planes do not).
pub(crate) fn render(name: &str, server: &str, authority: &str, credential: Credential<'_>) -> String {
    let user = match credential {
        Credential::Certificate(identity) => format!(
            "client-certificate-data: {}\n    client-key-data: {}",
            STANDARD.encode(&identity.certificate),
            STANDARD.encode(&identity.key)
        ),
        Credential::Token(token) => format!("token: {token}"),
    };
    let authority = STANDARD.encode(authority);
    format!(
        "apiVersion: v1
kind: Config
current-context: {name}
clusters:
- name: {name}
  cluster:
    server: {server}
    certificate-authority-data: {authority}
users:
- name: {name}
  user:
    {user}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {name}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_kubeconfig_is_understood_by_a_client() {
        let text = render("boston", "https://127.0.0.1:6443", "CA", Credential::Token("abc"));
        let config = kube::config::Kubeconfig::from_yaml(&text).unwrap();
        assert_eq!(config.current_context.as_deref(), Some("boston"));
        let user = config.auth_infos[0].auth_info.clone().unwrap();
        assert!(user.token.is_some());
        let cluster = config.clusters[0].cluster.clone().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:6443"));
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some(STANDARD.encode("CA").as_str()));
    }
}
