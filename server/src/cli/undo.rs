//! `engrain undo`: takes back what a job made, or one version of a memory.

use std::fmt::Write as _;

use engrain::wire::{UndoChange, UndoJob, Undone};

use super::args::Global;
use super::args::{UndoArgs, UndoCommand};
use super::connect::with_server;
use super::failure::Failure;
use super::print;
use super::store::note_purge;

/// Takes changes back and prints the effect. A refusal for dependents lists the memories.
pub(super) async fn undo(global: &Global, command: UndoCommand) -> Result<(), Failure> {
    with_server(global, async |server| {
        let (undone, is_dry) = match command {
            UndoCommand::Job { id, how: UndoArgs { dry_run, with_dependents } } => {
                (server.client.undo_job(id, &UndoJob { dry_run, with_dependents }).await, dry_run)
            }
            UndoCommand::Memory { id, version, how: UndoArgs { dry_run, with_dependents } } => {
                let request = UndoChange { version, dry_run, with_dependents };
                (server.client.undo_change(id, &request).await, dry_run)
            }
        };
        let undone = undone.map_err(failed)?;
        if global.json {
            return print::json(&undone);
        }
        print::text(&lines(&undone, is_dry))?;
        note_purge(undone.purge);
        Ok(())
    })
    .await
}

fn failed(error: engrain::Error) -> Failure {
    match &error {
        engrain::Error::Problem(problem) if problem.code == "undo_has_dependents" => {
            let mut sentence = format!("{}; --with-dependents takes them back too:", problem.detail);
            for id in &problem.memory_ids {
                let _ = write!(sentence, "\n  {id}");
            }
            Failure::Failed(sentence)
        }
        _ => error.into(),
    }
}

/// One line for each memory, then the dependents.
fn lines(undone: &Undone, is_dry: bool) -> String {
    let (restored, erased) = if is_dry { ("would restore", "would erase") } else { ("restored", "erased") };
    let mut text = String::new();
    for one in &undone.restored {
        let _ = writeln!(text, "{restored} {} as version {}", one.memory_id, one.version);
    }
    for id in &undone.erased {
        let _ = writeln!(text, "{erased} {id}");
    }
    for id in &undone.left {
        let _ = writeln!(text, "left {id}: the version before is not in its history");
    }
    for one in &undone.dependents {
        let _ = writeln!(text, "built on it: {} version {}", one.memory_id, one.version);
    }
    if text.is_empty() {
        text.push_str("nothing to take back\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effect_of_an_undo_is_printed_by_memory() {
        let undone = Undone { erased: vec![uuid::Uuid::nil()], ..Undone::default() };
        assert_eq!(lines(&undone, true), "would erase 00000000-0000-0000-0000-000000000000\n");
        assert_eq!(lines(&Undone::default(), false), "nothing to take back\n");
    }
}
