//! Conversion of requests and responses of thinking.

use std::collections::BTreeMap;

use engrain::wire;
use memory_core::domain::id::{MemoryId, TurnId};
use memory_core::domain::name::Name;
use memory_core::domain::scope::Scope;
use memory_core::domain::turn::Role;
use memory_core::domain::zone::Zone;
use memory_core::error::Error;
use memory_core::memories::judgement::Judgement;
use memory_core::remember::request::TurnToRemember;
use memory_core::store::UsageEntry;
use memory_core::think::amem::recall::{RecalledNote, RecalledNotes};
use memory_core::think::digest::read::Portrait;
use memory_core::think::facts::audit::ScopeAudit;
use memory_core::think::facts::preview::{Outcome, Preview, PreviewedFact, TurnToPreview};
use memory_core::think::profile::read::{ProfileRequest, StateProfile};
use memory_core::think::profile::{Slot, SlotValue};
use memory_core::think::queue::state::{Progress, ThinkingState};
use memory_core::think::settings::Profile;
use memory_core::think::tim::thoughts::RecalledThought;

use super::digests;
use super::fields;
use super::responses;

/// Examples per defect of an audit when the request gives none, and at most.
const DEFAULT_EXAMPLES: u32 = 10;
/// See [`DEFAULT_EXAMPLES`].
const MAX_EXAMPLES: u32 = 100;

/// Query fields of a profile.
pub(crate) struct ProfileFields<'a> {
    pub(crate) subject: Option<&'a str>,
    pub(crate) valid_at: Option<&'a str>,
    pub(crate) known_at: Option<&'a str>,
    pub(crate) partner: Option<&'a str>,
}

/// Conversion of the query of `GET /v1/profile`, with bare dates read in `zone`.
pub(crate) fn profile_request(
    scope: Scope,
    query: ProfileFields<'_>,
    zone: &Zone,
) -> Result<ProfileRequest, Error> {
    Ok(ProfileRequest {
        scope,
        subject: fields::optional_name(query.subject, "subject")?,
        valid_at: fields::optional_time(query.valid_at, zone, "valid_at")?,
        known_at: fields::optional_time(query.known_at, zone, "known_at")?,
        partner: fields::optional_name(query.partner, "partner")?,
    })
}

/// Response of `GET /v1/profile`.
pub(crate) fn profile(of: StateProfile, portrait: Option<Portrait>) -> wire::StateProfile {
    wire::StateProfile {
        subject: of.subject,
        valid_at: of.valid_at.to_string(),
        slots: of.profile.slots.into_iter().map(|slot| self::slot(slot, &of.evidence)).collect(),
        facts: of.profile.facts.into_iter().map(|fact| value(fact, &of.evidence)).collect(),
        portrait: portrait.and_then(digests::portrait),
    }
}

/// Turns that are the evidence of each fact.
type Evidence = BTreeMap<MemoryId, Vec<TurnId>>;

fn slot(slot: Slot, evidence: &Evidence) -> wire::Slot {
    let values =
        |values: Vec<SlotValue>| values.into_iter().map(|value| self::value(value, evidence)).collect();
    wire::Slot {
        attribute: slot.attribute.to_string(),
        values: values(slot.values),
        history: values(slot.history),
        is_contested: slot.is_contested,
    }
}

fn value(value: SlotValue, evidence: &Evidence) -> wire::SlotValue {
    let turns = evidence.get(&value.fact);
    wire::SlotValue {
        memory_id: value.fact.0,
        text: value.text,
        object: value.object.map(|object| object.to_string()),
        since: value.since.to_string(),
        until: value.until.map(|until| until.to_string()),
        confidence: value.confidence,
        said_by: role(value.said_by),
        evidence: turns.into_iter().flatten().map(|turn| turn.0).collect(),
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

/// Turns of a preview.
pub(crate) fn previewed_turns(turns: Vec<TurnToRemember>) -> Vec<TurnToPreview> {
    let turns = turns.into_iter().map(|turn| TurnToPreview {
        role: turn.role,
        author: turn.author,
        participants: turn.participants,
        text: turn.text,
        said_at: turn.said_at,
        utc_offset: turn.utc_offset,
    });
    turns.collect()
}

/// Response of `POST /v1/facts/preview`.
pub(crate) fn previewed(preview: Preview) -> wire::PreviewedFacts {
    wire::PreviewedFacts {
        made_by: preview.made_by,
        facts: preview.facts.into_iter().map(previewed_fact).collect(),
        unsupported: preview.unsupported,
        calls: u32::try_from(preview.usage.calls).unwrap_or(u32::MAX),
        prompt_tokens: preview.usage.prompt_tokens,
        reply_tokens: preview.usage.reply_tokens,
    }
}

fn previewed_fact(fact: PreviewedFact) -> wire::PreviewedFact {
    let PreviewedFact { candidate, outcome, concerns, reason } = fact;
    let statement = candidate.statement;
    wire::PreviewedFact {
        text: candidate.text,
        subject: statement.subject.to_string(),
        attribute: statement.attribute.map(|attribute| attribute.to_string()),
        object: statement.object.map(|object| object.to_string()),
        confidence: statement.confidence,
        evidence: candidate.evidence.into_iter().map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect(),
        outcome: match outcome {
            Outcome::New => wire::FactOutcome::New,
            Outcome::Duplicate => wire::FactOutcome::Duplicate,
            Outcome::Supersedes => wire::FactOutcome::Supersedes,
            Outcome::Contradicts => wire::FactOutcome::Contradicts,
            Outcome::Rejected => wire::FactOutcome::Rejected,
        },
        concerns: concerns.into_iter().map(|memory| memory.0).collect(),
        reason: reason.map(str::to_owned),
    }
}

/// Number of examples per defect.
pub(crate) fn examples(asked: Option<u32>) -> Result<usize, Error> {
    match asked.unwrap_or(DEFAULT_EXAMPLES) {
        examples @ 0..=MAX_EXAMPLES => Ok(examples as usize),
        _ => Err(Error::invalid("examples", format!("must be between 0 and {MAX_EXAMPLES}"))),
    }
}

/// Response of `POST /v1/audit`.
pub(crate) fn audit(audit: ScopeAudit, examples: usize) -> wire::FactAudit {
    let ScopeAudit { report, is_partial } = audit;
    let defect = |memories: Vec<MemoryId>| wire::Defect {
        count: memories.len() as u64,
        rate: report.rate(memories.len()),
        examples: memories.iter().take(examples).map(|memory| memory.0).collect(),
    };
    wire::FactAudit {
        facts: report.facts as u64,
        is_partial,
        junk: defect(report.junk.iter().map(|(memory, _)| *memory).collect()),
        duplicates: defect(report.duplicates.iter().map(|(memory, _)| *memory).collect()),
        loops: defect(report.loops.iter().map(|(memory, _)| *memory).collect()),
        unsupported: defect(report.unsupported.clone()),
    }
}

/// Profile of thinking of a request.
pub(crate) fn chosen(profile: wire::ThinkingProfile) -> Profile {
    match profile {
        wire::ThinkingProfile::Off => Profile::Off,
        wire::ThinkingProfile::Default => Profile::Default,
        wire::ThinkingProfile::TimPaper => Profile::TimPaper,
        wire::ThinkingProfile::AmemPaper => Profile::AmemPaper,
    }
}

/// Profile of thinking on the wire.
pub(crate) fn profile_name(profile: Profile) -> wire::ThinkingProfile {
    match profile {
        Profile::Off => wire::ThinkingProfile::Off,
        Profile::Default => wire::ThinkingProfile::Default,
        Profile::TimPaper => wire::ThinkingProfile::TimPaper,
        Profile::AmemPaper => wire::ThinkingProfile::AmemPaper,
    }
}

/// Response of `GET /v1/thinking`.
pub(crate) fn state(state: ThinkingState) -> wire::ThinkingState {
    wire::ThinkingState {
        profile: profile_name(state.profile),
        is_own: state.is_own,
        is_active: state.is_active,
        missing_models: state.missing_models.iter().map(ToString::to_string).collect(),
        pending_turns: state.pending_turns,
        usage_today: state.usage_today.into_iter().map(usage).collect(),
    }
}

fn usage(entry: UsageEntry) -> wire::ModelUsage {
    let usage = entry.usage;
    wire::ModelUsage {
        task: entry.task,
        model: entry.model,
        calls: usage.calls,
        refused_replies: usage.refused_replies,
        failures: usage.failures,
        prompt_tokens: usage.prompt_tokens,
        reply_tokens: usage.reply_tokens,
        cost: money(usage.cost_micros),
    }
}

/// Money from millionths.
#[expect(clippy::cast_precision_loss, reason = "a display of money; exact below 9 billion")]
fn money(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Progress of thinking about the turns of a request.
pub(crate) fn progress(progress: Progress) -> wire::ThinkingProgress {
    match progress {
        Progress::Off => wire::ThinkingProgress::Off,
        Progress::Pending => wire::ThinkingProgress::Pending,
        Progress::Done => wire::ThinkingProgress::Done,
    }
}

/// Partner of a recall of thoughts.
pub(crate) fn partner(name: Option<&str>) -> Result<Option<Name>, Error> {
    fields::optional_name(name, "partner")
}

/// Response of `POST /v1/notes/recall`.
pub(crate) fn notes(recalled: RecalledNotes, judgement: &Judgement) -> wire::RecalledNotes {
    let note = |note: RecalledNote| wire::RecalledNote {
        memory: responses::judged(note.memory, judgement),
        similarity: note.similarity,
    };
    wire::RecalledNotes {
        notes: recalled.notes.into_iter().map(note).collect(),
        linked: recalled.linked.into_iter().map(|memory| responses::judged(memory, judgement)).collect(),
    }
}

/// Response of `POST /v1/thoughts/recall`.
pub(crate) fn thoughts(thoughts: Vec<RecalledThought>, judgement: &Judgement) -> wire::RecalledThoughts {
    let thoughts = thoughts.into_iter().map(|thought| wire::RecalledThought {
        memory: responses::judged(thought.memory, judgement),
        similarity: thought.similarity,
    });
    wire::RecalledThoughts { thoughts: thoughts.collect() }
}
