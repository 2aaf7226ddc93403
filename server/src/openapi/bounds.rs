//! Bounds of requests in the OpenAPI document: lengths, counts, ranges, patterns, from the constants that the engine checks
//! with.
//!
//! They are added by field, not written at each one, so that the document cannot differ from the check. JSON Schema counts
//! characters where the engine counts bytes of UTF-8: a text of other letters than ASCII may be refused for its length
//! although it is within `maxLength`.

use super::patterns::Pattern;
use engrain::wire;
use memory_core::domain::name::Name;
use memory_core::domain::statement::Attribute;
use memory_core::limits::Limits;
use memory_core::memories::fading::FADING_DAYS_AT_MOST;
use memory_core::memories::retention::POINTS_BOUNDS;
use serde_json::json;
use utoipa::Number;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::schema::{ArrayItems, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, OpenApi, RefOr, SchemaFormat};

/// Schemas of requests and their parts. Responses have no bounds.
const REQUESTS: [&str; 28] = [
    "AddMemories",
    "AddTurns",
    "AsOf",
    "AuditFacts",
    "CloseSession",
    "DeleteMatching",
    "DeleteOwner",
    "DocumentName",
    "EditMemory",
    "GiveGrant",
    "ForgettingPolicy",
    "Link",
    "ListMemories",
    "NewMemory",
    "NewTurn",
    "PreviewFacts",
    "PreviewSweep",
    "RecallFeedback",
    "RecallNotes",
    "RecallRequest",
    "RecallThoughts",
    "ReindexRequest",
    "RestoreForgotten",
    "Scope",
    "Statement",
    "SweepMemories",
    "UndoChange",
    "Weights",
];

/// Schemas of which at least one member must be given, with the members of which `null` is a value. `null` in another one is
/// read as its absence, which the document leaves out: an object of nothing else is refused.
const AT_LEAST_ONE: [(&str, &[&str]); 2] =
    [("EditMemory", &["valid_from", "valid_to", "expires_at", "statement"]), ("Scope", &[])];
/// Elements of a vector; `gpu_retrieval` has no more.
const VECTOR_ELEMENTS: usize = 4_096;
/// Turns of a preview.
const PREVIEWED_TURNS: usize = 64;
/// Thoughts of a recall.
const THOUGHTS: u32 = 100;
const NOTES: u32 = memory_core::think::amem::recall::NOTES_PER_RECALL;
/// Examples of an audit.
const EXAMPLES: u32 = 100;
/// Memories restored by one call.
const RESTORED: usize = memory_core::forgetting::request::RESTORED_PER_CALL as usize;
/// Weight of a signal.
const WEIGHT: f64 = 100.0;

/// Bound of a field.
enum Bound {
    Texts {
        pattern: Pattern,
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
    /// An object of the application's: its keys.
    Metadata,
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
        if let Some((_, fields)) = AT_LEAST_ONE.iter().find(|(of, _)| of == name) {
            object.min_properties = Some(1);
            for (field, property) in &mut object.properties {
                if !fields.contains(&field.as_str()) {
                    refuse_null(property);
                }
            }
        }
    }
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            describe_scope(operation);
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    add_to_parameter(parameter, &limits);
                }
            }
        }
    }
}

/// Says that the scope of a query string needs an id: OpenAPI has no word for parameters of which one is required.
fn describe_scope(operation: &mut Operation) {
    let names = |name: &str| {
        operation.parameters.iter().flatten().any(|one| matches!(one, RefOr::T(one) if one.name == name))
    };
    if names("user_id") && operation.operation_id.as_deref() != Some("export") {
        let description = operation.description.get_or_insert_default();
        description.push_str("\n\nAt least one of `user_id`, `agent_id`, `app_id` and `run_id` is required.");
    }
}

fn refuse_null(schema: &mut RefOr<Schema>) {
    let types = match schema {
        RefOr::T(Schema::Object(object)) => &mut object.schema_type,
        RefOr::T(Schema::Array(array)) => &mut array.schema_type,
        RefOr::T(Schema::OneOf(choice)) => {
            choice.items.retain(|item| !matches!(item, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null)));
            return;
        }
        _ => return,
    };
    if let SchemaType::Array(several) = types {
        several.retain(|one| *one != Type::Null);
        if let [one] = &**several {
            *types = SchemaType::Type(one.clone());
        }
    }
}

fn add_to_parameter(parameter: &mut Parameter, limits: &Limits) {
    let bound = match parameter.name.as_str() {
        "Idempotency-Key" => Bound::Texts { pattern: Pattern::Header, longest: Name::MAX_BYTES },
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
    let text = |longest| Bound::Texts { pattern: Pattern::Text, longest };
    let whole = |least, most| Bound::Integers { least, most: Some(most) };
    let bytes = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    Some(match (schema, field) {
        ("NewMemory", "kind") => Bound::AddableKind,
        ("ForgettingPolicy", "weight") => Bound::Numbers { most: WEIGHT },
        ("ForgettingPolicy", "quota_memories") => Bound::Integers { least: 1, most: None },
        ("Weights", _) => Bound::Numbers { most: WEIGHT },
        (_, "importance" | "weight" | "confidence") => Bound::Numbers { most: 1.0 },
        (_, "text") => text(limits.text_bytes),
        (_, "query") => Bound::Texts { pattern: Pattern::Query, longest: limits.query_bytes },
        (_, "metadata") => Bound::Metadata,
        ("PreviewFacts", "turns") => Bound::Items { least: 1, most: PREVIEWED_TURNS },
        (_, "turns") => Bound::Items { least: 1, most: limits.turns_per_call },
        (_, "memories") => Bound::Items { least: 1, most: limits.memories_per_call },
        ("GiveGrant", "memory_ids") => Bound::Items { least: 1, most: limits.memories_per_grant },
        (_, "sources") => Bound::Items { least: 0, most: limits.sources_per_memory },
        (_, "links") => Bound::Items { least: 0, most: limits.links_per_memory },
        (_, "vector") => Bound::Items { least: 1, most: VECTOR_ELEMENTS },
        (_, "participants" | "audience" | "tags" | "subjects") => {
            Bound::Names { most: limits.names_per_list }
        }
        ("RecallRequest", "limit") => whole(1, limits.recall_limit),
        ("RecallThoughts", "limit") => whole(1, THOUGHTS),
        ("RecallNotes", "limit") => whole(1, NOTES),
        ("RecallNotes", "linked") => whole(0, NOTES),
        ("RestoreForgotten", "memory_ids") => Bound::Items { least: 0, most: RESTORED },
        ("ListMemories" | "PreviewSweep", "limit") => whole(1, limits.page_size),
        ("RecallFeedback", "used" | "confirmed" | "contradicted") => {
            Bound::Items { least: 0, most: limits.recall_limit as usize }
        }
        (_, "points") => whole(POINTS_BOUNDS.0, POINTS_BOUNDS.1),
        (_, "within_days") => whole(1, FADING_DAYS_AT_MOST),
        (_, "hops") => whole(1, limits.graph_hops.into()),
        (_, "max_hops") => whole(1, limits.graph_path_hops.into()),
        (_, "budget_tokens") => whole(0, limits.budget_tokens),
        (_, "max_text_bytes") => whole(1, bytes(limits.text_bytes)),
        (_, "rerank_candidates") => whole(1, limits.rerank_candidates),
        (_, "deadline_ms") => whole(1, limits.deadline_ms),
        (_, "examples") => whole(0, EXAMPLES),
        (_, "if_version" | "version") => Bound::Integers { least: 1, most: None },
        (_, "attribute") => Bound::Texts { pattern: Pattern::Attribute, longest: Attribute::MAX_BYTES },
        (
            _,
            "user_id" | "agent_id" | "app_id" | "run_id" | "session" | "key" | "tag" | "author" | "place"
            | "partner" | "namespace" | "subject" | "object" | "relation",
        ) => Bound::Texts { pattern: Pattern::Name, longest: Name::MAX_BYTES },
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
            object.pattern = Some(pattern.expression());
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
                set(items, &Bound::Texts { pattern: Pattern::Name, longest: Name::MAX_BYTES });
            }
        }
        (RefOr::T(Schema::Object(object)), Bound::Metadata) => {
            let keys =
                ObjectBuilder::new().schema_type(Type::String).pattern(Some(Pattern::Stored.expression()));
            object.property_names = Some(Box::new(Schema::Object(keys.build())));
        }
        (schema, Bound::AddableKind) => {
            let kinds = wire::ADDABLE_KINDS.iter().map(|kind| json!(kind)).chain([json!(null)]);
            let description = "Kind of the memory. `digest` is allowed only with a document name in the namespace \
                               `digests/portrait`: a statement of the portrait. Default: `document` with a document name, \
                               otherwise `fact`.";
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
