//! Manifests as people keep them: files, directories and standard input, each with several documents. It reads them and
//! says where each comes from; it judges none.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;

use crate::arguments::ManifestArguments;

mod located;
#[cfg(test)]
mod tests;

use located::Located;

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

impl Place {
    /// The place of what is on another line of the same file.
    pub(super) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.file)
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    pub(super) place: Place,
    pub(super) value: Value,
    /// The line of the first field that is given twice.
    pub(super) repeated: Option<usize>,
    located: Located,
    /// Lines of the file before the text that `located` was read from.
    before: usize,
}

impl Document {
    /// A text of the object, such as its `kind`; empty when there is none.
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// The place of a field, or of what comes nearest to it.
    pub(super) fn place_of(&self, path: &str) -> String {
        match self.located.line_of(path) {
            0 => self.place.to_string(),
            _ if path.is_empty() => self.place.to_string(),
            line => self.place.at(self.before + line),
        }
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
    /// Folders within a folder that was named: they are not read, as kubectl does not either.
    pub(super) skipped: Vec<PathBuf>,
}

/// Reads everything that was named. Resources that name no namespace get the one of the arguments.
pub(super) fn read(arguments: &ManifestArguments) -> Manifests {
    let mut found = Manifests::default();
    for path in &arguments.filename {
        match files(path) {
            Ok((files, folders)) => {
                for file in &files {
                    found.add_file(file);
                }
                found.skipped.extend(folders);
            }
            Err(error) => found.fail(path.display().to_string(), error.to_string()),
        }
    }
    for document in &mut found.documents {
        set_namespace(&mut document.value, arguments.namespace.as_str());
    }
    found
}

/// The files that a path stands for, and the folders within it, both in the order of their names.
fn files(path: &Path) -> std::io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    if !path.is_dir() {
        return Ok((vec![path.to_owned()], Vec::new()));
    }
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if path.is_dir() {
            folders.push(path);
        } else if ENDINGS.contains(&ending) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    folders.sort();
    Ok((files, folders))
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
        for (before, text) in json_documents(text).unwrap_or_else(|| split(text)) {
            let (located, repeated) = match parse(&text) {
                Ok(read) => read,
                Err(error) => {
                    number += 1;
                    let line = error.location().map_or(1, |found| usize::try_from(found.line()).unwrap_or(1));
                    self.fail(format!("{file}:{}", before + line), explain(&error));
                    continue;
                }
            };
            let value = located.value();
            if value.is_null() {
                continue;
            }
            number += 1;
            let blank = text.lines().take_while(|line| is_blank(line)).count();
            let place = Place { file: file.to_owned(), document: number, line: before + blank + 1 };
            let repeated = repeated.map(|line| before + line);
            self.add_document(Document { place, value, repeated, located, before });
        }
    }

    /// Adds an object, or those of a list of objects.
    fn add_document(&mut self, document: Document) {
        if document.kind().is_empty() || document.text("/apiVersion").is_empty() {
            let why = "it is no object of Kubernetes: it has no apiVersion or no kind".to_owned();
            return self.fail(document.place.to_string(), why);
        }
        if !document.kind().ends_with("List") || !document.value.get("items").is_some_and(Value::is_array) {
            return self.documents.push(document);
        }
        let Document { place, repeated, located, before, .. } = document;
        for located in located.items("items") {
            let (place, value) = (place.clone(), located.value());
            self.add_document(Document { place, value, repeated, located, before });
        }
    }
}

/// Reads one document. kubectl takes the last one of two fields with the same name, so that is what counts here too; the
/// line of the first such field is told, for it is hardly meant.
fn parse(text: &str) -> Result<(Located, Option<usize>), serde_saphyr::Error> {
    match serde_saphyr::from_str_with_options(text, options(DuplicateKeyPolicy::Error)) {
        Err(serde_saphyr::Error::DuplicateMappingKey { location, .. }) => {
            let located = serde_saphyr::from_str_with_options(text, options(DuplicateKeyPolicy::LastWins))?;
            Ok((located, usize::try_from(location.line()).ok()))
        }
        read => Ok((read?, None)),
    }
}

/// The parser's words end with a place, which is one within the document.
fn explain(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let why = text.split(" at line ").next().unwrap_or_default();
    format!("it is not valid YAML: {why}")
}

/// The documents of a text that is JSON values one after the other, as kubectl reads it; none when it is anything else.
fn json_documents(text: &str) -> Option<Vec<(usize, String)>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let (mut documents, mut start, mut before) = (Vec::new(), 0, 0);
    while let Some(value) = values.next() {
        value.ok()?;
        let one = &text[start..values.byte_offset()];
        documents.push((before, one.to_owned()));
        before += one.matches('\n').count();
        start = values.byte_offset();
    }
    Some(documents)
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
fn options(duplicates: DuplicateKeyPolicy) -> serde_saphyr::Options {
    serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        duplicate_keys: duplicates,
        // kubectl takes any number of them in a row; a reader that keeps them has a limit.
        emit_comments: false,
    }
}

fn set_namespace(value: &mut Value, namespace: &str) {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let named = metadata.get("namespace");
    if named.is_none_or(|named| named.is_null() || named == "") {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
}
