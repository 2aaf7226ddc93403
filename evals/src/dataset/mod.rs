//! Benchmark data: haystacks to ingest, and questions with known evidence.
//!
//! Invariant: **labels stay here.** A [`Haystack`] has the turns to send. A [`Question`] has its text, which is sent,
//! and its evidence, which is not. [`Unit`] maps names of the memory system to the benchmark's names of evidence.
//!
//! A file is read twice, one record at a time: first to choose the sample, then to run it. The same reader numbers the
//! questions both times, so that the sample is the same.

mod changed_fact;
mod dialogue_id;
mod locomo;
mod longmemeval;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use engrain::formats::{FormatError, ImportItem, ImportOptions};
use engrain::wire::{AddTurns, Origin, Scope};
use serde::Serialize;

use crate::failure::Failure;
use crate::metrics::Measure;
use crate::sample;
pub(crate) use changed_fact::{ChangedFact, State};

/// Benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Benchmark {
    /// arXiv 2410.10813.
    LongMemEval,
    /// arXiv 2402.17753.
    Locomo,
}

impl Benchmark {
    /// Default cut-offs, in units.
    pub(crate) fn cutoffs(self) -> &'static [usize] {
        match self {
            Self::LongMemEval => &[1, 3, 5, 10, 30, 50],
            Self::Locomo => &[1, 5, 10, 20, 50],
        }
    }

    /// Measures to compute.
    pub(crate) fn measures(self) -> &'static [Measure] {
        match self {
            Self::LongMemEval => &[Measure::RecallAll, Measure::RecallAny, Measure::NdcgAny],
            Self::Locomo => &[Measure::RecallAll, Measure::RecallAny],
        }
    }

    /// Name of the unit of evidence.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::LongMemEval => "session",
            Self::Locomo => "turn",
        }
    }
}

/// Data of one user: conversations to ingest, and questions to ask.
pub(crate) struct Haystack {
    /// Scope of the user.
    pub(crate) scope: Scope,
    /// Conversations, in order; no batch is empty.
    pub(crate) batches: Vec<AddTurns>,
    /// Questions that can be scored.
    pub(crate) questions: Vec<Question>,
    /// Counts of data left out.
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

    /// Haystack of these conversations, without questions.
    pub(crate) fn of_turns(scope: Scope, batches: Vec<AddTurns>) -> Self {
        Self { scope, batches, questions: Vec::new(), left_out: LeftOut::default() }
    }

    /// Number of turns to ingest.
    pub(crate) fn turns(&self) -> u64 {
        self.batches.iter().map(|batch| batch.turns.len() as u64).sum()
    }

    /// Id of the user.
    pub(crate) fn user(&self) -> &str {
        self.scope.user_id.as_deref().unwrap_or_default()
    }
}

/// Question that can be scored.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Text of the question.
    pub(crate) text: String,
    /// Time at which it is asked, if the benchmark has one.
    pub(crate) asked_at: Option<String>,
    /// Unit of evidence.
    pub(crate) unit: Unit,
    /// Number of units in the haystack.
    pub(crate) units: usize,
    /// Type of the question; a sample is stratified by it.
    pub(crate) kind: String,
    /// Averages that include the question.
    pub(crate) counts_in: Vec<Counted>,
    /// The changed fact that it asks for, if the benchmark says that one changed.
    pub(crate) changed_fact: Option<ChangedFact>,
}

/// Average that includes a question, with the evidence to find.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    /// Name of the average.
    pub(crate) group: String,
    /// Names of the units with evidence.
    pub(crate) evidence: BTreeSet<String>,
}

/// Unit of evidence.
#[derive(Clone, Debug)]
pub(crate) enum Unit {
    /// Session: map from its name in the memory system to the benchmark's id.
    Session(HashMap<String, String>),
    /// Turn, by its key.
    Turn,
}

impl Unit {
    /// Benchmark name of a turn's unit; none for a turn that is not of the benchmark.
    pub(crate) fn of<'a>(&'a self, origin: &'a Origin) -> Option<&'a str> {
        match self {
            Self::Session(ids) => ids.get(&origin.session).map(String::as_str),
            Self::Turn => origin.turn_key.as_deref(),
        }
    }
}

/// Counts of data that is not scored, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct LeftOut {
    /// Abstention questions.
    pub(crate) abstention: usize,
    /// Questions without evidence in the haystack.
    pub(crate) without_evidence: usize,
    /// Evidence with a malformed name.
    pub(crate) malformed_evidence: usize,
    /// Evidence with a name that the haystack does not have.
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

/// Benchmark file, and the chosen questions.
pub(crate) struct Dataset {
    pub(crate) benchmark: Benchmark,
    /// Number of questions in the file, including those left out.
    pub(crate) questions_in_file: usize,
    /// Data of the whole file that cannot be scored.
    pub(crate) left_out: LeftOut,
    /// Numbers of the chosen questions among those that can be scored.
    pub(crate) chosen: BTreeSet<usize>,
    /// Number of haystacks that the chosen questions need.
    pub(crate) haystacks: usize,
    file: PathBuf,
    options: ImportOptions,
}

impl Dataset {
    /// Scans a file and chooses `wanted` of its questions, or all of them.
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

    /// Haystacks of the chosen questions, each with only these questions.
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

/// All haystacks of a file, in order.
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
