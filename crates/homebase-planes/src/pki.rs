//! The certificates and keys of one plane: a throw-away authority, the
//! apiserver's serving certificate, and client certificates. It must not be
//! used for anything that outlives a test.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

use crate::{Error, Result};

/// The group that RBAC lets do everything. Components belong to it as well:
/// planes are for tests of the hub, not of Kubernetes' own roles.
const MASTERS_GROUP: &str = "system:masters";

/// The first address of the service range, at which `kubernetes.default` lives.
const SERVICE_ADDRESS: &str = "10.0.0.1";

/// Longer than any test runs.
const BEFORE_THE_END: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate and its private key, both PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// The authority of one plane.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// Its key must not be printed.
impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new authority.
    ///
    /// # Errors
    /// If the machine has no randomness.
    pub fn generate(plane: &str) -> Result<Self> {
        let subject = format!("authority of {plane}");
        let fail = |source| Error::Certificate { subject: subject.clone(), source };
        let mut params = CertificateParams::default();
        // Names differ between planes, so that a mix-up is visible in an error.
        params.distinguished_name = name(&format!("control plane {plane}"), None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(fail)?;
        let certificate = params.self_signed(&key).map_err(fail)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// The authority's own certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The serving certificate of the apiserver.
    pub fn serving(&self) -> Result<Identity> {
        let names = [
            "localhost",
            "127.0.0.1",
            SERVICE_ADDRESS,
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        self.serving_as(&names)
    }

    /// The same for other names.
    pub fn serving_as(&self, names: &[&str]) -> Result<Identity> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names)
            .map_err(|source| Error::Certificate { subject: "kube-apiserver".to_owned(), source })?;
        self.issue(params, "kube-apiserver", None, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client certificate for a user who may do everything.
    pub(crate) fn client(&self, user: &str) -> Result<Identity> {
        let params = CertificateParams::default();
        self.issue(params, user, Some(MASTERS_GROUP), ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A client certificate for a user in no group, who may do what is bound to the name.
    pub(crate) fn plain_client(&self, user: &str) -> Result<Identity> {
        self.issue(CertificateParams::default(), user, None, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// The same, but valid until a moment, and was from a day before it. X.509 knows whole seconds only.
    pub(crate) fn client_until(&self, user: &str, end: SystemTime) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.not_before = (end - BEFORE_THE_END).into();
        params.not_after = end.into();
        self.issue(params, user, None, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        subject: &str,
        group: Option<&str>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Identity> {
        let fail = |source| Error::Certificate { subject: subject.to_owned(), source };
        params.distinguished_name = name(subject, group);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(fail)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(fail)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

/// The key pair of service account tokens.
#[derive(Debug, Clone)]
pub(crate) struct TokenKey {
    /// Signs tokens, PEM.
    pub(crate) private: String,
    /// Verifies them, PEM.
    pub(crate) public: String,
}

/// Makes the key pair of service account tokens.
pub(crate) fn service_account_key() -> Result<TokenKey> {
    let subject = "service accounts".to_owned();
    let key = KeyPair::generate().map_err(|source| Error::Certificate { subject, source })?;
    Ok(TokenKey { private: key.serialize_pem(), public: key.public_key_pem() })
}

fn name(common_name: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name
}
