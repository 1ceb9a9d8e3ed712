//! The cluster Secret of Argo CD: three keys that say what one context of a kubeconfig says. It decides what
//! they mean in the terms of the policy; it must not allow anything that a kubeconfig may not have.

use homebase_core::ClusterId;

use crate::config::{SanitizedKubeconfig, Way};
use crate::credentials::{CredentialFields, Credentials, read_credentials};
use crate::document::{self, Node};
use crate::faults::{Faults, Refused};
use crate::policy::{MAX_SERVER_BYTES, Policy};
use crate::rejection::{Path, Rejection, RejectionKind};
use crate::server::{Server, check_way, parse_url, read_proxy};
use crate::shape::{self, Fields};
use crate::trust::{Tls, TlsFields, read_tls};

const NAME: &str = "name";
const SERVER: &str = "server";
const CONFIG: &str = "config";
const TOKEN: &str = "bearerToken";
const TLS: &str = "tlsClientConfig";
const CERTIFICATE: &str = "certData";
const KEY: &str = "keyData";
const PROXY: &str = "proxyUrl";

const TLS_FIELDS: TlsFields = TlsFields {
    authorities: "caData",
    server_name: "serverName",
    unverified: "insecure",
    insecure_fix: "remove the field and add `caData`, so that nobody can pose as the server",
    conflict_fix: "a server is verified or not; remove it, or remove `caData`",
};

/// Reads the keys `name`, `server` and `config` of an Argo CD cluster Secret and keeps what `policy` allows:
/// the same policy, limits and result as for a kubeconfig (see [`sanitize`](crate::sanitize)).
///
/// Accepted in `config`: `bearerToken`, `proxyUrl` (only if the policy allows it), and in `tlsClientConfig`
/// `insecure` (likewise), `serverName`, `caData`, `certData` and `keyData`. `disableCompression` is known to be
/// harmless and is ignored. Refused by name: `username`, `password`, `awsAuthConfig` and `execProviderConfig`; any
/// other field is refused too. `name` must be a valid [`ClusterId`]; it is checked here so that all
/// that is wrong with a Secret is said at once, and is no part of the result.
///
/// Argo CD finds fields whatever their case and takes the last of two; here both are faults.
///
/// # Errors
/// All faults, with paths such as `config.tlsClientConfig.caData`; never an empty list.
pub fn sanitize_argo(
    name: &[u8],
    server: &[u8],
    config: &[u8],
    policy: &Policy,
) -> Result<SanitizedKubeconfig, Vec<Rejection>> {
    let root = Path::document().field(CONFIG);
    let mut faults = Faults::of(root.clone());
    let name = check_name(name, &mut faults);
    let server = read_server(server, policy, &mut faults);
    let config = parse_config(config).map_err(|kind| faults.add(faults.root(), kind)).and_then(|document| {
        let fields = shape::ARGO_CONFIG.open(&document, &root, &mut faults)?;
        read_config(&fields, policy, &mut faults)
    });
    let effective = name.and(server).and_then(|server| assemble(server, config?, policy, &root, &mut faults));
    crate::conclude(effective, faults)
}

fn check_name(name: &[u8], faults: &mut Faults) -> Result<(), Refused> {
    let fix = "must be a DNS-1123 subdomain of at most 253 characters: lower case letters, digits, `-` and `.`, \
               each part with a letter or digit at both ends";
    let valid = std::str::from_utf8(name).is_ok_and(|name| name.parse::<ClusterId>().is_ok());
    if valid {
        return Ok(());
    }
    Err(faults.add(Path::document().field(NAME), RejectionKind::Malformed { fix }))
}

fn read_server(server: &[u8], policy: &Policy, faults: &mut Faults) -> Result<Server, Refused> {
    let server = match std::str::from_utf8(server) {
        Ok("") => Err(RejectionKind::Missing { fix: "add the URL of the apiserver" }),
        Ok(url) if url.len() > MAX_SERVER_BYTES => Err(RejectionKind::TooLong { limit: MAX_SERVER_BYTES }),
        Ok(url) => parse_url(url, policy),
        Err(_) => Err(RejectionKind::NotText { found: "it has bytes that are not UTF-8" }),
    };
    server.map_err(|kind| faults.add(Path::document().field(SERVER), kind))
}

/// A document like any other, but with advice that does not speak of a kubeconfig.
fn parse_config(config: &[u8]) -> Result<Node, RejectionKind> {
    document::parse(config).map_err(|kind| match kind {
        RejectionKind::Empty => {
            RejectionKind::Missing { fix: "add a JSON text with `bearerToken` and `tlsClientConfig`" }
        }
        RejectionKind::TooLarge { limit } => RejectionKind::TooLong { limit },
        kind => kind,
    })
}

struct Config {
    proxy: Option<Server>,
    tls: Tls,
    credentials: Credentials,
}

fn read_config(fields: &Fields<'_>, policy: &Policy, faults: &mut Faults) -> Result<Config, Refused> {
    let proxy = read_proxy(fields, PROXY, policy, faults);
    let path = fields.path(TLS);
    let tls_fields = match fields.get(TLS) {
        Some(node) => shape::ARGO_TLS.open(node, &path, faults),
        None => Ok(Fields::absent(path)),
    };
    let compression = fields.flag("disableCompression", faults);
    let tls_fields = tls_fields?;
    let tls = read_tls(&tls_fields, &TLS_FIELDS, policy, faults);
    let sources = CredentialFields {
        token: (fields, TOKEN),
        certificate: (&tls_fields, CERTIFICATE),
        key: (&tls_fields, KEY),
    };
    let credentials = read_credentials(&sources, faults).and_then(|credentials| {
        let fix = "add a `bearerToken`, or `certData` with `keyData`";
        credentials.ok_or_else(|| faults.add(fields.path(TOKEN), RejectionKind::Missing { fix }))
    });
    compression.and(Ok(Config { proxy: proxy?, tls: tls?, credentials: credentials? }))
}

fn assemble(
    server: Server,
    Config { proxy, tls, credentials }: Config,
    policy: &Policy,
    root: &Path,
    faults: &mut Faults,
) -> Result<SanitizedKubeconfig, Refused> {
    let path = root.field(TLS);
    let trust =
        tls.trust(&server, policy).map_err(|kind| faults.add(path.field(TLS_FIELDS.authorities), kind))?;
    credentials.check_transport(&server).map_err(|kind| faults.add(path.field(CERTIFICATE), kind))?;
    check_way(&server, proxy.as_ref()).map_err(|kind| faults.add(root.field(PROXY), kind))?;
    Ok(SanitizedKubeconfig::new(Way { server, proxy }, trust, tls.server_name, credentials, None))
}
