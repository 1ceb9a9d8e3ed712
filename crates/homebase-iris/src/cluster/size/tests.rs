//! What a size is, and which ones are equal.

use super::Size;

fn read(text: &str) -> Option<u128> {
    Size::read(text).map(Size::thousandths)
}

#[test]
fn every_way_to_write_a_size_is_read() {
    for (text, bytes) in [
        ("0", 0),
        ("1", 1),
        ("1Ki", 1024),
        ("2Gi", 2 << 30),
        ("0.5Gi", 512 << 20),
        ("1.5Ki", 1536),
        ("3e3", 3000),
        ("3E3", 3000),
        ("5k", 5000),
        ("2G", 2_000_000_000),
        ("1E", 1_000_000_000_000_000_000),
        ("8Ei", 8 << 60),
        (".5k", 500),
        ("10.", 10),
    ] {
        assert_eq!(read(text), Some(bytes * 1000), "{text}");
    }
    assert_eq!(read("1500m"), Some(1500));
    assert_eq!(read("1u"), Some(1), "rounded up");
    assert_eq!(read("2e-1"), Some(200));
}

#[test]
fn sizes_that_are_written_differently_are_equal() {
    for (one, other) in [("2Gi", "2048Mi"), ("1Ti", "1024Gi"), ("1000M", "1G"), ("1k", "1e3")] {
        assert_eq!(Size::read(one), Size::read(other), "{one} and {other}");
    }
    assert!(Size::read("2G") < Size::read("2Gi"));
}

#[test]
fn what_is_no_size_is_none() {
    for text in ["", "Gi", "1GiB", "-1", "1.2.3", "1 Gi", "1e", "x", "9999999999999999999999999999999999Ei"] {
        assert_eq!(read(text), None, "{text}");
    }
}
