//! Items of a digest, pure: the turns or digests that it covers, which of them fit into a prompt, and the key of the content.

use std::sync::Arc;

use serde_json::json;

use crate::domain::derivation::Source;
use crate::domain::memory::Memory;
use crate::text::{count_tokens, first_person_sentences, sentences};
use crate::think::coverage;
use crate::think::extract::prompt::cut;
use crate::think::extractive::Sentence;

/// Maximum length of an item in a prompt, in bytes. Of a longer one the middle is left out.
const ITEM_BYTES: usize = 4 * 1024;
/// Maximum length of the beginning of a text that stands for all of it, in bytes.
const BEGINNING_BYTES: usize = 320;

/// Turn or digest that a digest covers.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Source for the derivation.
    pub(super) source: Source,
    /// Memory in its present version.
    pub(super) memory: Memory,
    /// Name of the speaker, for a turn.
    pub(super) speaker: Option<String>,
    /// Local time or day, for readers.
    pub(super) shown_at: String,
    /// Unit vector of its first chunk.
    pub(super) vector: Option<Arc<[f32]>>,
}

impl Item {
    /// The text as a reader sees it: with its speaker.
    pub(super) fn line(&self, text: &str) -> String {
        self.speaker.as_ref().map_or_else(|| text.to_owned(), |speaker| format!("{speaker}: {text}"))
    }

    /// Unit of an extractive digest: this text of the item, with its vector and time.
    pub(super) fn sentence<'a>(&'a self, text: &'a str) -> Sentence<'a> {
        Sentence { vector: self.vector.as_deref(), text, at: self.memory.happened.at.as_micros() }
    }

    /// Its first sentences, within a bound.
    pub(super) fn beginning(&self) -> String {
        let text = self.memory.text.as_str();
        let spans = sentences(text);
        let fits =
            |end: usize| end.saturating_sub(spans.first().map_or(0, |span| span.start)) <= BEGINNING_BYTES;
        let end = spans.iter().map(|span| span.end).take_while(|end| fits(*end)).last();
        let whole = spans.first().and_then(|first| text.get(first.start..end?));
        cut(whole.unwrap_or(text), BEGINNING_BYTES)
    }

    /// What a turn says in the first person; `None` for one that says nothing in it.
    pub(super) fn in_first_person(&self) -> Option<String> {
        let text = self.memory.text.as_str();
        let spans = first_person_sentences(text);
        let said: Vec<&str> = spans.into_iter().filter_map(|span| text.get(span)).collect();
        (!said.is_empty()).then(|| cut(&said.join(" "), BEGINNING_BYTES))
    }
}

/// Coverage key of a digest of these items. It has no recipe: who makes the digest does not change what it is of.
pub(super) fn key_of(items: &[Item]) -> String {
    coverage::key("", items.iter().map(|item| &item.memory))
}

/// Item as a prompt shows it, with its text or the beginning of it.
#[derive(Clone, Debug)]
pub(super) struct ShownItem<'a> {
    pub(super) item: &'a Item,
    pub(super) text: String,
}

/// Items that fit into a prompt of `budget_tokens`, in their order: the latest with their texts in the first half of the budget,
/// earlier ones with their beginnings in the rest. At least one.
pub(super) fn fitting(items: &[Item], budget_tokens: u32) -> Vec<ShownItem<'_>> {
    let (mut used, mut shown) = (0_u32, Vec::new());
    for item in items.iter().rev() {
        let whole = cut(&item.memory.text, ITEM_BYTES);
        let cost = count_tokens(&line("t000", item, &whole));
        let (text, cost) = if used.saturating_add(cost) <= budget_tokens / 2 {
            (whole, cost)
        } else {
            let beginning = item.beginning();
            let cost = count_tokens(&line("t000", item, &beginning));
            (beginning, cost)
        };
        used = used.saturating_add(cost);
        if used > budget_tokens && !shown.is_empty() {
            break;
        }
        shown.push(ShownItem { item, text });
    }
    shown.reverse();
    shown
}

/// Material of a prompt: one JSON object per line. JSON strings are the fence: a text cannot end its line.
pub(super) fn material(shown: &[ShownItem<'_>]) -> String {
    let lines = (1_usize..).zip(shown);
    lines.map(|(number, one)| line(&format!("t{number}"), one.item, &one.text)).collect::<Vec<_>>().join("\n")
}

fn line(handle: &str, item: &Item, text: &str) -> String {
    match &item.speaker {
        Some(speaker) => {
            json!({"handle": handle, "speaker": speaker, "said_at": item.shown_at, "text": text}).to_string()
        }
        None => json!({"handle": handle, "day": item.shown_at, "text": text}).to_string(),
    }
}
