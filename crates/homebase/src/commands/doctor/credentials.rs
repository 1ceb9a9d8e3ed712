//! When the credentials expire by their own account, and whether the apiserver takes them and for whom.

use homebase_core::Chain;
use homebase_kube::{Category, categorize};
use homebase_kubeconfig::{ExpiryState, SanitizedKubeconfig};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::{Api, Client};

use super::super::grant::second;
use super::super::output::age;
use super::STEP_TIMEOUT;
use super::report::{Check, Finding};

/// Who asks when no credentials were understood.
const ANONYMOUS: &str = "system:anonymous";
const FIX: &str = "put a kubeconfig with valid credentials into the registration: `homebase rotate`";

pub(super) fn expiry(kubeconfig: &SanitizedKubeconfig, now: Timestamp) -> Finding {
    let validity = kubeconfig.credentials_validity();
    if let Some(start) = validity.not_before()
        && start > now
    {
        let found = format!("they are not valid before {}", second(start));
        return Finding::fail(
            Check::Expiry,
            found,
            "wait, or check the clock of this machine and of the issuer",
        );
    }
    let Some(end) = validity.not_after() else {
        return Finding::pass(Check::Expiry, "they do not say when they expire".to_owned());
    };
    match validity.expiry_state(now) {
        ExpiryState::Expired => Finding::fail(
            Check::Expiry,
            format!("they expired at {}, {} ago", second(end), age(now, end)),
            FIX,
        ),
        ExpiryState::ExpiringSoon => {
            let found = format!("they expire soon: at {}, in {}", second(end), age(end, now));
            Finding::note(Check::Expiry, found, "renew them in time: `homebase rotate`")
        }
        ExpiryState::Valid => {
            Finding::pass(Check::Expiry, format!("they expire at {}, in {}", second(end), age(end, now)))
        }
    }
}

/// Asks the apiserver whom it takes us for. Kubernetes allows the question to everybody whose credentials it takes.
pub(super) async fn accepted(client: &Client) -> Finding {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let (params, review) = (PostParams::default(), SelfSubjectReview::default());
    let Ok(answer) = tokio::time::timeout(STEP_TIMEOUT, api.create(&params, &review)).await else {
        return Finding::unknown(
            Check::Credentials,
            format!("no answer within {} s", STEP_TIMEOUT.as_secs()),
        );
    };
    match answer {
        Ok(review) => {
            let user = review.status.and_then(|status| status.user_info?.username).unwrap_or_default();
            if user == ANONYMOUS {
                return Finding::fail(
                    Check::Credentials,
                    "the apiserver takes us for nobody".to_owned(),
                    FIX,
                );
            }
            Finding::pass(Check::Credentials, format!("accepted, as {user}"))
        }
        Err(error) => match categorize(&error) {
            Category::Unauthorized => {
                Finding::fail(Check::Credentials, "the apiserver does not accept them (401)".to_owned(), FIX)
            }
            // A client certificate of another authority counts as none at all.
            Category::Forbidden if Chain(&error).to_string().contains(ANONYMOUS) => {
                Finding::fail(Check::Credentials, "the apiserver takes us for nobody".to_owned(), FIX)
            }
            Category::Forbidden => Finding::pass(Check::Credentials, "accepted".to_owned()),
            // Before Kubernetes 1.28 there was no such question, and any answer but 401 accepts them.
            Category::NotFound => Finding::pass(Check::Credentials, "not refused".to_owned()),
            _ => Finding::unknown(Check::Credentials, Chain(&error).to_string()),
        },
    }
}
