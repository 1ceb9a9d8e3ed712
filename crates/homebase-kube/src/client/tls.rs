//! The TLS configuration of a client: which part of a registration is unusable and why, and a serving certificate that is
//! its own authority. It opens no connection, and no message holds a value of the registration.

use std::sync::Arc;

use homebase_kubeconfig::Validity;
use jiff::Timestamp;
use kube::Config;
use kube::client::{ConfigExt as _, RustlsTlsError};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::BuildClientError;

#[cfg(test)]
mod tests;

/// Which of the three parts of TLS is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableTls {
    /// The authority.
    #[error(
        "the certificate authority is not a certificate that can be read: copy it again, as base64 of the whole PEM text"
    )]
    Authority,
    /// The hub's own trust store.
    #[error("the kubeconfig names no certificate authority, and the hub's system trust store cannot be used")]
    SystemRoots,
    /// The certificate.
    #[error("the client certificate cannot be read: copy it again, as base64 of the whole PEM text")]
    Certificate,
    /// The key.
    #[error(
        "the client key is not a usable RSA, ECDSA or Ed25519 key: copy it again, as base64 of the whole PEM text"
    )]
    Key,
    /// Key and certificate are of different pairs.
    #[error("the client key does not belong to the client certificate: use the two of one pair")]
    Mismatch,
}

/// The TLS configuration for `config`.
pub(super) fn client_config(config: &Config) -> Result<ClientConfig, BuildClientError> {
    let mut tls = config.rustls_client_config().map_err(|error| explain(&error, config))?;
    if let Some(authorities) = &config.root_cert
        && !config.accept_invalid_certs
    {
        let verifier = Authorities::new(authorities, &tls)?;
        tls.dangerous().set_certificate_verifier(Arc::new(verifier));
    }
    Ok(tls)
}

fn explain(error: &kube::Error, config: &Config) -> UnusableTls {
    let kube::Error::RustlsTls(error) = error else { return UnusableTls::Certificate };
    match error {
        RustlsTlsError::AddRootCertificate(_) if config.root_cert.is_none() => UnusableTls::SystemRoots,
        RustlsTlsError::AddRootCertificate(_) => UnusableTls::Authority,
        RustlsTlsError::NoValidNativeRootCA(_) => UnusableTls::SystemRoots,
        RustlsTlsError::InvalidPrivateKey(Error::InvalidCertificate(_)) => UnusableTls::Certificate,
        RustlsTlsError::InvalidPrivateKey(Error::InconsistentKeys(_)) => UnusableTls::Mismatch,
        RustlsTlsError::InvalidPrivateKey(_)
        | RustlsTlsError::MissingPrivateKey
        | RustlsTlsError::UnknownPrivateKeyFormat => UnusableTls::Key,
        _ => UnusableTls::Certificate,
    }
}

/// Verifies a server against the authorities of its registration as Go's client does, and so kubectl: a serving
/// certificate that is itself one of them is trusted for its own dates and names, although it may be marked as an authority
/// (`CA:TRUE`), which webpki refuses for a server.
#[derive(Debug)]
struct Authorities {
    chains: Arc<WebPkiServerVerifier>,
    authorities: Vec<CertificateDer<'static>>,
}

impl Authorities {
    fn new(authorities: &[Vec<u8>], tls: &ClientConfig) -> Result<Self, UnusableTls> {
        let authorities: Vec<CertificateDer<'static>> =
            authorities.iter().cloned().map(CertificateDer::from).collect();
        let mut store = RootCertStore::empty();
        for authority in &authorities {
            store.add(authority.clone()).map_err(|_| UnusableTls::Authority)?;
        }
        let provider = tls.crypto_provider().clone();
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        Ok(Self { chains: chains.map_err(|_| UnusableTls::Authority)?, authorities })
    }

    fn is_authority(&self, certificate: &CertificateDer<'_>) -> bool {
        self.authorities.iter().any(|authority| authority.as_ref() == certificate.as_ref())
    }
}

/// Holds the dates and names of a certificate that needs no issuer.
fn verify_alone(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let validity = Validity::of_certificate(certificate);
    let now = i64::try_from(now.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let now = now.ok_or(Error::FailedToGetCurrentTime)?;
    if validity.not_before().is_some_and(|start| now < start) {
        return Err(CertificateError::NotValidYet.into());
    }
    if validity.not_after().is_some_and(|end| now > end) {
        return Err(CertificateError::Expired.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
    Ok(ServerCertVerified::assertion())
}

impl ServerCertVerifier for Authorities {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.is_authority(certificate) {
            return verify_alone(certificate, name, now);
        }
        self.chains.verify_server_cert(certificate, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
