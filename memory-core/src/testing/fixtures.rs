//! Fixtures of the contract tests: handmade change sets, without an engine and without a model, so that a rule states
//! exactly what it commits. Ids are counted, vectors follow from texts, and nothing depends on the machine.

use std::sync::Arc;

use serde_json::json;

use crate::domain::annotation::Annotation;
use crate::domain::change::{
    ChangeSet, Idempotency, IndexRow, KeyKind, NewMemory, NewTurns, Operation, Revision, Touch,
};
use crate::domain::derivation::{Derivation, Input, Maker, Source};
use crate::domain::embedder::{EmbedderId, RowRecipe};
use crate::domain::forgotten::{Effect, Forgotten, Reason};
use crate::domain::id::{
    CallerId, CountingIds, DerivationId, IdSource, JobId, MemoryId, SessionId, TenantId, TurnId,
};
use crate::domain::link::Link;
use crate::domain::memory::{DocumentName, Happened, Kind, Memory, Origin, Strength, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::scope::{Owner, OwnerKind};
use crate::domain::statement::{Attribute, Statement};
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::{Role, Turn};
use crate::domain::uses::{Use, UseKind, Uses};
use crate::domain::zone::UtcOffset;
use crate::store::{RecallHit, Store, StoreError};
use crate::testing::START;
use crate::text::Tokenizer;

/// Number of components of a vector.
pub const DIMENSION: usize = 8;

/// Separator of the chunks of a text: `one|two` has two rows.
pub const CHUNK_MARK: char = '|';

/// Recipe of rows with vectors of this embedder.
pub fn recipe(embedder: &str) -> RowRecipe {
    RowRecipe { embedder: embedder.to_owned(), tokenizer: "words".to_owned(), key_recipe: 1 }
}

/// Factory of change sets with unique ids.
#[derive(Debug, Default)]
pub struct Fixtures {
    ids: CountingIds,
    embedder: Option<EmbedderId>,
}

impl Fixtures {
    /// Fixtures for a store, in which an embedder of [`DIMENSION`] is registered and used.
    pub async fn for_store(store: &dyn Store) -> Result<Self, StoreError> {
        let dimension = u32::try_from(DIMENSION).unwrap_or(u32::MAX);
        let embedder = store.register_embedder(&recipe("contract"), dimension, START).await?;
        store.use_embedder(embedder).await?;
        Ok(Self { ids: CountingIds::default(), embedder: Some(embedder) })
    }

    /// Unique id.
    pub fn id(&self) -> uuid::Uuid {
        self.ids.next(START)
    }

    /// Set of the default tenant without writes.
    pub fn set(&self, owner: &Owner) -> ChangeSet {
        ChangeSet { embedder: self.embedder, ..ChangeSet::new(TenantId::DEFAULT, owner.clone(), START) }
    }

    /// Set that adds memories.
    pub fn adding(&self, owner: &Owner, memories: Vec<NewMemory>) -> ChangeSet {
        ChangeSet { memories, ..self.set(owner) }
    }

    /// Set that appends turns with these texts, alternating between user and assistant, one minute apart.
    pub fn saying(&self, owner: &Owner, session: &str, texts: &[&str]) -> ChangeSet {
        let session_id = SessionId(self.id());
        let turns = texts.iter().zip(0..).map(|(text, seq)| self.turn(session, session_id, text, seq));
        let turns =
            NewTurns { session_key: name(session), session_id_if_new: session_id, turns: turns.collect() };
        ChangeSet { turns: Some(turns), ..self.set(owner) }
    }

    /// Set that erases memories.
    pub fn erasing(&self, owner: &Owner, erasures: Vec<MemoryId>) -> ChangeSet {
        ChangeSet { erasures, ..self.set(owner) }
    }

    /// Set that touches memories.
    pub fn touching(&self, owner: &Owner, touches: Vec<Touch>) -> ChangeSet {
        ChangeSet { touches, ..self.set(owner) }
    }

    /// Set that writes one new version.
    pub fn revising(&self, owner: &Owner, revision: Revision) -> ChangeSet {
        ChangeSet { revisions: vec![revision], ..self.set(owner) }
    }

    fn turn(&self, session: &str, session_id: SessionId, text: &str, seq: u32) -> (Turn, NewMemory) {
        let role = if seq.is_multiple_of(2) { Role::User } else { Role::Assistant };
        let turn = Turn {
            id: TurnId(self.id()),
            seq,
            key: None,
            position: None,
            role,
            author: None,
            text: text.to_owned(),
            said_at: START.plus_micros(i64::from(seq) * 60_000_000),
            utc_offset: UtcOffset::from_minutes(345).filter(|_| seq % 2 == 1),
            recorded_at: START,
            participants: Vec::new(),
            place: None,
            metadata: Metadata::default(),
        };
        let memory =
            Memory { text: String::new(), ..memory_of_turn(MemoryId(self.id()), &turn, session, session_id) };
        (turn, NewMemory { key: None, memory, derivation: None, rows: rows(text), groups: Vec::new() })
    }

    /// Fact with only its text set.
    pub fn fact(&self, text: &str) -> NewMemory {
        let memory = plain(MemoryId(self.id()), Kind::Fact, text);
        NewMemory { key: None, memory, derivation: None, rows: rows(text), groups: Vec::new() }
    }

    /// Named document.
    pub fn document(&self, namespace: &str, key: &str, text: &str) -> NewMemory {
        let document = DocumentName { namespace: name(namespace), key: name(key) };
        let memory = Memory { document: Some(document), ..plain(MemoryId(self.id()), Kind::Document, text) };
        NewMemory { key: None, memory, derivation: None, rows: rows(text), groups: Vec::new() }
    }

    /// The memory with `sources` as inputs of its derivation; the first of them is its evidence.
    pub fn made_of(&self, new: NewMemory, sources: &[Source]) -> NewMemory {
        let derivation = self.derivation(sources);
        let memory = Memory { derivation: Some(derivation.id), ..new.memory };
        NewMemory { key: None, memory, derivation: Some(derivation), ..new }
    }

    /// The revision with `sources` as inputs of its derivation.
    pub fn revised_from(&self, revision: Revision, sources: &[Source]) -> Revision {
        let derivation = self.derivation(sources);
        let memory = Memory { derivation: Some(derivation.id), ..revision.memory };
        Revision { memory, derivation: Some(derivation), ..revision }
    }

    /// The set with `job` as the job of all its derivations.
    pub fn made_by(&self, job: JobId, mut set: ChangeSet) -> ChangeSet {
        let added = set.memories.iter_mut().filter_map(|new| new.derivation.as_mut());
        let revised = set.revisions.iter_mut().filter_map(|revision| revision.derivation.as_mut());
        added.chain(revised).for_each(|derivation| derivation.job = Some(job));
        set
    }

    fn derivation(&self, sources: &[Source]) -> Derivation {
        let inputs = sources.iter().enumerate();
        Derivation {
            id: DerivationId(self.id()),
            maker: Maker {
                name: "contract".to_owned(),
                model: Some("m".to_owned()),
                prompt: Some("p/1".to_owned()),
            },
            job: None,
            inputs: inputs.map(|(at, source)| Input { source: *source, is_evidence: at == 0 }).collect(),
            made_at: START,
        }
    }

    /// Fact with every optional field set, letters of many scripts, and the first and last moments.
    pub fn ornate(&self) -> NewMemory {
        let mut new = self.fact("Größe 日本語 🦀 e\u{301} \u{200b}|второй кусок|123");
        let memory = &mut new.memory;
        memory.agent = Some(name("агент"));
        memory.app = Some(name("app/1"));
        memory.run = Some(name("🏃"));
        memory.visibility = Visibility::Shared;
        memory.subjects = vec![name("Zoë"), name("\"quoted\"")];
        memory.audience = vec![name("Боб"), name("a, b")];
        memory.statement = Some(Statement {
            subject: name("Zoë"),
            relation: Some(name("lives \"in\"")),
            object: Some(name("日本")),
            attribute: Attribute::new("home"),
            confidence: 0.1 + 0.2,
            said_by: Role::Assistant,
        });
        memory.annotation = Some(Annotation {
            keywords: vec![name("ключ"), name("\"k\"")],
            context: Some("two\nlines 🦀".to_owned()),
        });
        memory.tags = vec![name("b"), name("a"), name("b c")];
        memory.metadata = ornate_metadata();
        memory.happened = Happened {
            at: Timestamp::MIN,
            until: Some(Timestamp::MAX),
            offset: UtcOffset::from_minutes(-23 * 60 - 59),
        };
        memory.valid = Interval { start: Some(Timestamp::MIN), end: Some(Timestamp::MAX) };
        memory.expires_at = Some(Timestamp::MAX);
        memory.recorded_at = Timestamp::MIN;
        memory.created_at = Timestamp::MIN;
        memory.strength = Strength::new(0.1, 3.3, Timestamp::MIN);
        let newest = vec![
            Use { at: Timestamp::MIN, kind: UseKind::Contradicted },
            Use { at: Timestamp::MAX, kind: UseKind::InContext },
        ];
        memory.strength.uses = Uses::new(u32::MAX, newest).unwrap_or_default();
        memory.strength.pinned = true;
        memory.strength.nearest_cosine = Some(-0.1);
        memory.forgotten = Some(Forgotten {
            since: Timestamp::MIN,
            recorded_at: Timestamp::MAX,
            reason: Reason::Evicted,
            retention: 0.1,
            ..forgotten(Effect::Cold, 1)
        });
        new
    }
}

/// Metadata of every JSON type, with numbers that lose precision as doubles.
fn ornate_metadata() -> Metadata {
    let object = json!({
        "text": "line\nbreak \u{0} \u{1F980}", "nested": { "list": [1, "two", null, false, [3.5]] },
        "tenth": 0.1, "sum": 0.1 + 0.2, "awkward": 1.000_000_000_000_000_2e-5, "huge": 1.797_693_134_862_315_7e308,
        "tiny": 5e-324, "wide": u64::MAX, "low": i64::MIN, "empty": {}, "": "no name",
    });
    object.as_object().cloned().and_then(|object| Metadata::new(object).ok()).unwrap_or_default()
}

/// Next version of a memory: with another text and its rows, or with the present text. It has no derivation.
pub fn revised(present: &Memory, text: Option<&str>) -> Revision {
    let mut memory = Memory { version: present.version + 1, ..present.clone() };
    memory.recorded_at = present.recorded_at.plus_micros(1);
    memory.derivation = None;
    if let Some(text) = text {
        text.clone_into(&mut memory.text);
    }
    Revision { memory, derivation: None, rows: text.map(rows), groups: None, keeps_links: false }
}

/// Rows of a text: one per chunk (see [`CHUNK_MARK`]), without a vector for a chunk without a letter.
pub fn rows(text: &str) -> Vec<IndexRow> {
    let mut start = 0;
    let chunks = text.split(CHUNK_MARK).zip(0..).map(|(part, chunk)| {
        let end = start + u32::try_from(part.len()).unwrap_or(u32::MAX);
        let mut terms = Vec::new();
        Tokenizer.document(part).encode(&mut terms);
        let vector = part.chars().any(char::is_alphabetic).then(|| vector_of(part));
        let vector = vector.and_then(|vector| gpu_retrieval::unit_fp16(&vector).ok()).map(Arc::from);
        let row = IndexRow { key: KeyKind::Text, chunk, span: (start, end), terms: terms.into(), vector };
        start = end + 1;
        row
    });
    chunks.collect()
}

/// Vector that follows from the words of a text; texts that share words have similar vectors.
pub fn vector_of(text: &str) -> Vec<f32> {
    let mut sum = vec![0.0; DIMENSION];
    for word in text.split_whitespace() {
        let hash = xxhash_rust::xxh3::xxh3_64(word.as_bytes());
        for (component, shift) in sum.iter_mut().zip((0..64).step_by(64 / DIMENSION)) {
            let byte = u8::try_from(hash >> shift & 0xFF).unwrap_or(0);
            *component += f32::from(byte) - 127.5;
        }
    }
    if sum.iter().all(|component| *component == 0.0) {
        sum[0] = 1.0;
    }
    sum
}

/// Fact or document with only its text set.
pub fn plain(id: MemoryId, kind: Kind, text: &str) -> Memory {
    Memory {
        id,
        version: 1,
        kind,
        text: text.to_owned(),
        tokens: u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX),
        agent: None,
        app: None,
        run: None,
        visibility: Visibility::Owner,
        subjects: Vec::new(),
        audience: Vec::new(),
        statement: None,
        tags: Vec::new(),
        links: Vec::new(),
        metadata: Metadata::default(),
        annotation: None,
        document: None,
        origin: None,
        derivation: None,
        happened: Happened { at: START, until: None, offset: None },
        recorded_at: START,
        created_at: START,
        valid: Interval::default(),
        expires_at: None,
        strength: Strength::new(0.5, 1.0, START),
        forgotten: None,
    }
}

/// Memory of a turn, text included.
fn memory_of_turn(id: MemoryId, turn: &Turn, session: &str, session_id: SessionId) -> Memory {
    let origin = Origin {
        turn: turn.id,
        session: session_id,
        session_key: name(session),
        session_ordinal: 0,
        seq: turn.seq,
        role: turn.role,
        author: turn.author.clone(),
        turn_key: turn.key.clone(),
    };
    let happened = Happened { at: turn.said_at, until: None, offset: turn.utc_offset };
    Memory { origin: Some(origin), happened, ..plain(id, Kind::Turn, &turn.text) }
}

/// Link.
pub fn link(to: MemoryId, relation: &str, weight: f32) -> Link {
    Link { to, relation: name(relation), weight, reason: None }
}

/// Use by a recall at this many days after [`START`].
pub fn touch(memory: MemoryId, days: i64) -> Touch {
    let one = Use { at: START.plus_days(days), kind: UseKind::Returned };
    Touch { memory, one, refractory_us: 0 }
}

/// Hit of a recall that returned it, and did no more.
pub fn hit(memory: MemoryId, score: f32) -> RecallHit {
    RecallHit { memory, score, outcome: UseKind::Returned }
}

/// Record of forgetting at this many days after [`START`], found a day later.
pub fn forgotten(effect: Effect, days: i64) -> Forgotten {
    Forgotten {
        since: START.plus_days(days),
        recorded_at: START.plus_days(days + 1),
        reason: Reason::Faded,
        effect,
        curve: "memorybank.paper".to_owned(),
        retention: 0.125,
        threshold: 0.3,
    }
}

/// Idempotency key of the test caller.
pub fn keyed_request(operation: Operation, key: &str, hash: u8) -> Idempotency {
    Idempotency { caller: CallerId::ANYONE, operation, key: name(key), request_hash: [hash; 32] }
}

/// Owner that is a user.
pub fn owner(id: &str) -> Owner {
    Owner { kind: OwnerKind::User, id: name(id) }
}

/// Valid name.
///
/// # Panics
/// If the text is not a valid name.
#[expect(clippy::expect_used, reason = "contracts write the names themselves")]
pub fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}
