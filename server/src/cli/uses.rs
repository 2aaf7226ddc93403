//! `engrain feedback`, `retention` and `fading`: outcomes of a recall, the forgetting curve of a memory, and memories that are
//! about to fade.

use std::fmt::Write as _;

use engrain::wire::{
    FadingMemory, FadingQuery, LoggedRecall, MemoryRetention, Outcome, RecallFeedback, RetentionQuery,
};
use memory_core::domain::zone::Zone;

use super::args::{FadingArgs, FeedbackArgs, Global, RetentionArgs};
use super::connect::with_server;
use super::failure::Failure;
use super::print;

/// Cells of a bar of R = 1.
const BAR_CELLS: usize = 40;

/// Gives feedback on a recall, and prints the memories that it returned with their outcomes.
pub(super) async fn feedback(global: &Global, args: FeedbackArgs) -> Result<(), Failure> {
    let FeedbackArgs { recall, scope, used, confirmed, contradicted, now } = args;
    let request = RecallFeedback { scope: scope.scope(), used, confirmed, contradicted, now };
    with_server(global, async |server| {
        let logged = server.client.recall_feedback(recall, &request).await?;
        if global.json {
            return print::json(&logged);
        }
        print::text(&outcome_lines(&logged))
    })
    .await
}

/// A line for each memory that a recall returned, best first.
fn outcome_lines(logged: &LoggedRecall) -> String {
    let name = |outcome: Outcome| match outcome {
        Outcome::Returned => "returned",
        Outcome::InContext => "in_context",
        Outcome::Cited => "cited",
        Outcome::Confirmed => "confirmed",
        Outcome::Contradicted => "contradicted",
    };
    logged
        .hits
        .iter()
        .map(|hit| format!("{}  {:.3}  {}\n", hit.memory_id, hit.score, name(hit.outcome)))
        .collect()
}

/// Prints the state of a memory, and its curve as bars.
pub(super) async fn retention(global: &Global, args: RetentionArgs) -> Result<(), Failure> {
    let query = RetentionQuery {
        curve: args.curve,
        from: args.from,
        to: args.to,
        points: args.points.or((!global.json).then_some(24)),
        now: None,
    };
    let zone = print::zone(global.utc);
    with_server(global, async |server| {
        let read = server.client.memory_retention(args.id, &query).await?;
        if global.json {
            return print::json(&read);
        }
        print::text(&print::printable(&lines(&read, &zone)))
    })
    .await
}

/// Prints the memories of a scope that are about to fade, soonest first.
pub(super) async fn fading(global: &Global, args: FadingArgs) -> Result<(), Failure> {
    let query = FadingQuery {
        scope: args.scope.scope(),
        within_days: args.within_days,
        limit: args.limit,
        now: None,
    };
    let zone = print::zone(global.utc);
    with_server(global, async |server| {
        let found = server.client.fading(&query).await?;
        if global.json {
            return print::json(&found);
        }
        print::text(&found.memories.iter().map(|memory| line(memory, &zone)).collect::<String>())?;
        let until = print::when(&found.until, &zone);
        print::note(&format!(
            "{} of {} until {until} under {}",
            found.memories.len(),
            found.total,
            found.curve
        ));
        Ok(())
    })
    .await
}

fn lines(read: &MemoryRetention, zone: &Zone) -> String {
    let fades = match (&read.fades_at, read.pinned) {
        (_, true) => "never (pinned)".to_owned(),
        (None, false) => "never".to_owned(),
        (Some(at), false) => print::when(at, zone),
    };
    let mut text = format!(
        "{}  R {:.4}  S {:.4}  u {:.4}  fades {fades}\nlearned  {}\n",
        read.curve,
        read.retention,
        read.strength,
        read.threshold,
        print::when(&read.learned_at, zone)
    );
    if read.earlier_uses > 0 {
        let _ = writeln!(text, "used     {} times before", read.earlier_uses);
    }
    for one in &read.uses {
        let _ = writeln!(text, "used     {}  {}", print::when(&one.at, zone), one.kind);
    }
    if let Some(forgotten) = &read.forgotten {
        let since = print::when(&forgotten.since, zone);
        let _ = writeln!(text, "forgotten since {since}  {}  {}", forgotten.reason, forgotten.effect);
    }
    for point in &read.points {
        let bar = "#".repeat(cells(point.retention));
        let _ = writeln!(text, "{}  {:.4}  {bar}", print::when(&point.at, zone), point.retention);
    }
    text
}

/// Cells of a bar.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 40")]
fn cells(retention: f64) -> usize {
    (retention.clamp(0.0, 1.0) * BAR_CELLS as f64).round() as usize
}

fn line(memory: &FadingMemory, zone: &Zone) -> String {
    let FadingMemory { memory_id, excerpt, retention, strength, importance, uses, .. } = memory;
    let excerpt = print::printable(excerpt);
    let fades = memory.fades_at.as_deref().map_or_else(|| "by a draw".to_owned(), |at| print::when(at, zone));
    format!(
        "{fades}  {memory_id}  R {retention:.4}  S {strength:.4}  importance {importance:.2}  uses {uses}  {excerpt}\n"
    )
}

#[cfg(test)]
mod tests {
    use engrain::wire::{MemoryUse, RetentionPoint};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_curve_is_printed_with_its_state_its_uses_and_a_bar_for_each_point() {
        let at = "2023-05-20T02:21:00Z".to_owned();
        let read = MemoryRetention {
            memory_id: Uuid::nil(),
            curve: "hlr".to_owned(),
            now: at.clone(),
            retention: 0.5,
            strength: 2.0,
            refreshed_at: at.clone(),
            threshold: 0.25,
            fades_at: None,
            pinned: false,
            importance: 0.5,
            nearest_cosine: None,
            learned_at: at.clone(),
            earlier_uses: 3,
            uses: vec![MemoryUse { at: at.clone(), kind: "cited".to_owned() }],
            forgotten: None,
            points: vec![
                RetentionPoint { at: at.clone(), retention: 1.0 },
                RetentionPoint { at, retention: 0.1 },
            ],
        };
        let when = "2023-05-20 (Sat) 02:21";
        let expected = format!(
            "hlr  R 0.5000  S 2.0000  u 0.2500  fades never\nlearned  {when}\nused     3 times before\n\
             used     {when}  cited\n{when}  1.0000  {}\n{when}  0.1000  ####\n",
            "#".repeat(40)
        );
        assert_eq!(lines(&read, &Zone::UTC), expected);
        assert_eq!([f64::NAN, -1.0, 7.0].map(cells), [0, 0, 40]);
    }
}
