//! Hides what must not be shown of two objects that are compared, and keeps that it differs. Secrets themselves are never
//! read.

use serde_json::Value;

/// What the name of a field or of a setting has in it, in whatever case, when its value is a password or the hash of one.
const SECRET_WORD: &str = "password";
/// In place of a value.
const HIDDEN: &str = "(hidden)";
/// In place of a value that is none of those before.
const HIDDEN_OTHER: &str = "(hidden, another one)";

/// Hides it in both.
pub(super) fn hide(before: &mut Value, after: &mut Value) {
    let mut known = Vec::new();
    visit(before, &mut |secret| {
        known.push(secret.to_owned());
        HIDDEN
    });
    visit(after, &mut |secret| if known.iter().any(|known| known == secret) { HIDDEN } else { HIDDEN_OTHER });
}

/// Shows each secret to somebody who says what stands in its place.
fn visit(value: &mut Value, replace: &mut dyn FnMut(&str) -> &'static str) {
    match value {
        Value::String(text) => {
            let lines = text.split('\n').map(|line| replaced(line, replace));
            *text = lines.collect::<Vec<_>>().join("\n");
        }
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, replace)),
        Value::Object(fields) => {
            // A variable has its name and its value in two fields.
            let is_variable = fields.get("name").and_then(Value::as_str).is_some_and(is_secret);
            for (key, field) in fields {
                match field {
                    Value::String(secret)
                        if !secret.is_empty() && (is_secret(key) || (is_variable && key == "value")) =>
                    {
                        let word = replace(secret.trim());
                        word.clone_into(secret);
                    }
                    field => visit(field, replace),
                }
            }
        }
        _ => {}
    }
}

/// A line without its secrets: each is what comes after a `=` or `:` behind a name of one, up to a comma or the end. How
/// the line ends is no part of it.
fn replaced(line: &str, replace: &mut dyn FnMut(&str) -> &'static str) -> String {
    let mut pieces = Vec::new();
    for piece in line.split(',') {
        let word = piece.to_ascii_lowercase().find(SECRET_WORD);
        let found = word.and_then(|word| Some(word + piece[word..].find(['=', ':'])?));
        pieces.push(match found {
            Some(at) if !piece[at + 1..].trim().is_empty() => {
                let (name, secret) = piece.split_at(at + 1);
                let end = if secret.ends_with('\r') { "\r" } else { "" };
                format!("{name}{}{end}", replace(secret.trim()))
            }
            _ => piece.to_owned(),
        });
    }
    pieces.join(",")
}

fn is_secret(name: &str) -> bool {
    name.to_ascii_lowercase().contains(SECRET_WORD)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::hide;

    #[test]
    fn a_hash_is_hidden_and_that_it_differs_is_not() {
        let one = json!({"data": {"data.cpf": "[Startup]\nPasswordHash=canary-1\nDefaultPort=1972\n"}});
        let (mut before, mut same) = (one.clone(), one.clone());
        hide(&mut before, &mut same);
        assert_eq!(before, same);
        let mut before = one;
        let mut other = json!({"data": {"data.cpf": "[Startup]\nPasswordHash=canary-2\nDefaultPort=1972\n"}});
        hide(&mut before, &mut other);
        assert_ne!(before, other);
        let shown = format!("{before}{other}");
        assert!(!shown.contains("canary") && shown.contains("DefaultPort=1972"), "{shown}");
    }

    #[test]
    fn a_password_is_hidden_wherever_it_is_in_a_line() {
        for line in [
            "PasswordHash=canary",
            "passwordhash = canary",
            "  Password=canary",
            "CreateUser:Name=me,Password=canary,Roles=%All",
            "ModifyUser:Name=me, PASSWORD = canary ,Roles=%All\r",
            "LDAPSearchPassword=canary=with=more",
            "SSLConfig=PrivateKeyPassword:canary",
            "ModifyUser:Password=canary",
        ] {
            let mut before = json!({"data": {"data.cpf": format!("[Actions]\n{line}\nnext=kept\n")}});
            hide(&mut before, &mut json!(null));
            let shown = before.to_string();
            assert!(!shown.contains("canary"), "{shown}");
            assert!(shown.contains("(hidden)") && shown.contains("next=kept"), "{shown}");
            assert!(!line.contains("Roles") || shown.contains("Roles=%All"), "{shown}");
        }
        let mut named =
            json!({"data": {"password": "canary"}, "env": [{"name": "DB_PASSWORD", "value": "canary"}]});
        hide(&mut named, &mut json!(null));
        let hidden =
            json!({"data": {"password": "(hidden)"}, "env": [{"name": "DB_PASSWORD", "value": "(hidden)"}]});
        assert_eq!(named, hidden);
    }

    #[test]
    fn how_lines_end_makes_no_other_password() {
        let of = |end: &str| json!({"data": {"data.cpf": format!("[Startup]{end}PasswordHash=canary{end}")}});
        for (one, other) in [("\r\n", "\r\n"), ("\n", "\r\n"), ("\r\n", "\n")] {
            let (mut before, mut after) = (of(one), of(other));
            hide(&mut before, &mut after);
            assert!(!after.to_string().contains("another one"), "{after}");
            assert_eq!(before == after, one == other);
        }
    }
}
