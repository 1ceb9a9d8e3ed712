//! How the hub authenticates to the apiserver: with a bearer token, a client certificate, or both. It must not accept
//! anything that has to be fetched from elsewhere.

use zeroize::Zeroizing;

use crate::faults::{Faults, Refused};
use crate::pem;
use crate::policy::MAX_TOKEN_BYTES;
use crate::rejection::RejectionKind;
use crate::secret::{SecretBytes, SecretString};
use crate::server::Server;
use crate::shape::Fields;
use crate::validity::Validity;

/// The credentials of a work cluster's service account or user: a token, a client certificate, or both, as kubectl sends
/// both (AKS writes such kubeconfigs).
pub struct Credentials {
    token: Option<SecretString>,
    certificate: Option<ClientCertificate>,
}

/// A certificate and the private key to it, both PEM. Whether the two match is checked when they are used.
pub struct ClientCertificate {
    /// The certificate, perhaps with its chain.
    pub certificate_pem: Vec<u8>,
    /// The one private key, not encrypted.
    pub key_pem: SecretBytes,
}

impl Credentials {
    /// The bearer token: visible ASCII without blanks, so that it fits a header as it is.
    pub fn token(&self) -> Option<&SecretString> {
        self.token.as_ref()
    }

    /// The client certificate.
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_ref()
    }

    /// A word for a log line or a status.
    pub fn as_str(&self) -> &'static str {
        match (&self.token, &self.certificate) {
            (_, None) => "Token",
            (None, Some(_)) => "ClientCertificate",
            (Some(_), Some(_)) => "TokenAndClientCertificate",
        }
    }

    /// An apiserver authenticates by the certificate first, so its dates count where there is one.
    pub(crate) fn validity(&self) -> Validity {
        match (&self.certificate, &self.token) {
            (Some(certificate), _) => Validity::of_certificates(&certificate.certificate_pem),
            (None, Some(token)) => Validity::of_token(token.expose()),
            (None, None) => Validity::default(),
        }
    }

    /// Whether the credentials can be sent to `server` at all.
    pub(crate) fn check_transport(&self, server: &Server) -> Result<(), RejectionKind> {
        if server.is_plaintext() && self.certificate.is_some() {
            return Err(RejectionKind::Conflict { fix: "a client certificate needs a server with https://" });
        }
        Ok(())
    }
}

/// What a convention calls the parts of credentials, and in which mapping it keeps each.
pub(crate) struct CredentialFields<'f, 'a> {
    pub(crate) token: (&'f Fields<'a>, &'static str),
    pub(crate) certificate: (&'f Fields<'a>, &'static str),
    pub(crate) key: (&'f Fields<'a>, &'static str),
}

/// Reads the credentials, if there are any.
pub(crate) fn read_credentials(
    sources: &CredentialFields<'_, '_>,
    faults: &mut Faults,
) -> Result<Option<Credentials>, Refused> {
    let token = read_token(sources.token, faults);
    let certificate = pem::read_certificates(sources.certificate.0, sources.certificate.1, faults);
    let key = pem::read_private_key(sources.key.0, sources.key.1, faults);
    let (token, certificate, key) = (token?, certificate?, key?);
    let ((fields, field), fix) = match (certificate, key) {
        (None, None) if token.is_none() => return Ok(None),
        (None, None) => return Ok(Some(Credentials { token, certificate: None })),
        (Some(certificate), Some(key)) => {
            let certificate =
                ClientCertificate { certificate_pem: certificate.pem, key_pem: SecretBytes::new(key) };
            return Ok(Some(Credentials { token, certificate: Some(certificate) }));
        }
        (Some(_), None) => (sources.key, "add the key of the client certificate"),
        (None, Some(_)) => (sources.certificate, "add the certificate of the client key"),
    };
    Err(faults.add(fields.path(field), RejectionKind::Missing { fix }))
}

fn read_token(
    (fields, field): (&Fields<'_>, &'static str),
    faults: &mut Faults,
) -> Result<Option<SecretString>, Refused> {
    let Some(token) = fields.text(field, MAX_TOKEN_BYTES, faults)? else { return Ok(None) };
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Some(SecretString::new(Zeroizing::new(token.to_owned()))));
    }
    let fix = "must be visible ASCII without blanks or line ends: write the token on the line of its field";
    Err(faults.add(fields.path(field), RejectionKind::Malformed { fix }))
}
