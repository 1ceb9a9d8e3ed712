//! Finds keys of Homebase's own on a registration that it does not know, such as misspelt settings: what they were
//! meant to forbid must not be done. It reads no values.

use std::collections::BTreeMap;

use homebase_api::{annotations, labels};
use strsim::damerau_levenshtein;

/// The part of a key that makes it Homebase's own.
const PREFIX: &str = "homebase.dev/";
/// Labels of a registration.
const LABELS: [&str; 1] = [labels::CLUSTER];
/// A key that differs from a known one by more letters than this does not resemble it.
const MAX_DISTANCE: usize = 3;
/// As many unknown keys as are named: one is enough to go and look.
const MAX_NAMED: usize = 5;

/// The keys that are not known, in words; none when all are known.
pub(super) fn unknown(
    found: &BTreeMap<String, String>,
    found_labels: &BTreeMap<String, String>,
) -> Option<String> {
    let annotations = named(found, "annotation", &annotations::REGISTRATION, &LABELS);
    let labels = named(found_labels, "label", &LABELS, &annotations::REGISTRATION);
    let named: Vec<String> = annotations.chain(labels).take(MAX_NAMED).collect();
    (!named.is_empty())
        .then(|| format!("{}. Correct or remove it; until then, the cluster is paused", named.join("; ")))
}

fn named<'a>(
    found: &'a BTreeMap<String, String>,
    sort: &'static str,
    known: &'static [&'static str],
    elsewhere: &'static [&'static str],
) -> impl Iterator<Item = String> + 'a {
    let is_ours =
        |key: &&String| key.get(..PREFIX.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX));
    let unknown = move |key: &&String| !known.contains(&key.as_str());
    found.keys().filter(is_ours).filter(unknown).map(move |key| {
        let hint = if elsewhere.contains(&key.as_str()) {
            let other = if sort == "label" { "an annotation" } else { "a label" };
            format!("; it must be {other}")
        } else {
            resembled(key, known).map_or_else(String::new, |known| format!("; did you mean {known}?"))
        };
        format!("{key}: unknown {sort}{hint}")
    })
}

/// The known key that is nearest to another one, if it is near.
fn resembled(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let near = known.iter().map(|known| (damerau_levenshtein(&key.to_ascii_lowercase(), known), *known));
    near.min().filter(|(distance, _)| *distance <= MAX_DISTANCE).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    //! Misspelt keys are named with the key that they resemble, and others' keys are nobody's business here.

    use std::collections::BTreeMap;

    use homebase_api::annotations;

    use super::super::{Preferences, Restriction};

    fn read(found: &[&str], labels: &[&str]) -> Preferences {
        let map = |keys: &[&str]| -> BTreeMap<String, String> {
            keys.iter().map(|key| ((*key).to_owned(), "true".to_owned())).collect()
        };
        Preferences::read(&map(found), &map(labels), Restriction::default())
    }

    #[test]
    fn a_misspelt_key_pauses_the_cluster_and_names_the_known_one() {
        for (found, known) in [
            ("homebase.dev/watch-namespace", annotations::WATCH_NAMESPACES),
            ("homebase.dev/pausd", annotations::PAUSED),
            ("homebase.dev/puased", annotations::PAUSED),
            ("homebase.dev/Paused", annotations::PAUSED),
            ("Homebase.dev/crd-policy", annotations::CRD_POLICY),
            ("homebase.dev/expected-cluster-id", annotations::EXPECTED_CLUSTER_UID),
        ] {
            let read = read(&[found], &[]);
            let paused = read.paused.unwrap();
            assert!(
                paused.contains(&format!("{found}: unknown annotation; did you mean {known}?")),
                "{paused}"
            );
            assert!(read.faults.contains(&paused), "{:?}", read.faults);
        }
        let paused = read(&["homebase.dev/owner-of-this"], &[]).paused.unwrap();
        assert!(!paused.contains("did you mean"), "{paused}");
    }

    #[test]
    fn a_setting_that_is_a_label_is_told_to_be_none() {
        let paused = read(&[], &["homebase.dev/cluster", annotations::CRD_POLICY]).paused.unwrap();
        assert!(
            paused.contains("homebase.dev/crd-policy: unknown label; it must be an annotation"),
            "{paused}"
        );
    }

    #[test]
    fn known_keys_and_those_of_others_pause_nothing() {
        let mut known = annotations::REGISTRATION.to_vec();
        known.retain(|key| *key != annotations::PAUSED);
        let with_others =
            [known, vec!["homebase.example.com/paused", "team", "kubectl.kubernetes.io/x"]].concat();
        assert_eq!(read(&with_others, &["homebase.dev/cluster", "app"]).paused, None);
    }
}
