//! The CEL rules of a schema on a new object. Must not judge rules about changes: there is nothing to compare with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, ValidationRule};
use kube_cel::KubeCelExt as _;
use kube_cel::cel::{Context, Program, Value as CelValue};
use serde_json::Value;

use crate::fault::{Fault, FaultKind, below};
use crate::structure::{items, values};

/// The variable that only rules about changes use.
const OLD: &str = "oldSelf";

/// The rules of a schema by their text, parsed; none for a text that is not understood here.
#[derive(Debug, Default)]
pub(crate) struct Rules(BTreeMap<String, Option<Program>>);

impl Rules {
    /// Parses every rule about new objects.
    pub(crate) fn of(schema: &JSONSchemaProps) -> Self {
        let mut rules = Self::default();
        rules.parse(schema);
        rules
    }

    fn parse(&mut self, schema: &JSONSchemaProps) {
        for rule in about_new_objects(schema) {
            self.0.entry(rule.rule.clone()).or_insert_with(|| Program::compile(&rule.rule).ok());
        }
        let properties = schema.properties.iter().flatten().map(|(_, property)| property);
        for below in properties.chain(items(schema)).chain(values(schema)) {
            self.parse(below);
        }
    }

    /// Adds a fault for every rule that does not hold for an object.
    pub(crate) fn examine(&self, schema: &JSONSchemaProps, object: &Value, faults: &mut Vec<Fault>) {
        let mut context = Context::default().with_all();
        // The evaluator has no types as values; what rules ask is whether a value is a `string` or an `int`.
        context.add_function("type", |value: CelValue| type_name(&value).to_owned());
        for name in ["string", "int", "double", "bool"] {
            context.add_variable_from_value(name, name);
        }
        self.walk(schema, object, "", &context, faults);
    }

    fn walk(
        &self,
        schema: &JSONSchemaProps,
        value: &Value,
        path: &str,
        context: &Context<'_>,
        faults: &mut Vec<Fault>,
    ) {
        for rule in about_new_objects(schema) {
            let mut scope = context.new_inner_scope();
            scope.add_variable_from_value("self", cel(value));
            let result =
                self.0.get(&rule.rule).and_then(Option::as_ref).map(|program| program.execute(&scope));
            match result {
                Some(Ok(CelValue::Bool(true))) => {}
                Some(Ok(CelValue::Bool(false))) => faults.push(broken(rule, path)),
                // The words of an evaluator may hold a value.
                _ => faults.push(undecided(rule, path)),
            }
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let property = schema.properties.as_ref().and_then(|all| all.get(name));
                    if let Some(schema) = property.or_else(|| values(schema)) {
                        self.walk(schema, value, &below(path, name), context, faults);
                    }
                }
            }
            Value::Array(list) => {
                let Some(schema) = items(schema) else { return };
                for (index, item) in list.iter().enumerate() {
                    self.walk(schema, item, &format!("{path}[{index}]"), context, faults);
                }
            }
            _ => {}
        }
    }
}

fn about_new_objects(schema: &JSONSchemaProps) -> impl Iterator<Item = &ValidationRule> {
    schema.x_kubernetes_validations.iter().flatten().filter(|rule| !rule.rule.contains(OLD))
}

fn broken(rule: &ValidationRule, path: &str) -> Fault {
    let message = rule.message.clone().unwrap_or_else(|| format!("the rule `{}` does not hold", rule.rule));
    Fault::new(&field(rule, path), FaultKind::Rule, message)
}

fn undecided(rule: &ValidationRule, path: &str) -> Fault {
    let message = format!("the rule `{}` cannot be judged offline: ask an apiserver", rule.rule);
    Fault::new(&field(rule, path), FaultKind::Undecided, message)
}

/// The field that a rule blames.
fn field(rule: &ValidationRule, path: &str) -> String {
    rule.field_path
        .as_deref()
        .map_or_else(|| path.to_owned(), |field| below(path, field.trim_start_matches('.')))
}

/// A value as rules see it.
fn cel(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(value) => CelValue::Bool(*value),
        Value::Number(number) => number
            .as_i64()
            .map(CelValue::Int)
            .or_else(|| number.as_u64().map(CelValue::UInt))
            .unwrap_or_else(|| CelValue::Float(number.as_f64().unwrap_or(f64::NAN))),
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(list) => CelValue::List(Arc::new(list.iter().map(cel).collect())),
        Value::Object(fields) => {
            let fields: HashMap<String, CelValue> =
                fields.iter().map(|(name, value)| (name.clone(), cel(value))).collect();
            CelValue::Map(fields.into())
        }
    }
}

fn type_name(value: &CelValue) -> &'static str {
    match value {
        CelValue::String(_) => "string",
        CelValue::Int(_) => "int",
        CelValue::Float(_) => "double",
        CelValue::Bool(_) => "bool",
        _ => "",
    }
}
