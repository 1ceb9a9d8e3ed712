//! Every cause is in the text, once, and the text is one line.

use super::Chain;

#[derive(Debug, thiserror::Error)]
#[error("cannot open\nthe door")]
struct Door(#[source] Lock);

#[derive(Debug, thiserror::Error)]
#[error("lock failed: {0}")]
struct Lock(#[source] Key);

#[derive(Debug, thiserror::Error)]
#[error("no key")]
struct Key;

#[test]
fn causes_are_joined_once_and_on_one_line() {
    assert_eq!(Chain(&Door(Lock(Key))).to_string(), "cannot open the door: lock failed: no key");
}
