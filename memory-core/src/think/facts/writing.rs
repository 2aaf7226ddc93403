//! Writes of thinking: facts as memories with index rows, derivations and versions, in a change set.

use crate::domain::change::{ChangeSet, IndexRow, NewMemory, Revision};
use crate::domain::derivation::{Derivation, Input, Maker};
use crate::domain::id::{DerivationId, JobId};
use crate::domain::memory::{Memory, Strength, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::error::Error;
use crate::indexing::{IndexedTexts, TextToIndex};
use crate::store::PendingTurn;
use crate::text::count_tokens;
use crate::think::queue::batch::Batch;
use crate::think::resolve::{FactChanges, FactRevision, FactToWrite};
use crate::think::tim::buckets::Buckets;

/// Importance of a derived fact, as that of a turn.
const IMPORTANCE: f64 = 0.5;

/// Shared inputs of the writes of one batch.
pub(in crate::think) struct Writing<'a> {
    pub(in crate::think) engine: &'a Engine,
    pub(in crate::think) maker: &'a Maker,
    pub(in crate::think) job: JobId,
    pub(in crate::think) batch: &'a Batch,
    /// Rows of the candidates, in their order.
    pub(in crate::think) indexed: &'a IndexedTexts,
}

/// Adds facts and new versions to a set.
pub(in crate::think) async fn fact_set(
    writing: &Writing<'_>,
    changes: FactChanges,
    set: &mut ChangeSet,
) -> Result<(), Error> {
    set.embedder = Some(writing.indexed.embedder);
    let buckets = writing.engine.buckets().ok();
    for fact in changes.facts {
        let rows = writing.rows(&fact).await?;
        let new = writing.new_memory(fact, (rows, buckets.as_ref()), set.now);
        set.memories.push(new);
    }
    for revision in changes.revisions {
        set.revisions.push(writing.revision(revision, set.now));
    }
    Ok(())
}

/// Shared only if all evidence is.
fn visibility(evidence: &[&PendingTurn]) -> Visibility {
    let is_shared = |turn: &&PendingTurn| turn.memory.visibility == Visibility::Shared;
    if !evidence.is_empty() && evidence.iter().all(is_shared) {
        Visibility::Shared
    } else {
        Visibility::Owner
    }
}

impl Writing<'_> {
    /// Rows of a fact: those of its candidate, or new ones for a fact that resumes.
    async fn rows(&self, fact: &FactToWrite) -> Result<Vec<IndexRow>, Error> {
        if let Some(rows) = fact.candidate.and_then(|candidate| self.indexed.rows.get(candidate)) {
            return Ok(rows.clone());
        }
        let made = self.engine.index_texts(&[TextToIndex::plain(&fact.text)], "facts").await?;
        if made.embedder != self.indexed.embedder {
            return Err(Error::Busy);
        }
        Ok(made.rows.into_iter().next().unwrap_or_default())
    }

    fn new_memory(
        &self,
        fact: FactToWrite,
        (rows, buckets): (Vec<IndexRow>, Option<&Buckets>),
        now: Timestamp,
    ) -> NewMemory {
        let derivation = self.derivation(fact.inputs.clone(), now);
        let evidence = self.evidence(&fact.inputs);
        let said_at = evidence.iter().map(|turn| turn.said_at).max().unwrap_or(now);
        // Columns of the scope, visibility and expiry are those of the evidence: of the first turn, and the strictest.
        let first = evidence.first().map(|turn| &turn.memory);
        let memory = Memory {
            id: fact.id,
            version: 1,
            kind: fact.kind,
            tokens: count_tokens(&fact.text),
            text: fact.text,
            agent: first.and_then(|memory| memory.agent.clone()),
            app: first.and_then(|memory| memory.app.clone()),
            run: first.and_then(|memory| memory.run.clone()),
            visibility: visibility(&evidence),
            subjects: fact.subjects,
            audience: fact.audience,
            statement: Some(fact.statement),
            tags: fact.tags,
            links: fact.links,
            metadata: Metadata::default(),
            annotation: None,
            document: None,
            origin: None,
            derivation: Some(derivation.id),
            happened: fact.happened,
            recorded_at: now,
            created_at: now,
            valid: fact.valid,
            expires_at: evidence.iter().filter_map(|turn| turn.memory.expires_at).min(),
            strength: Strength::new(IMPORTANCE, Strength::INITIAL, said_at),
            forgotten: None,
        };
        let bucket = rows.first().and_then(|row| buckets?.key(&row.vector_f32()?));
        let groups = fact.groups.into_iter().chain(bucket).collect();
        NewMemory { key: None, memory, derivation: Some(derivation), rows, groups }
    }

    fn revision(&self, revision: FactRevision, now: Timestamp) -> Revision {
        let derivation = self.derivation(revision.inputs, now);
        let memory = Memory { recorded_at: now, derivation: Some(derivation.id), ..revision.memory };
        Revision { memory, derivation: Some(derivation), rows: None, groups: None, keeps_links: false }
    }

    /// Rules read one turn at a time: nothing but the evidence can have left a trace.
    fn derivation(&self, mut inputs: Vec<Input>, now: Timestamp) -> Derivation {
        if self.maker.model.is_none() {
            inputs.retain(|input| input.is_evidence);
        }
        let id = DerivationId(self.engine.ids.next(now));
        Derivation { id, maker: self.maker.clone(), job: Some(self.job), inputs, made_at: now }
    }

    /// Queued turns that are evidence among these inputs.
    fn evidence(&self, inputs: &[Input]) -> Vec<&PendingTurn> {
        use crate::domain::derivation::Source;

        let is_evidence = |turn: &&PendingTurn| {
            let id = turn.memory.origin.as_ref().map(|origin| Source::Turn(origin.turn));
            inputs.iter().any(|input| input.is_evidence && Some(input.source) == id)
        };
        self.batch.queued.iter().filter(is_evidence).collect()
    }
}
