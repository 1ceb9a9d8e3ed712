//! Base64 fields that hold PEM: certificates and private keys. It decides whether they are complete and of
//! the right sort; it must not judge dates, names or signatures, which is the TLS client's work.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use zeroize::Zeroizing;

use crate::faults::{Faults, Refused};
use crate::policy::MAX_PEM_FIELD_BYTES;
use crate::rejection::RejectionKind;
use crate::shape::Fields;

const BASE64_FORM: &str = "must be base64 of PEM text, as `kubectl config view --raw --flatten` writes it";
const PEM_FORM: &str = "must be complete PEM text within the base64: check that nothing is cut off";
const CERTIFICATE_FORM: &str = "must hold one or more PEM sections `CERTIFICATE`";
const NO_KEY_HERE: &str = "must hold certificates only: move the private key to the field for it";
const KEY_FORM: &str = "must hold exactly one PEM section with an unencrypted private key (`PRIVATE KEY`, \
                        `RSA PRIVATE KEY` or `EC PRIVATE KEY`)";

/// A PEM text and the contents of its sections.
struct Pem {
    text: Zeroizing<Vec<u8>>,
    sections: Vec<(SectionKind, Zeroizing<Vec<u8>>)>,
}

/// Certificates as PEM text and, in the same order, as DER.
pub(crate) struct Certificates {
    pub(crate) pem: Vec<u8>,
    pub(crate) der: Vec<Vec<u8>>,
}

/// Reads a field that must hold certificates.
pub(crate) fn read_certificates(
    fields: &Fields<'_>,
    field: &'static str,
    faults: &mut Faults,
) -> Result<Option<Certificates>, Refused> {
    let Some(pem) = read_pem(fields, field, faults)? else { return Ok(None) };
    let fix = if pem.sections.iter().any(|(kind, _)| is_private_key(*kind)) {
        NO_KEY_HERE
    } else if pem.sections.iter().any(|(kind, _)| *kind == SectionKind::Certificate) {
        let certificates = pem.sections.iter().filter(|(kind, _)| *kind == SectionKind::Certificate);
        let der = certificates.map(|(_, der)| der.to_vec()).collect();
        return Ok(Some(Certificates { pem: pem.text.to_vec(), der }));
    } else {
        CERTIFICATE_FORM
    };
    Err(faults.add(fields.path(field), RejectionKind::Malformed { fix }))
}

/// Reads a field that must hold one private key, and returns it as PEM.
pub(crate) fn read_private_key(
    fields: &Fields<'_>,
    field: &'static str,
    faults: &mut Faults,
) -> Result<Option<Zeroizing<Vec<u8>>>, Refused> {
    let Some(pem) = read_pem(fields, field, faults)? else { return Ok(None) };
    if pem.sections.iter().filter(|(kind, _)| is_private_key(*kind)).count() == 1 {
        return Ok(Some(pem.text));
    }
    Err(faults.add(fields.path(field), RejectionKind::Malformed { fix: KEY_FORM }))
}

fn is_private_key(kind: SectionKind) -> bool {
    matches!(kind, SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey)
}

fn read_pem(fields: &Fields<'_>, field: &'static str, faults: &mut Faults) -> Result<Option<Pem>, Refused> {
    let Some(encoded) = fields.text(field, MAX_PEM_FIELD_BYTES, faults)? else { return Ok(None) };
    decode(encoded).map(Some).map_err(|kind| faults.add(fields.path(field), kind))
}

fn decode(encoded: &str) -> Result<Pem, RejectionKind> {
    // kubectl reads base64 with line ends in it, so people have such files.
    let joined: Zeroizing<Vec<u8>> =
        Zeroizing::new(encoded.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect());
    let text = STANDARD.decode(&*joined).map_err(|_| RejectionKind::Malformed { fix: BASE64_FORM })?;
    let text = Zeroizing::new(text);
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(&text)
        .map(|section| section.map(|(kind, der)| (kind, Zeroizing::new(der))))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| RejectionKind::Malformed { fix: PEM_FORM })?;
    if sections.iter().all(|(_, der)| is_der_sequence(der)) {
        Ok(Pem { text, sections })
    } else {
        Err(RejectionKind::Malformed { fix: PEM_FORM })
    }
}

/// Whether the bytes are one ASN.1 SEQUENCE and nothing after it, as certificates and keys are: enough to
/// tell a section that was cut and joined again from one that was not.
fn is_der_sequence(der: &[u8]) -> bool {
    const SEQUENCE: u8 = 0x30;
    const LONG_FORM: u8 = 0x80;
    let [SEQUENCE, length, rest @ ..] = der else { return false };
    if *length < LONG_FORM {
        return usize::from(*length) == rest.len();
    }
    let count = usize::from(*length & !LONG_FORM);
    // More than three bytes of length would be more than 16 MiB.
    if !(1..=3).contains(&count) || rest.len() < count {
        return false;
    }
    let (length, content) = rest.split_at(count);
    length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)) == content.len()
}
