//! Schema of filters in the OpenAPI document: one alternative per form, with the operands that the field takes.
//!
//! The derived schema of the wire type has all forms in one object, and would call a condition without a test valid.

use memory_core::domain::filter::{Field, FieldType, Filter};
use memory_core::domain::memory::Kind;
use memory_core::domain::name::Name;
use memory_core::domain::turn::Role;
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{OpenApi, RefOr};

/// Replaces the schema of filters, and keeps its description.
pub(super) fn replace(document: &mut OpenApi) {
    let schemas = document.components.iter_mut().flat_map(|components| &mut components.schemas);
    for (_, schema) in schemas.filter(|(name, _)| *name == "Filter") {
        let RefOr::T(Schema::Object(derived)) = &*schema else { continue };
        let description = derived.description.clone().unwrap_or_default();
        if let Ok(precise) = serde_json::from_value(json!({"description": description, "oneOf": forms()})) {
            *schema = RefOr::T(precise);
        }
    }
}

fn forms() -> Vec<Value> {
    let filter = json!({"$ref": "#/components/schemas/Filter"});
    let list = json!({"type": "array", "items": filter, "maxItems": Filter::MAX_NODES});
    let mut forms = vec![
        form("Conjunction: every condition of the list holds. True if empty.", &[("and", list.clone())]),
        form("Disjunction: at least one condition of the list holds. False if empty.", &[("or", list)]),
        form("Negation: the condition does not hold.", &[("not", filter)]),
    ];
    for (description, field, operand) in fields() {
        forms.extend(tests(description, &field, &operand));
    }
    forms
}

fn form(description: &str, fields: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({
        "type": "object", "description": description, "required": required, "properties": properties,
        "additionalProperties": false,
    })
}

/// Groups of fields: description, schema of the name, schema of an operand.
fn fields() -> Vec<(&'static str, Value, Value)> {
    let of_type = |wanted: FieldType| {
        let fields = Field::FIXED.iter().filter(|field| field.value_type() == wanted);
        let closed = [Field::Kind, Field::Role];
        let names: Vec<String> = fields.filter(|field| !closed.contains(field)).map(Field::name).collect();
        json!({"type": "string", "enum": names})
    };
    let only = |field: Field| json!({"type": "string", "enum": [field.name()]});
    vec![
        ("a text", of_type(FieldType::Text), json!({"type": "string"})),
        ("the kind", only(Field::Kind), json!({"type": "string", "enum": Kind::ALL.map(Kind::as_str)})),
        ("the role", only(Field::Role), json!({"type": "string", "enum": Role::ALL.map(Role::as_str)})),
        ("a time", of_type(FieldType::Time), json!({"type": "string", "format": "date-time"})),
        ("a number", of_type(FieldType::Number), json!({"type": "number"})),
        (
            "a value of the metadata",
            json!({
                "type": "string", "pattern": "^metadata\\.",
                "minLength": "metadata.".len() + 1, "maxLength": "metadata.".len() + Name::MAX_BYTES,
            }),
            json!({"type": ["string", "number", "boolean"]}),
        ),
    ]
}

fn tests(what: &str, field: &Value, operand: &Value) -> Vec<Value> {
    let test = |description: String, name: &str, schema: Value| {
        form(&description, &[("field", field.clone()), (name, schema)])
    };
    let bounds: Map<String, Value> =
        ["gte", "gt", "lte", "lt"].into_iter().map(|name| (name.to_owned(), operand.clone())).collect();
    let range = json!({
        "type": "object", "properties": bounds, "minProperties": 1, "additionalProperties": false,
    });
    let list = json!({"type": "array", "items": operand, "maxItems": Filter::MAX_VALUES});
    let mut tests = vec![
        test(format!("Test of {what}: equal."), "eq", operand.clone()),
        test(format!("Test of {what}: equal to one of the values."), "in", list),
        test(format!("Test of {what}: within bounds. `gte` and `lte` include them."), "range", range),
        test(
            format!("Test of {what}: true for no value, false for any."),
            "is_null",
            json!({"type": "boolean"}),
        ),
    ];
    let is_text = operand["type"] == "string" && operand["format"].is_null() || operand["type"].is_array();
    if is_text {
        let description = format!(
            "Test of {what}: contains the text, regardless of case. `tags`, `subjects` and `audience`: contains the member."
        );
        tests.push(test(description, "contains", json!({"type": "string"})));
    }
    tests
}
