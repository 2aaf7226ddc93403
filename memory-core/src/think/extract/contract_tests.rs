//! Tests of the contract of extraction: what a reply may say, and that nothing else comes through.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::id::{MemoryId, SessionId, TurnId};

pub(in crate::think) fn turn(seq: u32, text: &str) -> SourceTurn {
    let id = Uuid::from_u128(u128::from(seq) + 1);
    SourceTurn {
        turn: TurnId(id),
        memory: MemoryId(id),
        session: SessionId(Uuid::nil()),
        seq,
        role: Role::User,
        author: None,
        participants: Vec::new(),
        text: text.to_owned(),
        said_at: Timestamp::parse("2023-05-20T10:00:00Z").expect("a time").plus_micros(i64::from(seq)),
        utc_offset: None,
        zone: crate::domain::zone::Zone::UTC,
        audience: Vec::new(),
    }
}

fn turns() -> Vec<SourceTurn> {
    let answer = SourceTurn { role: Role::Assistant, ..turn(1, "I recommend the Lisbon Cycle Club.") };
    vec![turn(0, "I moved to Lisbon in March and work at Acme now."), answer]
}

fn fact() -> Value {
    json!({
        "text": "The user lives in Lisbon.", "subject": "The user", "relation": "lives in", "object": "Lisbon",
        "attribute": "Home", "holds": true, "happened_on": "2023-03", "valid_from": "2023-03", "valid_until": null,
        "confidence": 0.9, "evidence": ["t1"], "confidential": false
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut fact = fact();
    fact[field] = value;
    fact
}

fn parse(facts: &[Value]) -> Result<Extraction, BadReply> {
    FactContract::new(&turns()).parse(json!({"facts": facts}))
}

#[test]
fn a_fact_has_its_slot_its_dates_and_its_evidence() {
    let extraction = parse(&[fact()]).expect("a good reply");
    let [one] = extraction.candidates.as_slice() else { panic!("{extraction:?}") };
    assert_eq!(one.statement.subject.as_str(), Statement::USER);
    assert_eq!(one.statement.attribute, Attribute::new("home"));
    assert_eq!(one.statement.said_by, Role::User);
    assert_eq!(one.happened.at.to_string(), "2023-03-01T00:00:00Z");
    assert_eq!(one.valid, Interval { start: Some(one.happened.at), end: None });
    assert_eq!(one.evidence, [0]);
}

#[test]
fn a_fact_of_the_assistant_alone_is_said_by_it() {
    let fact = json!({
        "text": "The assistant recommended the Lisbon Cycle Club.", "subject": "assistant", "object": "Lisbon Cycle Club",
        "evidence": ["t2"]
    });
    let extraction = parse(&[fact]).expect("missing optional fields are forgiven");
    assert_eq!(extraction.candidates[0].statement.said_by, Role::Assistant);
}

#[test]
fn a_reply_with_one_bad_fact_is_refused_whole() {
    let bad_facts = [
        ("text", json!(""), "missing_field"),
        ("text", json!("x".repeat(FACT_BYTES_AT_MOST + 1)), "over_limit"),
        ("text", json!("a\nb"), "wrong_type"),
        ("text", json!(7), "wrong_type"),
        ("subject", json!(""), "wrong_type"),
        ("subject", json!("x".repeat(PART_BYTES_AT_MOST + 1)), "over_limit"),
        ("attribute", json!("drop table; --"), "wrong_type"),
        ("happened_on", json!("yesterday"), "wrong_type"),
        ("valid_until", json!("2023-01"), "contradictory"),
        ("confidence", json!(1.5), "wrong_type"),
        ("evidence", json!([]), "missing_field"),
        ("evidence", json!(["t3"]), "unknown_handle"),
        ("evidence", json!(["t0"]), "unknown_handle"),
        ("evidence", json!(["c1"]), "unknown_handle"),
        ("evidence", json!(["t+1"]), "unknown_handle"),
        ("evidence", json!(["01890a5d-ac96-774b-bcce-b30209900077"]), "unknown_handle"),
    ];
    for (field, value, code) in bad_facts {
        let refused = parse(&[fact(), with(field, value.clone())]).expect_err("a bad fact");
        assert_eq!(refused.code, code, "{field} = {value}");
    }
    let refused = parse(&vec![fact(); FACTS_AT_MOST + 1]).expect_err("too many");
    assert_eq!(refused.code, "over_limit");
    let refused = FactContract::new(&turns()).parse(json!({"delete": "everything"})).expect_err("no facts");
    assert_eq!(refused.code, "missing_field");
}

#[test]
fn two_values_of_one_slot_at_one_time_are_contradictory() {
    let other = json!({
        "text": "The user lives in March.", "subject": "user", "object": "March", "attribute": "home",
        "happened_on": "2023-03", "valid_from": "2023-03", "evidence": ["t1"]
    });
    assert_eq!(parse(&[fact(), other.clone()]).expect_err("contradictory").code, "contradictory");
    let mut ended = other;
    ended["holds"] = json!(false);
    assert_eq!(parse(&[fact(), ended]).expect("one holds").candidates.len(), 2);
}

#[test]
fn invented_values_are_dropped_and_counted() {
    let invented = with("object", json!("Porto"));
    let extraction = parse(&[fact(), invented]).expect("well formed");
    assert_eq!((extraction.candidates.len(), extraction.unsupported), (1, 1));
}

#[test]
fn the_schema_requires_every_property_and_allows_no_other() {
    let turns = turns();
    let schema = FactContract::new(&turns).schema();
    let item = &schema["properties"]["facts"]["items"];
    let required = item["required"].as_array().expect("a list").len();
    assert_eq!(required, item["properties"].as_object().expect("an object").len());
    assert_eq!(item["additionalProperties"], json!(false));
}

/// JSON of any shape, biased to the names of the contract.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,12}".prop_map(Value::from),
        prop_oneof![Just("t1"), Just("t2"), Just("t99"), Just("user"), Just("2023-03"), Just("home")]
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let name = prop_oneof![
            Just("facts".to_owned()),
            Just("text".to_owned()),
            Just("subject".to_owned()),
            Just("evidence".to_owned()),
            "[a-z_]{1,8}",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn is_sound(extraction: &Extraction, turns: &[SourceTurn]) -> bool {
    extraction.candidates.len() <= FACTS_AT_MOST
        && extraction.candidates.iter().all(|one| {
            !one.text.trim().is_empty()
                && one.text.len() <= FACT_BYTES_AT_MOST
                && !one.evidence.is_empty()
                && one.evidence.iter().all(|at| *at < turns.len())
                && (0.0..=1.0).contains(&one.statement.confidence)
                && one.valid.is_ordered()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_json_is_parsed_into_sound_facts_or_refused(json in any_json()) {
        let turns = turns();
        if let Ok(extraction) = FactContract::new(&turns).parse(json) {
            prop_assert!(is_sound(&extraction, &turns));
        }
    }

    #[test]
    fn a_good_reply_with_one_field_replaced_is_sound_or_refused(
        field in proptest::sample::select(vec![
            "text", "subject", "relation", "object", "attribute", "holds", "happened_on", "valid_from", "valid_until",
            "confidence", "evidence", "confidential",
        ]),
        value in any_json(),
    ) {
        let turns = turns();
        let json = json!({"facts": [fact(), with(field, value)]});
        if let Ok(extraction) = FactContract::new(&turns).parse(json) {
            prop_assert!(is_sound(&extraction, &turns));
        }
    }
}

#[test]
fn dates_of_a_reply_are_days_of_the_speaker() {
    use crate::domain::zone::{UtcOffset, Zone};

    let mut said = turns();
    for turn in &mut said {
        turn.zone = Zone::parse("+08:00").expect("a zone");
        turn.utc_offset = UtcOffset::from_minutes(480);
    }
    let reply = FactContract::new(&said).parse(json!({"facts": [fact()]})).expect("a good reply");
    let [one] = reply.candidates.as_slice() else { panic!("{reply:?}") };
    assert_eq!(one.happened.at.to_string(), "2023-02-28T16:00:00Z");
    assert_eq!(one.happened.offset, UtcOffset::from_minutes(480));
    assert_eq!(one.valid, Interval { start: Some(one.happened.at), end: None });
    assert!(prompt::material(&[], &said).contains("2023-05-20 (Sat) 18:00"), "the local time is shown");
}
