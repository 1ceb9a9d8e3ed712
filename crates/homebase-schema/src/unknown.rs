//! Fields that the schema does not know, with the name that was probably meant. Must not look at values.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use crate::fault::{Fault, FaultKind, below};
use crate::structure::{items, values};

/// The fields of every object: they are in no schema.
const OF_EVERY_OBJECT: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Most letters by which a misspelt name differs from the one that was meant: two words of the API differ by more.
const MAX_DISTANCE: usize = 2;

/// Adds a fault for every field that the schema does not know.
pub(crate) fn collect(
    schema: &JSONSchemaProps,
    value: &Value,
    path: &str,
    is_root: bool,
    faults: &mut Vec<Fault>,
) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let property = schema.properties.as_ref().and_then(|all| all.get(name));
                if is_root && OF_EVERY_OBJECT.contains(&name.as_str()) {
                    continue;
                }
                let path = below(path, name);
                match property.or_else(|| values(schema)) {
                    Some(schema) => collect(schema, value, &path, false, faults),
                    None if schema.x_kubernetes_preserve_unknown_fields == Some(true) => {}
                    None => faults.push(Fault::new(&path, FaultKind::Unknown, words(schema, name))),
                }
            }
        }
        Value::Array(list) => {
            let Some(schema) = items(schema) else { return };
            for (index, item) in list.iter().enumerate() {
                collect(schema, item, &format!("{path}[{index}]"), false, faults);
            }
        }
        _ => {}
    }
}

fn words(schema: &JSONSchemaProps, name: &str) -> String {
    let known = schema.properties.iter().flatten().map(|(known, _)| known.as_str());
    let meant = known
        .map(|known| (distance(known, name), known))
        .filter(|(distance, known)| *distance <= MAX_DISTANCE && *distance < known.chars().count())
        .min();
    match meant {
        Some((_, meant)) => format!("unknown field: `{meant}` is probably meant, else remove it"),
        None => "unknown field: remove it, or correct its name or its indentation".to_owned(),
    }
}

/// Letters to insert, delete, replace, or exchange with their neighbour, without regard to case.
fn distance(one: &str, other: &str) -> usize {
    let letters = |text: &str| text.chars().map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>();
    let (one, other) = (letters(one), letters(other));
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    //! The distance between names.

    use super::distance;

    #[test]
    fn counts_letters_that_differ() {
        for (one, other, expected) in [
            ("mirrored", "mirorred", 1),
            ("replicas", "replicas", 0),
            ("replicas", "Replicas", 0),
            ("image", "imgae", 1),
            ("image", "img", 2),
            ("", "ab", 2),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }
}
