//! Asks a cluster which rights the credentials have. The request is a `create` in name only: the apiserver answers it
//! and stores nothing.

use std::time::Duration;

use homebase_core::{NamespaceName, Namespaces};
use k8s_openapi::api::authorization::v1::{
    NonResourceRule, ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

use crate::error::{Category, RequestError, categorize};

/// The namespace to ask about for rights that hold in all namespaces: one that nobody has, so that what is granted in
/// one namespace only (by a `RoleBinding` in `default`, say) is not taken for what is granted everywhere.
pub const NO_NAMESPACE: &str = "homebase-rights-in-every-namespace";
/// How long the answer may take: nobody waits for it, so as long as any other request.
const REVIEW_TIMEOUT: Duration = Duration::from_secs(10);
/// As much as is kept of the cluster's explanation why it does not know all rules: it is the cluster's text.
const MAX_EXPLANATION: usize = 256;

/// The rights of the credentials could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchRulesError {
    /// The request failed.
    #[error("review the rights of the credentials")]
    ReviewRules(#[source] RequestError),
    /// There was no answer in time.
    #[error("no review of the rights within {} s", REVIEW_TIMEOUT.as_secs())]
    AwaitAnswer,
    /// The answer has no result.
    #[error("the review of the rights has no result")]
    ReadStatus,
}

impl FetchRulesError {
    /// The kind of the error.
    pub fn category(&self) -> Category {
        match self {
            Self::ReviewRules(error) => categorize(error),
            Self::AwaitAnswer => Category::ResponseTimeout,
            Self::ReadStatus => Category::Malformed,
        }
    }
}

/// The rights that a cluster says it grants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Rules for resources.
    pub resources: Vec<ResourceRule>,
    /// Rules for other paths.
    pub urls: Vec<NonResourceRule>,
    /// Why there may be more, in the words of the cluster: a right that is not in the rules may be granted all the
    /// same, as where a webhook authorizes. None when the rules are all there are.
    pub incomplete: Option<String>,
}

/// What a cluster grants, as far as it matters where the hub works.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Granted {
    /// What holds in the whole cluster.
    pub everywhere: Rules,
    /// What holds in each namespace of a hub that works in some only, what holds everywhere included; empty for a hub
    /// that works in all.
    pub within: Vec<(NamespaceName, Rules)>,
}

impl Granted {
    /// Why there may be more rights than these, in the words of the cluster.
    pub fn incomplete(&self) -> Option<&str> {
        let within = self.within.iter().map(|(_, rules)| rules);
        std::iter::once(&self.everywhere).chain(within).find_map(|rules| rules.incomplete.as_deref())
    }
}

/// Asks for the rights that hold in the whole cluster, and in each of some namespaces: one question after the other,
/// for nobody waits for the answer, and what else is asked of the cluster must not.
pub async fn fetch_granted(client: &Client, namespaces: &Namespaces) -> Result<Granted, FetchRulesError> {
    let everywhere = fetch_rules(client, NO_NAMESPACE).await?;
    let mut within = Vec::new();
    for namespace in namespaces.names() {
        within.push((namespace.clone(), fetch_rules(client, namespace.as_str()).await?));
    }
    Ok(Granted { everywhere, within })
}

/// Asks for the rights that hold in a namespace, those for the whole cluster among them. The namespace need not exist;
/// with [`NO_NAMESPACE`] it is those for the whole cluster alone.
pub async fn fetch_rules(client: &Client, namespace: &str) -> Result<Rules, FetchRulesError> {
    let reviews: Api<SelfSubjectRulesReview> = Api::all(client.clone());
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) },
        ..SelfSubjectRulesReview::default()
    };
    let params = PostParams::default();
    let answer = tokio::time::timeout(REVIEW_TIMEOUT, reviews.create(&params, &review))
        .await
        .map_err(|_| FetchRulesError::AwaitAnswer)?
        .map_err(|error| FetchRulesError::ReviewRules(error.into()))?;
    let status = answer.status.ok_or(FetchRulesError::ReadStatus)?;
    // An error of evaluation alone does not make the rules incomplete: the node authorizer has one for everybody.
    let incomplete = status.incomplete.then(|| {
        let text = status.evaluation_error.unwrap_or_else(|| "no explanation".to_owned());
        text.chars().filter(|c| !c.is_control()).take(MAX_EXPLANATION).collect()
    });
    Ok(Rules { resources: status.resource_rules, urls: status.non_resource_rules, incomplete })
}
