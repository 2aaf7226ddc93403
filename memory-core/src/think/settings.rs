//! Settings of thinking: profile, bounds, budgets, and the language model of each task.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::language_model::{LanguageModel, Price};

/// Profile of thinking: which mechanisms think about the turns of an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// No mechanism: turns are remembered and nothing is derived.
    Off,
    /// Facts that are deduplicated and superseded, grouped by entity and bucket, recalled by exact search.
    #[default]
    Default,
    /// Think-in-Memory as published (arXiv 2311.08719): thoughts of a kind of their own, organised within one bucket of
    /// one hash table, recalled from the bucket of the query. It needs a language model.
    TimPaper,
    /// A-MEM as published (arXiv 2502.12110): one note per turn, linked and evolved in one call per note, recalled with the
    /// notes that are linked to those found. It needs a language model.
    AmemPaper,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Profile; 4] = [Profile::Off, Profile::Default, Profile::TimPaper, Profile::AmemPaper];

    /// Name in the configuration, in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Profile::Off => "off",
            Profile::Default => "default",
            Profile::TimPaper => "tim.paper",
            Profile::AmemPaper => "amem.paper",
        }
    }

    /// Profile with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == text)
    }
}

/// Task that a language model does. The configuration gives each task a back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Turns to facts.
    Extract,
    /// Facts of a group to supersessions and merges.
    Organise,
    /// Notes to links and new contexts (A-MEM).
    Evolve,
    /// Turns of a day to a digest (MemoryBank).
    Digest,
    /// Recalled memories to an answer.
    Answer,
}

impl Task {
    /// All tasks.
    pub const ALL: [Task; 5] = [Task::Extract, Task::Organise, Task::Evolve, Task::Digest, Task::Answer];

    /// Name in the configuration, in the store and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Task::Extract => "extract",
            Task::Organise => "organise",
            Task::Evolve => "evolve",
            Task::Digest => "digest",
            Task::Answer => "answer",
        }
    }
}

/// Mechanism that is switched on and cannot think, because the settings have no language model for its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingModel {
    /// Mechanism, as users know it.
    pub mechanism: &'static str,
    /// Task without a model.
    pub task: Task,
}

impl std::fmt::Display for MissingModel {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mechanism, task } = self;
        write!(to, "{mechanism} needs a language model for the task `{}`: nothing is made", task.as_str())
    }
}

/// Language model of a task, with its price.
#[derive(Clone, Debug)]
pub struct TaskModel {
    /// Model.
    pub model: Arc<dyn LanguageModel>,
    /// Price, to account for money.
    pub price: Price,
}

/// Bounds of what thinking may spend on one owner in one day (UTC); `None` for no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Calls to language models.
    pub calls_per_day: Option<u64>,
    /// Tokens of prompts and replies.
    pub tokens_per_day: Option<u64>,
    /// Money, in millionths of the currency unit of the prices.
    pub cost_micros_per_day: Option<u64>,
}

/// Settings of thinking.
#[derive(Clone, Debug)]
pub struct ThinkingSettings {
    /// Profile of owners that have none of their own.
    pub profile: Profile,
    /// True to extract facts by rules where no language model is given to [`Task::Extract`].
    pub use_rules: bool,
    /// True to make notes under the profile `default`, where a language model is given to [`Task::Evolve`].
    pub makes_notes: bool,
    /// True to make digests of days and of closed sessions, and the portrait, under the profile `default`. Without a
    /// language model for [`Task::Digest`] they are extractive.
    pub makes_digests: bool,
    /// Number of turns after which an open session gets a digest of its older part, and again with each further multiple.
    pub working_memory_turns: u32,
    /// Models by task. A task without one has a deterministic counterpart or is left out.
    pub models: BTreeMap<Task, TaskModel>,
    /// Budget of each owner.
    pub budget: Budget,
    /// Number of owners that are thought about at the same time.
    pub workers: usize,
    /// Maximum number of turns in one call of extraction.
    pub turns_per_call: u32,
    /// Maximum length of the turns in one prompt, in tokens.
    pub prompt_tokens: u32,
    /// Maximum length of a reply, in tokens.
    pub reply_tokens: u32,
    /// Number of buckets of the hash of thoughts (even), and its seed: MECHANISMS 2.8.
    pub buckets: u32,
    /// Seed of the hash.
    pub hash_seed: u64,
}

impl Default for ThinkingSettings {
    fn default() -> Self {
        Self {
            profile: Profile::Default,
            use_rules: false,
            makes_notes: false,
            makes_digests: false,
            working_memory_turns: 64,
            models: BTreeMap::new(),
            budget: Budget::default(),
            workers: 2,
            turns_per_call: 16,
            prompt_tokens: 6_000,
            reply_tokens: 2_048,
            buckets: 32,
            hash_seed: 20_231_115,
        }
    }
}

impl ThinkingSettings {
    /// Model of a task.
    pub fn model(&self, task: Task) -> Option<&TaskModel> {
        self.models.get(&task)
    }

    /// Language models that mechanisms lack which are switched on under a profile. What works without a model lacks none.
    pub fn missing_models(&self, profile: Profile) -> Vec<MissingModel> {
        let needed = match profile {
            Profile::Default if self.makes_notes => Some(("thinking.notes", Task::Evolve)),
            Profile::TimPaper => Some(("the profile tim.paper", Task::Extract)),
            Profile::AmemPaper => Some(("the profile amem.paper", Task::Evolve)),
            Profile::Off | Profile::Default => None,
        };
        let missing = needed.filter(|(_, task)| self.model(*task).is_none());
        missing.map(|(mechanism, task)| MissingModel { mechanism, task }).into_iter().collect()
    }

    /// True if facts can be extracted, by a model or by rules.
    pub fn can_extract(&self) -> bool {
        self.use_rules || self.model(Task::Extract).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_back() {
        for profile in Profile::ALL {
            assert_eq!(Profile::parse(profile.as_str()), Some(profile));
        }
        assert_eq!(Profile::parse("tim"), None);
    }

    #[test]
    fn a_mechanism_that_is_switched_on_without_its_model_is_named() {
        let named = |settings: &ThinkingSettings, profile| {
            let missing = settings.missing_models(profile).into_iter();
            missing.map(|one| (one.mechanism, one.task)).collect::<Vec<_>>()
        };
        let settings = ThinkingSettings { makes_digests: true, ..ThinkingSettings::default() };
        assert_eq!(named(&settings, Profile::Default), [], "digests are extractive without a model");
        assert_eq!(named(&settings, Profile::AmemPaper), [("the profile amem.paper", Task::Evolve)]);
        let settings = ThinkingSettings { makes_notes: true, ..settings };
        assert_eq!(named(&settings, Profile::Default), [("thinking.notes", Task::Evolve)]);
        assert_eq!(named(&settings, Profile::Off), []);
    }
}
