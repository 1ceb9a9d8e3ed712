//! How the apiserver proves who it is, in whatever words a convention says it. It must not verify anything:
//! that is the TLS client's work.

use crate::faults::{Faults, Refused};
use crate::pem;
use crate::policy::{MAX_HOST_BYTES, Policy};
use crate::rejection::RejectionKind;
use crate::server::{Server, is_host};
use crate::shape::Fields;

/// What makes the apiserver trustworthy. A client must handle each case: there is no default to fall into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A certificate from one of these authorities, each as DER. Never empty.
    Authorities(Vec<Vec<u8>>),
    /// A certificate from an authority of the hub's system trust store.
    SystemRoots,
    /// Any certificate at all. Only with [`Policy::allow_insecure`].
    Unverified,
    /// No TLS. Only with [`Policy::allow_insecure`].
    Plaintext,
}

impl Trust {
    /// A word for a log line or a status.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Authorities(_) => "Authorities",
            Self::SystemRoots => "SystemRoots",
            Self::Unverified => "Unverified",
            Self::Plaintext => "Plaintext",
        }
    }
}

/// What a convention calls the fields about the server's certificate, and what to do about them.
pub(crate) struct TlsFields {
    pub(crate) authorities: &'static str,
    pub(crate) server_name: &'static str,
    pub(crate) unverified: &'static str,
    pub(crate) insecure_fix: &'static str,
    pub(crate) conflict_fix: &'static str,
}

/// What a registration says about the server's certificate.
pub(crate) struct Tls {
    authorities: Option<Vec<Vec<u8>>>,
    unverified: bool,
    pub(crate) server_name: Option<String>,
}

/// Reads the fields `names` of a mapping.
pub(crate) fn read_tls(
    fields: &Fields<'_>,
    names: &TlsFields,
    policy: &Policy,
    faults: &mut Faults,
) -> Result<Tls, Refused> {
    let authorities = pem::read_certificates(fields, names.authorities, faults);
    let server_name = read_server_name(fields, names.server_name, faults);
    let unverified = fields.flag(names.unverified, faults).and_then(|unverified| {
        if unverified && !policy.allow_insecure {
            let kind = RejectionKind::Insecure { fix: names.insecure_fix };
            return Err(faults.add(fields.path(names.unverified), kind));
        }
        Ok(unverified)
    });
    let (authorities, server_name, unverified) = (authorities?, server_name?, unverified?);
    if unverified && authorities.is_some() {
        let kind = RejectionKind::Conflict { fix: names.conflict_fix };
        return Err(faults.add(fields.path(names.unverified), kind));
    }
    Ok(Tls { authorities: authorities.map(|certificates| certificates.der), unverified, server_name })
}

fn read_server_name(
    fields: &Fields<'_>,
    field: &'static str,
    faults: &mut Faults,
) -> Result<Option<String>, Refused> {
    let Some(name) = fields.text(field, MAX_HOST_BYTES, faults)? else { return Ok(None) };
    if is_host(name) {
        return Ok(Some(name.to_owned()));
    }
    let fix = "must be a DNS name or an IP address that the server's certificate is made out to";
    Err(faults.add(fields.path(field), RejectionKind::Malformed { fix }))
}

impl Tls {
    /// How `server` is trusted, or which kind of fault it is that nothing says so.
    pub(crate) fn trust(&self, server: &Server, policy: &Policy) -> Result<Trust, RejectionKind> {
        match &self.authorities {
            _ if server.is_plaintext() => Ok(Trust::Plaintext),
            _ if self.unverified => Ok(Trust::Unverified),
            Some(authorities) => Ok(Trust::Authorities(authorities.clone())),
            None if policy.allow_system_roots => Ok(Trust::SystemRoots),
            None => Err(RejectionKind::Missing {
                fix: "add the certificates by which the server is known; this hub does not use its system trust store",
            }),
        }
    }
}
