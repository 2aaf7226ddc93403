//! Arms of the comparison: what decides which memories are kept, at equal store size.

use serde_json::{Value, json};

/// Factors on the initial strength, in all arms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gains {
    /// Of a memory of importance 1.
    pub(crate) importance: f64,
    /// Of a memory that is unlike all that was told before.
    pub(crate) surprise: f64,
}

/// Arm: a rule of eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arm {
    /// Name in the report.
    pub(crate) name: &'static str,
    eviction: &'static str,
    curve: &'static str,
}

const fn curve(name: &'static str) -> Arm {
    Arm { name, eviction: "curve", curve: name }
}

const fn baseline(name: &'static str) -> Arm {
    Arm { name, eviction: name, curve: "memorybank.paper" }
}

/// All arms: the curves, and the rules without a curve.
pub(crate) const ARMS: [Arm; 11] = [
    curve("memorybank.paper"),
    curve("memorybank.intended"),
    curve("memorybank.asreleased"),
    curve("wixted"),
    curve("actr"),
    curve("fsrs6"),
    curve("hlr"),
    baseline("lru"),
    baseline("fifo"),
    baseline("importance"),
    baseline("random"),
];

impl Arm {
    /// Policy that keeps `quota` memories by this rule, and hides the others. Importance and kinds are left out of the strength,
    /// so that only the rules differ; the gains put importance and surprise back (1 for none).
    pub(crate) fn policy(self, quota: u64, counts_from: &str, gains: Gains) -> Value {
        json!({
            "curve": self.curve,
            "effect": "exclude",
            "rule": "quota_alone",
            "quota_memories": quota.max(1),
            "eviction": self.eviction,
            "counts_from": counts_from,
            "importance_gain": gains.importance,
            "surprise_gain": gains.surprise,
        })
    }
}

/// Policy of the telling and of the rehearsals: it measures surprise if there is a gain by it, records uses of this evidence, and
/// forgets nothing.
pub(crate) fn rehearsing(counts_from: &str, gains: Gains) -> Value {
    json!({ "counts_from": counts_from, "refractory_seconds": 3600, "surprise_gain": gains.surprise })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NONE: Gains = Gains { importance: 1.0, surprise: 1.0 };

    #[test]
    fn arms_have_names_of_their_own_and_policies_that_differ() {
        let names: BTreeSet<&str> = ARMS.iter().map(|arm| arm.name).collect();
        assert_eq!(names.len(), ARMS.len());
        let policies: BTreeSet<String> =
            ARMS.iter().map(|arm| arm.policy(9, "cited", NONE).to_string()).collect();
        assert_eq!(policies.len(), ARMS.len());
        assert_eq!(ARMS[0].policy(0, "cited", NONE)["quota_memories"], 1);
    }

    #[test]
    fn a_gain_by_surprise_holds_from_the_telling_on() {
        let gains = Gains { surprise: 4.0, ..NONE };
        let policies = [rehearsing("cited", gains), ARMS[0].policy(9, "cited", gains)];
        assert!(policies.iter().all(|policy| policy["surprise_gain"] == 4.0), "{policies:?}");
    }
}
