//! The texts of the ConfigMap that `spec.configSource` names, read in one way wherever it comes from: the watch, a
//! command, or a manifest. It must not judge what the texts say.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;

use super::names::{CSP_CONF, CSP_INI};

#[cfg(test)]
mod tests;

/// Keys of `spec.configSource` whose value means something.
pub const CONFIG_SOURCE_KEYS: [&str; 6] =
    ["common.cpf", "data.cpf", "compute.cpf", "CSP-merge.ini", CSP_INI, CSP_CONF];

/// Editors on Windows begin a UTF-8 file with it. In the middle of the CPF it would be part of a section's name.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What the ConfigMap that `spec.configSource` names holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConfigSource {
    /// The spec names none.
    #[default]
    NotReferenced,
    /// The spec names one that is not there.
    Missing,
    /// Its texts.
    Found(ConfigTexts),
}

impl ConfigSource {
    /// The text of one of [`CONFIG_SOURCE_KEYS`].
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self {
            Self::Found(texts) => texts.text(key),
            Self::NotReferenced | Self::Missing => None,
        }
    }
}

/// The texts of a ConfigMap. Of a key that means nothing only the name is kept: it is warned of, and its value may be
/// large.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigTexts {
    texts: BTreeMap<String, String>,
    not_text: BTreeSet<String>,
    without_effect: BTreeSet<String>,
}

impl From<&ConfigMap> for ConfigTexts {
    /// kubectl puts a file that is not UTF-8 into `binaryData`; other tools put any file there.
    fn from(found: &ConfigMap) -> Self {
        let data = found.data.iter().flatten().map(|(key, text)| (key, Some(text.as_str())));
        let binary = found.binary_data.iter().flatten();
        let binary = binary.map(|(key, bytes)| (key, std::str::from_utf8(&bytes.0).ok()));
        let mut all = Self::default();
        for (key, text) in data.chain(binary) {
            all.add(key, text);
        }
        all
    }
}

impl From<BTreeMap<String, String>> for ConfigTexts {
    fn from(data: BTreeMap<String, String>) -> Self {
        let mut all = Self::default();
        for (key, text) in &data {
            all.add(key, Some(text));
        }
        all
    }
}

impl ConfigTexts {
    fn add(&mut self, key: &str, text: Option<&str>) {
        let key = key.to_owned();
        match text {
            _ if !CONFIG_SOURCE_KEYS.contains(&key.as_str()) => drop(self.without_effect.insert(key)),
            Some(text) => {
                let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
                self.texts.insert(key, text.to_owned());
            }
            None => drop(self.not_text.insert(key)),
        }
    }

    /// The text of one of [`CONFIG_SOURCE_KEYS`], without a byte order mark.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str)
    }

    /// Keys that mean something and whose value is not UTF-8 text.
    pub(crate) fn not_text(&self) -> impl Iterator<Item = &str> {
        self.not_text.iter().map(String::as_str)
    }

    /// Keys that mean nothing.
    pub(crate) fn without_effect(&self) -> impl Iterator<Item = &str> {
        self.without_effect.iter().map(String::as_str)
    }
}
