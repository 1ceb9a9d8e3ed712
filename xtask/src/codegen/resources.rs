//! One page for each kind with every field of it, made from its CRD, and one of all conditions. It must not describe a field by itself.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use homebase_api::conditions::{self, Described};
use homebase_api::rules;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use super::{Generated, PAGE_HEADER};

/// The pages.
pub(super) fn files() -> Result<Vec<Generated>> {
    let mut files = homebase_api::crds().iter().map(file).collect::<Result<Vec<_>>>()?;
    files.push(conditions()?);
    Ok(files)
}

/// The page of the conditions: what monitoring and people go by.
fn conditions() -> Result<Generated> {
    let mut text = format!("{PAGE_HEADER}# Conditions\n\n");
    text.push_str("The message of a condition says what is wrong with this object, and how to fix it.\n");
    let kinds = [
        (
            "IrisCluster and Iris",
            "An `Iris` has no `TopologySatisfied` and no `StorageReady`.",
            conditions::iris::all(),
        ),
        ("WorkCluster", "On the home cluster, one for each registration.", conditions::work_cluster::all()),
    ];
    for (kind, about, conditions) in kinds {
        writeln!(text, "\n## {kind}\n\n{about}")?;
        for Described { type_, about, reasons } in conditions {
            writeln!(text, "\n### {type_}\n\n{about}\n\n| reason | meaning |\n|---|---|")?;
            for (reason, meaning) in reasons {
                writeln!(text, "| {} | {} |", code(reason), cell(&meaning))?;
            }
        }
    }
    Ok(Generated { path: "docs/reference/conditions.md".into(), content: text })
}

fn file(crd: &CustomResourceDefinition) -> Result<Generated> {
    let name = &crd.spec.names.singular.as_ref().context("a CRD without a name for one object")?;
    let version = crd.spec.versions.first().context("a CRD without versions")?;
    let root = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    let root = root.context("a CRD without a schema")?;
    let (kind, group) = (&crd.spec.names.kind, &crd.spec.group);

    let mut text =
        format!("{PAGE_HEADER}# {kind}\n\n{}\n\n", root.description.as_deref().unwrap_or_default());
    text.push_str("```yaml\n");
    writeln!(text, "apiVersion: {group}/{}\nkind: {kind}\n```\n", version.name)?;
    text.push_str(
        "A field in **bold** is required. Optional fields take `null` for \"absent\". `kubectl explain` shows the same \
         on a cluster.\n",
    );
    for part in ["spec", "status"] {
        let Some(node) = root.properties.as_ref().and_then(|properties| properties.get(part)) else {
            continue;
        };
        let mut table = Table::default();
        table.add_fields(node, part)?;
        writeln!(
            text,
            "\n## {part}\n\n| field | type | limits | meaning |\n|---|---|---|---|\n{}",
            table.text
        )?;
    }
    let rules = rules::rules(crd);
    if !rules.is_empty() {
        text.push_str("## Rules\n\nThe apiserver itself refuses what breaks one; `homebase validate` tells offline what is \
             always refused.\n\n");
        text.push_str("| field | message | when |\n|---|---|---|\n");
        for rule in rules {
            let place = if rule.path.is_empty() { "metadata.name" } else { &rule.path };
            let when = if rule.is_transition() { "on a change" } else { "always" };
            writeln!(text, "| {} | {} | {when} |", code(place), cell(&rule.message))?;
        }
    }
    Ok(Generated { path: format!("docs/reference/{name}.md").into(), content: text })
}

/// The rows of a table of fields.
#[derive(Default)]
struct Table {
    text: String,
    /// Where an object with these fields was described before.
    described: HashMap<String, String>,
}

impl Table {
    fn add_fields(&mut self, node: &JSONSchemaProps, path: &str) -> Result<()> {
        for (name, field) in node.properties.iter().flatten() {
            let path = format!("{path}.{name}");
            let required = node.required.iter().flatten().any(|required| required == name);
            self.add_field(field, &path, required)?;
        }
        Ok(())
    }

    fn add_field(&mut self, field: &JSONSchemaProps, path: &str, required: bool) -> Result<()> {
        let place = if required { format!("**{}**", code(path)) } else { code(path) };
        let inner = innermost(field);
        let seen = if inner.properties.is_some() {
            let fields = serde_json::to_string(&inner.properties)?;
            let seen = self.described.get(&fields).cloned();
            self.described.entry(fields).or_insert_with(|| path.to_owned());
            seen
        } else {
            None
        };
        let meaning = cell(field.description.as_deref().unwrap_or_default());
        let same =
            seen.as_ref().map(|path| format!(" Its fields are those of {}.", code(path))).unwrap_or_default();
        writeln!(self.text, "| {place} | {} | {} | {meaning}{same} |", type_of(field), limits(field))?;
        if seen.is_none() {
            let items =
                if matches!(field.items, Some(JSONSchemaPropsOrArray::Schema(_))) { "[]" } else { "" };
            self.add_fields(inner, &format!("{path}{items}"))?;
        }
        Ok(())
    }
}

/// The items of a list, or the value itself.
fn innermost(node: &JSONSchemaProps) -> &JSONSchemaProps {
    match &node.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => items,
        _ => node,
    }
}

fn type_of(node: &JSONSchemaProps) -> String {
    if let Some(values) = &node.enum_ {
        let values: Vec<_> = values.iter().filter_map(|value| value.0.as_str()).map(code).collect();
        return values.join(", ");
    }
    if node.x_kubernetes_int_or_string == Some(true) {
        return "integer or string".to_owned();
    }
    match (&node.items, &node.additional_properties, node.x_kubernetes_preserve_unknown_fields) {
        (Some(JSONSchemaPropsOrArray::Schema(items)), ..) => format!("list of {}", type_of(items)),
        (_, Some(JSONSchemaPropsOrBool::Schema(values)), _) => format!("map of {}", type_of(values)),
        (.., Some(true)) => "object, open".to_owned(),
        _ => node
            .format
            .clone()
            .filter(|_| node.type_.as_deref() == Some("string"))
            .unwrap_or_else(|| node.type_.clone().unwrap_or_else(|| "any".to_owned())),
    }
}

fn limits(node: &JSONSchemaProps) -> String {
    let mut limits = Vec::new();
    let mut add = |words: Option<String>| limits.extend(words);
    add(node.min_length.filter(|&least| least > 0).map(|least| format!("{least} or more characters")));
    add(node.max_length.map(|most| format!("{most} characters at most")));
    add(node.pattern.as_deref().map(|pattern| code(pattern.replace('|', "\\|"))));
    add(node.minimum.map(|least| format!("{least} or more")));
    add(node.maximum.map(|most| format!("{most} at most")));
    add(node.max_items.map(|most| format!("{most} items at most")));
    add(node.max_properties.map(|most| format!("{most} entries at most")));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &node.items {
        let of_items = self::limits(items);
        add((!of_items.is_empty()).then(|| format!("each: {of_items}")));
    }
    limits.join("; ")
}

fn code(text: impl AsRef<str>) -> String {
    format!("`{}`", text.as_ref())
}

/// A text as one cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_row_and_what_is_the_same_is_described_once() {
        let files = files().unwrap();
        let page = files.iter().find(|file| file.path.ends_with("iriscluster.md")).unwrap();
        let rows = |field: &str| page.content.matches(&format!("`{field}`")).count();
        for field in
            ["spec.topology.data.mirrorMap", "spec.topology.data.irisDatabases[].directory", "status.phase"]
        {
            assert!(rows(field) > 0, "{field}");
        }
        let args = page.content.lines().filter(|line| line.contains("podTemplate.spec.args")).count();
        assert_eq!(args, 1);
        assert!(page.content.contains("shards cannot shrink"));
    }
}
