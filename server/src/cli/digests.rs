//! `engrain digests`: digests of days and of all days, and the statements of the portrait.

use engrain::wire::{Digest, DigestQuery};

use super::args::{DigestsArgs, Global};
use super::connect::with_server;
use super::failure::Failure;
use super::print;

/// Prints the digests of a scope, the latest days first.
pub(super) async fn digests(global: &Global, args: DigestsArgs) -> Result<(), Failure> {
    let query = DigestQuery {
        scope: args.scope.scope(),
        from: args.from,
        to: args.to,
        level: args.level.map(Into::into),
        partner: args.partner,
    };
    with_server(global, async |server| {
        let found = server.client.digests(&query).await?;
        if global.json {
            return print::json(&found);
        }
        if found.digests.is_empty() {
            print::note("there are no digests");
        }
        print::text(&found.digests.iter().map(lines).collect::<String>())
    })
    .await
}

/// A line with the day, level, id and number of covered memories of a digest, then its text indented.
fn lines(digest: &Digest) -> String {
    let day = digest.day.as_deref().unwrap_or("all days");
    let by = match (digest.is_edited, digest.is_extractive) {
        (true, _) => "  edited",
        (false, true) => "  extractive",
        (false, false) => "",
    };
    let Digest { level, id, covers_count, .. } = digest;
    let indented = print::printable(&digest.text).replace('\n', "\n    ");
    let day = print::printable(day).replace('\n', " ");
    format!("{day:<10}  {:<15}  {id}  covers {covers_count}{by}\n    {indented}\n", level.as_str())
}

#[cfg(test)]
mod tests {
    use engrain::wire::DigestLevel;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_digest_is_a_line_with_what_it_is_and_its_text_indented() {
        let digest = Digest {
            id: Uuid::nil(),
            version: 1,
            level: DigestLevel::EventsDay,
            day: Some("2023-05-08".to_owned()),
            text: "Ann moved.\nShe \u{1b}[2Jlikes it.".to_owned(),
            covers: Vec::new(),
            covers_count: 3,
            evidence: Vec::new(),
            turns: Vec::new(),
            happened_at: "2023-05-08T00:00:00Z".to_owned(),
            is_edited: false,
            is_extractive: true,
            made_at: "2023-05-09T00:00:00Z".to_owned(),
        };
        let text = lines(&digest);
        assert!(text.starts_with("2023-05-08  events_day       0000"), "{text}");
        assert!(text.contains("  covers 3  extractive\n    Ann moved.\n    She "), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
