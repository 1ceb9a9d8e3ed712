//! How long an installation of CRDs may take: as long as it gets on. It knows nothing of what is installed.

use std::future::Future;
use std::time::Duration;

use homebase_kube::crd::Progress;

/// The longest that the installation of the CRDs may get nowhere: each request has its own deadline, this one holds
/// for those of one step. The whole has no limit, as there may be any number of objects to move to another stored
/// version, and to break that off would be to begin again.
pub(super) const INSTALL_TIMEOUT: Duration = Duration::from_secs(90);

/// Carries an operation to its end; none when it has made no progress for [`INSTALL_TIMEOUT`].
pub(super) async fn while_it_progresses<T>(
    operation: impl Future<Output = T>,
    progress: &Progress,
) -> Option<T> {
    let mut operation = std::pin::pin!(operation);
    loop {
        let before = progress.steps();
        match tokio::time::timeout(INSTALL_TIMEOUT, &mut operation).await {
            Ok(done) => return Some(done),
            Err(_) if progress.steps() == before => return None,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    //! What is long is not broken off, and what hangs is.

    use tokio::time::{Instant, sleep};

    use super::{INSTALL_TIMEOUT, Progress, while_it_progresses};

    #[tokio::test(start_paused = true)]
    async fn what_gets_on_may_take_any_time_and_what_hangs_may_not() {
        let (progress, start) = (Progress::default(), Instant::now());
        let long = async {
            for _ in 0..20 {
                sleep(INSTALL_TIMEOUT / 2).await;
                progress.step();
            }
        };
        assert_eq!(while_it_progresses(long, &progress).await, Some(()));
        assert_eq!(start.elapsed(), INSTALL_TIMEOUT * 10);
        assert_eq!(while_it_progresses(std::future::pending::<()>(), &progress).await, None);
        assert_eq!(start.elapsed(), INSTALL_TIMEOUT * 11);
    }
}
