//! Test support for this crate and the server: an engine over a store in a temporary directory, with a frozen clock,
//! counted ids, and an embedder without files.

pub mod corpus;
pub mod fixtures;
pub mod hooked_index;
pub mod index_contract;
pub mod language_model_contract;
pub mod memory_source;
pub mod reference;
pub mod rng;
pub mod scripted_model;
pub mod seeds;
pub mod store_contract;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::change::{ChangeSet, Outcome};
use crate::domain::clock::FrozenClock;
use crate::domain::filter::Filter;
use crate::domain::id::{CallerId, CountingIds, TenantId};
use crate::domain::memory::{Kind, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::{BadName, Name};
use crate::domain::scope::{Caller, Rights, Scope};
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::Role;
use crate::engine::{Engine, Parts};
use crate::error::Error;
use crate::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions};
use crate::jobs::settings::JobSettings;
use crate::limits::Limits;
use crate::model::hashing::HashingEmbedder;
use crate::model::source::EmbedderSource;
use crate::model::{Embedder, ModelError};
use crate::recall::request::{AsOf, Recall, RequestedZone};
use crate::recall::settings::RecallSettings;
use crate::recall::signals::RequestedWeights;
use crate::remember::request::{MemoryToRemember, RememberMemories, RememberTurns, TurnToRemember};
use crate::retention::Policy;
use crate::store::sql::{SqlStore, StoreOptions};
use crate::think::settings::ThinkingSettings;

/// Start time of the test clock: 2024-03-01T12:00:00Z.
pub const START: Timestamp = Timestamp::from_micros(1_709_294_400_000_000);

/// Caller of the default tenant with all rights.
pub const CALLER: Caller = Caller { tenant: TenantId::DEFAULT, id: CallerId::ANYONE, rights: Rights::ALL };

/// Engine with the parts that tests use directly.
#[derive(Debug)]
pub struct TestEngine {
    /// Engine.
    pub engine: Arc<Engine>,
    /// Store of the engine.
    pub store: Arc<SqlStore>,
    /// Index of the engine.
    pub index: Arc<EmbeddedIndex>,
    /// Clock of the engine.
    pub clock: Arc<FrozenClock>,
}

impl TestEngine {
    /// Opens a test engine in `directory`.
    pub async fn open(directory: &Path) -> Result<Self, Error> {
        Self::open_with(directory, Arc::new(HashingEmbedder::new(64)), 64 << 20).await
    }

    /// Opens a test engine with this embedder and memory budget of the index.
    pub async fn open_with(
        directory: &Path,
        embedder: Arc<dyn Embedder>,
        budget_bytes: usize,
    ) -> Result<Self, Error> {
        Self::open_all(directory, (embedder, budget_bytes), ThinkingSettings::default(), Limits::default())
            .await
    }

    /// Opens a test engine with these settings of thinking, a hashing embedder and the usual memory budget.
    pub async fn thinking(directory: &Path, settings: ThinkingSettings) -> Result<Self, Error> {
        Self::open_all(directory, (Arc::new(HashingEmbedder::new(64)), 64 << 20), settings, Limits::default())
            .await
    }

    /// Opens a test engine with these limits, a hashing embedder and the usual memory budget.
    pub async fn limited(directory: &Path, limits: Limits) -> Result<Self, Error> {
        let embedder = Arc::new(HashingEmbedder::new(64));
        Self::open_all(directory, (embedder, 64 << 20), ThinkingSettings::default(), limits).await
    }

    /// Opens a test engine with this embedder and these limits.
    pub async fn embedding_with(
        directory: &Path,
        embedder: Arc<dyn Embedder>,
        limits: Limits,
    ) -> Result<Self, Error> {
        Self::open_all(directory, (embedder, 64 << 20), ThinkingSettings::default(), limits).await
    }

    async fn open_all(
        directory: &Path,
        (embedder, budget_bytes): (Arc<dyn Embedder>, usize),
        thinking: ThinkingSettings,
        limits: Limits,
    ) -> Result<Self, Error> {
        let store = Arc::new(SqlStore::open(directory, StoreOptions::default()).await?);
        let options =
            EmbeddedIndexOptions { budget_bytes, threads: 2, inline_rows: EmbeddedIndexOptions::INLINE_ROWS };
        let index = Arc::new(EmbeddedIndex::new(store.clone(), Arc::default(), options));
        let clock = Arc::new(FrozenClock::at(START));
        let engine = Engine::start(Parts {
            store: store.clone(),
            index: index.clone(),
            embedder,
            reranker: None,
            forgetting: Policy::default(),
            clock: clock.clone(),
            ids: Arc::new(CountingIds::default()),
            limits,
            recall: RecallSettings::default(),
            thinking,
        })
        .await?;
        engine.start_jobs(Arc::new(HashingEmbedders), JobSettings::default()).await?;
        Ok(Self { engine, store, index, clock })
    }

    /// Waits until what the recalls so far leave behind them is written: the access log, and the uses of the memories.
    pub async fn settle(&self) {
        self.engine.access_log.settle().await;
    }

    /// Commits a set as a mechanism of the engine does: through the commit queue, so that the index follows.
    pub async fn commit(&self, set: ChangeSet) -> Result<Outcome, Error> {
        self.engine.commits.commit(set).await
    }
}

/// Embedders that need no files: `hashing`, and `hashing-96` with vectors of 96 components.
#[derive(Clone, Copy, Debug)]
pub struct HashingEmbedders;

#[async_trait]
impl EmbedderSource for HashingEmbedders {
    async fn open(&self, name: &str) -> Result<Arc<dyn Embedder>, ModelError> {
        match name {
            "hashing" => Ok(Arc::new(HashingEmbedder::new(64))),
            "hashing-96" => Ok(Arc::new(HashingEmbedder::named(name, 96))),
            _ => Err(ModelError::Unusable { model: name.to_owned(), reason: "there is none".to_owned() }),
        }
    }
}

/// Scope of a user.
pub fn user(id: &str) -> Result<Scope, BadName> {
    Ok(Scope { user: Some(Name::new(id)?), ..Scope::default() })
}

/// Turn at a moment.
pub fn turn(role: Role, text: &str, said_at: Timestamp) -> TurnToRemember {
    TurnToRemember {
        role,
        text: text.to_owned(),
        key: None,
        position: None,
        author: None,
        said_at: Some(said_at),
        utc_offset: None,
        participants: Vec::new(),
        place: None,
        audience: Vec::new(),
        tags: Vec::new(),
        metadata: Metadata::default(),
        importance: None,
        expires_at: None,
        vector: None,
    }
}

/// Request to append turns to a session.
pub fn turns(scope: &Scope, session: &str, turns: Vec<TurnToRemember>) -> Result<RememberTurns, BadName> {
    Ok(RememberTurns {
        scope: scope.clone(),
        session: Name::new(session)?,
        turns,
        visibility: Visibility::Owner,
        again: false,
        idempotency: None,
    })
}

/// Fact.
pub fn fact(text: &str) -> MemoryToRemember {
    MemoryToRemember {
        key: None,
        text: text.to_owned(),
        kind: Kind::Fact,
        document: None,
        subjects: Vec::new(),
        audience: Vec::new(),
        statement: None,
        tags: Vec::new(),
        metadata: Metadata::default(),
        sources: Vec::new(),
        links: Vec::new(),
        happened: None,
        valid: Interval::default(),
        expires_at: None,
        importance: None,
        visibility: Visibility::Owner,
        vector: None,
    }
}

/// Request to add memories.
pub fn memories(scope: &Scope, memories: Vec<MemoryToRemember>) -> RememberMemories {
    RememberMemories { scope: scope.clone(), memories, again: false, idempotency: None }
}

/// Recall request with default values for all but scope and query.
pub fn question(scope: &Scope, query: &str) -> Recall {
    Recall {
        scope: scope.clone(),
        query: query.to_owned(),
        limit: 10,
        session: None,
        filter: Filter::everything(),
        budget_tokens: 2_000,
        vector: None,
        weights: RequestedWeights::default(),
        rerank: None,
        rerank_candidates: None,
        max_text_bytes: None,
        deadline_ms: None,
        now: None,
        zone: RequestedZone::default(),
        as_of: AsOf::default(),
        include_superseded: false,
        include_granted: true,
        include_digests: None,
        partner: None,
        reinforce: None,
        curve: None,
        include_forgotten: false,
    }
}
