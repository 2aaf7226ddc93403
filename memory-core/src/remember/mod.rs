//! Remember path: check → key → embed → commit → index. The last two steps belong to the commit queue
//! ([`crate::indexing::commit_queue`]). When it answers, the new memories are durable and found by their words;
//! the vectors of large texts, and those that a failing embedder did not make, come later.

mod check;
pub mod request;
pub mod response;
mod searchable;

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::domain::change::{ChangeSet, Idempotency, NewMemory, NewTurns, Outcome};
use crate::domain::derivation::{Derivation, Input, Maker, Source};
use crate::domain::id::{DerivationId, JobId, MemoryId, PartitionId, SessionId, TurnId};
use crate::domain::memory::{Happened, Kind, Memory, Origin, Strength};
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Owner, OwnerKind, Scope};
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::Turn;
use crate::engine::{Engine, needs_write};
use crate::error::Error;
use crate::indexing::{IndexedTexts, TextToIndex, groups_of};
use crate::text::count_tokens;

use request::{MemoryToRemember, RememberMemories, RememberTurns, TurnToRemember};
use response::Remembered;
use tracing::instrument;

/// Importance when the request gives none, 0 to 1.
const DEFAULT_IMPORTANCE: f64 = 0.5;
/// Maximum number of retries because the embedder in use changed during the request.
const EMBEDDER_CHANGES: usize = 3;

impl Engine {
    /// Appends turns to a session and stores each as one memory with the same text.
    ///
    /// # Errors
    /// [`Error`] when the request is invalid or over a limit, the caller lacks the right to write, or the store
    /// fails. Nothing is written then. A failure of the embedder is none: the vectors are made later.
    #[instrument(level = "debug", name = "remember", skip_all, fields(turns = request.turns.len()))]
    pub async fn remember_turns(&self, caller: &Caller, request: RememberTurns) -> Result<Remembered, Error> {
        needs_write(caller)?;
        let owner = check::turns(&request, &self.limits)?;
        let texts: Vec<TextToIndex> = request.turns.iter().map(text_of_turn).collect();
        if let Some(repeated) = self.repeated(caller, &owner, request.idempotency.as_ref(), &texts).await? {
            return Ok(repeated);
        }
        for _ in 0..EMBEDDER_CHANGES {
            let may_be_there = request.turns.iter().any(|turn| turn.key.is_some() || turn.position.is_some());
            let unprepared = match may_be_there {
                true => self.store.recognised(&self.set_of_turns(caller, &owner, &request, None)).await?,
                false => BTreeSet::new(),
            };
            let indexed = self.index_texts_for_now(&without_known(&texts, &unprepared), "turns").await?;
            let (embedder, lacking) = (indexed.embedder, indexed.without_vectors());
            let mut set = self.set_of_turns(caller, &owner, &request, Some(indexed));
            self.measure_surprise(&mut set).await;
            let now = set.now;
            self.thinking.request(&mut set, || JobId(self.ids.next(now)));
            self.embed_later(&mut set);
            let is_partial = !unprepared.is_empty();
            set.unprepared = unprepared;
            match self.commits.commit(set).await {
                Err(Error::Busy) if self.active_embedder().id != embedder => {}
                Err(Error::ScopeChanged) if is_partial => {}
                outcome => return Ok(self.remembered(caller, &owner, outcome?, (lacking, is_partial)).await),
            }
        }
        Err(Error::Busy)
    }

    /// Change set of new turns, with or without their index rows.
    fn set_of_turns(
        &self,
        caller: &Caller,
        owner: &Owner,
        request: &RememberTurns,
        indexed: Option<IndexedTexts>,
    ) -> ChangeSet {
        let now = self.now();
        let mut set = ChangeSet::new(caller.tenant, owner.clone(), now);
        set.idempotency = request.idempotency.clone();
        set.embedder = indexed.as_ref().map(|indexed| indexed.embedder);
        set.again = request.again;
        let session_id = SessionId(self.ids.next(now));
        let mut rows = indexed.into_iter().flat_map(|indexed| indexed.rows);
        let turns = request.turns.iter().enumerate().map(|(seq, turn)| {
            let turn_id = TurnId(self.ids.next(now));
            let id = MemoryId(self.ids.next(now));
            let turn = Turn { id: turn_id, ..turn_record(turn, seq, now) };
            let memory = memory_of_turn(request, owner, &turn, (id, session_id, seq));
            let rows = rows.next().unwrap_or_default();
            (turn, NewMemory { key: None, memory, derivation: None, rows, groups: Vec::new() })
        });
        let turns = turns.collect();
        set.turns =
            Some(NewTurns { session_key: request.session.clone(), session_id_if_new: session_id, turns });
        set
    }

    /// Adds finished memories. A document replaces the one of the same name, as a new version.
    ///
    /// # Errors
    /// As [`Engine::remember_turns`].
    #[instrument(level = "debug", name = "remember", skip_all, fields(memories = request.memories.len()))]
    pub async fn remember_memories(
        &self,
        caller: &Caller,
        request: RememberMemories,
    ) -> Result<Remembered, Error> {
        needs_write(caller)?;
        let owner = check::memories(&request, &self.limits)?;
        let texts: Vec<TextToIndex> = request.memories.iter().map(text_of_memory).collect();
        if let Some(repeated) = self.repeated(caller, &owner, request.idempotency.as_ref(), &texts).await? {
            return Ok(repeated);
        }
        let sources = self.sources(caller, &owner, &request.memories).await?;
        for _ in 0..EMBEDDER_CHANGES {
            let unprepared = match request.memories.iter().any(|new| new.key.is_some()) {
                true => {
                    let set = self.set_of_memories(caller, &owner, &request, (&sources, None));
                    self.store.recognised(&set).await?
                }
                false => BTreeSet::new(),
            };
            let indexed = self.index_texts_for_now(&without_known(&texts, &unprepared), "memories").await?;
            let (embedder, lacking) = (indexed.embedder, indexed.without_vectors());
            let mut set = self.set_of_memories(caller, &owner, &request, (&sources, Some(indexed)));
            self.measure_surprise(&mut set).await;
            self.embed_later(&mut set);
            let is_partial = !unprepared.is_empty();
            set.unprepared = unprepared;
            match self.commits.commit(set).await {
                Err(Error::Busy) if self.active_embedder().id != embedder => {}
                Err(Error::ScopeChanged) if is_partial => {}
                outcome => return Ok(self.remembered(caller, &owner, outcome?, (lacking, is_partial)).await),
            }
        }
        Err(Error::Busy)
    }

    /// Change set of finished memories, with or without their index rows.
    fn set_of_memories(
        &self,
        caller: &Caller,
        owner: &Owner,
        request: &RememberMemories,
        (sources, indexed): (&[Vec<Source>], Option<IndexedTexts>),
    ) -> ChangeSet {
        let now = self.now();
        let mut set = ChangeSet::new(caller.tenant, owner.clone(), now);
        set.idempotency = request.idempotency.clone();
        set.embedder = indexed.as_ref().map(|indexed| indexed.embedder);
        set.again = request.again;
        let mut rows = indexed.into_iter().flat_map(|indexed| indexed.rows);
        for (new, sources) in request.memories.iter().zip(sources) {
            let derivation = self.derivation_by_caller(sources, now);
            let id = MemoryId(self.ids.next(now));
            let mut memory = finished_memory(&request.scope, owner, new, (id, now));
            memory.derivation = derivation.as_ref().map(|derivation| derivation.id);
            let (groups, rows) = (groups_of(&memory), rows.next().unwrap_or_default());
            set.memories.push(NewMemory { key: new.key.clone(), memory, derivation, rows, groups });
        }
        set
    }

    /// Result of an earlier request with the same idempotency key. Looked up first only where this saves an embedding.
    async fn repeated(
        &self,
        caller: &Caller,
        owner: &Owner,
        idempotency: Option<&Idempotency>,
        texts: &[TextToIndex],
    ) -> Result<Option<Remembered>, Error> {
        if texts.iter().all(|text| text.vector.is_some()) {
            return Ok(None);
        }
        match self.earlier(caller, Some(owner), idempotency).await? {
            Some(created) => {
                Ok(Some(self.remembered(caller, owner, Outcome::Repeated(created), (0, false)).await))
            }
            None => Ok(None),
        }
    }

    fn derivation_by_caller(&self, sources: &[Source], now: Timestamp) -> Option<Derivation> {
        let inputs: Vec<Input> =
            sources.iter().map(|source| Input { source: *source, is_evidence: true }).collect();
        let id = DerivationId(self.ids.next(now));
        (!inputs.is_empty()).then(|| Derivation {
            id,
            maker: Maker::caller(),
            job: None,
            inputs,
            made_at: now,
        })
    }

    /// Resolves the ids of sources to turns and memories.
    async fn sources(
        &self,
        caller: &Caller,
        owner: &Owner,
        memories: &[MemoryToRemember],
    ) -> Result<Vec<Vec<Source>>, Error> {
        let partition = if memories.iter().all(|new| new.sources.is_empty()) {
            None
        } else {
            self.store.partition_of(caller.tenant, owner).await?
        };
        let mut resolved = Vec::with_capacity(memories.len());
        for new in memories {
            resolved.push(self.sources_of_one(partition, &new.sources).await?);
        }
        Ok(resolved)
    }

    async fn sources_of_one(
        &self,
        partition: Option<PartitionId>,
        ids: &[uuid::Uuid],
    ) -> Result<Vec<Source>, Error> {
        let Some(first) = ids.first() else { return Ok(Vec::new()) };
        let not_found = |id: &uuid::Uuid| Error::NotFound { what: "memory or turn", id: id.to_string() };
        let partition = partition.ok_or_else(|| not_found(first))?;
        let turn_ids: Vec<TurnId> = ids.iter().copied().map(TurnId).collect();
        let memory_ids: Vec<MemoryId> = ids.iter().copied().map(MemoryId).collect();
        let turns = self.store.turns_by_id(partition, &turn_ids).await?;
        let memories = self.store.memories(partition, &memory_ids).await?;
        let mut sources = Vec::with_capacity(ids.len());
        for id in ids {
            let source = if turns.iter().any(|turn| turn.id.0 == *id) {
                Source::Turn(TurnId(*id))
            } else if memories.iter().any(|memory| memory.id.0 == *id) {
                Source::Memory(MemoryId(*id))
            } else {
                return Err(not_found(id));
            };
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        Ok(sources)
    }
}

fn turn_record(turn: &TurnToRemember, seq: usize, now: Timestamp) -> Turn {
    Turn {
        id: TurnId(uuid::Uuid::nil()),
        seq: u32::try_from(seq).unwrap_or(u32::MAX),
        key: turn.key.clone(),
        position: turn.position,
        role: turn.role,
        author: turn.author.clone(),
        text: turn.text.clone(),
        said_at: turn.said_at.unwrap_or(now),
        utc_offset: turn.utc_offset,
        recorded_at: now,
        participants: turn.participants.clone(),
        place: turn.place.clone(),
        metadata: turn.metadata.clone(),
    }
}

/// Id of this kind that is stored as a column, because it does not own the partition.
fn column(scope: &Scope, owner: &Owner, kind: OwnerKind) -> Option<Name> {
    scope.id_of(kind).filter(|_| owner.kind != kind).cloned()
}

fn memory_of_turn(
    request: &RememberTurns,
    owner: &Owner,
    turn: &Turn,
    (id, session, seq): (MemoryId, SessionId, usize),
) -> Memory {
    let requested = request.turns.get(seq);
    Memory {
        id,
        version: 1,
        kind: Kind::Turn,
        text: String::new(),
        tokens: count_tokens(&turn.text),
        agent: column(&request.scope, owner, OwnerKind::Agent),
        app: column(&request.scope, owner, OwnerKind::App),
        run: column(&request.scope, owner, OwnerKind::Run),
        visibility: request.visibility,
        subjects: Vec::new(),
        audience: requested.map(|requested| requested.audience.clone()).unwrap_or_default(),
        statement: None,
        tags: requested.map(|requested| requested.tags.clone()).unwrap_or_default(),
        links: Vec::new(),
        metadata: turn.metadata.clone(),
        annotation: None,
        document: None,
        origin: Some(Origin {
            turn: turn.id,
            session,
            session_key: request.session.clone(),
            session_ordinal: 0,
            seq: turn.seq,
            role: turn.role,
            author: turn.author.clone(),
            turn_key: turn.key.clone(),
        }),
        derivation: None,
        happened: Happened { at: turn.said_at, until: None, offset: turn.utc_offset },
        recorded_at: turn.recorded_at,
        created_at: turn.recorded_at,
        valid: Interval::default(),
        expires_at: requested.and_then(|requested| requested.expires_at),
        strength: initial_strength(requested.and_then(|requested| requested.importance), turn.said_at),
        forgotten: None,
    }
}

fn finished_memory(
    scope: &Scope,
    owner: &Owner,
    new: &MemoryToRemember,
    (id, now): (MemoryId, Timestamp),
) -> Memory {
    let happened = new.happened.unwrap_or(Happened { at: now, until: None, offset: None });
    Memory {
        id,
        version: 1,
        kind: new.kind,
        text: new.text.clone(),
        tokens: count_tokens(&new.text),
        agent: column(scope, owner, OwnerKind::Agent),
        app: column(scope, owner, OwnerKind::App),
        run: column(scope, owner, OwnerKind::Run),
        visibility: new.visibility,
        subjects: new.subjects.clone(),
        audience: new.audience.clone(),
        statement: new.statement.clone(),
        tags: new.tags.clone(),
        links: new.links.clone(),
        metadata: new.metadata.clone(),
        annotation: None,
        document: new.document.clone(),
        origin: None,
        derivation: None,
        happened,
        recorded_at: now,
        created_at: now,
        valid: new.valid,
        expires_at: new.expires_at,
        strength: initial_strength(new.importance, happened.at),
        forgotten: None,
    }
}

/// Strength of a new memory: retention decreases from when the memory's content happened, not from its import.
fn initial_strength(importance: Option<f64>, happened_at: Timestamp) -> Strength {
    Strength::new(importance.unwrap_or(DEFAULT_IMPORTANCE), Strength::INITIAL, happened_at)
}

/// The texts, empty where they belong to an item that is in the store already: nothing is embedded for it.
fn without_known<'t>(texts: &'t [TextToIndex], known: &BTreeSet<usize>) -> Cow<'t, [TextToIndex]> {
    if known.is_empty() {
        return Cow::Borrowed(texts);
    }
    let kept = |(index, text): (usize, &TextToIndex)| match known.contains(&index) {
        true => TextToIndex::plain(""),
        false => text.clone(),
    };
    Cow::Owned(texts.iter().enumerate().map(kept).collect())
}

fn text_of_turn(turn: &TurnToRemember) -> TextToIndex {
    TextToIndex { text: turn.text.as_str().into(), author: turn.author.clone(), vector: turn.vector.clone() }
}

fn text_of_memory(new: &MemoryToRemember) -> TextToIndex {
    TextToIndex { text: new.text.as_str().into(), author: None, vector: new.vector.clone() }
}
