//! Conversion of domain values to wire responses. It cannot fail.

use engrain::wire;
use memory_core::domain::item_outcome::ItemOutcome;
use memory_core::domain::job::{Job, JobState};
use memory_core::domain::link::Link;
use memory_core::domain::memory::{DocumentName, Kind, Memory, Origin, Visibility};
use memory_core::domain::name::Name;
use memory_core::domain::scope::{Owner, OwnerKind};
use memory_core::domain::statement::{Attribute, Statement};
use memory_core::domain::turn::{Role, Session, Turn};
use memory_core::domain::zone::UtcOffset;
use memory_core::maintenance::erase_owner::{OwnerErased, OwnerErasurePreview};
use memory_core::maintenance::{CheckReport, PurgeStatus};
use memory_core::memories::judgement::Judgement;
use memory_core::memories::request::ErasurePreview;
use memory_core::remember::response::Remembered;
use memory_core::retention::ForgottenNow;
use memory_core::store::{OwnerEntry, Purge};
use uuid::Uuid;

/// Memory on the wire as it is at present: with its pin, and as forgotten if it is.
pub(super) fn shown(of: Memory, forgotten: Option<ForgottenNow>) -> wire::Memory {
    let pinned = of.strength.pinned;
    wire::Memory { pinned, forgotten: forgotten.map(forgotten_state), ..memory(of) }
}

/// Memory on the wire as a judgement says that it is at present.
pub(crate) fn judged(of: Memory, judgement: &Judgement) -> wire::Memory {
    let forgotten = judgement.of(&of);
    shown(of, forgotten)
}

/// State of a forgotten memory on the wire.
pub(super) fn forgotten_state(state: ForgottenNow) -> wire::ForgottenState {
    wire::ForgottenState {
        since: state.since.to_string(),
        reason: state.reason.as_str().to_owned(),
        effect: state.effect.as_str().to_owned(),
    }
}

/// Version of a memory on the wire, without what belongs to no version.
pub(crate) fn memory(memory: Memory) -> wire::Memory {
    wire::Memory {
        id: memory.id.0,
        version: memory.version,
        kind: kind(memory.kind),
        text: memory.text,
        tokens: memory.tokens,
        agent_id: memory.agent.as_ref().map(Name::to_string),
        app_id: memory.app.as_ref().map(Name::to_string),
        run_id: memory.run.as_ref().map(Name::to_string),
        visibility: match memory.visibility {
            Visibility::Owner => wire::Visibility::Owner,
            Visibility::Shared => wire::Visibility::Shared,
        },
        subjects: texts(&memory.subjects),
        audience: texts(&memory.audience),
        statement: memory.statement.as_ref().map(statement),
        keywords: memory.annotation.as_ref().map(|it| texts(&it.keywords)).unwrap_or_default(),
        context: memory.annotation.and_then(|annotation| annotation.context),
        tags: texts(&memory.tags),
        links: memory.links.iter().map(link).collect(),
        metadata: memory.metadata.as_map().clone(),
        document: memory.document.as_ref().map(document),
        origin: memory.origin.as_ref().map(origin),
        happened_at: memory.happened.at.to_string(),
        happened_until: memory.happened.until.map(|at| at.to_string()),
        utc_offset_minutes: memory.happened.offset.map(UtcOffset::minutes),
        recorded_at: memory.recorded_at.to_string(),
        created_at: memory.created_at.to_string(),
        valid_from: memory.valid.start.map(|at| at.to_string()),
        valid_to: memory.valid.end.map(|at| at.to_string()),
        expires_at: memory.expires_at.map(|at| at.to_string()),
        importance: memory.strength.importance,
        pinned: false,
        forgotten: None,
    }
}

/// Structured content of a fact on the wire.
pub(crate) fn statement(statement: &Statement) -> wire::Statement {
    wire::Statement {
        subject: statement.subject.to_string(),
        relation: statement.relation.as_ref().map(Name::to_string),
        object: statement.object.as_ref().map(Name::to_string),
        attribute: statement.attribute.as_ref().map(Attribute::to_string),
        confidence: statement.confidence,
        said_by: role(statement.said_by),
    }
}

fn link(link: &Link) -> wire::Link {
    wire::Link {
        to: link.to.0,
        relation: link.relation.to_string(),
        weight: link.weight,
        reason: link.reason.clone(),
    }
}

fn texts(names: &[Name]) -> Vec<String> {
    names.iter().map(Name::to_string).collect()
}

pub(super) fn kind(kind: Kind) -> wire::Kind {
    match kind {
        Kind::Turn => wire::Kind::Turn,
        Kind::Fact => wire::Kind::Fact,
        Kind::Thought => wire::Kind::Thought,
        Kind::Note => wire::Kind::Note,
        Kind::Digest => wire::Kind::Digest,
        Kind::Document => wire::Kind::Document,
    }
}

fn role(role: Role) -> wire::Role {
    match role {
        Role::User => wire::Role::User,
        Role::Assistant => wire::Role::Assistant,
        Role::System => wire::Role::System,
        Role::Tool => wire::Role::Tool,
    }
}

fn document(name: &DocumentName) -> wire::DocumentName {
    wire::DocumentName { namespace: name.namespace.to_string(), key: name.key.to_string() }
}

fn origin(origin: &Origin) -> wire::Origin {
    wire::Origin {
        turn_id: origin.turn.0,
        turn_key: origin.turn_key.as_ref().map(Name::to_string),
        session_id: origin.session.0,
        session: origin.session_key.to_string(),
        seq: origin.seq,
        role: role(origin.role),
        author: origin.author.as_ref().map(Name::to_string),
    }
}

/// Result of adding turns. The engine names a session whenever one of the turns is there.
pub(crate) fn added_turns(remembered: Remembered) -> wire::AddedTurns {
    wire::AddedTurns {
        session_id: remembered.session.map_or(Uuid::nil(), |session| session.0),
        turn_ids: remembered.turns.into_iter().map(|id| id.0).collect(),
        memory_ids: remembered.memories.into_iter().map(|id| id.0).collect(),
        outcomes: outcomes(&remembered.outcomes),
        repeated: remembered.repeated,
        indexing: indexing(remembered.without_vectors),
        memories_without_vectors: remembered.without_vectors as u64,
        thinking: None,
    }
}

fn indexing(without_vectors: usize) -> wire::Indexing {
    if without_vectors == 0 { wire::Indexing::Complete } else { wire::Indexing::Lexical }
}

fn outcomes(outcomes: &[ItemOutcome]) -> Vec<wire::ItemOutcome> {
    outcomes.iter().copied().map(outcome).collect()
}

/// Outcome of an item on the wire.
pub(super) fn outcome(outcome: ItemOutcome) -> wire::ItemOutcome {
    match outcome {
        ItemOutcome::Created => wire::ItemOutcome::Created,
        ItemOutcome::Existing => wire::ItemOutcome::Existing,
        ItemOutcome::Conflicting => wire::ItemOutcome::Conflicting,
        ItemOutcome::Erased => wire::ItemOutcome::Erased,
    }
}

/// Result of adding finished memories.
pub(crate) fn added_memories(remembered: Remembered) -> wire::AddedMemories {
    wire::AddedMemories {
        memory_ids: remembered.memories.into_iter().map(|id| id.0).collect(),
        outcomes: outcomes(&remembered.outcomes),
        repeated: remembered.repeated,
        indexing: indexing(remembered.without_vectors),
        memories_without_vectors: remembered.without_vectors as u64,
    }
}

/// Length of each text of a sample, in bytes.
const SAMPLE_TEXT_BYTES: usize = 500;

/// Preview of an erasure by filter. Its sample is judged.
pub(crate) fn preview(preview: ErasurePreview, judgement: &Judgement) -> wire::DeletedMatching {
    wire::DeletedMatching {
        done: false,
        matched: preview.matched,
        sample: preview.sample.into_iter().map(|of| shown_in_sample(of, judgement)).collect(),
        confirmation: Some(preview.confirmation),
        with_derived: preview.with_derived,
        erased: 0,
        purge: None,
    }
}

/// Memory of a sample, with the beginning of its text.
fn shown_in_sample(of: Memory, judgement: &Judgement) -> wire::Memory {
    let mut shown = judged(of, judgement);
    shown.text.truncate(shown.text.floor_char_boundary(SAMPLE_TEXT_BYTES));
    shown
}

/// Place of erased bytes on the wire.
pub(crate) fn purge(purge: Purge) -> wire::Purge {
    match purge {
        Purge::Done => wire::Purge::Done,
        Purge::Pending => wire::Purge::Pending,
        Purge::LeftToDatabase => wire::Purge::LeftToDatabase,
    }
}

/// State of the purge on the wire.
pub(crate) fn purge_status(status: PurgeStatus) -> wire::PurgeStatus {
    wire::PurgeStatus {
        state: purge(status.state),
        erasures: status.erasures,
        since: status.since.map(|since| since.to_string()),
        copies: status.copies,
    }
}

/// Session on the wire.
pub(crate) fn session(session: Session) -> wire::Session {
    wire::Session {
        id: session.id.0,
        session: session.key.to_string(),
        turns: session.turn_count,
        started_at: session.started_at.to_string(),
        recorded_at: session.recorded_at.to_string(),
        closed_at: session.closed_at.map(|closed| closed.to_string()),
    }
}

/// Turn of `session` (its id and key) on the wire.
pub(crate) fn turn(turn: Turn, session: (Uuid, &str)) -> wire::Turn {
    wire::Turn {
        origin: wire::Origin {
            turn_id: turn.id.0,
            turn_key: turn.key.as_ref().map(Name::to_string),
            session_id: session.0,
            session: session.1.to_owned(),
            seq: turn.seq,
            role: role(turn.role),
            author: turn.author.as_ref().map(Name::to_string),
        },
        position: turn.position,
        text: turn.text,
        said_at: turn.said_at.to_string(),
        utc_offset_minutes: turn.utc_offset.map(UtcOffset::minutes),
        recorded_at: turn.recorded_at.to_string(),
        participants: texts(&turn.participants),
        place: turn.place.as_ref().map(Name::to_string),
        metadata: turn.metadata.as_map().clone(),
    }
}

/// Owner with its number of memories.
pub(crate) fn owner(entry: &OwnerEntry) -> wire::OwnerSummary {
    wire::OwnerSummary {
        kind: entry.owner.kind.as_str().to_owned(),
        id: entry.owner.id.to_string(),
        memories: entry.memory_count,
        created_at: entry.created_at.to_string(),
    }
}

/// Preview of the erasure of an owner.
pub(crate) fn owner_preview(preview: OwnerErasurePreview) -> wire::DeletedOwner {
    wire::DeletedOwner {
        done: false,
        memories: preview.memories,
        confirmation: Some(preview.confirmation),
        job_id: None,
    }
}

/// Effect of the erasure of an owner.
pub(crate) fn owner_erased(erased: OwnerErased) -> wire::DeletedOwner {
    let job_id = erased.job.map(|job| job.0);
    wire::DeletedOwner { done: true, memories: erased.memories, confirmation: None, job_id }
}

/// Scope that names exactly this owner.
pub(crate) fn owner_scope(owner: &Owner) -> wire::Scope {
    let id = |kind: OwnerKind| (owner.kind == kind).then(|| owner.id.to_string());
    wire::Scope {
        user_id: id(OwnerKind::User),
        agent_id: id(OwnerKind::Agent),
        app_id: id(OwnerKind::App),
        run_id: id(OwnerKind::Run),
    }
}

/// Job on the wire. Of an error, only the code is kept.
pub(crate) fn job(job: Job) -> wire::Job {
    wire::Job {
        id: job.id.0,
        kind: job.kind,
        state: match job.state {
            JobState::Waiting => wire::JobState::Waiting,
            JobState::Running => wire::JobState::Running,
            JobState::Done => wire::JobState::Done,
            JobState::Failed => wire::JobState::Failed,
            JobState::Cancelled => wire::JobState::Cancelled,
        },
        attempts: job.attempts,
        failures: job.failures,
        done: job.done,
        total: job.total,
        error: job.error,
        result: job.result.and_then(|text| serde_json::from_str(&text).ok()),
        created_at: job.created_at.to_string(),
        updated_at: job.updated_at.to_string(),
    }
}

/// The state that a list of jobs is asked for: the one conversion here that goes the other way.
pub(crate) fn job_state_asked(state: wire::JobState) -> JobState {
    match state {
        wire::JobState::Waiting => JobState::Waiting,
        wire::JobState::Running => JobState::Running,
        wire::JobState::Done => JobState::Done,
        wire::JobState::Failed => JobState::Failed,
        wire::JobState::Cancelled => JobState::Cancelled,
    }
}

/// Report of a check. The store is healthy if every fault is repaired.
pub(crate) fn check_report(report: CheckReport) -> wire::CheckReport {
    let findings = report.damage.into_iter().map(|damage| wire::Finding {
        code: damage.code.to_owned(),
        detail: damage.detail,
        count: damage.count,
        repaired: damage.repaired,
    });
    let findings: Vec<wire::Finding> = findings.collect();
    wire::CheckReport {
        healthy: findings.iter().all(|finding| finding.repaired),
        partitions: report.partitions,
        memories: report.memories,
        findings,
    }
}
