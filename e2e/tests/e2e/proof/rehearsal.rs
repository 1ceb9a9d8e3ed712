//! The published rehearsal: a mirror with a member each in boston, chicago and seattle, and 128 compute pods in london.
//! Its run passed three of four checks and ended with 19 of 128. It must hold nothing but that.

use serde_json::Value;

use super::simulate::Place;

const REHEARSAL: &str = "
apiVersion: intersystems.com/v1alpha1
kind: IrisCluster
metadata: {name: iris, namespace: rehearsal}
spec:
  topology:
    data:
      image: 'iris:2025.1'
      mirrored: true
      mirrorMap: primary,backup,drasync
      preferredZones: [boston, chicago, seattle]
    compute: {image: 'iris:2025.1', replicas: 128, ephemeral: true, preferredZones: [london]}
";

/// The four checks.
const CHECKS: [&[&str]; 4] = [
    &["data primary in boston", "data backup in chicago"],
    &["data dr async in seattle"],
    &["128 compute in london"],
    &["pod counts match topology"],
];

#[tokio::test]
async fn all_four_checks_of_the_published_rehearsal_pass() {
    let place = Place::new("rehearsal");
    let file = place.file("rehearsal.yaml", REHEARSAL);
    let (code, out, err) = place.run(&file, &["-o", "json"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let claims = report["claims"].as_array().unwrap();
    for check in CHECKS.into_iter().flatten() {
        let found = claims.iter().find(|claim| claim["claim"] == **check);
        assert_eq!(found.map(|claim| &claim["result"]), Some(&"PASS".into()), "{check}: {out}");
    }
    let zones: Vec<_> =
        report["zones"].as_array().unwrap().iter().map(|row| (&row["zones"], &row["observed"])).collect();
    assert_eq!(zones.len(), 4, "{out}");
    assert_eq!(zones[3], (&serde_json::json!(["london"]), &128.into()));
    place.assert_clean().await;
}
