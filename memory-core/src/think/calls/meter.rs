//! Meter of the model calls of this process, by task and back end: for metrics. The store's ledger accounts for owners.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::model::language_model::ModelIdentity;
use crate::store::Usage;
use crate::think::settings::Task;

/// Usage of one back end for one task since the start of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeteredCalls {
    /// Task.
    pub task: Task,
    /// Name of the back end in the configuration.
    pub backend: String,
    /// Usage.
    pub usage: Usage,
}

/// Sums by task and back end. Both are of the configuration, so that their number is bounded.
#[derive(Debug, Default)]
pub(in crate::think) struct Meter {
    sums: Mutex<BTreeMap<(Task, String), Usage>>,
}

impl Meter {
    /// Adds the usage of one question.
    pub(in crate::think) fn add(&self, task: Task, model: &ModelIdentity, usage: &Usage) {
        let mut sums = self.sums.lock();
        let sum = sums.entry((task, model.backend.clone())).or_default();
        let pairs = [
            (&mut sum.calls, usage.calls),
            (&mut sum.refused_replies, usage.refused_replies),
            (&mut sum.failures, usage.failures),
            (&mut sum.prompt_tokens, usage.prompt_tokens),
            (&mut sum.reply_tokens, usage.reply_tokens),
            (&mut sum.cost_micros, usage.cost_micros),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
    }

    /// Sum of one back end for one task.
    pub(in crate::think) fn sum(&self, task: Task, backend: &str) -> Usage {
        self.sums.lock().get(&(task, backend.to_owned())).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_summed_by_task_and_back_end() {
        let meter = Meter::default();
        let model = |backend: &str| ModelIdentity { backend: backend.to_owned(), model: "m".to_owned() };
        let usage = Usage { calls: 1, prompt_tokens: 10, ..Usage::default() };
        meter.add(Task::Extract, &model("one"), &usage);
        meter.add(Task::Extract, &model("one"), &Usage { calls: u64::MAX, ..usage });
        meter.add(Task::Organise, &model("one"), &usage);
        let sum = meter.sum(Task::Extract, "one");
        assert_eq!((sum.calls, sum.prompt_tokens), (u64::MAX, 20));
        assert_eq!(meter.sum(Task::Organise, "one"), usage);
        assert_eq!(meter.sum(Task::Extract, "two"), Usage::default());
    }
}
