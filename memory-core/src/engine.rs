//! The engine: the ports with their settings. Each operation is a method in the folder of its verb (`remember`,
//! `recall`, `memories`, `maintenance`). This file holds what they share.

use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

use crate::domain::change::{CreatedIds, Idempotency};
use crate::domain::clock::Clock;
use crate::domain::embedder::{EmbedderId, RowRecipe};
use crate::domain::id::IdSource;
use crate::domain::scope::{Caller, Owner};
use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;
use crate::error::Error;
use crate::forgetting::meter::SweepMeter;
use crate::graph::Graphs;
use crate::index::Index;
use crate::indexing::commit_queue::CommitQueue;
use crate::indexing::embedder_health::EmbedderHealth;
use crate::indexing::keys::row_recipe;
use crate::jobs::runner::JobRunner;
use crate::limits::Limits;
use crate::memories::EditLocks;
use crate::model::source::EmbedderSource;
use crate::model::{Embedder, Reranker};
use crate::recall::access_log::{AccessLogWriter, Keep};
use crate::recall::settings::RecallSettings;
use crate::retention::Policy;
use crate::scope::OwnerSettings;
use crate::store::Store;
use crate::store::purger::Purger;
use crate::think::queue::switch::Switch;
use crate::think::settings::ThinkingSettings;

/// Components of an engine.
pub struct Parts {
    /// Durable store.
    pub store: Arc<dyn Store>,
    /// Search index.
    pub index: Arc<dyn Index>,
    /// Embedder of texts: the one that made the rows in the store.
    pub embedder: Arc<dyn Embedder>,
    /// Reranker of the candidates, if there is one.
    pub reranker: Option<Arc<dyn Reranker>>,
    /// Source of the current time.
    pub clock: Arc<dyn Clock>,
    /// Source of new ids.
    pub ids: Arc<dyn IdSource>,
    /// Limits on requests and on the size of data.
    pub limits: Limits,
    /// Default settings of recall.
    pub recall: RecallSettings,
    /// Settings of thinking, with its language models.
    pub thinking: ThinkingSettings,
    /// Forgetting policy of owners that have none of their own. An index whose rows hold the decay of the same policy answers
    /// fastest.
    pub forgetting: Policy,
}

/// Entry point of all operations on memories.
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) index: Arc<dyn Index>,
    pub(crate) graphs: Arc<Graphs>,
    /// Shared with the reindex job, which replaces it.
    pub(crate) embedder: Arc<RwLock<ActiveEmbedder>>,
    pub(crate) embedder_health: EmbedderHealth,
    pub(crate) reranker: Option<Arc<dyn Reranker>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) limits: Limits,
    pub(crate) recall_settings: RecallSettings,
    pub(crate) thinking: Switch,
    pub(crate) zones: OwnerSettings<Zone>,
    /// Policy of owners that have none of their own.
    pub(crate) forgetting: Arc<Policy>,
    pub(crate) policies: OwnerSettings<Arc<Policy>>,
    pub(crate) swept: SweepMeter,
    pub(crate) commits: CommitQueue,
    pub(crate) edits: EditLocks,
    pub(crate) access_log: AccessLogWriter,
    /// Shared with every copy of the store that is not deleted yet.
    pub(crate) copies: Arc<()>,
    pub(crate) _purger: Purger,
    pub(crate) jobs: OnceLock<JobRunner>,
    pub(crate) embedders: OnceLock<Arc<dyn EmbedderSource>>,
}

/// The embedder in use, with the store's number for it and the recipe of the rows in use.
#[derive(Clone)]
pub(crate) struct ActiveEmbedder {
    pub(crate) id: EmbedderId,
    pub(crate) embedder: Arc<dyn Embedder>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("embedder", &self.embedder_name()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts an engine. A new store is bound to the given embedder. A store that was made with another embedder is
    /// refused with [`Error::EmbedderMismatch`], since vectors of two embedders must never be compared. A store whose
    /// rows were made with another tokenizer or key recipe is served with these rows; [`Engine::start_jobs`] requests a
    /// job that rebuilds them.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, Error> {
        let Parts { store, index, embedder, reranker, clock, ids, limits, recall, thinking, forgetting } =
            parts;
        crate::recall::tables::build_in_background();
        let configured = embedder.identity().vector_space();
        let id = match store.embedder_in_use().await? {
            Some((id, stored)) if stored.embedder == configured => id,
            Some((_, stored)) => {
                return Err(Error::EmbedderMismatch { stored: stored.embedder, configured });
            }
            None => {
                let dimension = u32::try_from(embedder.identity().dimension).unwrap_or(u32::MAX);
                let recipe = row_recipe(configured);
                let id = store.register_embedder(&recipe, dimension, clock.now()).await?;
                store.use_embedder(id).await?;
                id
            }
        };
        let commits =
            CommitQueue::start(store.clone(), index.clone(), limits.commits_waiting, limits.sets_per_commit);
        let thinking = Switch::load(thinking, &*store).await?;
        let zones = OwnerSettings::load(&*store).await?;
        let policies = OwnerSettings::load(&*store).await?;
        let access_log = AccessLogWriter::start(
            store.clone(),
            commits.clone(),
            Keep { per_partition: limits.recalls_kept, per_grant: limits.grant_uses_kept },
        );
        Ok(Arc::new(Self {
            copies: Arc::default(),
            _purger: Purger::start(Arc::clone(&store)),
            graphs: Arc::new(Graphs::new(Arc::clone(&store), limits.graph_bytes)),
            store,
            index,
            embedder: Arc::new(RwLock::new(ActiveEmbedder { id, embedder })),
            embedder_health: EmbedderHealth::default(),
            reranker,
            clock,
            ids,
            limits,
            recall_settings: recall,
            thinking,
            zones,
            forgetting: Arc::new(forgetting),
            policies,
            swept: SweepMeter::default(),
            commits,
            edits: EditLocks::default(),
            access_log,
            jobs: OnceLock::new(),
            embedders: OnceLock::new(),
        }))
    }

    /// The limits on requests and on the size of data.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// True if writes are worked on, and the number of times that their task was started again after a panic.
    pub fn commit_task(&self) -> (bool, u64) {
        (self.commits.is_alive(), self.commits.restarts())
    }

    /// The name of the embedder in use.
    pub fn embedder_name(&self) -> String {
        self.embedder.read().embedder.identity().name.clone()
    }

    /// Number of components of a vector.
    pub fn dimension(&self) -> u32 {
        u32::try_from(self.embedder.read().embedder.identity().dimension).unwrap_or(u32::MAX)
    }

    /// The store's number of the embedder and row recipe in use: for tests of the change-over.
    pub fn embedder_id(&self) -> EmbedderId {
        self.active_embedder().id
    }

    pub(crate) fn active_embedder(&self) -> ActiveEmbedder {
        self.embedder.read().clone()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Result of an earlier request with this idempotency key; see [`crate::store::Commit::earlier`]. The commit checks
    /// again; the check beforehand saves the preparation of a repeated request.
    pub(crate) async fn earlier(
        &self,
        caller: &Caller,
        owner: Option<&Owner>,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<CreatedIds>, Error> {
        let Some(idempotency) = idempotency else { return Ok(None) };
        Ok(self.store.earlier(caller.tenant, owner, idempotency).await?.transpose()?)
    }
}

/// Recipe of the rows that an engine makes with this embedder in a new store.
pub fn recipe_of_new_rows(embedder: &dyn Embedder) -> RowRecipe {
    row_recipe(embedder.identity().vector_space())
}

pub(crate) fn needs_read(caller: &Caller) -> Result<(), Error> {
    if caller.rights.read { Ok(()) } else { Err(Error::Forbidden { right: "read" }) }
}

pub(crate) fn needs_write(caller: &Caller) -> Result<(), Error> {
    if caller.rights.write { Ok(()) } else { Err(Error::Forbidden { right: "write" }) }
}

pub(crate) fn needs_delete(caller: &Caller) -> Result<(), Error> {
    if caller.rights.delete { Ok(()) } else { Err(Error::Forbidden { right: "delete" }) }
}

pub(crate) fn needs_admin(caller: &Caller) -> Result<(), Error> {
    if caller.rights.admin { Ok(()) } else { Err(Error::Forbidden { right: "administer" }) }
}
