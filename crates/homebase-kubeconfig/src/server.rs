//! Where the apiserver is. It decides whether a URL names one host without
//! doubt; it must not resolve that host. (Which addresses may be connected to is decided when connecting.)

// `core::net` has the addresses and nothing to connect with.
use core::net::{IpAddr, Ipv6Addr};
use std::fmt;

use http::Uri;
use rustls_pki_types::ServerName;

use crate::faults::{Faults, Refused};
use crate::policy::{MAX_SERVER_BYTES, Policy};
use crate::rejection::RejectionKind;
use crate::shape::Fields;

#[cfg(test)]
mod tests;

const HTTPS_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;

/// The URL of an apiserver, or of a proxy on the way to it: `https` (or `http` where the policy allows it), a host, perhaps a port and a
/// path; no user, no query, no fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    url: String,
    host: String,
    port: u16,
    plaintext: bool,
}

impl Server {
    /// The URL as it was written. It can be parsed as an [`http::Uri`].
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The DNS name or IP address, the latter without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 443 for `https` and 80 for `http` when the URL gives none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the URL is one without TLS.
    pub fn is_plaintext(&self) -> bool {
        self.plaintext
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

const PROXY: &str =
    "the hub connects directly; remove the field, or make the apiserver reachable without a proxy";
const PROXY_FORM: &str = "must be the URL of an HTTP proxy such as http://proxy.example.com:3128, with a host and nothing \
                          else but a port";
const USER_OF_PROXY: &str =
    "remove the user and password from the URL; the hub uses only proxies that ask for none";
const PROXY_WITHOUT_TLS: &str =
    "a proxy could read the credentials on their way to an http:// server; use https://, or remove the proxy";
const URL_FORM: &str = "must be a URL such as https://api.example.com:6443, with a host and nothing else but a port \
                        and a path";
const HOST_FORM: &str =
    "must name its host as a DNS name, a dotted IPv4 address or an IPv6 address in brackets";
const USER_IN_URL: &str = "remove the user and password from the URL; use a token or a client certificate";

/// Reads `clusters[].cluster.server`.
pub(crate) fn read_server(
    fields: &Fields<'_>,
    policy: &Policy,
    faults: &mut Faults,
) -> Result<Option<Server>, Refused> {
    let Some(url) = fields.text("server", MAX_SERVER_BYTES, faults)? else { return Ok(None) };
    parse_url(url, policy).map(Some).map_err(|kind| faults.add(fields.path("server"), kind))
}

/// Reads the URL of the proxy on the way to the server, as an insecure registration may have one: it is sent the
/// server's name, and everything that TLS does not hide.
pub(crate) fn read_proxy(
    fields: &Fields<'_>,
    field: &'static str,
    policy: &Policy,
    faults: &mut Faults,
) -> Result<Option<Server>, Refused> {
    if fields.get(field).is_some() && !policy.allow_insecure {
        return Err(faults.add(fields.path(field), RejectionKind::Forbidden { fix: PROXY }));
    }
    let Some(url) = fields.text(field, MAX_SERVER_BYTES, faults)? else { return Ok(None) };
    let parsed = parse_url(url, policy).map_err(|kind| match kind {
        RejectionKind::Forbidden { .. } => RejectionKind::Forbidden { fix: USER_OF_PROXY },
        RejectionKind::Malformed { .. } => RejectionKind::Malformed { fix: PROXY_FORM },
        kind => kind,
    });
    let is_bare = |proxy: &Server| proxy.url.parse::<Uri>().is_ok_and(|uri| matches!(uri.path(), "" | "/"));
    match parsed {
        Ok(proxy) if is_bare(&proxy) => Ok(Some(proxy)),
        Ok(_) => Err(faults.add(fields.path(field), RejectionKind::Malformed { fix: PROXY_FORM })),
        Err(kind) => Err(faults.add(fields.path(field), kind)),
    }
}

/// Whether the way to a server makes sense: what a proxy forwards to it must be hidden from the proxy.
pub(crate) fn check_way(server: &Server, proxy: Option<&Server>) -> Result<(), RejectionKind> {
    match proxy {
        Some(_) if server.plaintext => Err(RejectionKind::Conflict { fix: PROXY_WITHOUT_TLS }),
        _ => Ok(()),
    }
}

/// Reads a URL of at most [`MAX_SERVER_BYTES`].
pub(crate) fn parse_url(url: &str, policy: &Policy) -> Result<Server, RejectionKind> {
    let malformed = RejectionKind::Malformed { fix: URL_FORM };
    // `Uri` drops a fragment without a word, and lets bytes beyond ASCII through in a path.
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'?' | b'\\'));
    if !is_plain {
        return Err(malformed);
    }
    let Ok(uri) = url.parse::<Uri>() else { return Err(malformed) };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(malformed) };
    if authority.as_str().contains('@') {
        return Err(RejectionKind::Forbidden { fix: USER_IN_URL });
    }
    let plaintext = match scheme {
        "https" => false,
        "http" if policy.allow_insecure => true,
        "http" => {
            return Err(RejectionKind::Insecure {
                fix: "use https://, so that nobody can read the credentials",
            });
        }
        _ => return Err(malformed),
    };
    let port = match authority.as_str().strip_prefix(authority.host()) {
        Some("") => Some(if plaintext { HTTP_PORT } else { HTTPS_PORT }),
        rest => rest.and_then(|rest| parse_port(rest.strip_prefix(':')?)),
    };
    let port =
        port.ok_or(RejectionKind::Malformed { fix: "must have a port between 1 and 65535, or none" })?;
    let host = parse_host(authority.host()).ok_or(RejectionKind::Malformed { fix: HOST_FORM })?;
    Ok(Server { url: url.to_owned(), host, port, plaintext })
}

/// Rust reads `+443` as a number, a URL does not.
fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// The host without brackets, if there is no doubt what it names.
fn parse_host(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().ok().map(|_| address.to_owned());
    }
    (!host.contains(':') && is_host(host)).then(|| host.to_owned())
}

/// Whether a text is a DNS name or an address. A resolver would read `0x7f.1` as 127.0.0.1: a name must not
/// end in what looks like a number, so that only what is written as an address can be one.
pub(crate) fn is_host(text: &str) -> bool {
    let last_label = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_hexadecimal = last_label.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"));
    match ServerName::try_from(text) {
        Ok(ServerName::DnsName(_)) => !is_hexadecimal,
        Ok(ServerName::IpAddress(_)) => text.parse::<IpAddr>().is_ok(),
        _ => false,
    }
}
