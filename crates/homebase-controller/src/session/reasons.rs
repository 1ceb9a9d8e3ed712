//! Says what came of a request in the words of the session. It decides nothing.

use homebase_core::Chain;
use homebase_fleet::session::{Crds, FailureReason};
use homebase_kube::Category;
use homebase_kube::crd::{InstallCrdError, Installed};

pub(super) fn reason_of(category: Category) -> FailureReason {
    match category {
        Category::Dns => FailureReason::Dns,
        Category::DestinationRefused => FailureReason::DestinationRefused,
        Category::ConnectTimeout => FailureReason::ConnectTimeout,
        Category::ConnectionRefused => FailureReason::ConnectionRefused,
        Category::Tls => FailureReason::Tls,
        Category::ResponseTimeout => FailureReason::ResponseTimeout,
        Category::Unauthorized => FailureReason::Unauthorized,
        Category::Forbidden | Category::Denied => FailureReason::Forbidden,
        Category::ConnectionLost
        | Category::ServerError
        | Category::Throttled
        | Category::NotFound
        | Category::Conflict
        | Category::Invalid
        | Category::Malformed
        | Category::Inadmissible
        | Category::OverBudget
        | Category::Other => FailureReason::ServerError,
    }
}

pub(super) fn crds_of(outcome: Result<Installed, InstallCrdError>) -> Crds {
    match outcome {
        Ok(Installed::UpToDate) => Crds::UpToDate,
        Ok(Installed::RemoteNewer(name)) => Crds::RemoteNewer(name),
        Err(error) => {
            let message = Chain(&error).to_string();
            match &error {
                InstallCrdError::ForeignOwner { .. } | InstallCrdError::KeepOtherHubs { .. } => {
                    Crds::ForeignOwner(message)
                }
                InstallCrdError::KeepOut { .. } => Crds::Forbidden(message),
                InstallCrdError::Establish { .. } | InstallCrdError::UpgradeHub { .. } => {
                    Crds::NotEstablished(message)
                }
                _ if error.is_forbidden() => Crds::Forbidden(message),
                _ => Crds::Failed(message),
            }
        }
    }
}
