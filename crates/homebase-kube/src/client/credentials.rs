//! Fills kube's configuration field by field from a sanitized kubeconfig. kube's loader is never called: it
//! would run programs and read files that a kubeconfig names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use homebase_kubeconfig::{Credentials, SanitizedKubeconfig, Trust};
use kube::Config;
use kube::config::AuthInfo;
use secrecy::SecretString;

use super::{BuildClientError, bare_config};

/// The configuration of a client for this kubeconfig, but for its proxy.
pub fn config_of(kubeconfig: &SanitizedKubeconfig) -> Result<Config, BuildClientError> {
    let server = kubeconfig.server().url().parse().map_err(|_| BuildClientError::ParseServer)?;
    let mut config = bare_config(server);
    config.root_cert = match kubeconfig.trust() {
        Trust::Authorities(authorities) => Some(authorities.clone()),
        Trust::SystemRoots | Trust::Unverified | Trust::Plaintext => None,
    };
    config.accept_invalid_certs = *kubeconfig.trust() == Trust::Unverified;
    config.tls_server_name = kubeconfig.tls_server_name().map(str::to_owned);
    config.auth_info = auth_info(kubeconfig.credentials());
    Ok(config)
}

fn auth_info(credentials: &Credentials) -> AuthInfo {
    let certificate = credentials.certificate();
    AuthInfo {
        token: credentials.token().map(|token| SecretString::from(token.expose().to_owned())),
        client_certificate_data: certificate.map(|found| STANDARD.encode(&found.certificate_pem)),
        client_key_data: certificate.map(|found| SecretString::from(STANDARD.encode(found.key_pem.expose()))),
        ..AuthInfo::default()
    }
}
