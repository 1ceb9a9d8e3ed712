//! Writes the part of a CPF that is about certificates. Must not look into them: it names files.
//!
//! Facts, from the CPF reference, the TLS guide and public examples: the actions, the names `%SuperServer` and
//! `%ECPClient` of the configurations that IRIS uses for these connections, `SSLSuperServer` and `SSLECPServer` of the
//! system's security settings, in which 1 allows TLS and 2 demands it, and the files of `SSLDir`. Choices of this
//! project: TLS is allowed and not demanded, since web gateways beside IRIS and nodes that have not restarted yet come
//! without; data nodes serve ECP with the certificate of the superserver if there is one, because IRIS has one
//! configuration for both; and clients present a certificate of their own, in case somebody demands it later.

use super::line;
use crate::cluster::names::{Connection, TLS_AUTHORITIES, TLS_CERTIFICATE, TLS_KEY};

/// Which connections of an IRIS node have certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpfTls {
    /// Between mirror members.
    pub mirror: bool,
    /// Of clients to the superserver.
    pub superserver: bool,
    /// Of compute nodes to data nodes.
    pub ecp: bool,
}

/// Makes the superserver take connections with TLS, and ECP with it when the node serves that.
pub(super) fn server_configs(text: &mut String, tls: CpfTls, serves_ecp: bool) {
    let connection = match (tls.superserver, serves_ecp) {
        (true, _) => Connection::Superserver,
        (false, true) => Connection::Ecp,
        (false, false) => return,
    };
    let directory = connection.directory();
    line(
        text,
        format_args!(
            "CreateSSLConfig:Name=%SuperServer,Enabled=1,Type=1,CertificateFile={directory}/{TLS_CERTIFICATE},\
             PrivateKeyFile={directory}/{TLS_KEY}"
        ),
    );
    let superserver = if tls.superserver { ",SSLSuperServer=1" } else { "" };
    let ecp = if serves_ecp { ",SSLECPServer=1" } else { "" };
    line(text, format_args!("ModifySystem:Name=SYSTEM{superserver}{ecp}"));
}

/// Gives an ECP client its certificates.
pub(super) fn client_config(text: &mut String) {
    let directory = Connection::Ecp.directory();
    line(
        text,
        format_args!(
            "CreateSSLConfig:Name=%ECPClient,Enabled=1,Type=0,VerifyPeer=1,CAFile={directory}/{TLS_AUTHORITIES},\
             CertificateFile={directory}/{TLS_CERTIFICATE},PrivateKeyFile={directory}/{TLS_KEY}"
        ),
    );
}
