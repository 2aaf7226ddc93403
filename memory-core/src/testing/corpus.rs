//! Random memories and random filters over them, from pools so small that tests meet values and each other.

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::material::{name, plain, rows};
use crate::domain::filter::{Field, FieldType, Filter, Range, Scalar, Test};
use crate::domain::id::{MemoryId, SessionId, TurnId};
use crate::domain::memory::{DocumentName, Happened, Kind, Origin, Strength, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::Role;
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
const PATHS: [&str; 8] = ["n", "city", "trip.year", "trip", "list", "list.deep", "flag", "x.y"];

/// A memory, as the index gets it.
pub fn memory(dice: &mut Dice, number: u128) -> Indexed {
    let kind = *dice.pick(&Kind::ALL);
    let text = text(dice);
    let mut memory = plain(MemoryId(uuid::Uuid::from_u128(number + 1)), kind, "");
    memory.agent = maybe_name(dice);
    memory.app = maybe_name(dice);
    memory.run = maybe_name(dice);
    memory.visibility = if dice.chance(40) { Visibility::Shared } else { Visibility::Owner };
    memory.subjects = names(dice);
    memory.tags = names(dice);
    memory.metadata = metadata(dice);
    if kind == Kind::Document {
        memory.document = Some(DocumentName { namespace: a_name(dice), key: a_name(dice) });
    }
    if kind == Kind::Turn {
        memory.origin = Some(origin(dice, number));
    }
    memory.happened = Happened { at: moment(dice), until: None };
    memory.recorded_at = moment(dice);
    memory.valid = Interval { start: maybe_moment(dice), end: maybe_moment(dice) };
    memory.expires_at = maybe_moment(dice);
    let importance = *dice.pick(&[0.0, 0.25, 0.5, 1.0]);
    memory.strength =
        Strength { importance, strength: *dice.pick(&[0.5, 1.0, 4.0]), refreshed_at: moment(dice) };
    Indexed { memory, rows: rows(&text) }
}

/// The memory in a new version: everything new, or everything but its rows.
pub fn edited(dice: &mut Dice, present: &Indexed) -> Indexed {
    let mut next = memory(dice, present.memory.id.0.as_u128() - 1);
    next.memory.version = present.memory.version + 1;
    (next.memory.kind, next.memory.document) = (present.memory.kind, present.memory.document.clone());
    next.memory.origin.clone_from(&present.memory.origin);
    if dice.chance(40) {
        next.rows.clone_from(&present.rows);
    }
    next
}

/// A text of a few words in one to three chunks; now and then without a letter, with a name, or a question.
pub fn text(dice: &mut Dice) -> String {
    if dice.chance(8) {
        return format!("{} 42", dice.below(20));
    }
    let chunks = (0..=dice.below(3)).map(|_| {
        let words = (0..=dice.below(9)).map(|_| *dice.pick(&WORDS));
        words.collect::<Vec<_>>().join(" ")
    });
    let mut text = chunks.collect::<Vec<_>>().join("|");
    if dice.chance(25) {
        text = format!("{text} {}", dice.pick(&NAMES));
    }
    if dice.chance(25) {
        text.push('?');
    }
    text
}

/// A filter at most `levels` deep.
pub fn filter(dice: &mut Dice, levels: usize) -> Filter {
    let parts = |dice: &mut Dice| (0..dice.below(4)).map(|_| filter(dice, levels - 1)).collect();
    match dice.below(if levels == 0 { 1 } else { 5 }) {
        0 | 4 => {
            let field = field(dice);
            let test = test(dice, &field);
            Filter::Field(field, test)
        }
        1 => Filter::And(parts(dice)),
        2 => Filter::Or(parts(dice)),
        _ => Filter::Not(Box::new(filter(dice, levels - 1))),
    }
}

fn field(dice: &mut Dice) -> Field {
    if dice.chance(40) {
        Field::Metadata((*dice.pick(&PATHS)).to_owned())
    } else {
        dice.pick(&Field::FIXED).clone()
    }
}

fn test(dice: &mut Dice, field: &Field) -> Test {
    let may_contain = matches!(field.value_type(), FieldType::Text | FieldType::Any);
    match dice.below(6) {
        0 | 1 => Test::Eq(scalar(dice, field)),
        2 => Test::In((0..dice.below(4)).map(|_| scalar(dice, field)).collect()),
        3 => Test::IsNull(dice.chance(50)),
        4 if may_contain => {
            Test::Contains((*dice.pick(&["a", "B", "ös", "turn", "i", "", "größe"])).to_owned())
        }
        _ => {
            let mut bound = |percent| dice.chance(percent).then(|| scalar(dice, field));
            let (gt, lte, lt) = (bound(30), bound(40), bound(30));
            Test::Range(Range { gte: Some(scalar(dice, field)).filter(|_| gt.is_none()), gt, lte, lt })
        }
    }
}

fn scalar(dice: &mut Dice, field: &Field) -> Scalar {
    let kind = match field.value_type() {
        FieldType::Text => 0,
        FieldType::Number => 1,
        FieldType::Time => 2,
        FieldType::Any => *dice.pick(&[0, 0, 1, 1, 2, 3]),
    };
    match kind {
        0 => {
            let known = ["turn", "fact", "document", "user", "tool", "s0", "s1", "Lisbon"];
            Scalar::Text((*if dice.chance(50) { dice.pick(&known) } else { dice.pick(&NAMES) }).to_owned())
        }
        1 => Scalar::Number(*dice.pick(&[0.0, 0.25, 0.5, 1.0, 2.0, 3.0, -1.5])),
        2 => Scalar::Time(moment(dice)),
        _ => Scalar::Bool(dice.chance(50)),
    }
}

/// One of a few moments around [`START`].
pub fn moment(dice: &mut Dice) -> Timestamp {
    START.plus_days(*dice.pick(&[-400, -30, -1, 0, 1, 30]))
}

fn maybe_moment(dice: &mut Dice) -> Option<Timestamp> {
    dice.chance(30).then(|| moment(dice))
}

fn a_name(dice: &mut Dice) -> Name {
    name(dice.pick::<&str>(&NAMES))
}

fn maybe_name(dice: &mut Dice) -> Option<Name> {
    dice.chance(50).then(|| a_name(dice))
}

fn names(dice: &mut Dice) -> Vec<Name> {
    (0..dice.below(4)).map(|_| a_name(dice)).collect()
}

fn origin(dice: &mut Dice, number: u128) -> Origin {
    let session = u32::try_from(number % 3).unwrap_or(0);
    Origin {
        turn: TurnId(uuid::Uuid::from_u128(number | 1 << 64)),
        session: SessionId(uuid::Uuid::from_u128(1 << 65 | u128::from(session))),
        session_key: name(&format!("s{session}")),
        session_ordinal: session,
        seq: u32::try_from(number / 3).unwrap_or(u32::MAX),
        role: *dice.pick(&Role::ALL),
        author: maybe_name(dice),
        turn_key: None,
    }
}

fn metadata(dice: &mut Dice) -> Metadata {
    let mut object = Map::new();
    for _ in 0..dice.below(5) {
        let path = *dice.pick(&PATHS);
        let value = value(dice);
        match path.split_once('.') {
            // A key may have a dot in it: it then stands for the same path.
            Some((outer, inner)) if dice.chance(70) => {
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

fn value(dice: &mut Dice) -> Value {
    match dice.below(7) {
        0 => json!(*dice.pick(&NAMES)),
        1 => json!(dice.below(4)),
        2 => json!(*dice.pick(&[0.25, -1.5, 3.0])),
        3 => json!(dice.chance(50)),
        4 => Value::Null,
        5 => (0..dice.below(4)).map(|_| value(dice)).collect(),
        _ => json!({ "deep": *dice.pick(&NAMES), "year": dice.below(4) }),
    }
}
