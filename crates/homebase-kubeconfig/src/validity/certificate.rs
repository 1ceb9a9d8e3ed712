//! The dates of an X.509 certificate. It reads as far as the dates and no further: names, keys and extensions
//! are the TLS client's work, and a fault in them must not hide the dates.

use der::asn1::{AnyRef, GeneralizedTime, IntRef, UtcTime};
use der::{Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::Validity;

impl Validity {
    /// The dates of the first certificate of a PEM text.
    pub(crate) fn of_certificates(pem: &[u8]) -> Self {
        let first = CertificateDer::pem_slice_iter(pem).next();
        first.and_then(Result::ok).map(|der| Self::of_certificate(&der)).unwrap_or_default()
    }

    /// The dates of one certificate in DER; none where they cannot be read.
    pub fn of_certificate(der: &[u8]) -> Self {
        let Ok((not_before, not_after)) = read_dates(der) else { return Self::default() };
        Self { not_before: timestamp(not_before), not_after: timestamp(not_after) }
    }
}

/// RFC 5280, section 4.1: the fields of `TBSCertificate` down to `Validity`.
fn read_dates(der: &[u8]) -> Result<(AnyRef<'_>, AnyRef<'_>), der::Error> {
    const VERSION: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    let mut certificate = open(AnyRef::from_der(der)?)?;
    let mut content = open(certificate.decode()?)?;
    if Tag::peek(&content)? == VERSION {
        content.decode::<AnyRef<'_>>()?;
    }
    let _serial_number: IntRef<'_> = content.decode()?;
    let _signature_algorithm = open(content.decode()?)?;
    let _issuer = open(content.decode()?)?;
    let mut validity = open(content.decode()?)?;
    Ok((validity.decode()?, validity.decode()?))
}

fn open(node: AnyRef<'_>) -> Result<SliceReader<'_>, der::Error> {
    node.tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(node.value())
}

fn timestamp(time: AnyRef<'_>) -> Option<Timestamp> {
    let since_1970 = match time.tag() {
        Tag::UtcTime => time.decode_as::<UtcTime>().ok()?.to_unix_duration(),
        Tag::GeneralizedTime => time.decode_as::<GeneralizedTime>().ok()?.to_unix_duration(),
        _ => return None,
    };
    Timestamp::from_second(i64::try_from(since_1970.as_secs()).ok()?).ok()
}
