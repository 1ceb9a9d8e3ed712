//! The dates of a JSON Web Token. It looks at nothing but two claims, verifies nothing, and takes anything that
//! is not such a token for an opaque one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::Validity;

/// Claims of any type: one that is no number must not hide the other.
#[derive(Deserialize)]
struct Claims {
    nbf: Option<Value>,
    exp: Option<Value>,
}

impl Validity {
    /// The dates of a bearer token.
    pub(crate) fn of_token(token: &str) -> Self {
        let Some(claims) = read_claims(token) else { return Self::default() };
        Self { not_before: timestamp(claims.nbf), not_after: timestamp(claims.exp) }
    }
}

fn read_claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (Some(_header), Some(payload), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
    // serde would take the claims from an array as well, by their places.
    if !payload.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    serde_json::from_slice(&payload).ok()
}

/// Seconds since 1970, perhaps with a fraction (RFC 7519, section 2). Some issuers write 0 for "never".
fn timestamp(claim: Option<Value>) -> Option<Timestamp> {
    let seconds = claim?.as_f64().filter(|seconds| *seconds > 0.0)?;
    Timestamp::from_duration(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}
