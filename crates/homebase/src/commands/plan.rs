//! The command `plan`: every object that the hub would make of manifests, in its order, by the planner that the hub uses.
//! It contacts nobody, but for `--diff`, and writes nothing.

use anyhow::Context as _;
use homebase_api::{Iris, IrisCluster};
use homebase_iris::cluster::{self, PreviewObject};
use homebase_iris::iris;
use serde::Serialize;
use serde_json::{Value, json};

use super::Exit;
use super::manifests::{self, Document, Manifests};
use super::output::{is_coloured, json, print, tell, yaml};
use super::validate::judge::{Judge, Outcome, dereferenced, typed};
use crate::arguments::{PlanArguments, PlanFormat};

mod diff;
mod references;
mod table;

#[cfg(test)]
mod tests;

/// One object of a plan.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    object: Value,
    /// What must be ready before the hub makes it.
    waits_for: Option<String>,
    /// The manifest that it is made of.
    of: String,
}

/// All of a plan, with what is to be said of it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Plan {
    steps: Vec<Step>,
    notes: Vec<String>,
    warnings: Vec<String>,
}

pub(crate) async fn run(arguments: &PlanArguments) -> anyhow::Result<Exit> {
    let manifests = manifests::read(&arguments.manifests);
    for unreadable in &manifests.unreadable {
        tell(&format!("error: {}: {}", unreadable.place, unreadable.why));
    }
    if !manifests.unreadable.is_empty() {
        return Ok(Exit::Unknown);
    }
    let resources = match accepted(&manifests)? {
        Ok(resources) => resources,
        // That something would change is another answer than that it cannot be told.
        Err(_) if arguments.diff.is_some() => return Ok(Exit::Unknown),
        Err(exit) => return Ok(exit),
    };
    if arguments.diff.is_some() {
        return Box::pin(diff::run(arguments, &resources, &manifests)).await;
    }
    let plan = plan(&resources, &manifests)?;
    let summary = table::table(&plan.steps);
    match arguments.output {
        PlanFormat::Table => print(&summary.render(is_coloured()))?,
        PlanFormat::Json => print(&json(&list_of(&plan.steps))?)?,
        PlanFormat::Yaml => print(&documents(&plan.steps)?)?,
    }
    if arguments.output != PlanFormat::Table {
        summary.render(false).lines().for_each(tell);
    }
    plan.warnings.iter().for_each(|warning| tell(&format!("warning: {warning}")));
    plan.notes.iter().for_each(|note| tell(&format!("note: {note}")));
    Ok(Exit::Success)
}

/// The manifests of our kinds if they are all valid; else tells what is wrong with them.
pub(super) fn accepted(manifests: &Manifests) -> anyhow::Result<Result<Vec<&Document>, Exit>> {
    let judge = Judge::new()?;
    let mut accepted = Vec::new();
    let mut failed = false;
    for document in &manifests.documents {
        let Some(verdict) = judge.verdict(document, manifests) else { continue };
        if verdict.result == Outcome::Invalid {
            failed = true;
            for finding in verdict.findings.iter().filter(|finding| finding.is_fatal()) {
                let (place, resource) = (&verdict.place, verdict.resource());
                tell(&format!("error: {place}: {resource}: {}: {}", finding.field, finding.message));
            }
        } else {
            accepted.push(document);
        }
    }
    if failed {
        return Ok(Err(Exit::Failure));
    }
    if accepted.is_empty() {
        tell("error: there is no IrisCluster and no Iris in what was given");
        return Ok(Err(Exit::Unknown));
    }
    Ok(Ok(accepted))
}

fn plan(resources: &[&Document], all: &Manifests) -> anyhow::Result<Plan> {
    let mut plan = Plan::default();
    for document in resources {
        let of = format!(
            "{} {}/{}",
            document.kind(),
            document.text("/metadata/namespace"),
            document.text("/metadata/name")
        );
        let place = &document.place;
        let unread = || anyhow::anyhow!("{place}: {of} cannot be read as a resource");
        if document.kind() == "IrisCluster" {
            let resource: IrisCluster = typed(document).map_err(|()| unread())?;
            plan.add_cluster(&resource, &of, all)?;
        } else {
            let resource: Iris = typed(document).map_err(|()| unread())?;
            plan.add_iris(&resource, &of)?;
        }
    }
    plan.say_what_differs(resources);
    Ok(plan)
}

impl Plan {
    fn add_cluster(&mut self, resource: &IrisCluster, of: &str, all: &Manifests) -> anyhow::Result<()> {
        let found = dereferenced(resource, all);
        let validated =
            cluster::validate(resource, &found).map_err(|_| anyhow::anyhow!("{of} is refused by the hub"))?;
        self.warnings.extend(validated.warnings().iter().map(|warning| format!("{of}: {warning}")));
        let preview = cluster::preview(&validated);
        self.warnings.extend(preview.held_back.iter().map(|waiting| format!("{of}: {waiting}")));
        for step in preview.steps {
            let object = match step.object {
                PreviewObject::Service(object) => value(&*object),
                PreviewObject::ConfigMap(object) => value(&*object),
                PreviewObject::StatefulSet(object) => value(&*object),
            };
            self.add(object?, step.waits_for.map(|component| component.to_string()), of);
        }
        self.notes.extend(references::unresolved(resource, of, all));
        if resource.spec.topology.data.mirrored {
            self.notes.push(format!(
                "{of}: the hub also labels each data pod with its mirror role ({}), once there are pods",
                homebase_api::labels::MIRROR_ROLE
            ));
        }
        Ok(())
    }

    fn add_iris(&mut self, resource: &Iris, of: &str) -> anyhow::Result<()> {
        let validated =
            iris::validate(resource).map_err(|_| anyhow::anyhow!("{of} is refused by the hub"))?;
        let plan = iris::plan(&validated, &iris::Observed::default());
        self.add(value(&plan.deployment)?, None, of);
        Ok(())
    }

    /// Adds an object. One that is shared, and there already, is made once.
    fn add(&mut self, object: Value, waits_for: Option<String>, of: &str) {
        if self.steps.iter().any(|step| step.object == object) {
            return;
        }
        if let Some(other) = self.steps.iter().find(|step| names_same(&step.object, &object)) {
            let words = format!("{} and {of} both make {}", other.of, table::name(&object));
            self.warnings.push(format!("{words}: the hub leaves it to whoever is first, rename one of them"));
        }
        self.steps.push(Step { object, waits_for, of: of.to_owned() });
    }

    fn say_what_differs(&mut self, resources: &[&Document]) {
        self.notes.push(format!(
            "beside what is shown, the hub sets the annotation {} with its own ID on every object",
            homebase_api::annotations::HUB_ID
        ));
        if resources.iter().any(|document| document.text("/metadata/uid").is_empty()) {
            self.notes.push(format!(
                "ownerReferences[].uid and the annotation {} that follows from it are not known before the resource is \
                 on a cluster: plan what `kubectl get -o yaml` prints to see them",
                homebase_iris::PLAN_HASH
            ));
        }
    }
}

fn value(object: &impl Serialize) -> anyhow::Result<Value> {
    serde_json::to_value(object).context("write an object")
}

fn names_same(one: &Value, other: &Value) -> bool {
    ["/apiVersion", "/kind", "/metadata/namespace", "/metadata/name"]
        .iter()
        .all(|pointer| one.pointer(pointer) == other.pointer(pointer))
}

fn list_of(steps: &[Step]) -> Value {
    let items: Vec<&Value> = steps.iter().map(|step| &step.object).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn documents(steps: &[Step]) -> anyhow::Result<String> {
    let document = |step: &Step| {
        let waits = step.waits_for.as_ref().map(|before| format!(", once {before} is ready"));
        Ok(format!("---\n# of {}{}\n{}", step.of, waits.unwrap_or_default(), yaml(&step.object)?))
    };
    steps.iter().map(document).collect()
}
