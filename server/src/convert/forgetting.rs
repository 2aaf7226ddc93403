//! Conversion of requests and responses about forgetting.

use engrain::wire;
use memory_core::domain::forgotten::{Effect, Forgotten, Reason};
use memory_core::domain::id::MemoryId;
use memory_core::domain::uses::UseKind;
use memory_core::error::Error;
use memory_core::forgetting::request::{
    ForgottenMemory, PreviewSweep, PreviewedSweep, RestoreForgotten, SweepCounts, SweptMemory,
};
use memory_core::retention::{CurveId, Eviction, InitialStrengths, Policy, Rule};
use memory_core::scope::policies::PolicyState;
use memory_core::store::ForgottenFilter;

use super::cursor;
use super::fields::{self, ZoneOf, scope};

/// Memories of a page by default.
pub(crate) const DEFAULT_PAGE: u32 = 100;
/// Name of no effect.
const NO_EFFECT: &str = "none";

/// Field of a policy in most requests.
pub(crate) const POLICY: &str = "policy";

/// Policy of the field `at` of a request. Its numbers are for the engine to check.
pub(crate) fn policy(policy: wire::ForgettingPolicy, at: &str) -> Result<Policy, Error> {
    let path = |field: &str| format!("{at}.{field}");
    let effects = Effect::ALL.map(Some);
    let effects = [None].into_iter().chain(effects);
    let effect = named(&path("effect"), &policy.effect, effects, effect_name)?;
    let evidence = UseKind::ALL.into_iter().filter(|kind| *kind != UseKind::Contradicted);
    let wire::InitialStrengths { turn, fact, thought, note, digest, document } = policy.initial_strengths;
    Ok(Policy {
        curve: curve(&path("curve"), &policy.curve)?,
        weight: policy.weight,
        effect,
        rule: named(&path("rule"), &policy.rule, Rule::ALL, Rule::as_str)?,
        grace_days: policy.grace_days,
        quota_memories: policy.quota_memories,
        eviction: named(&path("eviction"), &policy.eviction, Eviction::ALL, Eviction::as_str)?,
        counts_from: named(&path("counts_from"), &policy.counts_from, evidence, UseKind::as_str)?,
        refractory_seconds: policy.refractory_seconds,
        initial_strengths: InitialStrengths { turn, fact, thought, note, digest, document },
        importance_gain: policy.importance_gain,
        surprise_gain: policy.surprise_gain,
        surprise_midpoint: policy.surprise_midpoint,
    })
}

/// Forgetting curve by its name. The refusal lists the names.
pub(super) fn curve(path: &str, name: &str) -> Result<CurveId, Error> {
    named(path, name, CurveId::ALL, CurveId::as_str)
}

/// Filter of a list of forgotten memories.
pub(crate) fn filter(reason: Option<&str>, effect: Option<&str>) -> Result<ForgottenFilter, Error> {
    Ok(ForgottenFilter {
        reason: reason.map(|name| named("reason", name, Reason::ALL, Reason::as_str)).transpose()?,
        effect: effect.map(|name| named("effect", name, Effect::ALL, Effect::as_str)).transpose()?,
    })
}

fn effect_name(effect: Option<Effect>) -> &'static str {
    effect.map_or(NO_EFFECT, Effect::as_str)
}

fn named<T: Copy>(
    path: &str,
    name: &str,
    all: impl IntoIterator<Item = T>,
    as_str: impl Fn(T) -> &'static str,
) -> Result<T, Error> {
    let mut known = Vec::new();
    for one in all {
        if as_str(one) == name {
            return Ok(one);
        }
        known.push(as_str(one));
    }
    Err(Error::invalid(path, format!("must be one of {}", known.join(", "))))
}

/// Policy on the wire.
pub(crate) fn wire_policy(policy: &Policy) -> wire::ForgettingPolicy {
    let InitialStrengths { turn, fact, thought, note, digest, document } = policy.initial_strengths;
    wire::ForgettingPolicy {
        curve: policy.curve.as_str().to_owned(),
        weight: policy.weight,
        effect: effect_name(policy.effect).to_owned(),
        rule: policy.rule.as_str().to_owned(),
        grace_days: policy.grace_days,
        quota_memories: policy.quota_memories,
        eviction: policy.eviction.as_str().to_owned(),
        counts_from: policy.counts_from.as_str().to_owned(),
        refractory_seconds: policy.refractory_seconds,
        initial_strengths: wire::InitialStrengths { turn, fact, thought, note, digest, document },
        importance_gain: policy.importance_gain,
        surprise_gain: policy.surprise_gain,
        surprise_midpoint: policy.surprise_midpoint,
    }
}

/// State of a policy on the wire.
pub(crate) fn state(state: &PolicyState) -> wire::ForgettingPolicyState {
    wire::ForgettingPolicyState { policy: wire_policy(&state.policy), is_default: !state.is_own }
}

/// Request for a preview; its date is read in the zone of the owner.
pub(crate) fn preview(request: wire::PreviewSweep, zone_of: &ZoneOf<'_>) -> Result<PreviewSweep, Error> {
    let scope = scope(&request.scope, "scope")?;
    Ok(PreviewSweep {
        policy: request.policy.map(|it| policy(it, POLICY)).transpose()?,
        now: fields::optional_time(request.now.as_deref(), &zone_of(&scope), "now")?,
        limit: request.limit.unwrap_or(DEFAULT_PAGE),
        after: cursor::read(request.cursor.as_deref(), cursor::memory)?,
        scope,
    })
}

/// Preview on the wire.
pub(crate) fn previewed(preview: PreviewedSweep) -> wire::PreviewedSweep {
    let PreviewedSweep { now, policy, counts, entries, has_more } = preview;
    let last = entries.last().filter(|_| has_more).map(|entry| cursor::of_memory(entry.memory));
    wire::PreviewedSweep {
        now: now.to_string(),
        policy: wire_policy(&policy),
        counts: swept_counts(counts),
        changes: entries.into_iter().map(swept).collect(),
        next_cursor: last,
    }
}

fn swept_counts(counts: SweepCounts) -> wire::SweepCounts {
    let SweepCounts { memories, live, faded, evicted, drawn, by_kind, remembered, renewed, erased } = counts;
    let by_kind = by_kind.into_iter().map(|(kind, count)| (kind.as_str().to_owned(), count)).collect();
    wire::SweepCounts { memories, live, faded, evicted, drawn, by_kind, remembered, renewed, erased }
}

fn swept(entry: SweptMemory) -> wire::SweptMemory {
    wire::SweptMemory {
        id: entry.memory.0,
        kind: entry.kind.as_str().to_owned(),
        excerpt: entry.excerpt,
        change: entry.change.as_str().to_owned(),
        reason: entry.record.as_ref().map(|record| record.reason.as_str().to_owned()),
        since: entry.record.map(|record| record.since.to_string()),
        retention: entry.retention,
        strength: entry.strength,
        threshold: entry.threshold,
    }
}

/// Request to restore; its date is read in the zone of the owner.
pub(crate) fn restore(
    request: wire::RestoreForgotten,
    zone_of: &ZoneOf<'_>,
) -> Result<RestoreForgotten, Error> {
    let wire::RestoreForgotten { scope: of, memory_ids, all, now, reinforce } = request;
    let scope = scope(&of, "scope")?;
    if memory_ids.is_some() == all {
        return Err(Error::invalid("memory_ids", "give either memory_ids or all"));
    }
    let memories = memory_ids.map(|ids| ids.into_iter().map(MemoryId).collect());
    let now = fields::optional_time(now.as_deref(), &zone_of(&scope), "now")?;
    Ok(RestoreForgotten { scope, memories, now, reinforce: reinforce.unwrap_or(true) })
}

/// Forgotten memory on the wire.
pub(crate) fn forgotten(entry: ForgottenMemory) -> wire::ForgottenMemory {
    let ForgottenMemory { memory, kind, excerpt, record } = entry;
    let Forgotten { since, recorded_at, reason, effect, curve, retention, threshold } = record;
    wire::ForgottenMemory {
        id: memory.0,
        kind: kind.map(|kind| kind.as_str().to_owned()),
        excerpt,
        reason: reason.as_str().to_owned(),
        effect: effect.as_str().to_owned(),
        since: since.to_string(),
        recorded_at: recorded_at.to_string(),
        curve,
        retention,
        threshold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_the_same_on_the_wire_in_the_store_and_in_the_configuration() {
        assert_eq!(wire_policy(&Policy::default()), wire::ForgettingPolicy::default());
        let defaults = [
            serde_json::to_value(wire::ForgettingPolicy::default()),
            serde_json::to_value(Policy::default()),
        ];
        let [of_wire, of_core] = defaults.map(|json| json.expect("JSON"));
        assert_eq!(of_wire, of_core, "the defaults of the SDK, field by field");
        for effect in Effect::ALL.map(Some).into_iter().chain([None]) {
            let (quota_memories, weight) = (Some(9), Some(0.5));
            let known = Policy { effect, quota_memories, weight, surprise_gain: 4.0, ..Policy::default() };
            let on_the_wire = wire_policy(&known);
            assert_eq!(policy(on_the_wire.clone(), POLICY).ok(), Some(known.clone()));
            let stored = serde_json::to_value(&known).expect("JSON");
            assert_eq!(serde_json::to_value(on_the_wire).expect("JSON"), stored);
        }
    }

    #[test]
    fn a_filter_of_forgotten_memories_has_the_names_of_the_list_and_refuses_others() {
        for reason in Reason::ALL {
            for effect in Effect::ALL {
                let read = filter(Some(reason.as_str()), Some(effect.as_str())).ok();
                assert_eq!(read, Some(ForgottenFilter { reason: Some(reason), effect: Some(effect) }));
            }
        }
        assert_eq!(filter(None, None).ok(), Some(ForgottenFilter::default()));
        let refused = filter(Some("lost"), None).expect_err("refused").to_string();
        assert_eq!(refused, "reason: must be one of faded, evicted, drawn");
        let refused = filter(None, Some("none")).expect_err("refused").to_string();
        assert_eq!(refused, "effect: must be one of demote, exclude, cold, delete");
    }

    #[test]
    fn an_unknown_name_in_a_policy_is_named() {
        let unknown = wire::ForgettingPolicy { curve: "linear".to_owned(), ..Default::default() };
        let refused = policy(unknown, POLICY).expect_err("refused").to_string();
        assert!(refused.starts_with("policy.curve: must be one of none, memorybank.paper"), "{refused}");
        let unknown = wire::ForgettingPolicy { effect: "hide".to_owned(), ..Default::default() };
        let refused = policy(unknown, POLICY).expect_err("refused").to_string();
        assert_eq!(refused, "policy.effect: must be one of none, demote, exclude, cold, delete");
        let unknown = wire::ForgettingPolicy { counts_from: "contradicted".to_owned(), ..Default::default() };
        let refused = policy(unknown, POLICY).expect_err("refused").to_string();
        assert_eq!(refused, "policy.counts_from: must be one of returned, in_context, cited, confirmed");
    }
}
