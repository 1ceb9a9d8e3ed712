//! How the hub proves to the apiserver who it is: a bearer token or a client certificate, exactly one of
//! the two. It must not accept anything that has to be fetched from elsewhere.

use zeroize::Zeroizing;

use crate::faults::{Faults, Refused};
use crate::pem;
use crate::policy::MAX_TOKEN_BYTES;
use crate::rejection::RejectionKind;
use crate::secret::{SecretBytes, SecretString};
use crate::server::Server;
use crate::shape::Fields;
use crate::validity::Validity;

/// The credentials of a work cluster's service account or user.
pub enum Credentials {
    /// A bearer token: visible ASCII without blanks, so that it fits a header as it is.
    Token(SecretString),
    /// A certificate and the private key to it, both PEM. Whether the two match is seen when they are used.
    ClientCertificate {
        /// The certificate, perhaps with its chain.
        certificate_pem: Vec<u8>,
        /// The one private key, not encrypted.
        key_pem: SecretBytes,
    },
}

impl Credentials {
    /// A word for a log line or a status.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Token(_) => "Token",
            Self::ClientCertificate { .. } => "ClientCertificate",
        }
    }

    pub(crate) fn validity(&self) -> Validity {
        match self {
            Self::Token(token) => Validity::of_token(token.expose()),
            Self::ClientCertificate { certificate_pem, .. } => Validity::of_certificates(certificate_pem),
        }
    }

    /// Whether the credentials can be shown to `server` at all.
    pub(crate) fn check_transport(&self, server: &Server) -> Result<(), RejectionKind> {
        if server.is_plaintext() && matches!(self, Self::ClientCertificate { .. }) {
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
    let ((fields, field), kind) = match (token?, certificate?, key?) {
        (None, None, None) => return Ok(None),
        (Some(token), None, None) => return Ok(Some(Credentials::Token(token))),
        (None, Some(certificate), Some(key)) => {
            return Ok(Some(Credentials::ClientCertificate {
                certificate_pem: certificate.pem,
                key_pem: SecretBytes::new(key),
            }));
        }
        (Some(_), _, _) => {
            let fix = "a user has a token or a client certificate; remove the one that the hub is not to use";
            (sources.token, RejectionKind::Conflict { fix })
        }
        (None, Some(_), None) => {
            (sources.key, RejectionKind::Missing { fix: "add the key of the client certificate" })
        }
        (None, None, Some(_)) => {
            (sources.certificate, RejectionKind::Missing { fix: "add the certificate of the client key" })
        }
    };
    Err(faults.add(fields.path(field), kind))
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
