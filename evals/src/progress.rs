//! Tells on standard error how far a run has come: a bar for people, and for a log a line at every tenth of the way.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// How far one stage of a run has come.
pub(crate) struct Progress {
    stage: &'static str,
    total: usize,
    done: usize,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A stage of `total` steps.
    pub(crate) fn new(stage: &'static str, total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(stage, total));
        Self { stage, total, done: 0, bar }
    }

    /// One step is done.
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
