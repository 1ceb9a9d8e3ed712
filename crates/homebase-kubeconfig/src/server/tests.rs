//! URLs that name one host without doubt, and those that do not.

use super::{Server, parse_url};
use crate::Policy;

fn parse(url: &str) -> Option<Server> {
    parse_url(url, &Policy::default()).ok()
}

#[test]
fn a_server_has_its_host_and_port() {
    let cases = [
        ("https://api.example.com", "api.example.com", 443),
        ("https://api.example.com/", "api.example.com", 443),
        ("https://api.example.com:6443", "api.example.com", 6443),
        ("https://rancher.example.com/k8s/clusters/c-m-abc123", "rancher.example.com", 443),
        ("https://10.0.0.1:6443", "10.0.0.1", 6443),
        ("https://[2001:db8::1]:6443", "2001:db8::1", 6443),
        ("https://[::1]", "::1", 443),
        ("https://kubernetes", "kubernetes", 443),
        ("HTTPS://API.example.com", "API.example.com", 443),
        ("https://node_1.example.com", "node_1.example.com", 443),
    ];
    for (url, host, port) in cases {
        let server = parse(url).unwrap_or_else(|| panic!("{url} is refused"));
        assert_eq!((server.host(), server.port(), server.url()), (host, port, url));
    }
}

#[test]
fn what_is_in_doubt_is_refused() {
    let urls = [
        "",
        "api.example.com",
        "api.example.com:6443",
        "//api.example.com",
        "https://",
        "https:///path",
        "https://:6443",
        "https://api.example.com:",
        "https://api.example.com:0",
        "https://api.example.com:65536",
        "https://api.example.com:+443",
        "https://api.example.com?timeout=1",
        "https://api.example.com/#x",
        "https://user@api.example.com",
        "https://user:word@api.example.com",
        "https://api.example.com\\@evil.example.com",
        "https://api.example.com\t",
        " https://api.example.com",
        "https://api.example.com /x",
        "https://bücher.example.com",
        "https://api..example.com",
        "https://-api.example.com",
        "https://1.2.3",
        "https://2130706433",
        "https://0x7f.0x1",
        "https://0x7f000001",
        "https://127.0.0.1.",
        "https://127.0.0.256",
        "https://[fe80::1%25eth0]:6443",
        "https://[fe80::1%eth0]:6443",
        "https://[::1",
        "https://[10.0.0.1]",
        "https://::1",
        "http://api.example.com",
        "ftp://api.example.com",
        "file:///etc/passwd",
        "unix:///var/run/docker.sock",
    ];
    for url in urls {
        assert!(parse(url).is_none(), "{url} is accepted");
    }
}

#[test]
fn plain_http_needs_the_policy() {
    let policy = Policy { allow_insecure: true, ..Policy::default() };
    let server = parse_url("http://127.0.0.1", &policy).unwrap();
    assert_eq!((server.port(), server.is_plaintext()), (80, true));
}
