//! The month of Mara, once for each kind of service: what is stored and told at its end.

use std::collections::BTreeSet;

use engrain::Client;
use engrain::wire::{
    AsOf, AuditFacts, Filter, JobState, Memory, ProfileQuery, RecallRequest, Slot, SlotValue,
    ThinkingProgress,
};
use memory_core::testing::scripted_model::ScriptedModel;

use super::month::{MIDDLE, MONTH, ask, forget_dog, scope, send};
use super::script::{REFUSED_REPLIES, Script, start, variables};
use super::state::{assert_same, canonical, export, facts, memories, profile, settled};
use crate::process::ServerProcess;

/// A told story: its server, the service, and the time of knowledge before the move.
pub(super) struct Told {
    pub(super) server: ServerProcess,
    model: ScriptedModel,
    before_move: String,
    _directory: tempfile::TempDir,
}

/// Tells the month to a server, one exchange after the other.
pub(super) async fn tell(script: Script, further: &[(&str, &str)]) -> Told {
    let directory = tempfile::tempdir().unwrap();
    let model = start(script).await;
    let server = ServerProcess::start_in(directory.path(), &variables(&model, further)).await;
    let client = &server.client;
    let mut before_move = String::new();
    for exchange in MONTH {
        if exchange.session == "move" {
            settled(client).await;
            before_move = memories(client).await.into_iter().map(|memory| memory.recorded_at).max().unwrap();
        }
        let added = send(client, exchange, true).await.unwrap();
        assert_eq!(added.thinking, Some(ThinkingProgress::Done), "{}", exchange.session);
    }
    settled(client).await;
    assert!(forget_dog(client).await.unwrap() >= 3);
    Told { server, model, before_move, _directory: directory }
}

/// State at the end of the month without faults of the service, kills, or pauses: what every other telling must equal.
pub(super) async fn plain_end() -> Vec<String> {
    let told = tell(Script::default(), &[]).await;
    canonical(&told.server.client).await
}

fn slot<'a>(slots: &'a [Slot], attribute: &str) -> &'a Slot {
    slots.iter().find(|slot| slot.attribute == attribute).unwrap_or_else(|| panic!("{attribute}: {slots:#?}"))
}

/// Values with the dates from and until which they hold.
fn dated(values: &[SlotValue]) -> Vec<(&str, &str, Option<&str>)> {
    let of = |value: &SlotValue| value.until.as_ref().map(String::len);
    assert!(values.iter().all(|value| of(value) != Some(0)));
    values
        .iter()
        .map(|value| (value.object.as_deref().unwrap_or(""), value.since.as_str(), value.until.as_deref()))
        .collect()
}

async fn slots_are_right(client: &Client) {
    let slots = profile(client, ProfileQuery::default()).await.slots;
    let names: Vec<&str> = slots.iter().map(|slot| slot.attribute.as_str()).collect();
    assert_eq!(names, ["birthday", "employer", "home", "job", "language", "name"]);
    let contested: Vec<&str> =
        slots.iter().filter(|slot| slot.is_contested).map(|slot| slot.attribute.as_str()).collect();
    assert_eq!(contested, ["birthday"]);
    let days: BTreeSet<&str> =
        slot(&slots, "birthday").values.iter().filter_map(|value| value.object.as_deref()).collect();
    assert_eq!(days, BTreeSet::from(["3 June", "4 June"]));
    let moved = "2024-03-14T00:00:00Z";
    let home = slot(&slots, "home");
    assert_eq!(dated(&home.values), [("Lisbon", moved, None)]);
    assert_eq!(dated(&home.history), [("Paris", "2024-03-01T09:00:00Z", Some(moved))]);
    assert!(home.history[0].confidence > 0.9, "said twice: {}", home.history[0].confidence);
    assert!((home.values[0].confidence - 0.9).abs() < 1e-9, "an echo is no evidence");
    let employer = slot(&slots, "employer");
    assert_eq!(dated(&employer.values), [("Globex", "2024-03-25T00:00:00Z", None)]);
    let left = Some("2024-03-21T17:00:00Z");
    assert_eq!(dated(&employer.history), [("Acme Hospital", "2024-03-01T09:01:00Z", left)]);
    let job = slot(&slots, "job");
    assert_eq!(dated(&job.values), [("data engineer", "2024-03-25T00:00:00Z", None)]);
    assert_eq!(dated(&job.history)[0].0, "nurse");
    assert_eq!(slot(&slots, "language").values[0].object.as_deref(), Some("Portuguese"));
}

async fn slots_of_the_past_are_right(client: &Client, before_move: &str) {
    let at = ProfileQuery { valid_at: Some(MIDDLE.to_owned()), ..ProfileQuery::default() };
    let slots = profile(client, at).await.slots;
    assert_eq!(dated(&slot(&slots, "employer").values)[0].0, "Acme Hospital");
    assert_eq!(dated(&slot(&slots, "home").values)[0].0, "Lisbon");
    let known = ProfileQuery { known_at: Some(before_move.to_owned()), ..ProfileQuery::default() };
    let slots = profile(client, known).await.slots;
    let home = slot(&slots, "home");
    assert_eq!(dated(&home.values), [("Paris", "2024-03-01T09:00:00Z", None)], "the move was not known");
    assert_eq!(home.history, []);
}

async fn recalled(client: &Client, request: RecallRequest) -> Vec<String> {
    let filter = Some(Filter::eq("kind", "fact"));
    let response = client.recall(&RecallRequest { filter, ..request }).await.unwrap();
    response.memories.into_iter().map(|one| one.memory.text).collect()
}

async fn recall_tells_the_state_that_is_asked_for(client: &Client, before_move: &str) {
    let asked = ask("Where does the user live?");
    let has = |texts: &[String], words: &str| texts.iter().any(|text| text.contains(words));
    let present = recalled(client, asked.clone()).await;
    assert!(has(&present, "Lisbon") && !has(&present, "Paris"), "{present:?}");
    assert!(!has(&present, "drinks coffee every morning") && !has(&present, "paint landscapes."));
    let all = recalled(client, RecallRequest { include_superseded: true, ..asked.clone() }).await;
    assert!(has(&all, "Lisbon") && has(&all, "Paris"), "{all:?}");
    let as_of = AsOf { valid_at: Some("2024-03-10T00:00:00Z".to_owned()), known_at: None };
    let valid = recalled(client, RecallRequest { as_of: Some(as_of), ..asked.clone() }).await;
    assert!(!has(&valid, "Lisbon") && has(&valid, "Paris"), "{valid:?}");
    let as_of = AsOf { valid_at: None, known_at: Some(before_move.to_owned()) };
    let known = recalled(client, RecallRequest { as_of: Some(as_of), ..asked }).await;
    assert!(!has(&known, "Lisbon") && has(&known, "Paris") && !has(&known, "Globex"), "{known:?}");
}

async fn a_secret_is_told_to_its_owner_only(client: &Client) {
    let asked = ask("What will Theo do with his wife?");
    let to = |partner: Option<&str>| RecallRequest { partner: partner.map(str::to_owned), ..asked.clone() };
    let own = client.recall(&to(None)).await.unwrap();
    assert!(own.context.text.contains("wife"));
    let told = client.recall(&to(Some("Ann"))).await.unwrap();
    assert!(told.memories.iter().all(|one| !one.memory.text.contains("wife")), "{:#?}", told.memories);
    assert!(!told.context.text.contains("wife"), "{}", told.context.text);
    assert!(!told.memories.is_empty(), "what is no secret is told");
    let of_theo = |partner: Option<&str>| ProfileQuery {
        subject: Some("Theo".to_owned()),
        partner: partner.map(str::to_owned),
        ..ProfileQuery::default()
    };
    assert_eq!(profile(client, of_theo(None)).await.facts.len(), 1);
    assert_eq!(profile(client, of_theo(Some("Ann"))).await.facts, []);
}

fn by_text<'a>(facts: &'a [Memory], text: &str) -> &'a Memory {
    let found: Vec<&Memory> = facts.iter().filter(|fact| fact.text == text).collect();
    assert_eq!(found.len(), 1, "{text}: {facts:#?}");
    found[0]
}

async fn facts_are_merged_superseded_and_readable(client: &Client) {
    let facts = facts(client).await;
    let merged = by_text(&facts, "Lena likes to paint landscapes on weekends.");
    for part in ["Lena likes to paint on weekends.", "Lena likes to paint landscapes."] {
        let part = by_text(&facts, part);
        assert!(part.expires_at.is_some());
        let is_link = |link: &engrain::wire::Link| link.relation == "merged_into" && link.to == merged.id;
        assert!(part.links.iter().any(is_link), "{:?}", part.links);
    }
    let (drank, stopped) = (
        by_text(&facts, "The user drinks coffee every morning."),
        by_text(&facts, "The user no longer drinks coffee."),
    );
    assert_eq!(drank.valid_to.as_deref(), Some("2024-03-26T08:02:00Z"));
    assert!(drank.links.iter().any(|link| link.relation == "superseded_by" && link.to == stopped.id));
    let paris = by_text(&facts, "The user lives in Paris.");
    let history = client.history(paris.id).await.unwrap();
    assert!(history.versions.len() >= 2 && history.versions[0].valid_to.is_none(), "{history:#?}");
    for wrong in ["everything", "Porsche", "rich"] {
        assert!(facts.iter().all(|fact| !fact.text.contains(wrong)), "{wrong}");
    }
}

async fn nothing_of_the_dog_is_left(client: &Client) {
    let lines: Vec<String> =
        export(client).await.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
    assert!(lines.len() > 20);
    let found = lines.iter().find(|line| line.to_lowercase().contains("rex") || line.contains("dog"));
    assert!(found.is_none_or(|line| line.contains("\"session\":\"dog\"")), "{found:?}");
    assert!(
        lines
            .iter()
            .all(|line| !line.contains("Rex") && !line.contains("a dog") && !line.contains("the dog"))
    );
    let told = client.recall(&ask("Which dog does the user have? Rex?")).await.unwrap();
    assert!(!told.context.text.contains("Rex"), "{}", told.context.text);
}

async fn quality_and_cost_are_accounted(client: &Client, has_faults: bool) {
    let audit = client.audit_facts(&AuditFacts { scope: scope(), examples: None }).await.unwrap();
    let counts =
        [&audit.junk, &audit.duplicates, &audit.loops, &audit.unsupported].map(|defect| defect.count);
    assert_eq!((counts, audit.is_partial), ([0; 4], false), "{audit:#?}");
    let jobs = settled(client).await;
    let kinds: BTreeSet<&str> = jobs.iter().map(|job| job.kind.as_str()).collect();
    assert!(kinds.is_superset(&BTreeSet::from(["facts", "organise"])), "{kinds:?}");
    let failed = jobs.iter().find(|job| job.state != JobState::Done || job.failures > 0);
    assert!(failed.is_none(), "{failed:?}");
    let state = client.thinking(&scope()).await.unwrap();
    let tasks: BTreeSet<(&str, &str)> =
        state.usage_today.iter().map(|usage| (usage.task.as_str(), usage.model.as_str())).collect();
    assert_eq!(tasks, BTreeSet::from([("extract", "fake/scripted-1"), ("organise", "fake/scripted-1")]));
    let refused: u64 = state.usage_today.iter().map(|usage| usage.refused_replies).sum();
    assert_eq!(refused, if has_faults { REFUSED_REPLIES } else { 0 }, "{:#?}", state.usage_today);
    for usage in &state.usage_today {
        let cost = (usage.prompt_tokens as f64 + 2.0 * usage.reply_tokens as f64) / 1e6;
        assert!(usage.cost >= cost - 1e-9 && usage.cost <= cost + 1e-6 * usage.calls as f64, "{usage:?}");
        assert_eq!(usage.failures, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_of_a_month_all_is_known_that_was_said_and_nothing_else() {
    let told = tell(Script { has_faults: true, ..Script::default() }, &[]).await;
    let client = &told.server.client;
    slots_are_right(client).await;
    slots_of_the_past_are_right(client, &told.before_move).await;
    recall_tells_the_state_that_is_asked_for(client, &told.before_move).await;
    facts_are_merged_superseded_and_readable(client).await;
    a_secret_is_told_to_its_owner_only(client).await;
    nothing_of_the_dog_is_left(client).await;
    quality_and_cost_are_accounted(client, true).await;
    assert_same(&canonical(client).await, &plain_end().await, "faults of the service leave no trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_are_streamed_lead_to_the_same_end() {
    let streamed = ("ENGRAIN_LANGUAGE_MODELS__FAKE__STREAMING", "true");
    let told = tell(Script { has_faults: true, ..Script::default() }, &[streamed]).await;
    assert!(told.model.requests().iter().all(|request| request.wants_stream()));
    slots_are_right(&told.server.client).await;
    quality_and_cost_are_accounted(&told.server.client, true).await;
    assert_same(&canonical(&told.server.client).await, &plain_end().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_structured_output_leads_to_the_same_end() {
    let told = tell(Script { refuses_formats: true, ..Script::default() }, &[]).await;
    let formats: Vec<String> =
        told.model.requests().iter().map(|request| request.format().to_owned()).collect();
    assert_eq!(&formats[..3], ["json_schema", "json_object", ""]);
    assert!(formats[3..].iter().all(String::is_empty), "what the service refuses is asked once: {formats:?}");
    quality_and_cost_are_accounted(&told.server.client, false).await;
    assert_same(&canonical(&told.server.client).await, &plain_end().await, "");
}
