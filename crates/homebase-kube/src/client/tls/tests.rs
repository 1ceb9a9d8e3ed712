//! What is said of each unusable part of TLS, and which serving certificates are their own authority.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Config;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{CertificateError, Error};

use super::{Authorities, UnusableTls, client_config};
use crate::client::{BuildClientError, bare_config};

fn config() -> Config {
    bare_config("https://api.example.com".parse().unwrap())
}

fn pair(is_ca: bool) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["api.example.com".to_owned()]).unwrap();
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    (params.self_signed(&key).unwrap(), key)
}

fn with_client(certificate: &str, key: &str) -> Config {
    let mut config = config();
    config.root_cert = Some(vec![pair(true).0.der().to_vec()]);
    config.auth_info.client_certificate_data = Some(STANDARD.encode(certificate));
    config.auth_info.client_key_data = Some(STANDARD.encode(key).into());
    config
}

fn refused(config: &Config) -> UnusableTls {
    match client_config(config).err().unwrap() {
        BuildClientError::SetUpTls(why) => why,
        other => panic!("{other}"),
    }
}

/// PEM of the right kind whose content is one ASN.1 sequence and nothing more: what the sanitizer lets through.
fn hollow(kind: &str) -> String {
    format!("-----BEGIN {kind}-----\nMAMCAQA=\n-----END {kind}-----\n")
}

#[test]
fn each_unusable_part_is_named() {
    let (certificate, key) = pair(false);
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let other = pair(false).1.serialize_pem();
    assert_eq!(refused(&with_client(&certificate, &hollow("PRIVATE KEY"))), UnusableTls::Key);
    assert_eq!(refused(&with_client(&hollow("CERTIFICATE"), &key)), UnusableTls::Certificate);
    assert_eq!(refused(&with_client(&certificate, &other)), UnusableTls::Mismatch);
    let mut authority = config();
    authority.root_cert = Some(vec![b"0\x03\x02\x01\0".to_vec()]);
    assert_eq!(refused(&authority), UnusableTls::Authority);
    assert!(client_config(&with_client(&certificate, &key)).is_ok());
}

#[test]
fn a_serving_certificate_that_is_an_authority_is_its_own() {
    let (certificate, _) = pair(true);
    let (other, _) = pair(true);
    let tls = client_config(&config_of(&certificate)).unwrap();
    let verifier = Authorities::new(&[certificate.der().to_vec()], &tls).unwrap();
    let verify = |certificate: &rcgen::Certificate, name: &str, now: u64| {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
        verifier.verify_server_cert(certificate.der(), &[], &name, &[], now).map(drop)
    };
    let now = 1_800_000_000;
    assert_eq!(verify(&certificate, "api.example.com", now), Ok(()));
    assert!(matches!(
        verify(&certificate, "other.example.com", now),
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        ))
    ));
    assert_eq!(verify(&certificate, "api.example.com", 1), Err(CertificateError::NotValidYet.into()));
    let after_4096 = 70_000_000_000;
    assert_eq!(verify(&certificate, "api.example.com", after_4096), Err(CertificateError::Expired.into()));
    assert!(
        verify(&other, "api.example.com", now).is_err(),
        "trusts a certificate that is no authority here"
    );
}

fn config_of(authority: &rcgen::Certificate) -> Config {
    let mut config = config();
    config.root_cert = Some(vec![authority.der().to_vec()]);
    config
}
