//! Manifests as people keep them: files, directories and standard input, each with several documents. It reads them and
//! says where each comes from; it judges none.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::arguments::ManifestArguments;

#[cfg(test)]
mod tests;

/// Most bytes of one file: some thousand resources, and a file of that size is no manifest by mistake.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Endings of the files that are taken from a directory, as kubectl does.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// What stands for standard input.
const STANDARD_INPUT: &str = "-";
/// What stands between two documents.
const SEPARATOR: &str = "---";

/// Where a document comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    file: String,
    /// Its number in the file, from 1; empty documents do not count.
    document: usize,
    /// Its first line in the file, from 1.
    line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    pub(super) place: Place,
    pub(super) value: Value,
}

impl Document {
    /// A text of the object, such as its `kind`; empty when there is none.
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn kind(&self) -> &str {
        self.text("/kind")
    }
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Unreadable {
    /// The file, with the line where it is known.
    pub(super) place: String,
    pub(super) why: String,
}

/// All that was named.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Manifests {
    pub(super) documents: Vec<Document>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// Reads everything that was named. Resources that name no namespace get the one of the arguments.
pub(super) fn read(arguments: &ManifestArguments) -> Manifests {
    let mut found = Manifests::default();
    for path in &arguments.filename {
        match files(path) {
            Ok(files) => files.iter().for_each(|file| found.add_file(file)),
            Err(error) => found.fail(path.display().to_string(), error.to_string()),
        }
    }
    for document in &mut found.documents {
        set_namespace(&mut document.value, arguments.namespace.as_str());
    }
    found
}

/// The files that a path stands for, in the order of their names.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if ENDINGS.contains(&ending) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn load(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = if path == Path::new(STANDARD_INPUT) {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|bytes| bytes > MAX_BYTES) {
        return Err(format!("it has more than {MAX_BYTES} bytes: split it"));
    }
    String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())
}

impl Manifests {
    /// What is in a text, as if it were a file.
    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        let mut found = Self::default();
        found.add_text("test", text);
        found.documents.iter_mut().for_each(|document| set_namespace(&mut document.value, "default"));
        found
    }

    fn fail(&mut self, place: String, why: String) {
        self.unreadable.push(Unreadable { place, why });
    }

    fn add_file(&mut self, path: &Path) {
        let name = if path == Path::new(STANDARD_INPUT) {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        match load(path) {
            Ok(text) => self.add_text(&name, &text),
            Err(why) => self.fail(name, why),
        }
    }

    fn add_text(&mut self, file: &str, text: &str) {
        let mut number = 0;
        for (start, text) in split(text) {
            // Padded, so that the lines that the parser names are those of the file.
            let padded = "\n".repeat(start) + &text;
            let value: Value = match serde_saphyr::from_str_with_options(&padded, options()) {
                Ok(value) => value,
                Err(error) => {
                    number += 1;
                    let line = error.location().map_or(start as u64 + 1, |location| location.line());
                    self.fail(format!("{file}:{line}"), format!("it is no YAML: {error}"));
                    continue;
                }
            };
            if value.is_null() {
                continue;
            }
            number += 1;
            let blank = text.lines().take_while(|line| is_blank(line)).count();
            let place = Place { file: file.to_owned(), document: number, line: start + blank + 1 };
            self.add_value(place, value);
        }
    }

    /// Adds an object, or those of a list of objects.
    fn add_value(&mut self, place: Place, value: Value) {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        if text("kind").is_empty() || text("apiVersion").is_empty() {
            let why = "it is no object of Kubernetes: it has no apiVersion or no kind".to_owned();
            return self.fail(place.to_string(), why);
        }
        let is_list = text("kind").ends_with("List");
        match value.get("items").and_then(Value::as_array).filter(|_| is_list) {
            Some(items) => {
                for item in items {
                    self.add_value(place.clone(), item.clone());
                }
            }
            None => self.documents.push(Document { place, value }),
        }
    }
}

/// The documents of a file, each with the number of lines before it.
fn split(text: &str) -> Vec<(usize, String)> {
    let mut documents = vec![(0, String::new())];
    for (index, line) in text.lines().enumerate() {
        let rest = line.strip_prefix(SEPARATOR).map(str::trim);
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('#')) {
            documents.push((index + 1, String::new()));
        } else if let Some((_, document)) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents.retain(|(_, text)| !text.lines().all(is_blank));
    documents
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// As kubectl reads: `0644` is octal. No lines of the file in errors: a manifest may hold a Secret.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! { legacy_octal_numbers: true, with_snippet: false }
}

fn set_namespace(value: &mut Value, namespace: &str) {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let named = metadata.get("namespace");
    if named.is_none_or(|named| named.is_null() || named == "") {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
}
