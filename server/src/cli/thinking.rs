//! `engrain profile`, `engrain audit` and `engrain timezone`: what is true of a subject, the quality of the facts of a scope,
//! and where its days begin.

use engrain::wire::{
    AuditFacts, Defect, FactAudit, ProfileQuery, SetTimezone, Slot, SlotValue, StateProfile,
};
use memory_core::domain::zone::Zone;

use super::args::{AuditArgs, Global, ProfileArgs, TimezoneArgs};
use super::connect::with_server;
use super::failure::Failure;
use super::print;

/// Prints the state slots of a subject.
pub(super) async fn profile(global: &Global, args: ProfileArgs) -> Result<(), Failure> {
    let query = ProfileQuery {
        scope: args.scope.scope(),
        subject: args.subject,
        valid_at: args.at,
        known_at: args.known_at,
        partner: args.partner,
    };
    with_server(global, async |server| {
        let profile = server.client.profile(&query).await?;
        if global.json {
            print::json(&profile)
        } else {
            print::text(&lines(&profile, &print::zone(global.utc)))
        }
    })
    .await
}

/// Prints the defects of the facts of a scope.
pub(super) async fn audit(global: &Global, args: AuditArgs) -> Result<(), Failure> {
    let request = AuditFacts { scope: args.scope.scope(), examples: Some(args.examples) };
    with_server(global, async |server| {
        let audit = server.client.audit_facts(&request).await?;
        if global.json { print::json(&audit) } else { print::text(&report(&audit)) }
    })
    .await
}

/// Shows or sets the time zone of a scope.
pub(super) async fn timezone(global: &Global, args: TimezoneArgs) -> Result<(), Failure> {
    let scope = args.scope.scope();
    let is_change = args.reset || args.zone.is_some();
    with_server(global, async |server| {
        let state = if is_change {
            server
                .client
                .set_timezone(&SetTimezone { scope: scope.clone(), timezone: args.zone.clone() })
                .await?
        } else {
            server.client.timezone(&scope).await?
        };
        if global.json {
            return print::json(&state);
        }
        let whose = if state.is_own { "" } else { "  (of the configuration)" };
        print::text(&format!("{}{whose}\n", print::printable(&state.timezone)))
    })
    .await
}

fn lines(profile: &StateProfile, zone: &Zone) -> String {
    let mut text = String::new();
    for Slot { attribute, values, history, is_contested } in &profile.slots {
        let contested = if *is_contested { " (contradictory)" } else { "" };
        for value in values {
            text.push_str(&format!("{attribute}: {}{contested}\n", shown(value)));
        }
        for value in history {
            text.push_str(&format!(
                "{attribute}, until {}: {}\n",
                value.until.as_deref().map_or_else(|| "?".to_owned(), |until| print::when(until, zone)),
                shown(value)
            ));
        }
    }
    for fact in &profile.facts {
        text.push_str(&format!("- {}\n", shown(fact)));
    }
    text
}

fn shown(value: &SlotValue) -> String {
    print::printable(value.object.as_deref().unwrap_or(&value.text)).replace('\n', " ")
}

fn report(audit: &FactAudit) -> String {
    let line = |name: &str, defect: &Defect| {
        let examples: Vec<String> = defect.examples.iter().map(ToString::to_string).collect();
        let examples = if examples.is_empty() { String::new() } else { format!("  {}", examples.join(" ")) };
        format!("{name:<12} {:>8}  {:>6.2} %{examples}\n", defect.count, defect.rate * 100.0)
    };
    let partial = if audit.is_partial { " (the newest ones only)" } else { "" };
    format!(
        "{} facts{partial}\n{}{}{}{}",
        audit.facts,
        line("junk", &audit.junk),
        line("duplicates", &audit.duplicates),
        line("loops", &audit.loops),
        line("unsupported", &audit.unsupported),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_one_line_per_defect() {
        let audit = FactAudit {
            facts: 40,
            is_partial: false,
            junk: Defect::default(),
            duplicates: Defect { count: 2, rate: 0.05, examples: vec![uuid::Uuid::nil()] },
            loops: Defect::default(),
            unsupported: Defect::default(),
        };
        let text = report(&audit);
        assert_eq!(text.lines().count(), 5);
        assert!(text.contains("duplicates          2    5.00 %  00000000-"), "{text}");
    }
}
