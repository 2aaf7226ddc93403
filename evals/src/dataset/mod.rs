//! What is measured on: haystacks to be remembered, and questions whose evidence is known.
//!
//! Invariant: **labels stay here.** A [`Haystack`] has what is sent, a [`Question`] has its text, which is sent, and its
//! evidence, which is not; what evidence is named by is translated by [`Unit`] from what the memory system calls it.
//!
//! A file is read twice, one record at a time: first to know what there is to choose from, then to be worked through.
//! Both times the same reader numbers the questions, so that the sample means the same ones.

mod dialogue_id;
mod locomo;
mod longmemeval;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use engrain::formats::{FormatError, ImportItem, ImportOptions};
use engrain::wire::{AddTurns, Recalled, Scope};
use serde::Serialize;

use crate::failure::Failure;
use crate::metrics::Measure;
use crate::sample;

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Benchmark {
    /// arXiv 2410.10813.
    LongMemEval,
    /// arXiv 2402.17753.
    Locomo,
}

impl Benchmark {
    /// How many of the first units are looked at where the caller does not say.
    pub(crate) fn cutoffs(self) -> &'static [usize] {
        match self {
            Self::LongMemEval => &[1, 3, 5, 10, 30, 50],
            Self::Locomo => &[1, 5, 10, 20, 50],
        }
    }

    /// What is computed.
    pub(crate) fn measures(self) -> &'static [Measure] {
        match self {
            Self::LongMemEval => &[Measure::RecallAll, Measure::RecallAny, Measure::NdcgAny],
            Self::Locomo => &[Measure::RecallAll, Measure::RecallAny],
        }
    }

    /// What evidence is made of.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::LongMemEval => "session",
            Self::Locomo => "turn",
        }
    }
}

/// What one user is to remember, and what they are asked.
pub(crate) struct Haystack {
    /// The user.
    pub(crate) scope: Scope,
    /// Their conversations, in order; no batch is empty.
    pub(crate) batches: Vec<AddTurns>,
    /// The questions that can be scored.
    pub(crate) questions: Vec<Question>,
    /// What was left out of them.
    pub(crate) left_out: LeftOut,
}

impl Haystack {
    fn new(scope: Scope, items: Vec<ImportItem>) -> Self {
        let batches = items.into_iter().filter_map(|item| match item.batch {
            engrain::formats::Batch::Turns(turns) => Some(turns),
            engrain::formats::Batch::Memories(_) => None,
        });
        Self { scope, batches: batches.collect(), questions: Vec::new(), left_out: LeftOut::default() }
    }

    /// How many turns there are to remember.
    pub(crate) fn turns(&self) -> u64 {
        self.batches.iter().map(|batch| batch.turns.len() as u64).sum()
    }

    /// The user's id.
    pub(crate) fn user(&self) -> &str {
        self.scope.user_id.as_deref().unwrap_or_default()
    }
}

/// A question that can be scored.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// What is asked.
    pub(crate) text: String,
    /// When it is asked, where the benchmark says so.
    pub(crate) asked_at: Option<String>,
    /// What evidence is named by.
    pub(crate) unit: Unit,
    /// How many such units the haystack has.
    pub(crate) units: usize,
    /// Its type: what a sample is spread over.
    pub(crate) kind: String,
    /// The averages it counts in.
    pub(crate) counts_in: Vec<Counted>,
}

/// An average that a question counts in, and what has to be found for it.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    /// The average's name.
    pub(crate) group: String,
    /// The names of the units that hold evidence.
    pub(crate) evidence: BTreeSet<String>,
}

/// What evidence is named by.
#[derive(Clone, Debug)]
pub(crate) enum Unit {
    /// A session: from its name in the memory system to the benchmark's id.
    Session(HashMap<String, String>),
    /// A turn, by its key.
    Turn,
}

impl Unit {
    /// The benchmark's name for the unit that a memory is of; none for a memory that is no turn of the benchmark.
    pub(crate) fn of<'a>(&'a self, recalled: &'a Recalled) -> Option<&'a str> {
        let origin = recalled.memory.origin.as_ref()?;
        match self {
            Self::Session(ids) => ids.get(&origin.session).map(String::as_str),
            Self::Turn => origin.turn_key.as_deref(),
        }
    }
}

/// What of a file is not scored, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct LeftOut {
    /// Questions whose right answer is that there is none.
    pub(crate) abstention: usize,
    /// Questions without evidence that could be found.
    pub(crate) without_evidence: usize,
    /// Evidence whose name cannot be read.
    pub(crate) malformed_evidence: usize,
    /// Evidence whose name is that of nothing in the haystack.
    pub(crate) unknown_evidence: usize,
}

impl LeftOut {
    fn add(&mut self, other: Self) {
        self.abstention += other.abstention;
        self.without_evidence += other.without_evidence;
        self.malformed_evidence += other.malformed_evidence;
        self.unknown_evidence += other.unknown_evidence;
    }
}

/// A benchmark's file, and which of its questions are asked.
pub(crate) struct Dataset {
    pub(crate) benchmark: Benchmark,
    /// Questions in the file, those left out included.
    pub(crate) questions_in_file: usize,
    /// What cannot be scored, in the whole file.
    pub(crate) left_out: LeftOut,
    /// The questions that are asked, by their number among those that can be scored.
    pub(crate) chosen: BTreeSet<usize>,
    /// Haystacks that the questions asked need.
    pub(crate) haystacks: usize,
    file: PathBuf,
    options: ImportOptions,
}

impl Dataset {
    /// Looks through a file and chooses `wanted` of its questions, or all of them.
    pub(crate) fn open(
        benchmark: Benchmark,
        file: &Path,
        user_prefix: &str,
        wanted: Option<usize>,
    ) -> Result<Self, Failure> {
        let options = ImportOptions { user_prefix: user_prefix.to_owned(), ..ImportOptions::default() };
        let mut left_out = LeftOut::default();
        let (mut kinds, mut per_haystack) = (Vec::new(), Vec::new());
        for haystack in read(benchmark, file, &options)? {
            let haystack = haystack?;
            left_out.add(haystack.left_out);
            per_haystack.push(haystack.questions.len());
            kinds.extend(haystack.questions.into_iter().map(|question| question.kind));
        }
        let chosen = sample::spread(&kinds, wanted.unwrap_or(kinds.len()));
        if chosen.is_empty() {
            return Err(Failure::NothingToAsk(file.to_owned()));
        }
        let mut first = 0;
        let needed = per_haystack.into_iter().filter(|count| {
            let numbers = first..first + count;
            first = numbers.end;
            chosen.range(numbers).next().is_some()
        });
        Ok(Self {
            benchmark,
            questions_in_file: kinds.len() + left_out.abstention + left_out.without_evidence,
            left_out,
            haystacks: needed.count(),
            chosen,
            file: file.to_owned(),
            options,
        })
    }

    /// The haystacks that the questions asked need, each with these questions only.
    pub(crate) fn haystacks(
        &self,
    ) -> Result<impl Iterator<Item = Result<Haystack, FormatError>> + '_, FormatError> {
        let mut number = 0;
        let haystacks = read(self.benchmark, &self.file, &self.options)?.map(move |haystack| {
            let mut haystack = haystack?;
            haystack.questions.retain(|_| {
                number += 1;
                self.chosen.contains(&(number - 1))
            });
            Ok(haystack)
        });
        Ok(haystacks.filter(|haystack| haystack.as_ref().map_or(true, |found| !found.questions.is_empty())))
    }
}

/// All haystacks of a file, in its order.
fn read(
    benchmark: Benchmark,
    file: &Path,
    options: &ImportOptions,
) -> Result<Box<dyn Iterator<Item = Result<Haystack, FormatError>> + Send>, FormatError> {
    Ok(match benchmark {
        Benchmark::LongMemEval => Box::new(longmemeval::haystacks(file, options)?),
        Benchmark::Locomo => Box::new(locomo::haystacks(file, options)?),
    })
}
