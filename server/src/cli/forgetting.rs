//! `engrain forgetting` and `engrain pin`: policies, sweeps and their previews, restores, pins.

use std::fmt::Write as _;

use engrain::wire::{
    ForgettingPolicy, ForgottenMemory, PreviewSweep, PreviewedSweep, RestoreForgotten, RestoredForgotten,
    SetForgettingPolicy, SweepMemories, SweptMemory,
};

use super::args::{ForgettingCommand, Global, PinArgs};
use super::connect::{Connection, with_server};
use super::failure::Failure;
use super::print;

/// Runs a command on forgetting.
pub(super) async fn forgetting(global: &Global, command: ForgettingCommand) -> Result<(), Failure> {
    with_server(global, async |server| run(global, command, server).await).await
}

async fn run(global: &Global, command: ForgettingCommand, server: &Connection) -> Result<(), Failure> {
    let client = &server.client;
    match command {
        ForgettingCommand::Policy { scope, policy, reset } => {
            let scope = scope.scope();
            let state = if reset || policy.is_some() {
                let policy = policy.as_deref().map(parsed).transpose()?;
                client.set_forgetting_policy(&SetForgettingPolicy { scope, policy }).await?
            } else {
                client.forgetting_policy(&scope).await?
            };
            print::json(&state)
        }
        ForgettingCommand::Preview { scope, policy, at, limit, cursor } => {
            let policy = policy.as_deref().map(parsed).transpose()?;
            let (scope, limit) = (scope.scope(), Some(limit));
            let request = PreviewSweep { scope, policy, now: at.now, limit, cursor };
            let preview = client.preview_sweep(&request).await?;
            if global.json {
                return print::json(&preview);
            }
            print::text(&preview_lines(&preview, global.utc))?;
            note_more(preview.next_cursor.as_deref());
            Ok(())
        }
        ForgettingCommand::Sweep { scope, at, no_wait } => {
            let request = SweepMemories { scope: scope.scope(), now: at.now, wait: !no_wait };
            let job = client.sweep_memories(&request).await?;
            if global.json {
                return print::json(&job);
            }
            print::text(&format!("job {}: {}, {} memories\n", job.id, job.state.as_str(), job.done))
        }
        ForgettingCommand::List { scope, limit, cursor } => {
            let page = client.forgotten(&scope.scope(), Some(limit), cursor.as_deref()).await?;
            if global.json {
                return print::json(&page);
            }
            print::text(
                &page.memories.iter().map(|one| forgotten_line(one, global.utc)).collect::<String>(),
            )?;
            note_more(page.next_cursor.as_deref());
            Ok(())
        }
        ForgettingCommand::Restore { scope, memories, all } => {
            let memory_ids = (!all).then_some(memories);
            let request =
                RestoreForgotten { scope: scope.scope(), memory_ids, all, ..RestoreForgotten::default() };
            let mut restored = RestoredForgotten::default();
            loop {
                let some = client.restore_forgotten(&request).await?;
                let is_over = !all || some.left == 0 || some.restored.is_empty();
                restored.restored.extend(some.restored);
                restored.left = some.left;
                if is_over {
                    break;
                }
            }
            if global.json {
                return print::json(&restored);
            }
            print::text(&format!("restored {}; {} left\n", restored.restored.len(), restored.left))
        }
    }
}

/// Pins or releases a memory.
pub(super) async fn pin(global: &Global, args: PinArgs) -> Result<(), Failure> {
    let PinArgs { id, release } = args;
    with_server(global, async |server| {
        let pin = server.client.pin_memory(id, !release).await?;
        if global.json {
            return print::json(&pin);
        }
        print::text(&format!("{} {id}\n", if pin.pinned { "pinned" } else { "released" }))
    })
    .await
}

fn parsed(policy: &str) -> Result<ForgettingPolicy, Failure> {
    serde_json::from_str(policy).map_err(|error| Failure::Usage(format!("the policy: {error}")))
}

fn note_more(cursor: Option<&str>) {
    if let Some(cursor) = cursor {
        print::note(&format!("more with --cursor {cursor}"));
    }
}

/// Numbers, then one line for each memory.
fn preview_lines(preview: &PreviewedSweep, is_utc: bool) -> String {
    let mut text = format!(
        "{} memories, {} live after the sweep: {} fade, {} are evicted, {} are drawn, {} are remembered, {} renewed, {} erased\n",
        preview.memories,
        preview.live,
        preview.faded,
        preview.evicted,
        preview.drawn,
        preview.remembered,
        preview.renewed,
        preview.erased
    );
    for SweptMemory { id, kind, excerpt, change, reason, since, retention, threshold, .. } in &preview.changes
    {
        let reason = reason.as_deref().unwrap_or("-");
        let since =
            since.as_deref().map(|since| print::when(since, &print::zone(is_utc))).unwrap_or_default();
        let excerpt = print::printable(excerpt);
        let _ = writeln!(
            text,
            "{change} {id} {kind} {reason} {since} R {retention:.3} u {threshold:.3}  {excerpt}"
        );
    }
    text
}

fn forgotten_line(one: &ForgottenMemory, is_utc: bool) -> String {
    let ForgottenMemory { id, kind, excerpt, reason, effect, since, .. } = one;
    let (kind, since) = (kind.as_deref().unwrap_or("?"), print::when(since, &print::zone(is_utc)));
    format!("{id} {kind} {reason} {effect} {since}  {}\n", print::printable(excerpt))
}
