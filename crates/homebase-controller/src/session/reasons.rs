//! Says why a probe failed in the words of the session. It looks at the category of an error only.

use homebase_fleet::session::FailureReason;
use homebase_kube::Category;

pub(super) fn reason_of(category: Category) -> FailureReason {
    match category {
        Category::Dns => FailureReason::Dns,
        Category::DestinationRefused => FailureReason::DestinationRefused,
        Category::ConnectTimeout => FailureReason::ConnectTimeout,
        Category::ConnectionRefused => FailureReason::ConnectionRefused,
        Category::Tls => FailureReason::Tls,
        Category::ResponseTimeout => FailureReason::ResponseTimeout,
        Category::Unauthorized => FailureReason::Unauthorized,
        Category::Forbidden => FailureReason::Forbidden,
        Category::ConnectionLost
        | Category::ServerError
        | Category::Throttled
        | Category::NotFound
        | Category::Conflict
        | Category::Invalid
        | Category::Malformed
        | Category::Other => FailureReason::ServerError,
    }
}
