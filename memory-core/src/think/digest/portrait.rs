//! Portrait of the user: statements with evidence of their own, like the shades of Second Me (arXiv 2503.08102), kept up to date
//! by edits instead of one text that is written anew (MemoryBank, arXiv 2305.10250, global portrait).
//!
//! Statements that the owner wrote or edited are shown to the model as fixed, and never replaced or dropped.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::contract::{Supported, list, object, place, supported, supported_schema};
use super::draft::{Draft, MODEL, extractive_maker, is_given_up};
use super::item::{Item, ShownItem, fitting, material};
use super::writing::DigestToWrite;
use crate::domain::change::{ChangeSet, Revision};
use crate::domain::derivation::{Derivation, Input, Maker, Source};
use crate::domain::digest::Level;
use crate::domain::group::GroupKey;
use crate::domain::id::{DerivationId, MemoryId, PartitionId};
use crate::domain::memory::{Happened, Kind, Memory};
use crate::domain::name::Name;
use crate::domain::statement::Statement;
use crate::domain::time::Interval;
use crate::domain::zone::Zone;
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::JobFailure;
use crate::model::language_model::ask::{BadReply, Contract, Prompt};
use crate::text::count_tokens;
use crate::think::calls::{CallError, maker};
use crate::think::extractive::central;
use crate::think::mechanism::Run;
use crate::think::profile::profile;
use crate::think::settings::{Task, TaskModel};

/// Maximum number of statements of a portrait.
pub(super) const STATEMENTS_AT_MOST: usize = 32;
/// Maximum length of an extractive portrait, in tokens.
const PORTRAIT_TOKENS: u32 = 240;
/// Maximum number of facts about the user that an extractive portrait reads, the newest first.
const FACTS_READ: u32 = 512;

/// Statement of the portrait in force.
pub(super) struct Stated {
    pub(super) memory: Memory,
    pub(super) derivation: Option<Derivation>,
}

impl Stated {
    /// True for a statement that the owner wrote or edited.
    pub(super) fn is_fixed(&self) -> bool {
        Derivation::is_of_caller(self.derivation.as_ref())
    }

    /// True for a statement that was made without a language model.
    fn is_extractive(&self) -> bool {
        let derivation = self.derivation.as_ref();
        !self.is_fixed() && derivation.is_some_and(|derivation| derivation.maker.model.is_none())
    }
}

/// Edits of the portrait. Statements are named by their places.
#[derive(Debug, Default, PartialEq, Eq)]
struct Edits {
    add: Vec<Supported>,
    replace: Vec<(usize, Supported)>,
    drop: Vec<usize>,
}

impl Edits {
    /// The edits without what changes nothing: an added text that is there is a statement to keep, also if its drop is named
    /// beside it. A portrait that is made twice of the same insights is the same.
    fn without_repetitions(self, stated: &[&str]) -> Self {
        let (repeated, add): (Vec<Supported>, Vec<Supported>) =
            self.add.into_iter().partition(|one| stated.contains(&one.text.as_str()));
        let is_kept = |at: &usize| repeated.iter().any(|one| stated.get(*at) == Some(&one.text.as_str()));
        let drop = self.drop.into_iter().filter(|at| !is_kept(at)).collect();
        let changes = |(at, one): &(usize, Supported)| stated.get(*at) != Some(&one.text.as_str());
        let replace = self.replace.into_iter().filter(changes).collect();
        Self { add, replace, drop }
    }
}

/// Statement to write: the place of the one that it replaces, its text and inputs, and what was in view.
struct NewStatement<'a> {
    replaces: Option<usize>,
    text: String,
    inputs: Vec<Input>,
    covered: Vec<&'a Memory>,
}

struct PortraitContract<'a> {
    stated: &'a [Stated],
    shown: &'a [ShownItem<'a>],
}

impl Contract for PortraitContract<'_> {
    type Reply = Edits;

    fn name(&self) -> &'static str {
        "digest_portrait"
    }

    fn prompt_version(&self) -> &'static str {
        "portrait.v1"
    }

    fn schema(&self) -> Value {
        let list = |items: Value| json!({"type": "array", "maxItems": STATEMENTS_AT_MOST, "items": items});
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["add", "replace", "drop"],
            "properties": {
                "add": list(supported_schema(&[])),
                "replace": list(supported_schema(&["id"])),
                "drop": list(json!({"type": "string"})),
            },
        })
    }

    fn parse(&self, json: Value) -> Result<Edits, BadReply> {
        let reply = object(&json, &["add", "replace", "drop"])?;
        let part = |name: &str| list(reply.get(name), name, STATEMENTS_AT_MOST);
        let add = part("add")?.iter().map(|one| supported(one, self.shown, &["text", "evidence"]));
        let add = add.collect::<Result<Vec<_>, _>>()?;
        let mut touched = BTreeSet::new();
        let mut statement = |handle: &Value| {
            let at = place(handle, 's', self.stated.len())?;
            if self.stated.get(at).is_some_and(Stated::is_fixed) {
                return Err(BadReply::new(BadReply::CONTRADICTORY, "a fixed statement is not to be changed"));
            }
            if touched.insert(at) {
                return Ok(at);
            }
            Err(BadReply::new(BadReply::CONTRADICTORY, "a statement is changed twice"))
        };
        let mut replace = Vec::new();
        for one in part("replace")? {
            let at = statement(one.get("id").unwrap_or(&Value::Null))?;
            replace.push((at, supported(one, self.shown, &["id", "text", "evidence"])?));
        }
        let drop = part("drop")?.iter().map(statement).collect::<Result<Vec<_>, _>>()?;
        if self.stated.len() + add.len() > STATEMENTS_AT_MOST + drop.len() {
            let detail = format!("a portrait has at most {STATEMENTS_AT_MOST} statements: drop some");
            return Err(BadReply::new(BadReply::OVER_LIMIT, detail));
        }
        Ok(Edits { add, replace, drop })
    }
}

impl Engine {
    /// Statements of the portrait in force, in the order of their first versions.
    pub(super) async fn statements(&self, partition: PartitionId) -> Result<Vec<Stated>, Error> {
        let mut memories = self.digests_of(partition, Level::Portrait).await?;
        memories.sort_by_key(|memory| memory.id);
        let ids: Vec<MemoryId> = memories.iter().map(|memory| memory.id).collect();
        let mut derivations: std::collections::BTreeMap<MemoryId, Derivation> =
            self.store.evidence(partition, &ids).await?.into_iter().collect();
        let stated =
            memories.into_iter().map(|memory| Stated { derivation: derivations.remove(&memory.id), memory });
        Ok(stated.collect())
    }

    /// Adds to a set the changes of the portrait.
    pub(super) async fn make_portrait(
        &self,
        run: &Run,
        partition: PartitionId,
        zone: &Zone,
        set: &mut ChangeSet,
    ) -> Result<(), JobFailure> {
        let insights = self.digests_to_cover(partition, Level::PersonalityOfDay, zone).await?;
        let stated = self.statements(partition).await?;
        if let Some(model) = self.thinking.settings.model(Task::Digest).filter(|_| !insights.is_empty())
            && self.portrait_by_model((run, partition), model, (&insights, &stated), set).await?
        {
            return Ok(());
        }
        self.extractive_portrait((run, partition), (&insights, &stated), set).await?;
        Ok(())
    }

    /// The changes of the portrait by a language model; false if it gives no usable reply to this material.
    async fn portrait_by_model(
        &self,
        (run, partition): (&Run, PartitionId),
        model: &TaskModel,
        (insights, stated): (&[Item], &[Stated]),
        set: &mut ChangeSet,
    ) -> Result<bool, JobFailure> {
        let statements = statement_lines(stated);
        let room = self.thinking.settings.prompt_tokens.saturating_sub(count_tokens(&statements));
        let shown = fitting(insights, room);
        let contract = PortraitContract { stated, shown: &shown };
        let user = [statements, material(&shown)].join("\n");
        let prompt = Prompt { system: include_str!("prompts/portrait.v1.md").to_owned(), user };
        let calls = self.model_calls(run.tenant, Some(partition));
        let edits = match calls.ask(Task::Digest, model, &contract, prompt).await {
            Ok(called) => called.reply,
            Err(CallError::Ask(error)) if is_given_up(&error, run.context.job().failures) => {
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let maker = maker(MODEL, model, &contract);
        let inputs = |own: Option<usize>, evidence: &BTreeSet<usize>| {
            let of_insights = shown
                .iter()
                .enumerate()
                .map(|(at, one)| Input { source: one.item.source, is_evidence: evidence.contains(&at) });
            let others = stated.iter().enumerate().filter(|(at, _)| Some(*at) != own);
            let of_statements =
                others.map(|(_, one)| Input { source: Source::Memory(one.memory.id), is_evidence: false });
            of_insights.chain(of_statements).collect::<Vec<Input>>()
        };
        let covered = |evidence: &BTreeSet<usize>| {
            evidence.iter().filter_map(|at| Some(&shown.get(*at)?.item.memory)).collect::<Vec<_>>()
        };
        let texts: Vec<&str> = stated.iter().map(|one| one.memory.text.as_str()).collect();
        let edits = edits.without_repetitions(&texts);
        let added = edits.add.into_iter().map(|one| (None, one));
        let replaced = edits.replace.into_iter().map(|(at, one)| (Some(at), one));
        let new = added.chain(replaced).map(|(replaces, Supported { text, evidence })| NewStatement {
            replaces,
            text,
            inputs: inputs(replaces, &evidence),
            covered: covered(&evidence),
        });
        let new: Vec<NewStatement<'_>> = new.collect();
        self.write_statements(run, (new, &maker), stated, set).await?;
        for at in edits.drop {
            self.end_statement(run, stated.get(at), (&maker, inputs(Some(at), &BTreeSet::new())), set);
        }
        Ok(true)
    }

    /// The portrait without a model: the state of the user in facts, else central insights.
    async fn extractive_portrait(
        &self,
        (run, partition): (&Run, PartitionId),
        (insights, stated): (&[Item], &[Stated]),
        set: &mut ChangeSet,
    ) -> Result<(), Error> {
        let facts = self.facts_of_the_user(partition).await?;
        let mut wanted: Vec<NewStatement<'_>> = facts
            .iter()
            .map(|fact| NewStatement {
                replaces: None,
                text: fact.text.clone(),
                inputs: vec![Input { source: Source::Memory(fact.id), is_evidence: true }],
                covered: vec![fact],
            })
            .collect();
        if wanted.is_empty() {
            wanted = central_insights(insights);
        }
        let free =
            STATEMENTS_AT_MOST.saturating_sub(stated.iter().filter(|one| !one.is_extractive()).count());
        wanted.truncate(free);
        let is_wanted = |one: &Stated| wanted.iter().any(|new| new.text == one.memory.text);
        let maker = extractive_maker();
        for one in stated.iter().filter(|one| one.is_extractive() && !is_wanted(one)) {
            let inputs =
                one.derivation.as_ref().map(|derivation| derivation.inputs.clone()).unwrap_or_default();
            self.end_statement(run, Some(one), (&maker, inputs), set);
        }
        wanted.retain(|new| !stated.iter().any(|one| one.memory.text == new.text));
        self.write_statements(run, (wanted, &maker), stated, set).await
    }

    /// Facts that fill a slot of the user now and may be told to anybody.
    async fn facts_of_the_user(&self, partition: PartitionId) -> Result<Vec<Memory>, Error> {
        let keys: Vec<GroupKey> = GroupKey::entity(Statement::USER).into_iter().collect();
        let found = self.store.in_groups(partition, &keys, FACTS_READ).await?;
        let ids: Vec<MemoryId> = found.into_iter().map(|(_, id)| id).collect();
        let now = self.now();
        let mut facts = self.store.memories(partition, &ids).await?;
        facts.retain(|memory| {
            memory.kind == Kind::Fact
                && memory.audience.is_empty()
                && memory.expires_at.is_none_or(|expires| expires > now)
        });
        let Ok(user) = Name::new(Statement::USER) else { return Ok(Vec::new()) };
        let present: BTreeSet<MemoryId> = profile(&facts, &user, now, None)
            .slots
            .iter()
            .flat_map(|slot| slot.values.iter().map(|value| value.fact))
            .collect();
        facts.retain(|fact| present.contains(&fact.id));
        facts.sort_by_key(|fact| (fact.happened.at, fact.id));
        Ok(facts)
    }

    async fn write_statements(
        &self,
        run: &Run,
        (new, maker): (Vec<NewStatement<'_>>, &Maker),
        stated: &[Stated],
        set: &mut ChangeSet,
    ) -> Result<(), Error> {
        let now = set.now;
        let digests = new.into_iter().map(|new| {
            let existing = new.replaces.and_then(|at| stated.get(at)).map(|one| &one.memory);
            let kept = existing.and_then(|memory| memory.document.as_ref()).map(|name| name.key.to_string());
            let at = new.covered.iter().map(|memory| memory.happened.at).max().unwrap_or(now);
            DigestToWrite {
                level: Level::Portrait,
                key: kept.unwrap_or_else(|| self.ids.next(now).to_string()),
                existing,
                draft: Draft { text: new.text, inputs: new.inputs, maker: maker.clone() },
                covered: new.covered,
                coverage_key: None,
                happened: Happened { at, until: None, offset: None },
            }
        });
        self.write_digests(run.job_id(), digests.collect(), set).await
    }

    /// Ends a statement that no longer holds in a new version; its text stays.
    fn end_statement(
        &self,
        run: &Run,
        stated: Option<&Stated>,
        (maker, inputs): (&Maker, Vec<Input>),
        set: &mut ChangeSet,
    ) {
        let Some(Stated { memory, .. }) = stated else { return };
        let id = DerivationId(self.ids.next(set.now));
        let derivation =
            Derivation { id, maker: maker.clone(), job: Some(run.job_id()), inputs, made_at: set.now };
        let memory = Memory {
            version: memory.version.saturating_add(1),
            recorded_at: set.now,
            valid: Interval { end: Some(set.now), ..memory.valid },
            derivation: Some(id),
            ..memory.clone()
        };
        let derivation = Some(derivation);
        set.revisions.push(Revision { memory, derivation, rows: None, groups: None, keeps_links: true });
    }
}

/// Statements as the prompt shows them, one JSON object per line.
fn statement_lines(stated: &[Stated]) -> String {
    let lines = (1_usize..).zip(stated).map(|(number, one)| {
        json!({"handle": format!("s{number}"), "fixed": one.is_fixed(), "text": one.memory.text}).to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One statement for each central insight.
fn central_insights(insights: &[Item]) -> Vec<NewStatement<'_>> {
    let texts: Vec<String> = insights.iter().map(|item| item.beginning().replace('\n', " ")).collect();
    let said: Vec<_> = insights.iter().zip(&texts).map(|(item, text)| item.sentence(text)).collect();
    let statements = central(&said, PORTRAIT_TOKENS).into_iter().filter_map(|at| {
        let inputs = insights.iter().enumerate();
        let inputs = inputs.map(|(other, item)| Input { source: item.source, is_evidence: other == at });
        Some(NewStatement {
            replaces: None,
            text: texts.get(at)?.clone(),
            inputs: inputs.collect(),
            covered: vec![&insights.get(at)?.memory],
        })
    });
    statements.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supported(text: &str) -> Supported {
        Supported { text: text.to_owned(), evidence: BTreeSet::from([0]) }
    }

    #[test]
    fn a_statement_that_is_dropped_and_added_again_is_kept() {
        let edits = Edits {
            add: vec![supported("Ann paints."), supported("Ann sails.")],
            replace: vec![(2, supported("Ann cooks.")), (1, supported("Ann reads maps."))],
            drop: vec![0, 3],
        };
        let kept = edits.without_repetitions(&["Ann paints.", "Ann reads.", "Ann cooks.", "Ann runs."]);
        let expected = Edits {
            add: vec![supported("Ann sails.")],
            replace: vec![(1, supported("Ann reads maps."))],
            drop: vec![3],
        };
        assert_eq!(kept, expected);
    }
}
