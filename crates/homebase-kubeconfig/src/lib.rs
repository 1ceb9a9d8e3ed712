//! Untrusted bytes in, a [`SanitizedKubeconfig`] out, or *all* reasons why not.
//!
//! A kubeconfig is a small program: it may name commands to run, files to read, hosts to tunnel through
//! and people to impersonate. Whoever may write a registration Secret may write all of that, so the hub
//! never hands the bytes to a general loader. It reads them into a tree, copies what is on its own allow
//! list and refuses the rest by name. What comes out holds no path, no command and no second document.
//!
//! Nothing here opens a file, runs a program, resolves a name, or looks at the environment or the clock;
//! and a [`Rejection`] cannot carry a word of its input (see [`rejection`]).

mod argo;
mod config;
mod credentials;
mod document;
mod effective;
mod entries;
mod faults;
mod pem;
mod policy;
pub mod rejection;
mod secret;
mod server;
mod shape;
mod trust;
mod validity;

pub use argo::sanitize_argo;
pub use config::SanitizedKubeconfig;
pub use credentials::{ClientCertificate, Credentials};
pub use policy::{MAX_KUBECONFIG_BYTES, Policy};
pub use rejection::{Path, Reason, Rejection, RejectionKind};
pub use secret::{SecretBytes, SecretString};
pub use server::Server;
pub use trust::Trust;
pub use validity::{ExpiryState, Validity};

use faults::{Faults, Refused};

/// Reads the bytes of a registration's kubeconfig (YAML or JSON) and keeps what `policy` allows.
///
/// Accepted, each with a size limit: `server` (https), `certificate-authority-data`, `tls-server-name`,
/// `token` and/or `client-certificate-data` with `client-key-data`, `namespace`, and the `current-context` that
/// ties them together. `extensions`, `preferences` and `disable-compression` are known to be harmless and
/// are ignored. An empty value counts as absent, as for kubectl. Everything else is refused by name: commands (`exec`, `auth-provider`), file paths,
/// passwords, impersonation, and each field that is not known; plain or unverified transport and proxies too, unless
/// the policy allows them.
///
/// **Every** cluster, user and context is checked, used by `current-context` or not: somebody who reviews
/// a registration must not have to work out which of its parts count. What a used entry must *have*
/// (a server, credentials) is asked of the used ones only.
///
/// # Errors
/// All faults in the order of the document, up to a cap ([`RejectionKind::TooManyFaults`]); never an empty list.
pub fn sanitize(bytes: &[u8], policy: &Policy) -> Result<SanitizedKubeconfig, Vec<Rejection>> {
    let mut faults = Faults::of(Path::document());
    let effective = document::parse(bytes)
        .map_err(|kind| faults.add(faults.root(), kind))
        .and_then(|document| entries::read(&document, policy, &mut faults)?.effective(policy, &mut faults));
    conclude(effective, faults)
}

/// The one way out, whatever the convention: a fault anywhere refuses the whole.
fn conclude(
    effective: Result<SanitizedKubeconfig, Refused>,
    faults: Faults,
) -> Result<SanitizedKubeconfig, Vec<Rejection>> {
    match effective {
        Ok(kubeconfig) if faults.is_empty() => Ok(kubeconfig),
        _ => Err(faults.into_rejections()),
    }
}
