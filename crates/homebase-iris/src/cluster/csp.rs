//! Writes `CSP.ini` and `CSP.conf` of a web gateway. Must not read the spec or decide which servers there are: it
//! gets both decided.
//!
//! Facts, from the manual of the gateway and public configurations: the sections and keys of `CSP.ini`, the form
//! `1~~~~~~NAME` of an alternative server that is switched on, the directives of `CSP.conf` for Apache and nginx, and
//! that the gateway of the nginx image listens on port 7038 of its own pod. Choices of this project: a profile is
//! named after its pod, `/` and `/csp` are always served, and a user's section is merged into ours key by key, since
//! no manual says what a gateway makes of a section that is there twice.

use std::fmt::Write as _;

use homebase_api::iriscluster::{AlternativeServers, WebgatewayType};

use super::names::SUPERSERVER_PORT;

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
    /// Users' texts; the last word on a key counts.
    pub additions: &'a [&'a str],
}

/// The text of `CSP.ini`.
pub fn csp_ini(ini: &CspIni<'_>) -> String {
    let CspIni { servers, alternative, paths, login, additions } = *ini;
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

/// The text of `CSP.conf`: it makes the web server hand the paths over to the gateway.
pub fn csp_conf(type_: WebgatewayType, paths: &[String]) -> String {
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

/// Sections in the order in which they came up.
#[derive(Default)]
struct Sections(Vec<(String, Vec<(String, String)>)>);

impl Sections {
    fn set(&mut self, section: &str, key: &str, value: &str) {
        let found = self.0.iter().position(|(name, _)| name.eq_ignore_ascii_case(section));
        let index = found.unwrap_or_else(|| {
            self.0.push((section.to_owned(), Vec::new()));
            self.0.len() - 1
        });
        let keys = &mut self.0[index].1;
        match keys.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            Some((_, old)) => value.clone_into(old),
            None => keys.push((key.to_owned(), value.to_owned())),
        }
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
        for (name, keys) in &self.0 {
            if !text.is_empty() {
                text.push('\n');
            }
            add(&mut text, format_args!("[{name}]"));
            for (key, value) in keys {
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
