//! Bounds of requests in the OpenAPI document: lengths, counts, ranges, patterns, from the constants that the engine checks
//! with.
//!
//! They are added by field, not written at each one, so that the document cannot differ from the check. JSON Schema counts
//! characters where the engine counts bytes of UTF-8: a text of other letters than ASCII may be refused for its length
//! although it is within `maxLength`.

use engrain::wire;
use memory_core::domain::name::Name;
use memory_core::domain::statement::Attribute;
use memory_core::limits::Limits;
use serde_json::json;
use utoipa::Number;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{ArrayItems, Schema};
use utoipa::openapi::{KnownFormat, OpenApi, RefOr, SchemaFormat};

/// Schemas of requests and their parts. Responses have no bounds.
const REQUESTS: [&str; 20] = [
    "AddMemories",
    "AddTurns",
    "AsOf",
    "AuditFacts",
    "DeleteMatching",
    "DeleteOwner",
    "DocumentName",
    "EditMemory",
    "Link",
    "ListMemories",
    "NewMemory",
    "NewTurn",
    "PreviewFacts",
    "RecallRequest",
    "RecallThoughts",
    "ReindexRequest",
    "Scope",
    "Statement",
    "UndoChange",
    "Weights",
];

/// Names: no control characters, separators or controls of direction, and something visible.
const NAME: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*[^\\s\\u0000-\\u001f\\u007f-\\u009f\
                    \\u2028-\\u202e\\u2066-\\u2069][^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*$";
/// Names in a header.
const VISIBLE_ASCII: &str = "^[ -~]*[!-~][ -~]*$";
/// Texts: something visible.
const TEXT: &str = "\\S";
/// Slots, see [`Attribute`].
const ATTRIBUTE: &str = "^[a-z][a-z0-9_]*$";
/// Elements of a vector; `gpu_retrieval` has no more.
const VECTOR_ELEMENTS: usize = 4_096;
/// Turns of a preview.
const PREVIEWED_TURNS: usize = 64;
/// Thoughts of a recall.
const THOUGHTS: u32 = 100;
/// Examples of an audit.
const EXAMPLES: u32 = 100;
/// Weight of a signal.
const WEIGHT: f64 = 100.0;

/// Bound of a field.
enum Bound {
    Texts {
        pattern: &'static str,
        longest: usize,
    },
    Time,
    Items {
        least: usize,
        most: usize,
    },
    Names {
        most: usize,
    },
    Integers {
        least: u32,
        most: Option<u32>,
    },
    Numbers {
        most: f64,
    },
    /// A kind that an application may add.
    AddableKind,
}

/// Adds the bounds to all schemas and parameters of requests.
pub(super) fn add(document: &mut OpenApi) {
    let limits = Limits::default();
    let schemas = document.components.iter_mut().flat_map(|components| &mut components.schemas);
    for (name, schema) in schemas.filter(|(name, _)| REQUESTS.contains(&name.as_str())) {
        let RefOr::T(Schema::Object(object)) = schema else { continue };
        for (field, property) in &mut object.properties {
            if let Some(bound) = bound_of(name, field, &limits) {
                set(property, &bound);
            }
        }
        if name == "Scope" {
            object.min_properties = Some(1);
        }
    }
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    add_to_parameter(parameter, &limits);
                }
            }
        }
    }
}

fn add_to_parameter(parameter: &mut Parameter, limits: &Limits) {
    let bound = match parameter.name.as_str() {
        "Idempotency-Key" => Bound::Texts { pattern: VISIBLE_ASCII, longest: Name::MAX_BYTES },
        "limit" => Bound::Integers { least: 1, most: Some(limits.page_size) },
        "kind" => return,
        name => match bound_of("", name, limits) {
            Some(bound) => bound,
            None => return,
        },
    };
    if let Some(schema) = &mut parameter.schema {
        set(schema, &bound);
    }
}

fn bound_of(schema: &str, field: &str, limits: &Limits) -> Option<Bound> {
    let text = |longest| Bound::Texts { pattern: TEXT, longest };
    let whole = |least, most| Bound::Integers { least, most: Some(most) };
    let bytes = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    Some(match (schema, field) {
        ("NewMemory", "kind") => Bound::AddableKind,
        ("Weights", _) => Bound::Numbers { most: WEIGHT },
        (_, "importance" | "weight" | "confidence") => Bound::Numbers { most: 1.0 },
        (_, "text") => text(limits.text_bytes),
        (_, "query") => text(limits.query_bytes),
        ("PreviewFacts", "turns") => Bound::Items { least: 1, most: PREVIEWED_TURNS },
        (_, "turns") => Bound::Items { least: 1, most: limits.turns_per_call },
        (_, "memories") => Bound::Items { least: 1, most: limits.memories_per_call },
        (_, "sources") => Bound::Items { least: 0, most: limits.sources_per_memory },
        (_, "links") => Bound::Items { least: 0, most: limits.links_per_memory },
        (_, "vector") => Bound::Items { least: 1, most: VECTOR_ELEMENTS },
        (_, "participants" | "audience" | "tags" | "subjects") => {
            Bound::Names { most: limits.names_per_list }
        }
        ("RecallRequest", "limit") => whole(1, limits.recall_limit),
        ("RecallThoughts", "limit") => whole(1, THOUGHTS),
        ("ListMemories", "limit") => whole(1, limits.page_size),
        (_, "budget_tokens") => whole(0, limits.budget_tokens),
        (_, "max_text_bytes") => whole(1, bytes(limits.text_bytes)),
        (_, "rerank_candidates") => whole(1, limits.rerank_candidates),
        (_, "deadline_ms") => whole(1, limits.deadline_ms),
        (_, "examples") => whole(0, EXAMPLES),
        (_, "if_version" | "version") => Bound::Integers { least: 1, most: None },
        (_, "attribute") => Bound::Texts { pattern: ATTRIBUTE, longest: Attribute::MAX_BYTES },
        (
            _,
            "user_id" | "agent_id" | "app_id" | "run_id" | "session" | "key" | "author" | "place" | "partner"
            | "namespace" | "subject" | "object" | "relation",
        ) => Bound::Texts { pattern: NAME, longest: Name::MAX_BYTES },
        (
            _,
            "said_at" | "expires_at" | "happened_at" | "happened_until" | "valid_from" | "valid_to"
            | "valid_at" | "known_at" | "now",
        ) => Bound::Time,
        _ => return None,
    })
}

fn set(schema: &mut RefOr<Schema>, bound: &Bound) {
    match (schema, bound) {
        (RefOr::T(Schema::Object(object)), Bound::Texts { pattern, longest }) => {
            object.pattern = Some((*pattern).to_owned());
            (object.min_length, object.max_length) = (Some(1), Some(*longest));
        }
        (RefOr::T(Schema::Object(object)), Bound::Time) => {
            object.format = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime));
        }
        (RefOr::T(Schema::Object(object)), Bound::Integers { least, most }) => {
            let number = |bound: u32| Number::UInt(usize::try_from(bound).unwrap_or(usize::MAX));
            (object.minimum, object.maximum) = (Some(number(*least)), most.map(number));
        }
        (RefOr::T(Schema::Object(object)), Bound::Numbers { most }) => {
            (object.minimum, object.maximum) = (Some(Number::Float(0.0)), Some(Number::Float(*most)));
        }
        (RefOr::T(Schema::Array(array)), Bound::Items { least, most }) => {
            (array.min_items, array.max_items) = (Some(*least).filter(|least| *least > 0), Some(*most));
        }
        (RefOr::T(Schema::Array(array)), Bound::Names { most }) => {
            array.max_items = Some(*most);
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                set(items, &Bound::Texts { pattern: NAME, longest: Name::MAX_BYTES });
            }
        }
        (schema, Bound::AddableKind) => {
            let kinds = wire::ADDABLE_KINDS.iter().map(|kind| json!(kind)).chain([json!(null)]);
            let description =
                "Kind of the memory. Default: `document` with a document name, otherwise `fact`.";
            let precise = json!({
                "type": ["string", "null"], "description": description, "enum": kinds.collect::<Vec<_>>(),
            });
            if let Ok(precise) = serde_json::from_value(precise) {
                *schema = RefOr::T(precise);
            }
        }
        _ => debug_assert!(false, "a bound of another type than its field"),
    }
}
