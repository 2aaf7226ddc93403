//! Fields that a filter can test, with their names on the wire and the types of their values.

use crate::domain::name::Name;

/// Field that can be tested.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Kind of the memory: text.
    Kind,
    /// Role of the speaker, for turns: text.
    Role,
    /// Name of the speaker, for turns: text.
    Author,
    /// Agent id: text.
    Agent,
    /// App id: text.
    App,
    /// Run id: text.
    Run,
    /// Session key, for turns: text.
    Session,
    /// Document namespace: text.
    Namespace,
    /// Document key: text.
    Key,
    /// Start of the events in the text: time.
    HappenedAt,
    /// Recording of the present version: time.
    RecordedAt,
    /// Recording of the first version: time.
    CreatedAt,
    /// Start of validity: time.
    ValidFrom,
    /// End of validity: time.
    ValidTo,
    /// Expiry: time.
    ExpiresAt,
    /// Importance: number.
    Importance,
    /// Version: number.
    Version,
    /// Tags: set of texts.
    Tags,
    /// Subjects: set of texts.
    Subjects,
    /// Conversation partners to whom it may be told: set of texts.
    Audience,
    /// Scalars at a path in the metadata (`city`, `trip.year`), with array elements as single values.
    Metadata(String),
}

/// Type of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Text.
    Text,
    /// Moment.
    Time,
    /// Number.
    Number,
    /// Any scalar.
    Any,
}

impl Field {
    /// Name on the wire.
    pub fn name(&self) -> String {
        let fixed = match self {
            Field::Kind => "kind",
            Field::Role => "role",
            Field::Author => "author",
            Field::Agent => "agent_id",
            Field::App => "app_id",
            Field::Run => "run_id",
            Field::Session => "session",
            Field::Namespace => "namespace",
            Field::Key => "key",
            Field::HappenedAt => "happened_at",
            Field::RecordedAt => "recorded_at",
            Field::CreatedAt => "created_at",
            Field::ValidFrom => "valid_from",
            Field::ValidTo => "valid_to",
            Field::ExpiresAt => "expires_at",
            Field::Importance => "importance",
            Field::Version => "version",
            Field::Tags => "tags",
            Field::Subjects => "subjects",
            Field::Audience => "audience",
            Field::Metadata(path) => return format!("metadata.{path}"),
        };
        fixed.to_owned()
    }

    /// Field with this name on the wire.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(path) = name.strip_prefix("metadata.") {
            return (!path.is_empty() && path.len() <= Name::MAX_BYTES)
                .then(|| Field::Metadata(path.to_owned()));
        }
        Self::FIXED.into_iter().find(|field| field.name() == name)
    }

    /// Fields with a fixed name, that is, all but the metadata paths.
    pub const FIXED: [Field; 20] = [
        Field::Kind,
        Field::Role,
        Field::Author,
        Field::Agent,
        Field::App,
        Field::Run,
        Field::Session,
        Field::Namespace,
        Field::Key,
        Field::HappenedAt,
        Field::RecordedAt,
        Field::CreatedAt,
        Field::ValidFrom,
        Field::ValidTo,
        Field::ExpiresAt,
        Field::Importance,
        Field::Version,
        Field::Tags,
        Field::Subjects,
        Field::Audience,
    ];

    /// Type of the field's values.
    pub fn value_type(&self) -> FieldType {
        match self {
            Field::HappenedAt
            | Field::RecordedAt
            | Field::CreatedAt
            | Field::ValidFrom
            | Field::ValidTo
            | Field::ExpiresAt => FieldType::Time,
            Field::Importance | Field::Version => FieldType::Number,
            Field::Metadata(_) => FieldType::Any,
            _ => FieldType::Text,
        }
    }

    /// True if a memory may have several values of the field.
    pub fn is_set(&self) -> bool {
        matches!(self, Field::Tags | Field::Subjects | Field::Audience)
    }
}
