//! Writes `CSP.ini` and `CSP.conf` of a web gateway. Must not read the spec or decide which servers there are: it
//! gets both decided.
//!
//! Facts, from the manual of the gateway and public configurations: the sections and keys of `CSP.ini`, the form
//! `1~~~~~~NAME` of an alternative server that is switched on, the directives of `CSP.conf` for Apache and nginx, and
//! that the gateway of the nginx image listens on port 7038 of its own pod, the keys `SSLCC_*` with security level 10
//! and the protocols 16 (TLS 1.2) and 32 (TLS 1.3), and the section with which Apache serves 443. Choices of this
//! project: a profile is named after its pod, `/` and `/csp` are always served, a user's section is merged into ours
//! key by key, since no manual says what a gateway makes of a section that is there twice, and the locked-down image
//! serves TLS on a port of ours.

use std::collections::HashMap;
use std::fmt::Write as _;

use homebase_api::iriscluster::{AlternativeServers, WebgatewaySettings, WebgatewayType};

use super::names::{
    Connection, GATEWAY_TLS_PORT, LOCKED_DOWN_TLS_PORT, SUPERSERVER_PORT, TLS_AUTHORITIES, TLS_CERTIFICATE,
    TLS_KEY,
};

/// What stands for user name and password until the pod itself fills them in.
pub const LOGIN: &str = "@login@";

/// Paths that every gateway serves: the applications of IRIS itself, and what no other path takes.
const OWN_PATHS: [&str; 2] = ["/", "/csp"];

/// Where the gateway of the nginx image is reached by its web server.
const NGINX_GATEWAY: &str = "127.0.0.1:7038";

/// An IRIS instance that a gateway uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name of the profile: that of the pod.
    pub name: String,
    /// DNS name or address of the superserver.
    pub host: String,
}

/// Everything that a `CSP.ini` depends on.
#[derive(Clone, Copy, Debug)]
pub struct CspIni<'a> {
    /// The instances, the preferred one first.
    pub servers: &'a [Server],
    /// How they are used.
    pub alternative: AlternativeServers,
    /// The user's application paths.
    pub paths: &'a [String],
    /// Whether the gateway signs in with what a Secret says.
    pub login: bool,
    /// Whether the gateway connects to the superservers with TLS.
    pub tls: bool,
    /// Users' texts; the last word on a key counts.
    pub additions: &'a [&'a str],
}

/// The text of `CSP.ini`.
pub fn csp_ini(ini: &CspIni<'_>) -> String {
    let CspIni { servers, alternative, paths, login, tls, additions } = *ini;
    let mut sections = Sections::default();
    for Server { name, host } in servers {
        sections.set("SYSTEM_INDEX", name, "Enabled");
        sections.set(name, "Ip_Address", host);
        sections.set(name, "TCP_Port", &SUPERSERVER_PORT.to_string());
        sections.set(name, "Minimum_Server_Connections", "3");
        sections.set(name, "Maximum_Session_Connections", "6");
        if login {
            sections.set(name, "Username", LOGIN);
            sections.set(name, "Password", LOGIN);
        }
        if tls {
            set_tls(&mut sections, name);
        }
    }
    let alternative = match alternative {
        AlternativeServers::LoadBalancing => "LoadBalancing",
        AlternativeServers::FailOver => "FailOver",
    };
    for path in all_paths(paths) {
        sections.set("APP_PATH_INDEX", path, "Enabled");
        let section = format!("APP_PATH:{path}");
        if let Some(first) = servers.first() {
            sections.set(&section, "Default_Server", &first.name);
        }
        sections.set(&section, "Alternative_Servers", alternative);
        for (index, server) in servers.iter().enumerate() {
            let value = format!("1~~~~~~{}", server.name);
            sections.set(&section, &format!("Alternative_Server_{index}"), &value);
        }
    }
    for addition in additions {
        sections.merge(addition);
    }
    sections.text()
}

fn set_tls(sections: &mut Sections, profile: &str) {
    let directory = Connection::Superserver.directory();
    sections.set(profile, "Connection_Security_Level", "10");
    sections.set(profile, "SSLCC_Protocol_Min", "16");
    sections.set(profile, "SSLCC_Protocol_Max", "32");
    sections.set(profile, "SSLCC_Certificate_File", &format!("{directory}/{TLS_CERTIFICATE}"));
    sections.set(profile, "SSLCC_Certificate_Key_File", &format!("{directory}/{TLS_KEY}"));
    sections.set(profile, "SSLCC_CA_Certificate_File", &format!("{directory}/{TLS_AUTHORITIES}"));
}

/// The web server of a gateway: the one that is named, else what the name of its image says.
pub fn server_of(settings: &WebgatewaySettings, image: &str) -> WebgatewayType {
    let without_digest = image.split('@').next().unwrap_or(image);
    let name = without_digest.rsplit('/').next().unwrap_or(without_digest);
    let by_name = if name.contains("nginx") {
        WebgatewayType::Nginx
    } else if name.contains("lockeddown") {
        WebgatewayType::ApacheLockeddown
    } else {
        WebgatewayType::Apache
    };
    settings.type_.unwrap_or(by_name)
}

/// The port on which the web server of an image serves TLS.
pub fn tls_port(type_: WebgatewayType) -> u16 {
    match type_ {
        WebgatewayType::Apache | WebgatewayType::Nginx => GATEWAY_TLS_PORT,
        WebgatewayType::ApacheLockeddown => LOCKED_DOWN_TLS_PORT,
    }
}

/// What makes the web server serve TLS. Apache of the plain image listens on 443 as soon as it has the module.
fn add_tls(text: &mut String, type_: WebgatewayType) {
    let directory = Connection::Webgateway.directory();
    let port = tls_port(type_);
    let (certificate, key) = (format!("{directory}/{TLS_CERTIFICATE}"), format!("{directory}/{TLS_KEY}"));
    let listen = match type_ {
        WebgatewayType::Nginx => {
            let files = format_args!("ssl_certificate {certificate};\nssl_certificate_key {key};");
            return add(text, format_args!("listen {port} ssl;\n{files}"));
        }
        WebgatewayType::Apache => String::new(),
        WebgatewayType::ApacheLockeddown => format!("    Listen {port}\n"),
    };
    let files =
        format_args!("        SSLCertificateFile \"{certificate}\"\n        SSLCertificateKeyFile \"{key}\"");
    let host =
        format_args!("    <VirtualHost _default_:{port}>\n        SSLEngine on\n{files}\n    </VirtualHost>");
    add(text, format_args!("<IfModule mod_ssl.c>\n{listen}{host}\n</IfModule>"));
}

/// The text of `CSP.conf`: it makes the web server hand the paths over to the gateway, and serve TLS if it has a
/// certificate.
pub fn csp_conf(type_: WebgatewayType, paths: &[String], tls: bool) -> String {
    let mut text = String::new();
    match type_ {
        WebgatewayType::Apache | WebgatewayType::ApacheLockeddown => {
            text.push_str(
                "CSPModulePath \"${ISC_PACKAGE_INSTALLDIR}/bin/\"\nCSPConfigPath \"${ISC_PACKAGE_INSTALLDIR}/bin/\"\n",
            );
            for path in MANAGEMENT {
                add(
                    &mut text,
                    format_args!("<Location \"{path}/\">\n    SetHandler csp-handler-sa\n</Location>"),
                );
            }
            for path in served(paths) {
                add(&mut text, format_args!("<Location \"{path}\">\n    CSP On\n</Location>"));
            }
        }
        WebgatewayType::Nginx => {
            for path in MANAGEMENT {
                let pass = format_args!("    CSPNSD_pass {NGINX_GATEWAY};");
                add(&mut text, format_args!("location {path} {{\n    CSPFileTypes cxw;\n{pass}\n}}"));
            }
            for path in served(paths) {
                let pass = format_args!("    CSPNSD_pass {NGINX_GATEWAY};");
                add(&mut text, format_args!("location {path} {{\n    CSP On;\n{pass}\n}}"));
            }
        }
    }
    if tls {
        add_tls(&mut text, type_);
    }
    text
}

/// Paths of the gateway itself: its management pages, and the state of a mirror.
const MANAGEMENT: [&str; 2] = ["/csp/bin/Systems", "/csp/bin/RunTime"];

/// The paths that a web server hands over: the root only when the user names it, as it would hide static files.
fn served(paths: &[String]) -> impl Iterator<Item = &str> {
    let users_root = paths.iter().any(|path| path == "/");
    all_paths(paths).into_iter().filter(move |path| users_root || *path != "/")
}

/// Ours and the user's, each once.
fn all_paths(paths: &[String]) -> Vec<&str> {
    let mut all: Vec<&str> = OWN_PATHS.to_vec();
    for path in paths {
        if !all.contains(&path.as_str()) {
            all.push(path);
        }
    }
    all
}

/// Whether a text begins with something that belongs to no section and so has no effect.
pub fn has_stray_lines(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !is_comment(line));
    first.is_some_and(|line| !line.starts_with('['))
}

fn is_comment(line: &str) -> bool {
    line.starts_with([';', '#'])
}

/// Items by name in the order in which they came up. Names differ by more than case.
///
/// A gateway knows a thousand servers by name, and each in every path: to look through all of them would take longer
/// than all the rest of a plan.
struct Ordered<T> {
    items: Vec<(String, T)>,
    places: HashMap<String, usize>,
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self { items: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Default> Ordered<T> {
    /// The item of this name, which is made if there is none.
    fn entry(&mut self, name: &str) -> &mut T {
        let items = &mut self.items;
        let place = *self.places.entry(name.to_ascii_lowercase()).or_insert_with(|| {
            items.push((name.to_owned(), T::default()));
            items.len() - 1
        });
        &mut self.items[place].1
    }
}

/// Sections with their keys.
#[derive(Default)]
struct Sections(Ordered<Ordered<String>>);

impl Sections {
    fn set(&mut self, section: &str, key: &str, value: &str) {
        value.clone_into(self.0.entry(section).entry(key));
    }

    fn merge(&mut self, text: &str) {
        let mut section = None;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_comment(line)) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = Some(name.trim());
            } else if let (Some(section), Some((key, value))) = (section, line.split_once('=')) {
                self.set(section, key.trim(), value.trim());
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, keys) in &self.0.items {
            if !text.is_empty() {
                text.push('\n');
            }
            add(&mut text, format_args!("[{name}]"));
            for (key, value) in &keys.items {
                add(&mut text, format_args!("{key}={value}"));
            }
        }
        text
    }
}

fn add(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
    text.push('\n');
}

#[cfg(test)]
mod tests;
