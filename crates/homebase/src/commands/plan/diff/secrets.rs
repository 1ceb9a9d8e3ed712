//! Hides what must not be shown of two objects that are compared, and keeps that it differs. Secrets themselves are never
//! read.

use serde_json::Value;

/// The line of a CPF that holds the hash of a password.
const SECRET_LINES: [&str; 1] = ["PasswordHash="];

/// Hides it in both.
pub(super) fn hide(before: &mut Value, after: &mut Value) {
    let known = lines_of(before);
    hide_in(before, &|_| "(hidden)".to_owned());
    hide_in(after, &|line| {
        let is_same = known.iter().any(|known| known == line);
        if is_same { "(hidden)" } else { "(hidden, another one)" }.to_owned()
    });
}

fn secret_of(line: &str) -> Option<&'static str> {
    SECRET_LINES.into_iter().find(|secret| line.trim_start().starts_with(secret))
}

/// All secret lines of an object.
fn lines_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            text.lines().filter(|line| secret_of(line).is_some()).map(str::to_owned).collect()
        }
        Value::Array(items) => items.iter().flat_map(lines_of).collect(),
        Value::Object(fields) => fields.values().flat_map(lines_of).collect(),
        _ => Vec::new(),
    }
}

fn hide_in(value: &mut Value, word: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) if text.lines().any(|line| secret_of(line).is_some()) => {
            let lines = text.split('\n').map(|line| match secret_of(line) {
                Some(secret) => format!("{secret}{}", word(line)),
                None => line.to_owned(),
            });
            *text = lines.collect::<Vec<_>>().join("\n");
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(item, word)),
        Value::Object(fields) => fields.values_mut().for_each(|field| hide_in(field, word)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::hide;

    #[test]
    fn a_hash_is_hidden_and_that_it_differs_is_not() {
        let one = json!({"data": {"data.cpf": "[Startup]\nPasswordHash=canary-1\nDefaultPort=1972\n"}});
        let (mut before, mut same) = (one.clone(), one);
        hide(&mut before, &mut same);
        assert_eq!(before, same);
        let mut other = json!({"data": {"data.cpf": "[Startup]\nPasswordHash=canary-2\nDefaultPort=1972\n"}});
        hide(&mut before, &mut other);
        assert_ne!(before, other);
        let shown = format!("{before}{other}");
        assert!(!shown.contains("canary") && shown.contains("DefaultPort=1972"), "{shown}");
    }
}
