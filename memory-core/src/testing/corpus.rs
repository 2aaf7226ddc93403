//! Random memories and random filters over them, from pools so small that tests meet values and each other.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::fixtures::{name, plain, rows};
use super::rng::Rng;
use crate::domain::filter::{Field, FieldType, Filter, Range, Scalar, Test};
use crate::domain::forgotten::{Effect, Forgotten, Reason};
use crate::domain::grant::Selection;
use crate::domain::id::{GrantId, MemoryId, SessionId, TurnId};
use crate::domain::memory::{DocumentName, Happened, Kind, Origin, Strength, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::number::Number;
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::Role;
use crate::domain::uses::{Use, UseKind, Uses};
use crate::domain::zone::UtcOffset;
use crate::index::{Forgetting, Opened, ValidTime};
use crate::retention::{CurveId, Policy, Rule};
use crate::store::Indexed;
use crate::testing::START;

const WORDS: [&str; 24] = [
    "the",
    "beagle",
    "Biscuit",
    "walks",
    "walking",
    "Lisbon",
    "sister",
    "marine",
    "biology",
    "shoes",
    "der",
    "Hund",
    "läuft",
    "nach",
    "Haus",
    "собака",
    "дом",
    "东京",
    "tea",
    "and",
    "42",
    "7",
    "running",
    "garden",
];
const NAMES: [&str; 6] = ["a", "A", "b", "ab", "größe", "GRÖSSE"];
/// Integers that a double cannot tell apart.
const LARGE: [u64; 4] = [9_007_199_254_740_992, 9_007_199_254_740_993, u64::MAX - 1, u64::MAX];
const PATHS: [&str; 8] = ["n", "city", "trip.year", "trip", "list", "list.deep", "flag", "x.y"];

/// A memory, as the index gets it.
pub fn memory(rng: &mut Rng, number: u128) -> Indexed {
    let kind = *rng.pick(&Kind::ALL);
    let text = text(rng);
    let mut memory = plain(MemoryId(uuid::Uuid::from_u128(number + 1)), kind, "");
    memory.agent = maybe_name(rng);
    memory.app = maybe_name(rng);
    memory.run = maybe_name(rng);
    memory.visibility = if rng.chance(40) { Visibility::Shared } else { Visibility::Owner };
    memory.subjects = names(rng);
    memory.audience = if rng.chance(30) { names(rng) } else { Vec::new() };
    memory.tags = names(rng);
    memory.metadata = metadata(rng);
    if kind == Kind::Document {
        memory.document = Some(DocumentName { namespace: a_name(rng), key: a_name(rng) });
    }
    if kind == Kind::Digest && rng.chance(60) {
        let namespace =
            *rng.pick(&["digests/events", "digests/personality", "digests/portrait", "digests/session"]);
        memory.document =
            Name::new(namespace).ok().map(|namespace| DocumentName { namespace, key: a_name(rng) });
    }
    if kind == Kind::Turn {
        memory.origin = Some(origin(rng, number));
    }
    let happened_at = moment(rng);
    memory.happened = Happened { at: happened_at, until: None, offset: offset(happened_at) };
    memory.recorded_at = moment(rng);
    memory.created_at = moment(rng).min(memory.recorded_at);
    memory.valid = Interval { start: maybe_moment(rng), end: maybe_moment(rng) };
    memory.expires_at = maybe_moment(rng);
    let importance = *rng.pick(&[0.0, 0.25, 0.5, 0.9, 1.0]);
    memory.strength = Strength::new(importance, *rng.pick(&[0.5, 1.0, 4.0]), moment(rng));
    // From numbers of their own, so that everything else is as it was without them.
    let own = &mut Rng::new(memory.recorded_at.as_micros().unsigned_abs());
    memory.strength.pinned = own.chance(10);
    memory.strength.uses = if own.chance(30) { uses(own) } else { Uses::NONE };
    memory.strength.nearest_cosine = *own.pick(&[None, Some(-0.5), Some(0.6), Some(0.75), Some(1.0)]);
    memory.forgotten = own.chance(15).then(|| record(own));
    Indexed { memory, rows: rows(&text) }
}

/// The memory in a new version: everything new, or everything but its rows.
pub fn edited(rng: &mut Rng, present: &Indexed) -> Indexed {
    let mut next = memory(rng, present.memory.id.0.as_u128() - 1);
    next.memory.version = present.memory.version + 1;
    (next.memory.kind, next.memory.document) = (present.memory.kind, present.memory.document.clone());
    next.memory.origin.clone_from(&present.memory.origin);
    if rng.chance(40) {
        next.rows.clone_from(&present.rows);
    }
    next
}

/// A few uses of every kind.
pub fn uses(rng: &mut Rng) -> Uses {
    let mut times: Vec<Timestamp> = (0..=rng.below(4)).map(|_| moment(rng)).collect();
    times.sort_unstable();
    let mut uses = Uses::default();
    for at in times {
        uses.record(Use { at, kind: *rng.pick(&UseKind::ALL) }, 0);
    }
    uses
}

fn record(rng: &mut Rng) -> Forgotten {
    let since = moment(rng);
    Forgotten {
        since,
        recorded_at: since,
        reason: *rng.pick(&Reason::ALL),
        effect: *rng.pick(&Effect::ALL),
        curve: CurveId::default().as_str().to_owned(),
        retention: 0.1,
        threshold: 0.2,
    }
}

/// Forgetting under any curve, effect and factors.
pub fn forgetting(rng: &mut Rng) -> Forgetting {
    let policy = Policy {
        curve: *rng.pick(&CurveId::ALL),
        effect: rng.chance(70).then(|| *rng.pick(&Effect::ALL)),
        rule: *rng.pick(&[
            Rule::FixedThreshold,
            Rule::FixedThreshold,
            Rule::ConditionalDraw,
            Rule::QuotaAlone,
        ]),
        importance_gain: *rng.pick(&[1.0, 1.0, 3.0]),
        surprise_gain: *rng.pick(&[1.0, 1.0, 4.0]),
        ..Policy::default()
    };
    Forgetting { policy: policy.into(), includes_forgotten: rng.chance(20) }
}

/// A text of a few words in one to three chunks; now and then without a letter, with a name, or a question.
pub fn text(rng: &mut Rng) -> String {
    if rng.chance(8) {
        return format!("{} 42", rng.below(20));
    }
    let chunks = (0..=rng.below(3)).map(|_| {
        let words = (0..=rng.below(9)).map(|_| *rng.pick(&WORDS));
        words.collect::<Vec<_>>().join(" ")
    });
    let mut text = chunks.collect::<Vec<_>>().join("|");
    if rng.chance(25) {
        text = format!("{text} {}", rng.pick(&NAMES));
    }
    if rng.chance(25) {
        text.push('?');
    }
    text
}

/// A filter at most `levels` deep.
pub fn filter(rng: &mut Rng, levels: usize) -> Filter {
    let parts = |rng: &mut Rng| (0..rng.below(4)).map(|_| filter(rng, levels - 1)).collect();
    match rng.below(if levels == 0 { 1 } else { 5 }) {
        0 | 4 => {
            let field = field(rng);
            let test = test(rng, &field);
            Filter::Field(field, test)
        }
        1 => Filter::And(parts(rng)),
        2 => Filter::Or(parts(rng)),
        _ => Filter::Not(Box::new(filter(rng, levels - 1))),
    }
}

fn field(rng: &mut Rng) -> Field {
    if rng.chance(40) {
        Field::Metadata((*rng.pick(&PATHS)).to_owned())
    } else {
        rng.pick(&Field::FIXED).clone()
    }
}

fn test(rng: &mut Rng, field: &Field) -> Test {
    let may_contain = matches!(field.value_type(), FieldType::Text | FieldType::Any);
    match rng.below(6) {
        0 | 1 => Test::Eq(scalar(rng, field)),
        2 => Test::In((0..rng.below(4)).map(|_| scalar(rng, field)).collect()),
        3 => Test::IsNull(rng.chance(50)),
        4 if may_contain => {
            Test::Contains((*rng.pick(&["a", "B", "ös", "turn", "i", "", "größe"])).to_owned())
        }
        _ => {
            let mut bound = |percent| rng.chance(percent).then(|| scalar(rng, field));
            let (gt, lte, lt) = (bound(30), bound(40), bound(30));
            Test::Range(Range { gte: Some(scalar(rng, field)).filter(|_| gt.is_none()), gt, lte, lt })
        }
    }
}

fn scalar(rng: &mut Rng, field: &Field) -> Scalar {
    let kind = match field.value_type() {
        FieldType::Text => 0,
        FieldType::Number => 1,
        FieldType::Time => 2,
        FieldType::Any => *rng.pick(&[0, 0, 1, 1, 2, 3]),
    };
    match kind {
        0 => {
            let known = ["turn", "fact", "document", "user", "tool", "s0", "s1", "Lisbon"];
            Scalar::Text((*if rng.chance(50) { rng.pick(&known) } else { rng.pick(&NAMES) }).to_owned())
        }
        1 => Scalar::Number(number(rng)),
        2 => Scalar::Time(moment(rng)),
        _ => Scalar::Bool(rng.chance(50)),
    }
}

fn number(rng: &mut Rng) -> Number {
    if rng.chance(30) {
        return Number::from(*rng.pick(&LARGE));
    }
    let double = *rng.pick(&[0.0, 0.25, 0.5, 0.9, 1.0, 2.0, 3.0, -1.5, 9_007_199_254_740_992.0, 1e308]);
    Number::from_f64(double).unwrap_or_else(|| Number::from(0_u64))
}

/// One of a few moments around [`START`].
pub fn moment(rng: &mut Rng) -> Timestamp {
    START.plus_days(*rng.pick(&[-400, -30, -1, 0, 1, 30]))
}

/// A valid time with any of its rules.
pub fn valid_time(rng: &mut Rng) -> ValidTime {
    ValidTime { at: moment(rng), hides_ended: rng.chance(70), hides_later: rng.chance(40) }
}

/// One of a few offsets for a moment of [`moment`], and none for some.
fn offset(at: Timestamp) -> Option<UtcOffset> {
    let minutes = (at.day() * 7_919) % 1_440;
    UtcOffset::from_minutes(minutes - 720).filter(|_| minutes % 3 != 0)
}

fn maybe_moment(rng: &mut Rng) -> Option<Timestamp> {
    rng.chance(30).then(|| moment(rng))
}

/// Random grants on a partition of at most 64 memories, with and without shared ones besides.
pub fn opened(rng: &mut Rng) -> Opened {
    let grants = (0..rng.below(4)).map(|at| {
        let selection = match rng.below(3) {
            0 => {
                let ids: BTreeSet<u128> = (0..rng.below(6)).map(|_| 1 + rng.below(64) as u128).collect();
                let ids = ids.into_iter().map(|number| MemoryId(uuid::Uuid::from_u128(number)));
                Selection::Memories(ids.collect())
            }
            1 => Selection::Tag(a_name(rng)),
            _ => Selection::Filter(filter(rng, 3)),
        };
        (GrantId(uuid::Uuid::from_u128(at as u128)), selection)
    });
    let grants = grants.collect();
    Opened { grants, shared: rng.chance(50).then(|| filter(rng, 2)) }
}

/// One of a few names.
pub fn a_name(rng: &mut Rng) -> Name {
    name(rng.pick::<&str>(&NAMES))
}

fn maybe_name(rng: &mut Rng) -> Option<Name> {
    rng.chance(50).then(|| a_name(rng))
}

fn names(rng: &mut Rng) -> Vec<Name> {
    (0..rng.below(4)).map(|_| a_name(rng)).collect()
}

fn origin(rng: &mut Rng, number: u128) -> Origin {
    let session = u32::try_from(number % 3).unwrap_or(0);
    Origin {
        turn: TurnId(uuid::Uuid::from_u128(number | 1 << 64)),
        session: SessionId(uuid::Uuid::from_u128(1 << 65 | u128::from(session))),
        session_key: name(&format!("s{session}")),
        session_ordinal: session,
        seq: u32::try_from(number / 3).unwrap_or(u32::MAX),
        role: *rng.pick(&Role::ALL),
        author: maybe_name(rng),
        turn_key: None,
    }
}

fn metadata(rng: &mut Rng) -> Metadata {
    let mut object = Map::new();
    for _ in 0..rng.below(5) {
        let path = *rng.pick(&PATHS);
        let value = value(rng);
        match path.split_once('.') {
            // A key may have a dot in it: it then stands for the same path.
            Some((outer, inner)) if rng.chance(70) => {
                let present = object.entry(outer).or_insert_with(|| json!({}));
                if let Some(present) = present.as_object_mut() {
                    present.insert(inner.to_owned(), value);
                }
            }
            _ => {
                object.insert(path.to_owned(), value);
            }
        }
    }
    Metadata::new(object).unwrap_or_default()
}

fn value(rng: &mut Rng) -> Value {
    match rng.below(8) {
        0 => json!(*rng.pick(&NAMES)),
        1 => json!(rng.below(4)),
        2 => json!(*rng.pick(&[0.25, -1.5, 3.0, 9_007_199_254_740_992.0, 1e308])),
        7 => json!(*rng.pick(&LARGE)),
        3 => json!(rng.chance(50)),
        4 => Value::Null,
        5 => (0..rng.below(4)).map(|_| value(rng)).collect(),
        _ => json!({ "deep": *rng.pick(&NAMES), "year": rng.below(4) }),
    }
}
