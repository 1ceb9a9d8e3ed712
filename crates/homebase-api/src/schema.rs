//! Shapes of the CRD schemas that a derive cannot express. It must not hold rules: those are in `rules`.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::limits;

/// A map of resource names to quantities, written as a number or as a string.
pub(crate) fn quantities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": {
            "x-kubernetes-int-or-string": true,
            "maxLength": limits::QUANTITY_LENGTH,
        },
    })
}

/// Labels of an object.
pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": limits::LIST_ITEMS,
        "additionalProperties": { "type": "string", "maxLength": limits::LABEL_LENGTH },
    })
}

/// Annotations of an object. Kubernetes allows 256 KiB for all of them together.
pub(crate) fn annotations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": limits::LIST_ITEMS,
        "additionalProperties": { "type": "string", "maxLength": 256 * 1024 },
    })
}

/// A word out of a list that may grow in a newer version, so the list is not part of the schema.
pub(crate) fn word(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": limits::LABEL_LENGTH })
}

/// A point in time.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// Conditions as every Kubernetes tool reads them, merged by type, with the bounds of the core type.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One aspect of the state.",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": { "type": "string", "maxLength": 316, "minLength": 1,
                    "description": "The aspect, in CamelCase." },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"],
                    "description": "Whether it holds: True, False or Unknown." },
                "reason": { "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Why, in one word out of a closed list." },
                "message": { "type": "string", "maxLength": limits::CONDITION_MESSAGE_LENGTH,
                    "description": "Why, in a sentence for people." },
                "observedGeneration": { "type": "integer", "format": "int64", "minimum": 0,
                    "description": "Generation of the object that this was found for." },
                "lastTransitionTime": { "type": "string", "format": "date-time",
                    "description": "When the status last changed." },
            },
        },
    })
}
