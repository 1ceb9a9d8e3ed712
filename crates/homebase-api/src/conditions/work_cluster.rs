//! Conditions of a `WorkCluster`. It must not decide when one holds.

use super::{Described, described, reasons};

reasons! {
    /// Whether the hub operates the cluster.
    Ready, "Ready" {
        /// Every other condition holds.
        AllChecksPassed,
        /// The session is being set up.
        Connecting,
        /// The apiserver does not answer.
        NotReachable,
        /// The credentials are refused or have expired.
        CredentialsInvalid,
        /// The cluster is not, or not surely, the one that was registered.
        IdentityNotVerified,
        /// Rights are missing.
        PermissionsMissing,
        /// The CRDs are not there or not usable.
        CRDsNotInstalled,
        /// The view of the cluster is not complete or too old.
        NotSynced,
        /// The registration says `homebase.dev/paused`.
        Paused,
        /// The registration cannot be used.
        InvalidRegistration,
        /// The list of registrations lacks the registration.
        RegistrationMissing,
        /// Another hub has claimed the cluster.
        ForeignOwner,
        /// The hub lets go of the cluster.
        Draining,
    }
}

reasons! {
    /// Whether the apiserver answers.
    Reachable, "Reachable" {
        /// The last probe was answered.
        ProbeSucceeded,
        /// The host name does not resolve.
        DNSFailure,
        /// No connection within the time limit.
        ConnectTimeout,
        /// The connection was refused.
        ConnectionRefused,
        /// The TLS handshake failed.
        TLSFailure,
        /// Connected, but no answer within the time limit.
        ResponseTimeout,
        /// The answer was an error of the server.
        ServerError,
        /// Probes are answered, other requests are not; they are held back.
        CircuitOpen,
        /// Not checked at present: the cluster is paused, its registration cannot be used, or it has no session.
        NotChecked,
    }
}

reasons! {
    /// Whether the kubeconfig may be used and its credentials are accepted.
    CredentialsValid, "CredentialsValid" {
        /// The apiserver accepts them.
        Valid,
        /// They expire soon.
        ExpiringSoon,
        /// They have expired.
        Expired,
        /// The apiserver refuses them.
        Unauthorized,
        /// The kubeconfig asks for something insecure that is not allowed.
        InsecureKubeConfig,
        /// The kubeconfig cannot be used.
        BadKubeConfig,
        /// The Secret has none of the accepted keys.
        KeyNotFound,
        /// A new kubeconfig is refused; the old one stays in use.
        RotationRejected,
        /// Not checked at present: the cluster is paused, its registration cannot be used, or it has no session.
        NotChecked,
    }
}

reasons! {
    /// Whether the cluster is the one that was registered.
    IdentityVerified, "IdentityVerified" {
        /// First contact: its identity is now on record.
        Pinned,
        /// Its identity is the one on record.
        Matched,
        /// Its identity is not the one on record.
        Mismatch,
        /// An older registration is the same cluster.
        Duplicate,
        /// Its identity cannot be read.
        Unreadable,
        /// Not checked at present: the cluster is paused, its registration cannot be used, or it has no session.
        NotChecked,
    }
}

reasons! {
    /// Whether the credentials carry the rights that the hub needs.
    PermissionsVerified, "PermissionsVerified" {
        /// All that is needed, and not more.
        Sufficient,
        /// Some are missing.
        Missing,
        /// There are more than needed.
        Excessive,
        /// The rights cannot be read.
        Unknown,
        /// Not checked at present: the cluster is paused, its registration cannot be used, or it has no session.
        NotChecked,
    }
}

reasons! {
    /// Whether the cluster serves the kinds that the hub operates.
    CRDsInstalled, "CRDsInstalled" {
        /// They are those of this hub.
        UpToDate,
        /// They are being installed.
        Installing,
        /// Installed, but not served.
        NotEstablished,
        /// They are newer than those of this hub, and stay.
        RemoteNewer,
        /// Somebody else owns them.
        ForeignOwner,
        /// The credentials do not allow it.
        Forbidden,
        /// Not checked at present: the cluster is paused, its registration cannot be used, or it has no session.
        NotChecked,
    }
}

reasons! {
    /// Whether the view of the cluster is complete and fresh.
    Synced, "Synced" {
        /// It is.
        Synced,
        /// The first lists are under way.
        Syncing,
        /// The last news is too old.
        Stale,
        /// Not checked at present: the cluster is paused, its registration cannot be used, or it has no session.
        NotChecked,
    }
}

/// The conditions of a `WorkCluster`.
pub fn all() -> Vec<Described> {
    vec![
        described::<Ready>(),
        described::<Reachable>(),
        described::<CredentialsValid>(),
        described::<IdentityVerified>(),
        described::<PermissionsVerified>(),
        described::<CRDsInstalled>(),
        described::<Synced>(),
    ]
}
