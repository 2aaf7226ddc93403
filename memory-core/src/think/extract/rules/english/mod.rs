//! Rules for English, one file per family of statements.
//!
//! Another language is a folder beside this one, with its tables and word classes.

mod events;
mod identity;
mod plans;
mod possessions;
mod preferences;
mod relations;
mod work;

use std::sync::LazyLock;

use super::pattern::Pattern;
use super::rule::Rule;

/// All rules with their patterns, in order of preference: of two that match at the same token, the first is used.
pub(super) static RULES: LazyLock<Vec<(Rule, Pattern)>> = LazyLock::new(|| {
    let families = [
        identity::RULES,
        work::RULES,
        relations::RULES,
        possessions::RULES,
        preferences::RULES,
        plans::RULES,
        events::RULES,
    ];
    families.into_iter().flatten().map(|rule| (*rule, Pattern::new(rule.pattern))).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::Name;
    use crate::domain::statement::Attribute;

    #[test]
    fn every_rule_is_well_formed() {
        for (rule, _) in RULES.iter() {
            let slot = rule.attribute.replace("{what}", "x").replace("{kin}", "x");
            assert!(slot.is_empty() || Attribute::new(&slot).is_some(), "{rule:?}");
            assert!(Name::new(rule.relation).is_ok() && (0.5..=1.0).contains(&rule.confidence), "{rule:?}");
        }
    }
}
