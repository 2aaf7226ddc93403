//! `engrain forgetting` and `engrain pin`: policies, sweeps and their previews, restores, pins.

use std::fmt::Write as _;

use engrain::Client;
use engrain::client::ForgottenQuery;
use engrain::wire::{
    ForgettingPolicy, ForgettingPolicyState, ForgottenMemory, InitialStrengths, Job, PreviewSweep,
    PreviewedSweep, RestoreForgotten, RestoredForgotten, SetForgettingPolicy, SweepCounts, SweepMemories,
    SweptMemory,
};
use uuid::Uuid;

use super::args::{ForgettingCommand, Global, PinArgs};
use super::connect::{Connection, with_server};
use super::failure::Failure;
use super::json_argument::json_argument;
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
            if global.json {
                return print::json(&state);
            }
            print::text(&policy_lines(&state))
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
            print::text(&sweep_lines(&job))
        }
        ForgettingCommand::List { scope, reason, effect, limit, cursor } => {
            let (scope, limit) = (scope.scope(), Some(limit));
            let page = client.forgotten(&ForgottenQuery { scope, reason, effect, limit, cursor }).await?;
            if global.json {
                return print::json(&page);
            }
            print::text(
                &page.memories.iter().map(|one| forgotten_line(one, global.utc)).collect::<String>(),
            )?;
            note_more(page.next_cursor.as_deref());
            Ok(())
        }
        ForgettingCommand::Restore { scope, memories, all, now, no_reinforce } => {
            let (scope, memory_ids) = (scope.scope(), (!all).then_some(memories));
            let reinforce = no_reinforce.then_some(false);
            restore(global, client, RestoreForgotten { scope, memory_ids, all, now, reinforce }).await
        }
    }
}

/// Restores memories by their ids, or all of the owner.
async fn restore(global: &Global, client: &Client, request: RestoreForgotten) -> Result<(), Failure> {
    let mut restored = RestoredForgotten::default();
    loop {
        let some = client.restore_forgotten(&request).await?;
        let is_over = !request.all || some.left == 0 || some.restored.is_empty();
        restored.restored.extend(some.restored);
        restored.left = some.left;
        if is_over {
            break;
        }
    }
    if global.json {
        print::json(&restored)?;
    } else {
        print::text(&format!("restored {}; {} left\n", restored.restored.len(), restored.left))?;
    }
    let asked = request.memory_ids.unwrap_or_default();
    let why = match request.reinforce {
        Some(false) => "not a forgotten memory of this owner, or one that fades again at once without a use",
        _ => "not a forgotten memory of this owner",
    };
    note_not_restored(client, (&asked, why), &restored.restored).await
}

/// Notes the ids that were asked for and are not restored. It fails if none of the ids exists.
async fn note_not_restored(
    client: &Client,
    (asked, why): (&[Uuid], &str),
    restored: &[Uuid],
) -> Result<(), Failure> {
    let mut not_found = 0;
    for id in asked.iter().filter(|id| !restored.contains(id)) {
        // The response of the restoration does not tell an unknown memory from one that is not forgotten.
        match client.memory(*id).await {
            Ok(_) => print::note(&format!("{id}: {why}")),
            Err(error) if error.code() == Some("not_found") => {
                not_found += 1;
                print::note(&format!("{id}: not found"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if not_found > 0 && not_found == asked.len() {
        return Err(Failure::NotFound("none of the memories exists".to_owned()));
    }
    Ok(())
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
    json_argument("the policy", policy)
}

/// A line for each field of a policy, after one that says whose it is.
fn policy_lines(state: &ForgettingPolicyState) -> String {
    let ForgettingPolicyState { policy, is_default } = state;
    let InitialStrengths { turn, fact, thought, note, digest, document } = &policy.initial_strengths;
    let fields = [
        ("curve", policy.curve.clone()),
        ("weight", policy.weight.map_or_else(|| "that of recall".to_owned(), |weight| weight.to_string())),
        ("effect", policy.effect.clone()),
        ("rule", policy.rule.clone()),
        ("grace_days", policy.grace_days.to_string()),
        (
            "quota_memories",
            policy.quota_memories.map_or_else(|| "no quota".to_owned(), |quota| quota.to_string()),
        ),
        ("eviction", policy.eviction.clone()),
        ("counts_from", policy.counts_from.clone()),
        ("refractory_seconds", policy.refractory_seconds.to_string()),
        (
            "initial_strengths",
            format!(
                "turn {turn}, fact {fact}, thought {thought}, note {note}, digest {digest}, document {document}"
            ),
        ),
        ("importance_gain", policy.importance_gain.to_string()),
        ("surprise_gain", policy.surprise_gain.to_string()),
        ("surprise_midpoint", policy.surprise_midpoint.to_string()),
    ];
    let whose = if *is_default { "policy of the configuration" } else { "policy of the owner" };
    let lines = fields.into_iter().map(|(name, value)| format!("{name:<20}{value}\n"));
    print::printable(&format!("{whose}\n{}", lines.collect::<String>()))
}

fn note_more(cursor: Option<&str>) {
    if let Some(cursor) = cursor {
        print::note(&format!("more with --cursor {cursor}"));
    }
}

/// State of a sweep, and its numbers if it is over.
fn sweep_lines(job: &Job) -> String {
    let error = job.error.as_deref().map(|code| format!(": {code}")).unwrap_or_default();
    let counts = SweepCounts::of_job(job).map(|counts| counts_line(&counts)).unwrap_or_default();
    format!("job {}: {}{error}\n{counts}", job.id, job.state.as_str())
}

fn counts_line(counts: &SweepCounts) -> String {
    let SweepCounts { memories, live, faded, evicted, drawn, remembered, renewed, erased, .. } = counts;
    format!(
        "{memories} memories, {live} live after the sweep: {faded} faded, {evicted} evicted, {drawn} drawn, \
         {remembered} remembered, {renewed} renewed, {erased} erased\n"
    )
}

/// Numbers, then one line for each memory.
fn preview_lines(preview: &PreviewedSweep, is_utc: bool) -> String {
    let mut text = counts_line(&preview.counts);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_printed_with_every_field_and_whose_it_is() {
        let policy = ForgettingPolicy { quota_memories: Some(9), ..ForgettingPolicy::default() };
        let fields = serde_json::to_value(&policy).expect("JSON");
        let lines = policy_lines(&ForgettingPolicyState { policy, is_default: false });
        for field in fields.as_object().expect("an object").keys() {
            assert!(lines.contains(&format!("\n{field} ")), "{field}: {lines}");
        }
        assert!(lines.starts_with("policy of the owner\ncurve               memorybank.paper\n"), "{lines}");
        assert!(lines.contains("\nquota_memories      9\n"), "{lines}");
    }
}
