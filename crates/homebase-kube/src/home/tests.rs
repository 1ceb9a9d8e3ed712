//! What is said of a home kubeconfig that cannot be used, and when its credentials are others.

use std::error::Error as _;

use homebase_core::Chain;
use kube::Config;

use super::reload::mark;
use super::{FindHomeError, find_home, load};

async fn said(path: &std::path::Path) -> FindHomeError {
    find_home(Some(path), |_| unreachable!("no client is built")).await.err().unwrap()
}

fn file(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("homebase-home-{name}-{}.yaml", std::process::id()))
}

#[tokio::test]
async fn the_lines_of_a_malformed_file_are_not_shown() {
    let path = file("malformed");
    std::fs::write(&path, "users:\n- name: u\n  user: {token: canary-in-the-file\n").unwrap();
    let error = said(&path).await;
    std::fs::remove_file(&path).unwrap();
    assert!(!Chain(&error).to_string().contains("canary"), "{}", Chain(&error));
    assert!(error.to_string().contains("homebase-home-"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let error = said(std::path::Path::new("/no/such/kubeconfig")).await;
    assert!(error.to_string().contains("/no/such/kubeconfig") && error.source().is_some(), "{error}");
}

async fn with_user(name: &str, user: &str) -> Config {
    let path = file(name);
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
         clusters: [{{name: k, cluster: {{server: 'https://a:6443'}}}}]\nusers: [{{name: u, user: {user}}}]\n"
    );
    std::fs::write(&path, text).unwrap();
    let config = load(Some(&path)).await;
    std::fs::remove_file(&path).unwrap();
    config.unwrap()
}

#[tokio::test]
async fn another_token_in_the_kubeconfig_or_in_a_file_that_it_names_is_news() {
    let one = mark(&with_user("one", "{token: one}").await);
    assert_eq!(mark(&with_user("same", "{token: one}").await), one);
    assert_ne!(mark(&with_user("two", "{token: two}").await), one);

    let token = file("token");
    std::fs::write(&token, "first").unwrap();
    let config = with_user("by-file", &format!("{{tokenFile: {}}}", token.display())).await;
    let first = mark(&config);
    std::fs::write(&token, "second").unwrap();
    assert_ne!(mark(&config), first);
    std::fs::remove_file(&token).unwrap();
}
