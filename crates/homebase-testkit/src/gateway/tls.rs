//! The certificates of a gateway that ends TLS itself: a good one, one of a strange authority, one for a strange
//! name. It must not decide when which is shown.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Behaviour;
use homebase_planes::{Authority, Error, Identity, Result};

/// A name that no kubeconfig of a test asks for.
const OTHER_NAME: &str = "another-apiserver.example.com";

/// What the gateway can show of itself.
#[derive(Debug)]
pub(super) struct Identities {
    good: Arc<ServerConfig>,
    other_authority: Arc<ServerConfig>,
    other_name: Arc<ServerConfig>,
}

impl Identities {
    pub(super) fn make(authority: &Authority) -> Result<Self> {
        let stranger = Authority::generate("a-stranger")?;
        Ok(Self {
            good: config(&authority.serving()?)?,
            other_authority: config(&stranger.serving()?)?,
            other_name: config(&authority.serving_as(&[OTHER_NAME])?)?,
        })
    }

    pub(super) fn of(&self, behaviour: Behaviour) -> Arc<ServerConfig> {
        match behaviour {
            Behaviour::OtherAuthority => self.other_authority.clone(),
            Behaviour::OtherName => self.other_name.clone(),
            _ => self.good.clone(),
        }
    }
}

/// It offers HTTP/1.1 only, which is what the answers are written in.
pub(super) fn config(identity: &Identity) -> Result<Arc<ServerConfig>> {
    let read = || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    };
    read().map_err(|source| Error::Failed { action: "set up TLS of a gateway".to_owned(), source })
}
