//! Categories of answers. What sockets do is tested with the client.

use kube::core::Status;

use super::{Category, categorize};

#[test]
fn answers_are_sorted_by_their_code() {
    for (code, category) in [
        (401, Category::Unauthorized),
        (403, Category::Forbidden),
        (404, Category::NotFound),
        (409, Category::Conflict),
        (422, Category::Invalid),
        (429, Category::Throttled),
        (500, Category::ServerError),
        (503, Category::ServerError),
        (418, Category::Other),
    ] {
        let status = Status { code, ..Status::default() };
        assert_eq!(categorize(&kube::Error::Api(status.boxed())), category, "{code}");
    }
}
