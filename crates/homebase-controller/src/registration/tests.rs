//! What becomes of Secrets as people write them.

use std::collections::BTreeMap;

use homebase_api::annotations;
use homebase_api::conditions::work_cluster::CredentialsValid;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::{ALLOW_INSECURE_SETTING, Convention, Insecure, Registration, read_among};

fn read(secret: &Secret) -> Registration {
    read_with(secret, Insecure::Refused)
}

fn read_with(secret: &Secret, insecure: Insecure) -> Registration {
    let read = super::read(Convention::Native, secret, insecure);
    let [registration] = <[Registration; 1]>::try_from(read).ok().unwrap();
    registration
}

fn secret(name: &str, key: &str, kubeconfig: &str) -> Secret {
    let mut secret = Secret::default();
    secret.metadata.name = Some(name.to_owned());
    secret.metadata.uid = Some("uid".to_owned());
    secret.metadata.labels = Some([("homebase.dev/cluster".to_owned(), "true".to_owned())].into());
    secret.data = Some(BTreeMap::from([(key.to_owned(), ByteString(kubeconfig.as_bytes().to_vec()))]));
    secret
}

fn annotated(mut secret: Secret, key: &str, value: &str) -> Secret {
    secret.metadata.annotations = Some(BTreeMap::from([(key.to_owned(), value.to_owned())]));
    secret
}

const TOKEN: &str = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: 'https://[2001:db8::1]:6443/path'}}]\nusers: [{name: u, user: {token: hunter2}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n";

#[test]
fn the_name_is_the_secrets_own_or_the_annotations() {
    let id = |secret: &Secret| read(secret).id.map(String::from);
    assert_eq!(id(&secret("boston-kubeconfig", "config", TOKEN)), Ok("boston".to_owned()));
    assert_eq!(id(&secret("boston", "config", TOKEN)), Ok("boston".to_owned()));
    let named = annotated(secret("x", "config", TOKEN), annotations::CLUSTER_NAME, "boston");
    assert_eq!(id(&named), Ok("boston".to_owned()));
    let hostile = annotated(secret("x", "config", TOKEN), annotations::CLUSTER_NAME, "../../etc\n");
    assert!(id(&hostile).is_err());
    assert!(id(&secret("-kubeconfig", "config", TOKEN)).is_err());
}

#[test]
fn each_key_is_accepted_and_a_missing_one_is_named() {
    for key in ["kubeconfig", "value", "config"] {
        let registration = read(&secret("boston", key, TOKEN));
        assert_eq!(registration.server(), Some("[2001:db8::1]:6443".to_owned()), "{key}");
    }
    let unusable = read(&secret("boston", "kube.config", TOKEN)).kubeconfig.err().unwrap();
    assert_eq!(unusable.reason, CredentialsValid::KeyNotFound);
    assert!(unusable.message.contains("kubeconfig or value or config"), "{}", unusable.message);
}

#[test]
fn what_is_refused_is_named_and_never_shown() {
    let exec = TOKEN.replace("token: hunter2", "token: hunter2, exec: {command: canary}");
    let unusable = read(&secret("boston", "config", &exec)).kubeconfig.err().unwrap();
    assert_eq!(unusable.reason, CredentialsValid::InsecureKubeConfig);
    assert!(unusable.message.contains("users[0].user.exec"), "{}", unusable.message);
    assert!(
        !unusable.message.contains("hunter2") && !unusable.message.contains("canary"),
        "{}",
        unusable.message
    );

    let unusable = read(&secret("boston", "config", "{")).kubeconfig.err().unwrap();
    assert_eq!(unusable.reason, CredentialsValid::BadKubeConfig);
}

#[test]
fn a_list_of_namespaces_of_which_nothing_can_be_used_is_refused() {
    let narrowed = annotated(secret("boston", "config", TOKEN), annotations::WATCH_NAMESPACES, "*");
    let unusable = read(&narrowed).kubeconfig.err().unwrap();
    assert!(unusable.message.contains(annotations::WATCH_NAMESPACES), "{}", unusable.message);
    let narrowed = annotated(secret("boston", "config", TOKEN), annotations::WATCH_NAMESPACES, "b,a,?");
    let registration = read(&narrowed);
    assert!(registration.kubeconfig.is_ok());
    assert_eq!(registration.restricted_to().as_deref(), Some("namespaces a, b"));
    assert!(!read(&secret("boston", "config", TOKEN)).has_same_preferences(&registration));
}

#[test]
fn what_is_insecure_takes_both_the_annotation_and_the_setting() {
    let server = "server: 'https://[2001:db8::1]:6443/path'";
    for insecure in [
        TOKEN.replace("https://", "http://"),
        TOKEN.replace(server, &format!("{server}, insecure-skip-tls-verify: true")),
        TOKEN.replace(server, &format!("{server}, proxy-url: 'http://canary.example.com:3128'")),
    ] {
        let plain = secret("boston", "config", &insecure);
        let asking = annotated(plain.clone(), annotations::ALLOW_INSECURE, "true");
        for (secret, setting, lacks) in [
            (&plain, Insecure::Refused, "both are missing"),
            (&plain, Insecure::IfAsked, "the annotation is missing"),
            (&asking, Insecure::Refused, "the hub runs without it"),
        ] {
            let unusable = read_with(secret, setting).kubeconfig.err().unwrap();
            assert_eq!(unusable.reason, CredentialsValid::InsecureKubeConfig);
            assert!(unusable.message.ends_with(lacks), "{}", unusable.message);
            for word in [annotations::ALLOW_INSECURE, ALLOW_INSECURE_SETTING] {
                assert!(unusable.message.contains(word), "{}", unusable.message);
            }
            assert!(!unusable.message.contains("canary"), "{}", unusable.message);
        }
        let allowed = read_with(&asking, Insecure::IfAsked);
        assert!(allowed.kubeconfig.is_ok());
        let remarks = allowed.remarks().join("; ");
        assert!(remarks.contains(annotations::ALLOW_INSECURE) && !remarks.contains("canary"), "{remarks}");
    }
}

#[test]
fn to_allow_what_is_not_insecure_changes_nothing() {
    let asking = annotated(secret("boston", "config", TOKEN), annotations::ALLOW_INSECURE, "true");
    for setting in [Insecure::Refused, Insecure::IfAsked] {
        let registration = read_with(&asking, setting);
        assert!(registration.kubeconfig.is_ok() && registration.remarks().is_empty());
    }
    let exec = TOKEN.replace("token: hunter2", "token: hunter2, exec: {command: canary}");
    let unusable = read(&secret("boston", "config", &exec)).kubeconfig.err().unwrap();
    assert!(!unusable.message.contains(ALLOW_INSECURE_SETTING), "{}", unusable.message);
    let both = exec.replace("https://", "http://");
    let unusable = read(&secret("boston", "config", &both)).kubeconfig.err().unwrap();
    assert!(unusable.message.contains(ALLOW_INSECURE_SETTING), "{}", unusable.message);
}

#[test]
fn other_preferences_are_another_session_and_bad_ones_leave_the_kubeconfig_usable() {
    let plain = read(&secret("boston", "config", TOKEN));
    let limited = read(&annotated(secret("boston", "config", TOKEN), annotations::QPS, "7"));
    assert!(plain.is_same_connection(&limited) && !plain.has_same_preferences(&limited));
    let bad = read(&annotated(secret("boston", "config", TOKEN), annotations::QPS, "lots"));
    assert!(bad.kubeconfig.is_ok());
    assert_eq!(bad.preferences.faults.len(), 1);
}

#[test]
fn only_what_changes_the_connection_starts_a_session_over() {
    let first = read(&secret("boston", "config", TOKEN));
    let commented = read(&secret("boston", "config", &format!("# new comment\n{TOKEN}")));
    assert!(first.is_same_connection(&commented));
    let rotated = read(&secret("boston", "config", &TOKEN.replace("hunter2", "hunter3")));
    assert!(!first.is_same_connection(&rotated));
    let broken = read(&secret("boston", "config", "{"));
    assert!(!first.is_same_connection(&broken) && broken.is_same_connection(&broken.clone()));
}

#[test]
fn a_secret_of_two_conventions_counts_in_the_first_that_is_watched() {
    let mut both = secret("both-kubeconfig", "kubeconfig", "");
    let labels = both.metadata.labels.get_or_insert_default();
    labels.insert("sigs.k8s.io/multicluster-runtime-kubeconfig".to_owned(), "true".to_owned());
    let (native, runtime) = (Convention::Native, Convention::MulticlusterRuntime);
    let names = |watched: &[Convention], convention: Convention| -> Vec<String> {
        let read = read_among(watched.iter(), convention, &both, Insecure::Refused);
        read.into_iter().map(|found| found.id.unwrap().to_string()).collect()
    };
    assert_eq!(names(&[native, runtime], native), ["both"]);
    assert_eq!(names(&[native, runtime], runtime), [""; 0]);
    assert_eq!(names(&[runtime], runtime), ["both-kubeconfig"]);
}
