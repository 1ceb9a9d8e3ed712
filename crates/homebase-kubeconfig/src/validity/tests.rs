//! Dates of certificates and tokens, good, odd and hostile, and what an expiry means at a given time. The
//! certificates are put together byte by byte, because no tool writes the odd ones.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};

use super::{ExpiryState, SOON, Validity};

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const INTEGER: u8 = 0x02;

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 128, "the short form of a length is enough here");
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}

fn time(tag: u8, text: &str) -> Vec<u8> {
    tlv(tag, text.as_bytes())
}

/// A certificate that has no more than what comes before the dates, and something that is no key after them.
fn certificate(version: &[u8], not_before: &[u8], not_after: &[u8]) -> Vec<u8> {
    let dates = tlv(SEQUENCE, &[not_before, not_after].concat());
    let (serial, algorithm, issuer) = (tlv(INTEGER, &[7]), tlv(SEQUENCE, &[]), tlv(SEQUENCE, &[]));
    let content = tlv(SEQUENCE, &[version, &serial, &algorithm, &issuer, &dates, &[0xFF, 0x00]].concat());
    tlv(SEQUENCE, &content)
}

fn v3() -> Vec<u8> {
    tlv(VERSION, &tlv(INTEGER, &[2]))
}

fn dates(not_before: &[u8], not_after: &[u8]) -> (String, String) {
    show(Validity::of_certificate(&certificate(&v3(), not_before, not_after)))
}

fn show(validity: Validity) -> (String, String) {
    let text = |time: Option<Timestamp>| time.map_or("-".to_owned(), |time| time.to_string());
    (text(validity.not_before()), text(validity.not_after()))
}

fn pair(not_before: &str, not_after: &str) -> (String, String) {
    (not_before.to_owned(), not_after.to_owned())
}

fn pem(certificates: &[Vec<u8>]) -> String {
    let section = |der: &Vec<u8>| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
    };
    certificates.iter().map(section).collect()
}

#[test]
fn a_certificate_has_its_dates() {
    let start = time(UTC_TIME, "261120120000Z");
    assert_eq!(
        dates(&start, &time(UTC_TIME, "271120115959Z")),
        pair("2026-11-20T12:00:00Z", "2027-11-20T11:59:59Z")
    );
    assert_eq!(
        dates(&start, &time(GENERALIZED_TIME, "20560101000000Z")),
        pair("2026-11-20T12:00:00Z", "2056-01-01T00:00:00Z")
    );
    let version_1 = certificate(&[], &start, &time(UTC_TIME, "491231235959Z"));
    assert_eq!(
        show(Validity::of_certificate(&version_1)),
        pair("2026-11-20T12:00:00Z", "2049-12-31T23:59:59Z")
    );
}

#[test]
fn a_date_that_cannot_be_true_does_not_hide_the_other() {
    let end = time(UTC_TIME, "271120115959Z");
    let odd = [
        time(UTC_TIME, "500101000000Z"),
        time(UTC_TIME, "261320120000Z"),
        time(UTC_TIME, "2611201200Z"),
        time(UTC_TIME, "261120120000+0100"),
        time(UTC_TIME, "canarycanaryZ"),
        time(UTC_TIME, ""),
        time(GENERALIZED_TIME, "20261120120000.5Z"),
        time(GENERALIZED_TIME, "00000000000000Z"),
        time(GENERALIZED_TIME, "99991231235959Z"),
        tlv(INTEGER, &[7]),
    ];
    for odd in odd {
        assert_eq!(dates(&odd, &end), pair("-", "2027-11-20T11:59:59Z"), "{odd:?}");
        assert_eq!(dates(&end, &odd), pair("2027-11-20T11:59:59Z", "-"), "{odd:?}");
    }
}

#[test]
fn every_cut_of_a_certificate_has_no_dates_and_does_no_harm() {
    let whole =
        certificate(&v3(), &time(UTC_TIME, "261120120000Z"), &time(GENERALIZED_TIME, "20560101000000Z"));
    for end in 0..whole.len() {
        assert_eq!(Validity::of_certificate(&whole[..end]), Validity::default(), "{end}");
    }
    for position in 0..whole.len() {
        for value in 0..=u8::MAX {
            let mut changed = whole.clone();
            changed[position] = value;
            let _ = Validity::of_certificate(&changed);
        }
    }
    let trailing = [whole.as_slice(), &[0]].concat();
    assert_eq!(Validity::of_certificate(&trailing), Validity::default());
}

#[test]
fn of_a_chain_the_first_certificate_counts() {
    let start = time(UTC_TIME, "261120120000Z");
    let own = certificate(&v3(), &start, &time(UTC_TIME, "281120115959Z"));
    let authority = certificate(&v3(), &start, &time(UTC_TIME, "261121000000Z"));
    let chain = Validity::of_certificates(pem(&[own, authority]).as_bytes());
    assert_eq!(show(chain).1, "2028-11-20T11:59:59Z");
    assert_eq!(Validity::of_certificates(b"canary"), Validity::default());
}

fn token(payload: &str) -> (String, String) {
    show(Validity::of_token(&format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))))
}

#[test]
fn a_token_has_its_dates() {
    let both = pair("2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z");
    assert_eq!(token(r#"{"nbf":1795176000,"exp":1795179600}"#), both);
    assert_eq!(token(r#" {"aud":["x"],"exp":1795179600,"kubernetes.io":{"exp":1},"nbf":1795176000}"#), both);
    assert_eq!(token(r#"{"exp":1.7951796e9}"#), pair("-", &both.1));
    assert_eq!(token(r#"{"nbf":"canary","exp":1795179600}"#), pair("-", &both.1));
    assert_eq!(token(r#"{"nbf":1795176000,"exp":null}"#), pair(&both.0, "-"));
}

#[test]
fn a_claim_that_cannot_be_true_is_no_date() {
    let claims = [
        "0",
        "-1",
        "-0.0",
        "1e300",
        "1e999",
        "-1e300",
        "253402300800",
        "18446744073709551615",
        "1795179600000",
        "\"1795179600\"",
        "true",
        "[1795179600]",
        "{\"exp\":1795179600}",
    ];
    for claim in claims {
        assert_eq!(token(&format!("{{\"exp\":{claim}}}")), pair("-", "-"), "{claim}");
    }
}

#[test]
fn a_token_of_another_kind_has_no_dates() {
    let payload = URL_SAFE_NO_PAD.encode(r#"{"exp":1795179600}"#);
    let padded = STANDARD.encode(r#"{"exp":1795179600} "#);
    assert!(padded.ends_with('='));
    let tokens = [
        String::new(),
        "canary".to_owned(),
        "..".to_owned(),
        payload.clone(),
        format!("e30.{payload}"),
        format!("e30.{payload}.c2ln.c2ln"),
        format!("e30.{payload}.c2ln.c2ln.c2ln"),
        format!("e30.{padded}.c2ln"),
        format!("e30.{payload}!.c2ln"),
    ];
    for token in tokens {
        assert_eq!(Validity::of_token(&token), Validity::default(), "{token}");
    }
    let deep = format!("{{\"exp\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for payload in ["", "null", "1795179600", "[1,1795179600]", r#"{"exp":1,"exp":2}"#, "{\"exp\":", &deep] {
        assert_eq!(token(payload), pair("-", "-"), "{payload}");
    }
}

fn state(life: Option<SignedDuration>, left: SignedDuration) -> ExpiryState {
    let end = Timestamp::from_second(1_795_179_600).unwrap();
    let validity = Validity { not_before: life.map(|life| end - life), not_after: Some(end) };
    validity.expiry_state(end - left)
}

#[test]
fn an_expiry_is_soon_within_a_week_and_past_at_its_time() {
    let second = SignedDuration::from_secs(1);
    let year = SignedDuration::from_hours(365 * 24);
    for life in [None, Some(year), Some(SignedDuration::ZERO), Some(-year)] {
        assert_eq!(state(life, year), ExpiryState::Valid);
        assert_eq!(state(life, SOON + second), ExpiryState::Valid);
        assert_eq!(state(life, SOON), ExpiryState::ExpiringSoon);
        assert_eq!(state(life, second), ExpiryState::ExpiringSoon);
        assert_eq!(state(life, SignedDuration::ZERO), ExpiryState::Expired);
        assert_eq!(state(life, -year), ExpiryState::Expired);
    }
}

#[test]
fn a_short_life_is_soon_over_in_its_last_third() {
    let (day, hour) = (SignedDuration::from_hours(24), SignedDuration::from_hours(1));
    assert_eq!(state(Some(day), day), ExpiryState::Valid);
    assert_eq!(state(Some(day), hour * 8 + SignedDuration::from_secs(1)), ExpiryState::Valid);
    assert_eq!(state(Some(day), hour * 8), ExpiryState::ExpiringSoon);
    assert_eq!(state(Some(day), SignedDuration::ZERO), ExpiryState::Expired);
}

#[test]
fn the_ends_of_time_do_no_harm() {
    for end in [None, Some(Timestamp::MIN), Some(Timestamp::MAX)] {
        for start in [None, Some(Timestamp::MIN), Some(Timestamp::MAX)] {
            let validity = Validity { not_before: start, not_after: end };
            let states =
                [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX].map(|now| validity.expiry_state(now));
            assert!(end.is_some() || states == [ExpiryState::Valid; 3]);
        }
    }
}
