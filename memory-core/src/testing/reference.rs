//! The reference implementation of the index, memory by memory and row by row from the definitions: filters, visibility,
//! expiry, the score inside the scan and BM25. Slow, and independent of every index and of `Filter::matches`.

use gpu_retrieval::Weights;
use serde_json::Value;

use crate::domain::filter::{Field, Filter, Range, Scalar, Test};
use crate::domain::forgotten::{Effect, Reason};
use crate::domain::grant::Selection;
use crate::domain::memory::{Kind, Memory, Visibility};
use crate::domain::name::Name;
use crate::domain::number::Number;
use crate::domain::time::Timestamp;
use crate::index::{IndexQuery, ScanWeights, View};
use crate::retention::{Curve, Policy, Rule, threshold};
use crate::store::Indexed;
use crate::text::{NamedPeople, TermVector, Tokenizer};

/// True if a memory is visible under a view.
pub fn sees(view: &View, memory: &Memory) -> bool {
    let since = |at: Timestamp| view.known_at.is_some_and(|known_at| at > known_at);
    if since(memory.created_at) || since(memory.recorded_at) {
        // A revised memory passes: its version of that time is for the caller to judge.
        return !since(memory.created_at);
    }
    let expired = memory.expires_at.is_some_and(|at| at <= view.now);
    let visible = !view.shared_only || is_open(view, memory);
    let is_in_time = !expired && !forgotten(view, memory) && valid(view, memory);
    is_in_time && visible && told(view, memory) && passes_filter(view, memory)
}

/// True if a view hides a memory because it is forgotten: by its retention at that moment, or by an eviction.
pub fn forgotten(view: &View, memory: &Memory) -> bool {
    let Some(forgetting) = view.forgetting.as_ref().filter(|one| !one.includes_forgotten) else {
        return false;
    };
    let policy = &forgetting.policy;
    if matches!(policy.effect, None | Some(Effect::Demote)) || memory.strength.pinned {
        return false;
    }
    let record = memory.forgotten.as_ref();
    let is_by_record =
        record.is_some_and(|record| record.reason != Reason::Faded && record.since <= view.now);
    let retention = policy.curve.retention(&policy.trace(memory.kind, &memory.strength), view.now);
    is_by_record || policy.rule == Rule::FixedThreshold && retention < threshold(memory.id)
}

/// True if a memory is out of the resident index.
pub fn is_cold(memory: &Memory) -> bool {
    let Some(record) = memory.forgotten.as_ref() else { return false };
    let is_later = memory.strength.uses.newest().iter().any(|one| one.at > record.since);
    matches!(record.effect, Effect::Cold | Effect::Delete) && !memory.strength.pinned && !is_later
}

/// The memories that a query under a view searches, and over which its term statistics are: all if the view has a policy and sees a
/// cold one, else those that are not cold.
pub fn searched(view: &View, all: &[Indexed]) -> Vec<Indexed> {
    let is_asked_for = |one: &Indexed| is_cold(&one.memory) && !forgotten(view, &one.memory);
    let is_whole = view.forgetting.is_some() && all.iter().any(is_asked_for);
    all.iter().filter(|one| is_whole || !is_cold(&one.memory)).cloned().collect()
}

/// True if a memory passes the filter of a view, and is no digest of a kind that it hides.
pub fn passes_filter(view: &View, memory: &Memory) -> bool {
    let is_digest = memory.kind == Kind::Digest
        && memory.document.as_ref().is_some_and(|document| {
            let namespaces = ["digests/events", "digests/personality", "digests/portrait"];
            namespaces.contains(&document.namespace.as_str())
        });
    passes(&view.filter, memory) && !(view.hides_digests && is_digest)
}

/// True if a memory is visible to a query that does not name its owner.
fn is_open(view: &View, memory: &Memory) -> bool {
    let is_shared = memory.visibility == Visibility::Shared;
    let Some(opened) = &view.opened else { return is_shared };
    let confided = !memory.audience.is_empty();
    let granted = opened.grants.iter().any(|(_, selection)| match selection {
        Selection::Memories(ids) => ids.contains(&memory.id),
        Selection::Tag(_) | Selection::Filter(_) if confided => false,
        Selection::Tag(tag) => memory.tags.iter().any(|one| one == tag),
        Selection::Filter(filter) => passes(filter, memory),
    });
    granted || is_shared && opened.shared.as_ref().is_some_and(|filter| passes(filter, memory))
}

/// True if a memory is valid at the view's valid time.
pub fn valid(view: &View, memory: &Memory) -> bool {
    let at = view.valid.at;
    if view.valid.hides_ended && memory.valid.end.is_some_and(|end| at >= end) {
        return false;
    }
    let begins = [memory.valid.start, (memory.kind == Kind::Turn).then_some(memory.happened.at)];
    !view.valid.hides_later || begins.into_iter().flatten().all(|begin| begin <= at)
}

/// True if a memory may be told to the view's partner.
pub fn told(view: &View, memory: &Memory) -> bool {
    match &view.partner {
        Some(partner) if !memory.audience.is_empty() => memory.audience.iter().any(|name| name == partner),
        _ => true,
    }
}

/// True if a memory passes a filter.
pub fn passes(filter: &Filter, memory: &Memory) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| passes(part, memory)),
        Filter::Or(parts) => parts.iter().any(|part| passes(part, memory)),
        Filter::Not(part) => !passes(part, memory),
        Filter::Field(field, test) => {
            let values = values(field, memory);
            match test {
                Test::IsNull(wanted) => values.is_empty() == *wanted,
                _ => values.iter().any(|value| holds(test, value, field.is_set())),
            }
        }
    }
}

/// All values of a field that a memory has.
fn values(field: &Field, memory: &Memory) -> Vec<Scalar> {
    let origin = memory.origin.as_ref();
    let document = memory.document.as_ref();
    let text = |text: &str| vec![Scalar::Text(text.to_owned())];
    let maybe = |name: Option<&Name>| name.map(|name| text(name.as_str())).unwrap_or_default();
    let time = |at: Option<Timestamp>| at.map(Scalar::Time).into_iter().collect();
    let all = |names: &[Name]| names.iter().map(|name| Scalar::Text(name.to_string())).collect();
    match field {
        Field::Kind => text(memory.kind.as_str()),
        Field::Role => origin.map(|origin| text(origin.role.as_str())).unwrap_or_default(),
        Field::Author => maybe(origin.and_then(|origin| origin.author.as_ref())),
        Field::Agent => maybe(memory.agent.as_ref()),
        Field::App => maybe(memory.app.as_ref()),
        Field::Run => maybe(memory.run.as_ref()),
        Field::Session => maybe(origin.map(|origin| &origin.session_key)),
        Field::Namespace => maybe(document.map(|document| &document.namespace)),
        Field::Key => maybe(document.map(|document| &document.key)),
        Field::HappenedAt => time(Some(memory.happened.at)),
        Field::RecordedAt => time(Some(memory.recorded_at)),
        Field::CreatedAt => time(Some(memory.created_at)),
        Field::ValidFrom => time(memory.valid.start),
        Field::ValidTo => time(memory.valid.end),
        Field::ExpiresAt => time(memory.expires_at),
        Field::Importance => {
            Number::from_f64(memory.strength.importance).map(Scalar::Number).into_iter().collect()
        }
        Field::Version => vec![Scalar::Number(Number::from(memory.version))],
        Field::Tags => all(&memory.tags),
        Field::Subjects => all(&memory.subjects),
        Field::Audience => all(&memory.audience),
        Field::Metadata(path) => {
            let mut found = Vec::new();
            follow(&Value::Object(memory.metadata.as_map().clone()), Some(path), &mut found);
            found
        }
    }
}

/// Follows a path into a value; where it ends (`None`), scalars count. Arrays are gone through on the way.
fn follow(value: &Value, path: Option<&str>, found: &mut Vec<Scalar>) {
    match (value, path) {
        (Value::Array(values), _) => values.iter().for_each(|value| follow(value, path, found)),
        (Value::Object(object), Some(path)) => {
            for (key, value) in object {
                match path.strip_prefix(key.as_str()) {
                    Some("") => follow(value, None, found),
                    Some(rest) => {
                        if let Some(rest) = rest.strip_prefix('.') {
                            follow(value, Some(rest), found);
                        }
                    }
                    None => {}
                }
            }
        }
        (Value::String(text), None) => found.push(Scalar::Text(text.clone())),
        (Value::Number(number), None) => found.extend(Number::from_json(number).map(Scalar::Number)),
        (Value::Bool(bool), None) => found.push(Scalar::Bool(*bool)),
        _ => {}
    }
}

fn holds(test: &Test, value: &Scalar, is_set: bool) -> bool {
    match test {
        Test::Eq(wanted) => wanted == value,
        Test::In(wanted) => wanted.scalars().any(|wanted| wanted == *value),
        Test::Range(Range { gte, gt, lte, lt }) => {
            let order = |bound: &Scalar| compare(value, bound);
            gte.as_ref().is_none_or(|bound| order(bound).is_some_and(|order| order.is_ge()))
                && gt.as_ref().is_none_or(|bound| order(bound).is_some_and(|order| order.is_gt()))
                && lte.as_ref().is_none_or(|bound| order(bound).is_some_and(|order| order.is_le()))
                && lt.as_ref().is_none_or(|bound| order(bound).is_some_and(|order| order.is_lt()))
        }
        Test::Contains(part) => match value {
            Scalar::Text(text) if is_set => text == part,
            Scalar::Text(text) => text.to_lowercase().contains(&part.to_lowercase()),
            _ => false,
        },
        Test::IsNull(_) => false,
    }
}

fn compare(value: &Scalar, bound: &Scalar) -> Option<std::cmp::Ordering> {
    match (value, bound) {
        (Scalar::Text(value), Scalar::Text(bound)) => Some(value.as_bytes().cmp(bound.as_bytes())),
        (Scalar::Number(value), Scalar::Number(bound)) => Some(value.cmp(bound)),
        (Scalar::Time(value), Scalar::Time(bound)) => Some(value.cmp(bound)),
        _ => None,
    }
}

/// Retention of a memory as the score has it: by the formula of the scan if the view has the default policy, whose decay the
/// rows hold, and no memory was used later; else by the curve, rounded.
fn retention(query: &IndexQuery, memory: &Memory, all: &[Indexed]) -> f32 {
    let (own, now) = (Policy::default(), query.view.now);
    let policy = query.view.forgetting.as_ref().map_or(&own, |forgetting| &forgetting.policy);
    let is_later = |one: &Indexed| one.memory.strength.uses.last().is_some_and(|newest| newest.at > now);
    let trace = policy.trace(memory.kind, &memory.strength);
    if !policy.has_retention_of(&own) || all.iter().any(is_later) {
        return policy.curve.retention(&trace, now) as f32;
    }
    let decay = policy.curve.decay(&trace).unwrap_or_default();
    let elapsed = gpu_retrieval::elapsed_us(now.as_micros(), decay.t0_us);
    gpu_retrieval::retention(elapsed, decay.rate_per_us, decay.shape)
}

/// The best row's fused score, and the span of that row: the first of the highest; none without a vector. `all` are the
/// memories of the partition.
pub fn dense(query: &IndexQuery, indexed: &Indexed, all: &[Indexed]) -> Option<(f32, (u32, u32))> {
    let vector_of_query = gpu_retrieval::unit_fp16(query.vector.as_ref()?).ok()?;
    let retention = retention(query, &indexed.memory, all);
    let ScanWeights { similarity, retention: of_retention, importance } = query.weights;
    let weights = Weights { similarity, retention: of_retention, importance };
    let bias = gpu_retrieval::bias(&weights, retention, indexed.memory.strength.importance as f32);
    let mut best: Option<(f32, (u32, u32))> = None;
    for row in &indexed.rows {
        let Some(vector) = &row.vector else { continue };
        let score = gpu_retrieval::fuse(&weights, gpu_retrieval::dot(&vector_of_query, vector), bias);
        if best.is_none_or(|(before, _)| score > before) {
            best = Some((score, row.span));
        }
    }
    best
}

/// BM25 over all rows of the partition, in double precision (k1 1.2, b 0.75).
#[derive(Debug)]
pub struct Bm25 {
    rows: Vec<TermVector>,
    average: f64,
    /// The query words, each as its alternatives.
    words: Vec<Vec<u32>>,
}

impl Bm25 {
    /// For a query to these memories.
    pub fn new(query: &IndexQuery, all: &[Indexed]) -> Self {
        let rows: Vec<TermVector> = all.iter().flat_map(decoded).collect();
        let mut languages: Vec<_> = rows.iter().map(TermVector::language).collect();
        languages.sort_unstable();
        languages.dedup();
        let words = Tokenizer.query(&query.text, &languages);
        let average =
            rows.iter().map(|row| f64::from(row.length_tokens())).sum::<f64>() / (rows.len().max(1)) as f64;
        Self { rows, average, words: words.words().iter().map(|word| word.alternatives().to_vec()).collect() }
    }

    /// Of a memory's best row.
    pub fn best_row(&self, indexed: &Indexed) -> f64 {
        decoded(indexed).map(|row| self.score(std::slice::from_ref(&row), 1)).fold(0.0, f64::max)
    }

    /// Of a memory and its adjacent turns, as one text of three turns.
    pub fn window(&self, indexed: &Indexed, beside: &[&Indexed]) -> f64 {
        let rows: Vec<TermVector> =
            decoded(indexed).chain(beside.iter().copied().flat_map(decoded)).collect();
        self.score(&rows, 3)
    }

    fn score(&self, rows: &[TermVector], turns: u32) -> f64 {
        let length: u32 = rows.iter().map(TermVector::length_tokens).sum();
        let of_term = |hash: u32| {
            let here: f64 = rows.iter().map(|row| count(row, hash)).sum();
            if here == 0.0 {
                return 0.0;
            }
            let n = self.rows.len() as f64;
            let df = self.rows.iter().filter(|row| count(row, hash) > 0.0).count() as f64;
            let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
            idf * here / (here + 1.2 * (0.25 + 0.75 * f64::from(length / turns) / self.average))
        };
        self.words.iter().map(|word| word.iter().map(|hash| of_term(*hash)).fold(0.0, f64::max)).sum()
    }
}

/// True if a memory's last row ends with a question.
pub fn ends_with_question(indexed: &Indexed) -> bool {
    decoded(indexed).last().is_some_and(|row| row.ends_with_question())
}

fn decoded(indexed: &Indexed) -> impl Iterator<Item = TermVector> + '_ {
    indexed.rows.iter().filter_map(|row| TermVector::decode(&row.terms).ok())
}

fn count(row: &TermVector, hash: u32) -> f64 {
    row.terms().iter().find(|term| term.hash == hash).map_or(0.0, |term| f64::from(term.count))
}

/// The greatest cosine of a row of the one and a row of the other, of the first four rows of each; none without a vector.
pub fn similarity(one: &Indexed, other: &Indexed) -> Option<f32> {
    let vectors = |of: &Indexed| {
        let vectors = of.rows.iter().take(4).filter_map(|row| row.vector.clone());
        vectors.map(|vector| vector.iter().map(|x| f32::from(*x)).collect::<Vec<f32>>()).collect::<Vec<_>>()
    };
    let cosine = |one: &[f32], other: &[f32]| {
        let norm = |vector: &[f32]| vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        one.iter().zip(other).map(|(x, y)| x * y).sum::<f32>() / (norm(one) * norm(other))
    };
    let others = vectors(other);
    let cosines = vectors(one)
        .into_iter()
        .flat_map(|one| others.iter().map(move |other| cosine(&one, other)).collect::<Vec<_>>());
    cosines.max_by(f32::total_cmp)
}

/// Share of the rare terms of the one that the other has, by their walk: see [`crate::index::Association::shared_terms`].
pub fn shared_terms(one: &Indexed, other: &Indexed, all: &[Indexed]) -> f64 {
    let rows: Vec<TermVector> = all.iter().flat_map(decoded).collect();
    let most = (rows.len() / 20).max(2);
    let of = |row: &TermVector| row.terms().iter().map(|term| term.hash).collect::<Vec<u32>>();
    let mut terms: Vec<u32> = decoded(one).take(4).flat_map(|row| of(&row)).collect();
    terms.sort_unstable();
    terms.dedup();
    let df = |hash: u32| rows.iter().filter(|row| count(row, hash) > 0.0).count();
    terms.retain(|hash| (2..=most).contains(&df(*hash)));
    let idf = |hash: u32| {
        let (n, df) = (rows.len() as f64, df(hash) as f64);
        (1.0 + (n - df + 0.5) / (df + 0.5)).ln()
    };
    let total: f64 = terms.iter().map(|hash| idf(*hash)).sum();
    let share = |row: &TermVector| {
        let shared = terms.iter().filter(|hash| count(row, **hash) > 0.0);
        shared.map(|hash| idf(*hash) / df(*hash) as f64).sum::<f64>() / total
    };
    if total > 0.0 { decoded(other).take(4).map(|row| share(&row)).fold(0.0, f64::max) } else { 0.0 }
}

/// True if a query names the author of a turn.
pub fn names_author(query: &IndexQuery, memory: &Memory) -> bool {
    let author = memory.origin.as_ref().and_then(|origin| origin.author.as_ref());
    author.is_some_and(|author| NamedPeople::in_text(&query.text).has(author.as_str()))
}
