//! Says that a server's certificate is for another name without saying which was expected: that may be the
//! `tls-server-name` of a kubeconfig, and no value of a kubeconfig is told. It must not judge certificates.

use std::error::Error as StdError;
use std::io;

use rustls::CertificateError;
use tower::BoxError;

#[cfg(test)]
mod tests;

/// As many names of a certificate as help a person; a stranger's server may present thousands.
const MAX_NAMES: usize = 5;
/// As much of each as is shown: the longest DNS name.
const MAX_NAME: usize = 253;

/// The certificate is for other names than the one that the kubeconfig says.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server's certificate is not for the name in `server` or `tls-server-name` of the kubeconfig, it is for \
     {presented}: set `tls-server-name` to a name that it is for"
)]
pub struct WrongServerName {
    presented: String,
}

/// Replaces an error that names what was expected.
pub(super) fn without_expected_name(error: BoxError) -> BoxError {
    match presented(error.as_ref()) {
        Some(presented) => WrongServerName { presented }.into(),
        None => error,
    }
}

/// The names of the certificate, if it is for others than the expected one.
fn presented(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(cause) = next {
        match cause.downcast_ref() {
            Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                presented,
                ..
            })) => return Some(names(presented)),
            Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForName)) => {
                return Some(names(&[]));
            }
            _ => next = inner(cause),
        }
    }
    None
}

/// The next cause. `io::Error::source` skips the error that it wraps, which may be another of its kind.
fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.map(|wrapped| wrapped as &(dyn StdError + 'static)).or_else(|| error.source())
}

fn names(presented: &[String]) -> String {
    let shown = presented.iter().take(MAX_NAMES).map(|name| {
        let printable = name.chars().filter(|character| !character.is_control());
        printable.take(MAX_NAME).collect::<String>()
    });
    let mut shown: Vec<String> = shown.collect();
    match presented.len() {
        0 => shown.push("no name that can be read".to_owned()),
        all if all > MAX_NAMES => shown.push(format!("{} others", all - MAX_NAMES)),
        _ => {}
    }
    shown.join(", ")
}
