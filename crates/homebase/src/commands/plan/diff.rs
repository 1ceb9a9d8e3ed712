//! `plan --diff`: what would change on a cluster if the manifests were applied to it. Writes are asked for as dry runs
//! only, which the apiserver does not keep.

use homebase_api::{Iris, IrisCluster};
use serde::Serialize;
use serde_json::Value;

use self::compare::{Change, FieldChange, change_of};
use self::desired::{Desired, Surplus, of_cluster, of_iris};
use super::super::Exit;
use super::super::manifests::{Document, Manifests};
use super::super::output::{Cell, Table, Tone, is_coloured, json, print, tell};
use super::super::reach::{Way, reach};
use super::super::validate::judge::typed;
use crate::arguments::{PlanArguments, PlanFormat};

mod compare;
mod desired;
mod fields;
mod restarts;
mod secrets;
#[cfg(test)]
mod tests;
mod text;

const HEADINGS: [&str; 4] = ["ACTION", "KIND", "NAME", "EFFECT"];

/// What would become of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Create,
    Change,
    /// It cannot be changed in place.
    Recreate,
    Remove,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Recreate => "recreate",
            Self::Remove => "remove",
        }
    }
}

/// One object that would not stay as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Difference {
    action: Action,
    kind: String,
    namespace: String,
    name: String,
    /// What would change, field by field.
    fields: Vec<FieldChange>,
    /// Pods that would be restarted, or why none would although they are of an older revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    restarts: Option<String>,
    /// As lines, for people.
    #[serde(skip)]
    text: String,
}

#[derive(Debug, Default, Serialize)]
struct Differences {
    differences: Vec<Difference>,
    #[serde(skip)]
    notes: Vec<String>,
}

pub(super) async fn run(
    arguments: &PlanArguments,
    resources: &[&Document],
    all: &Manifests,
) -> anyhow::Result<Exit> {
    let way = Way {
        cluster: arguments.diff.as_ref().and_then(Option::as_ref),
        kubeconfig: arguments.kubeconfig.as_deref(),
        namespace: &arguments.hub_namespace,
        allow_loopback: arguments.allow_loopback_destinations,
    };
    let client = reach(&way).await?;
    let mut found = Differences::default();
    for document in resources {
        let (kind, place) = (document.kind(), &document.place);
        let unread = || anyhow::anyhow!("{place}: it cannot be read as a resource of kind {kind}");
        let (desired, surplus) = if kind == "IrisCluster" {
            let resource = typed::<IrisCluster>(document).map_err(|()| unread())?;
            Box::pin(of_cluster(&client, resource, all)).await?
        } else {
            of_iris(&client, typed::<Iris>(document).map_err(|()| unread())?).await?
        };
        for one in desired {
            found.add(&client, one).await?;
        }
        found.differences.extend(surplus.into_iter().map(Difference::of_surplus));
    }
    found.show(arguments.output)?;
    Ok(if found.differences.is_empty() { Exit::Success } else { Exit::Failure })
}

impl Differences {
    async fn add(&mut self, client: &kube::Client, desired: Desired) -> anyhow::Result<()> {
        let Some(change) = change_of(client, &desired).await? else { return Ok(()) };
        let difference = Difference::new(&desired, change, &mut self.notes);
        let is_known = self.differences.iter().any(|known| known.is_of_same(&difference));
        if !difference.fields.is_empty() && !is_known {
            self.differences.push(difference);
        }
        Ok(())
    }

    fn show(&self, format: PlanFormat) -> anyhow::Result<()> {
        let summary = self.table();
        match format {
            PlanFormat::Table => print(&summary.render(is_coloured()))?,
            PlanFormat::Json => print(&json(self)?)?,
            PlanFormat::Yaml => print(&self.lines())?,
        }
        if format != PlanFormat::Table {
            summary.render(false).lines().for_each(tell);
        }
        self.notes.iter().for_each(|note| tell(&format!("note: {note}")));
        if self.differences.is_empty() {
            tell("nothing would change");
        }
        Ok(())
    }

    fn lines(&self) -> String {
        self.differences.iter().map(|difference| difference.text.as_str()).collect()
    }

    fn table(&self) -> Table {
        let rows = self.differences.iter().map(|difference| {
            let tone = match difference.action {
                Action::Create => Tone::Good,
                Action::Change => Tone::Unsure,
                Action::Recreate | Action::Remove => Tone::Bad,
            };
            vec![
                Cell::new(difference.action.as_str(), tone),
                difference.kind.as_str().into(),
                format!("{}/{}", difference.namespace, difference.name).into(),
                difference.effect().into(),
            ]
        });
        let rows: Vec<_> = rows.collect();
        Table { headings: if rows.is_empty() { Vec::new() } else { HEADINGS.into() }, rows }
    }
}

impl Difference {
    fn new(desired: &Desired, change: Change, notes: &mut Vec<String>) -> Self {
        let Change { before, mut after, recreate, exact, foreign } = change;
        let (kind, namespace, name) = desired.key();
        let mut before = before;
        secrets::hide(&mut before, &mut after);
        let fields = fields::changes(&before, &after);
        let action = match (&before, recreate) {
            (Value::Null, _) => Action::Create,
            (_, true) => Action::Recreate,
            (_, false) => Action::Change,
        };
        if !exact && !fields.is_empty() {
            notes.push(format!(
                "{kind} {namespace}/{name}: this account may not ask for a dry run, or the apiserver refuses it: fields \
                 that would be removed, and defaults, are not shown"
            ));
        }
        if foreign {
            notes.push(format!(
                "{kind} {namespace}/{name} is there and does not belong to this resource: whether the hub takes it over is \
                 its to decide, the status of the resource will say so"
            ));
        }
        let restarts = restarts::of(&before, &after, &fields);
        let text = text::unified(&format!("{kind} {namespace}/{name}"), &before, &after);
        Self { action, kind, namespace, name, fields, restarts, text }
    }

    fn of_surplus(surplus: Surplus) -> Self {
        let Surplus { kind, namespace, name, before } = surplus;
        let title = format!("{kind} {namespace}/{name}");
        let (mut before, mut nothing) = (compare::bare(before), Value::Null);
        secrets::hide(&mut before, &mut nothing);
        let text = text::unified(&title, &before, &nothing);
        Self { action: Action::Remove, kind, namespace, name, fields: Vec::new(), restarts: None, text }
    }

    fn is_of_same(&self, other: &Self) -> bool {
        (&self.kind, &self.namespace, &self.name) == (&other.kind, &other.namespace, &other.name)
    }

    /// What it comes to, in words.
    fn effect(&self) -> String {
        let mut words = Vec::new();
        match self.action {
            Action::Create | Action::Remove => {}
            Action::Change | Action::Recreate => {
                words
                    .push(self.fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>().join(", "));
            }
        }
        if self.action == Action::Recreate {
            words.push("cannot be changed in place: its pods and volumes would stay".to_owned());
        }
        words.extend(self.restarts.clone());
        words.join("; ")
    }
}
