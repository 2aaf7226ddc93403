//! Progress on standard error: a bar on a terminal, otherwise a line at every tenth.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Progress of one stage of a run.
pub(crate) struct Progress {
    stage: String,
    total: usize,
    done: usize,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Creates the progress of a stage with `total` steps.
    pub(crate) fn new(stage: &str, total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(stage, total));
        Self { stage: stage.to_owned(), total, done: 0, bar }
    }

    /// Counts one finished step.
    pub(crate) fn step(&mut self) {
        let tenth = |done: usize| done * 10 / self.total.max(1);
        let is_next_tenth = tenth(self.done + 1) > tenth(self.done);
        self.done += 1;
        match &self.bar {
            Some(bar) if self.done < self.total => bar.inc(1),
            Some(bar) => bar.finish_and_clear(),
            None if is_next_tenth => eprintln!("{}: {} of {}", self.stage, self.done, self.total),
            None => {}
        }
    }
}

fn bar(stage: &str, total: usize) -> ProgressBar {
    let template = format!("{stage} {{bar:30}} {{human_pos}}/{{human_len}}, {{eta}} left");
    let bar = ProgressBar::new(total as u64);
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
