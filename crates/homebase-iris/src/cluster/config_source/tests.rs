//! Which keys of a ConfigMap are read, and how.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;

use super::{CONFIG_SOURCE_KEYS, ConfigTexts};

fn map(data: &[(&str, &str)], binary: &[(&str, &[u8])]) -> ConfigTexts {
    let data = data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    let binary = binary.iter().map(|(key, bytes)| ((*key).to_owned(), ByteString(bytes.to_vec()))).collect();
    ConfigTexts::from(&ConfigMap { data: Some(data), binary_data: Some(binary), ..ConfigMap::default() })
}

#[test]
fn every_key_that_means_something_is_kept_and_of_others_the_name() {
    let data: Vec<_> = CONFIG_SOURCE_KEYS.iter().chain(&["notes.txt"]).map(|key| (*key, "text")).collect();
    let texts = map(&data, &[("photo.png", &[0xff])]);
    assert!(CONFIG_SOURCE_KEYS.iter().all(|key| texts.text(key) == Some("text")));
    assert_eq!(texts.text("notes.txt"), None);
    assert_eq!(texts.without_effect().collect::<Vec<_>>(), ["notes.txt", "photo.png"]);
    assert_eq!(texts.not_text().count(), 0);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    let texts = map(&[("data.cpf", "\u{feff}[Startup]\n")], &[("common.cpf", "\u{feff}[config]".as_bytes())]);
    assert_eq!((texts.text("data.cpf"), texts.text("common.cpf")), (Some("[Startup]\n"), Some("[config]")));
}

#[test]
fn what_is_no_text_is_named() {
    let texts = map(&[], &[("data.cpf", b"[Startup]\nPasswordHash=\xe4\n"), ("compute.cpf", b"[config]")]);
    assert_eq!(texts.not_text().collect::<Vec<_>>(), ["data.cpf"]);
    assert_eq!((texts.text("data.cpf"), texts.text("compute.cpf")), (None, Some("[config]")));
}
