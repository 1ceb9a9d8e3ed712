//! The hub's metrics page, as Prometheus reads it. It must not know which metrics there are.

use homebase_testkit::HubProcess;

/// One scrape.
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// Scrapes the hub.
    pub(crate) async fn of(hub: &HubProcess) -> Self {
        let answer = hub.get("/metrics").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.head);
        Self(answer.body)
    }

    /// The series of a name whose labels contain every one of these texts, such as `member_cluster="a"`.
    pub(crate) fn series<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [&'a str],
    ) -> impl Iterator<Item = (&'a str, f64)> {
        let samples = self.0.lines().filter(|line| !line.starts_with('#'));
        samples.filter_map(move |line| {
            let (series, value) = line.rsplit_once(' ')?;
            let is_named =
                series.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
            let matches = is_named && labels.iter().all(|label| series.contains(label));
            matches.then(|| (series, value.parse().unwrap()))
        })
    }

    /// The sum of those series; none if there is no such series.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> Option<f64> {
        self.series(name, labels).map(|(_, value)| value).reduce(|a, b| a + b)
    }

    /// Every line about a cluster.
    pub(crate) fn about(&self, cluster: &str) -> Vec<&str> {
        let label = format!("member_cluster=\"{cluster}\"");
        self.0.lines().filter(|line| line.contains(&label)).collect()
    }
}
