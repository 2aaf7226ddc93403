//! Arms of the comparison: what decides which memories are kept, at equal store size.

use serde_json::{Value, json};

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
    /// so that only the rules differ; `gain` puts importance back (1 for none).
    pub(crate) fn policy(self, quota: u64, counts_from: &str, gain: f64) -> Value {
        json!({
            "curve": self.curve,
            "effect": "exclude",
            "rule": "quota_alone",
            "quota_memories": quota.max(1),
            "eviction": self.eviction,
            "counts_from": counts_from,
            "importance_gain": gain,
        })
    }
}

/// Policy of the rehearsals: it records uses of this evidence, and forgets nothing.
pub(crate) fn rehearsing(counts_from: &str) -> Value {
    json!({ "counts_from": counts_from, "refractory_seconds": 3600 })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn arms_have_names_of_their_own_and_policies_that_differ() {
        let names: BTreeSet<&str> = ARMS.iter().map(|arm| arm.name).collect();
        assert_eq!(names.len(), ARMS.len());
        let policies: BTreeSet<String> =
            ARMS.iter().map(|arm| arm.policy(9, "cited", 1.0).to_string()).collect();
        assert_eq!(policies.len(), ARMS.len());
        assert_eq!(ARMS[0].policy(0, "cited", 1.0)["quota_memories"], 1);
    }
}
