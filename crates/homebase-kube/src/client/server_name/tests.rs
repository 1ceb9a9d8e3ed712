//! The expected name is never told, and everything else is left as it is.

use std::io;

use homebase_core::Chain;
use rustls::CertificateError;
use rustls::pki_types::ServerName;

use super::{BoxError, without_expected_name};

fn wrong_name(presented: &[&str]) -> BoxError {
    let presented = presented.iter().map(|name| (*name).to_owned()).collect();
    let expected = ServerName::try_from("c4n4ry.example.com").unwrap();
    let error = CertificateError::NotValidForNameContext { expected, presented };
    // As hyper-rustls hands it on.
    io::Error::other(io::Error::other(rustls::Error::InvalidCertificate(error))).into()
}

fn told(error: BoxError) -> String {
    Chain(without_expected_name(error).as_ref()).to_string()
}

#[test]
fn the_names_of_the_certificate_are_told_and_the_expected_one_is_not() {
    let error = wrong_name(&["DnsName(\"a.example.com\")", "IpAddress(10.0.0.1)"]);
    assert!(error.to_string().contains("c4n4ry"));
    let words = told(error);
    assert!(!words.contains("c4n4ry"), "{words}");
    assert!(words.contains("it is for DnsName(\"a.example.com\"), IpAddress(10.0.0.1):"), "{words}");
}

#[test]
fn a_certificate_for_nothing_or_for_too_much_stays_readable() {
    assert!(told(wrong_name(&[])).contains("no name that can be read"));
    let long = "\u{1b}".to_owned() + &"x".repeat(10_000);
    let words = told(wrong_name(&[long.as_str(); 1000]));
    assert!(words.len() < 2_000 && words.contains("995 others") && !words.contains('\u{1b}'), "{words}");
}

#[test]
fn another_error_stays_what_it_is() {
    let error = io::Error::other(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer));
    assert_eq!(told(error.into()), "invalid peer certificate: UnknownIssuer");
}
