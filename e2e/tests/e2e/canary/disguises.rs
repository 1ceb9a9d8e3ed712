//! The looks of a secret text in an output. It must not know where secrets come from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A text as it is, as numbers, and as what base64 makes of it wherever it stands in a longer text.
pub(super) fn disguises(secret: &str) -> Vec<String> {
    let shifted = (0..3).map(|shift| {
        let bytes = [&vec![0; shift], secret.as_bytes()].concat();
        let text = STANDARD_NO_PAD.encode(&bytes);
        // Characters that depend on what comes before or after it do not count.
        text[(shift * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
    });
    let bytes = |show: fn(u8) -> String| secret.bytes().map(show).collect::<Vec<_>>();
    // As a dump, and as `Debug` shows bytes.
    let numbers = [bytes(|byte| format!("{byte:02x}")).concat(), bytes(|byte| byte.to_string()).join(", ")];
    // The alphabets for URLs and for files differ in two characters, which the texts here do not lead to.
    std::iter::once(secret.to_owned()).chain(shifted).chain(numbers).collect()
}

#[test]
fn a_secret_is_known_in_the_middle_of_an_encoded_text() {
    for before in ["", "a", "ab", "abc"] {
        let text = STANDARD_NO_PAD.encode(format!("{before}c4n4ry-somewhere and more"));
        assert!(disguises("c4n4ry-somewhere").iter().any(|disguise| text.contains(disguise)), "{before}");
    }
}
