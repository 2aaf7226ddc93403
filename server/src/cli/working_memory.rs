//! `engrain working-memory`: what a prompt needs of a session.

use engrain::wire::{OpenThread, ThreadKind, WorkingMemory, WorkingMemoryQuery};

use super::args::{Global, WorkingMemoryArgs};
use super::connect::with_server;
use super::failure::Failure;
use super::print;

/// Prints the context block of a session; on standard error the numbers of what it is made of.
pub(super) async fn working_memory(global: &Global, args: WorkingMemoryArgs) -> Result<(), Failure> {
    let query = WorkingMemoryQuery {
        scope: args.scope.scope(),
        session: args.session,
        budget_tokens: args.budget,
        partner: args.partner,
        now: None,
    };
    with_server(global, async |server| {
        let memory = server.client.working_memory(&query).await?;
        if global.json {
            return print::json(&memory);
        }
        print::note(&summary(&memory));
        if args.budget == Some(0) {
            return print::text(&memory.threads.iter().map(thread_line).collect::<String>());
        }
        print::text(&format!("{}\n", print::printable(&memory.context.text)))
    })
    .await
}

fn summary(memory: &WorkingMemory) -> String {
    let digest = if memory.digest.is_some() { ", a digest" } else { "" };
    let (turns, recalled) = (memory.turns.len(), memory.recalled.len());
    format!(
        "{turns} turns ({} left out), {recalled} recalled memories ({} left out), {} open threads{digest}; {} tokens",
        memory.turns_left_out,
        memory.recalled_left_out,
        memory.threads.len(),
        memory.context.tokens
    )
}

/// One line for an open thread.
fn thread_line(thread: &OpenThread) -> String {
    let kind = match thread.kind {
        ThreadKind::Question => "question",
        ThreadKind::Promise => "promise",
        ThreadKind::Request => "request",
    };
    let line = print::printable(&format!("{kind:<8}  {}: {}", thread.said_by, thread.text));
    format!("{}\n", line.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_thread_is_one_line_whatever_its_text_is() {
        let thread = OpenThread {
            memory_id: uuid::Uuid::nil(),
            kind: ThreadKind::Promise,
            said_by: "Ann".to_owned(),
            said_at: "2023-05-20T02:21:00Z".to_owned(),
            text: "I will\ncall \u{1b}[2Jthem.".to_owned(),
        };
        let line = thread_line(&thread);
        assert!(line.starts_with("promise   Ann: I will call ") && line.lines().count() == 1, "{line}");
        assert!(!line.contains('\u{1b}'));
    }
}
