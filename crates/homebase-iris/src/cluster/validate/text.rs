//! Decides which users' texts may go into CPF and object fields: one line, no characters that end a value. Must not
//! repeat the text in a message.

use homebase_api::limits::PATH_LENGTH;

use crate::report::Report;

/// A text that goes into one line of CPF.
pub(super) fn require_one_line(path: &str, text: &str, report: &mut Report) {
    if text.chars().any(char::is_control) {
        report.invalid(path, "must be one line without control characters: it becomes a line of CPF");
    }
}

/// An image reference, as far as it can be told without a registry.
pub(super) fn require_image(path: &str, image: &str, report: &mut Report) {
    if image.is_empty() {
        report.invalid(path, "must not be empty: name the image");
    } else if image.chars().any(|c| c.is_whitespace() || c.is_control()) {
        report.invalid(path, "must not have spaces or control characters");
    }
}

/// A directory that goes into CPF, where some characters would end the value, and into a mount, where `:` would.
pub(super) fn require_directory(path: &str, directory: &str, report: &mut Report) {
    let ends_a_value = |c: char| c.is_whitespace() || c.is_control() || ",;=\"\\[]:#".contains(c);
    let absolute = directory.starts_with('/') && !directory.trim_matches('/').is_empty();
    let climbs = directory.split('/').any(|part| part == "..");
    if !absolute || climbs || directory.contains(ends_a_value) {
        report.invalid(
            path,
            "not a directory that IRIS can use: begin with `/`, and use no blanks, no `..` and none of , ; = : \" \\ [ ] #",
        );
    } else if directory.len() > PATH_LENGTH {
        report.invalid(path, format!("must have {PATH_LENGTH} characters at most"));
    }
}
