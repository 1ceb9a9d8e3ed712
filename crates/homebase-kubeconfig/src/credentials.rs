//! How the hub proves to the apiserver who it is: a bearer token or a client certificate, exactly one of
//! the two. It must not accept anything that has to be fetched from elsewhere.

use zeroize::Zeroizing;

use crate::faults::{Faults, Refused};
use crate::pem;
use crate::policy::MAX_TOKEN_BYTES;
use crate::rejection::RejectionKind;
use crate::secret::{SecretBytes, SecretString};
use crate::shape::Fields;

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
}

const CERTIFICATE: &str = "client-certificate-data";
const KEY: &str = "client-key-data";

/// Reads the credentials of `users[].user`, if it has any.
pub(crate) fn read_credentials(
    fields: &Fields<'_>,
    faults: &mut Faults,
) -> Result<Option<Credentials>, Refused> {
    let token = read_token(fields, faults);
    let certificate = pem::read_certificates(fields, CERTIFICATE, faults);
    let key = pem::read_private_key(fields, KEY, faults);
    let (token, certificate, key) = (token?, certificate?, key?);
    let path = |field| fields.path(field);
    match (token, certificate, key) {
        (None, None, None) => Ok(None),
        (Some(token), None, None) => Ok(Some(Credentials::Token(token))),
        (None, Some(certificate), Some(key)) => Ok(Some(Credentials::ClientCertificate {
            certificate_pem: certificate.pem,
            key_pem: SecretBytes::new(key),
        })),
        (Some(_), _, _) => {
            let fix = "a user has a token or a client certificate; remove the one that the hub is not to use";
            Err(faults.add(path("token"), RejectionKind::Conflict { fix }))
        }
        (None, Some(_), None) => {
            Err(faults
                .add(path(KEY), RejectionKind::Missing { fix: "add the key of `client-certificate-data`" }))
        }
        (None, None, Some(_)) => Err(faults.add(
            path(CERTIFICATE),
            RejectionKind::Missing { fix: "add the certificate of `client-key-data`" },
        )),
    }
}

fn read_token(fields: &Fields<'_>, faults: &mut Faults) -> Result<Option<SecretString>, Refused> {
    const FIELD: &str = "token";
    let Some(token) = fields.text(FIELD, MAX_TOKEN_BYTES, faults)? else { return Ok(None) };
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Some(SecretString::new(Zeroizing::new(token.to_owned()))));
    }
    let fix = "must be visible ASCII without blanks or line ends: write the token on the line of its field";
    Err(faults.add(fields.path(FIELD), RejectionKind::Malformed { fix }))
}
