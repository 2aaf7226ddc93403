//! Digest of a session before it is stored, pure: what it covers, its sentences without a model, and the memory that it
//! becomes.

use std::collections::BTreeSet;

use crate::domain::derivation::{Input, Source};
use crate::domain::memory::{Happened, Memory, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::statement::Statement;
use crate::domain::time::Timestamp;
use crate::domain::turn::Role;
use crate::text::{TokenCounter, sentences};
use crate::think::coverage;
use crate::think::extractive::{Sentence, central};

/// Maximum length of an extractive digest, in tokens.
pub(super) const DIGEST_TOKENS: u32 = 320;
/// Maximum length of the beginning of a turn that an extractive digest quotes, in tokens.
const QUOTE_TOKENS: usize = 60;

/// Digest as sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) sentences: Vec<DraftSentence>,
}

/// Sentence with the turns that it rests on, as positions among those shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DraftSentence {
    pub(super) text: String,
    pub(super) evidence: Vec<usize>,
}

impl Draft {
    /// Text of the digest, one sentence per line; `None` for one without sentences.
    pub(super) fn text(&self) -> Option<String> {
        let lines: Vec<&str> = self.sentences.iter().map(|sentence| sentence.text.as_str()).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// All turns shown, those that a sentence rests on marked as evidence.
    pub(super) fn inputs(&self, shown: &[Memory]) -> Vec<Input> {
        let evidence: BTreeSet<usize> =
            self.sentences.iter().flat_map(|sentence| sentence.evidence.iter().copied()).collect();
        let inputs = shown.iter().enumerate().filter_map(|(position, memory)| {
            let source = Source::Turn(memory.origin.as_ref()?.turn);
            Some(Input { source, is_evidence: evidence.contains(&position) })
        });
        inputs.collect()
    }
}

/// Metadata of a digest.
pub(super) fn metadata(coverage_key: String) -> Metadata {
    let mut object = serde_json::Map::new();
    coverage::put_key(&mut object, Some(coverage_key));
    Metadata::new(object).unwrap_or_default()
}

/// True if a turn may be in a digest: said by a user or an assistant, in words, and not expired.
pub(super) fn is_covered(turn: &Memory, now: Timestamp) -> bool {
    let role = turn.origin.as_ref().map(|origin| origin.role);
    matches!(role, Some(Role::User | Role::Assistant))
        && turn.expires_at.is_none_or(|expires| expires > now)
        && turn.text.chars().any(char::is_alphanumeric)
}

/// Digest without a model: the beginnings of the central turns, each with its speaker. `vectors` are those of the turns.
pub(super) fn extracted(turns: &[Memory], vectors: &[Option<std::sync::Arc<[f32]>>]) -> Draft {
    let quotes: Vec<String> = turns.iter().map(quote).collect();
    let given: Vec<Sentence<'_>> = quotes
        .iter()
        .enumerate()
        .map(|(position, text)| Sentence {
            vector: vectors.get(position).and_then(|vector| vector.as_deref()),
            text,
            at: i64::try_from(position).unwrap_or(i64::MAX),
        })
        .collect();
    let chosen = central(&given, DIGEST_TOKENS);
    let sentence = |position: usize| {
        Some(DraftSentence { text: quotes.get(position)?.clone(), evidence: vec![position] })
    };
    Draft { sentences: chosen.into_iter().filter_map(sentence).collect() }
}

/// Positions of the turns that stand for a session that is too long to be shown whole, in the order of time.
pub(super) fn most_central(
    turns: &[Memory],
    vectors: &[Option<std::sync::Arc<[f32]>>],
    budget_tokens: u32,
) -> Vec<usize> {
    let given: Vec<Sentence<'_>> = turns
        .iter()
        .enumerate()
        .map(|(position, turn)| Sentence {
            vector: vectors.get(position).and_then(|vector| vector.as_deref()),
            text: &turn.text,
            at: i64::try_from(position).unwrap_or(i64::MAX),
        })
        .collect();
    central(&given, budget_tokens)
}

/// The first sentences of a turn with its speaker, on one line.
fn quote(turn: &Memory) -> String {
    let origin = turn.origin.as_ref();
    let author = origin.and_then(|origin| origin.author.as_ref()).map(Name::on_one_line);
    let role = origin.map_or("", |origin| origin.role.as_str());
    let speaker = author.as_deref().unwrap_or(role);
    let mut said = String::new();
    for span in sentences(&turn.text) {
        let words: Vec<&str> = turn.text.get(span).unwrap_or_default().split_whitespace().collect();
        let longer = if said.is_empty() { words.join(" ") } else { format!("{said} {}", words.join(" ")) };
        if TokenCounter.count_within(&longer, QUOTE_TOKENS).is_none() {
            if said.is_empty() {
                said = TokenCounter.truncate(&longer, QUOTE_TOKENS).trim_end().to_owned();
            }
            break;
        }
        said = longer;
    }
    if said.is_empty() {
        let words: Vec<&str> = turn.text.split_whitespace().collect();
        said = TokenCounter.truncate(&words.join(" "), QUOTE_TOKENS).trim_end().to_owned();
    }
    format!("{speaker}: {said}")
}

/// Partners to whom a digest may be told: those to whom all its turns may be told. Empty for anybody; the user alone if no
/// partner may be told all of them.
pub(super) fn audience(turns: &[Memory]) -> Vec<Name> {
    let mut allowed: Option<BTreeSet<&Name>> = None;
    for turn in turns.iter().filter(|turn| !turn.audience.is_empty()) {
        let of_turn: BTreeSet<&Name> = turn.audience.iter().collect();
        allowed = Some(match allowed {
            Some(before) => before.intersection(&of_turn).copied().collect(),
            None => of_turn,
        });
    }
    match allowed {
        None => Vec::new(),
        Some(names) if names.is_empty() => Name::new(Statement::USER).into_iter().collect(),
        Some(names) => names.into_iter().cloned().collect(),
    }
}

/// Shared only if all turns are.
pub(super) fn visibility(turns: &[Memory]) -> Visibility {
    if !turns.is_empty() && turns.iter().all(|turn| turn.visibility == Visibility::Shared) {
        Visibility::Shared
    } else {
        Visibility::Owner
    }
}

/// Time from the first turn to the last.
pub(super) fn happened(turns: &[Memory]) -> Option<Happened> {
    let first = turns.iter().min_by_key(|turn| turn.happened.at)?;
    let last = turns.iter().map(|turn| turn.happened.at).max()?;
    let until = (last > first.happened.at).then_some(last);
    Some(Happened { until, ..first.happened })
}

/// The value that all turns have in common.
pub(super) fn shared_name(turns: &[Memory], of: impl Fn(&Memory) -> Option<&Name>) -> Option<Name> {
    let first = turns.first().and_then(&of)?;
    turns.iter().all(|turn| of(turn) == Some(first)).then(|| first.clone())
}
