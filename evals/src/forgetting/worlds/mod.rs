//! Synthetic worlds: a year in which it is known what is needed when. Each is a pure function of a seed.
//!
//! In `needs` the need of a memory follows the power law of its past uses that ACT-R assumes, so that curves of this family
//! are at home there. In `states`, `preferences` and `capacity` need follows no curve: what holds now is needed, however long
//! ago it was said.

mod capacity;
mod needs;
mod preferences;
mod states;
mod words;

use engrain::wire::Scope;
use jiff::Timestamp;

use super::random::Random;
use super::scenario::{Need, Scenario, Told, fact};

/// Length of a world in days.
const DAYS: f64 = 365.0;
/// Number of statements from the first to the second of a pair for questions about order.
const PAIR_SPAN: usize = 8;
/// Start of every world.
const START: Timestamp = Timestamp::constant(1_672_531_200, 0);
/// Importance of what nobody has marked: the default of the server.
const UNMARKED: f64 = 0.5;
/// Importance of what an application marks as important.
const MARKED: f64 = 0.9;

/// Names of the worlds, in the order of the report.
pub(crate) const NAMES: [&str; 4] = ["states", "preferences", "capacity", "needs"];

/// World of this name for one user.
pub(crate) fn world(name: &str, seed: u64, user_prefix: &str) -> Option<Scenario> {
    let events = match name {
        "states" => states::events,
        "preferences" => preferences::events,
        "capacity" => capacity::events,
        "needs" => needs::events,
        _ => return None,
    };
    let events = events(&mut Random::new(seed, name));
    let scope = Scope { user_id: Some(format!("{user_prefix}{name}-{seed}")), ..Scope::default() };
    Some(events.into_scenario(scope))
}

/// Events of a world.
#[derive(Debug, Default, PartialEq)]
struct Events {
    /// Name, text, day and importance of what is told.
    told: Vec<(String, String, f64, f64)>,
    /// Day, query and name of what is asked on the way.
    asked: Vec<(f64, String, String)>,
    /// Query and name of what is asked at the end.
    tests: Vec<(String, String)>,
}

impl Events {
    fn into_scenario(mut self, scope: Scope) -> Scenario {
        let at = |days: f64| super::scenario::after_days(START, days);
        self.told.sort_by(|one, other| one.2.total_cmp(&other.2));
        self.asked.sort_by(|one, other| one.0.total_cmp(&other.0));
        let end = at(DAYS);
        let facts = self
            .told
            .iter()
            .map(|(name, text, day, importance)| fact(name, text.clone(), at(*day), *importance));
        let is_once = |text: &str| self.told.iter().filter(|other| other.1 == text).count() == 1;
        let once: Vec<&String> = self.told.iter().map(|one| &one.1).filter(|text| is_once(text)).collect();
        let pair = |some: &[&String]| Some(((*some.first()?).clone(), (*some.last()?).clone()));
        let pairs = once.chunks(PAIR_SPAN).filter(|some| some.len() == PAIR_SPAN).filter_map(pair).collect();
        Scenario {
            scope,
            pairs,
            told: Told::Facts(facts.collect()),
            rehearsals: self
                .asked
                .into_iter()
                .map(|(day, query, name)| Need::of(at(day), query, &name))
                .collect(),
            tests: self.tests.into_iter().map(|(query, name)| Need::of(end, query, &name)).collect(),
            end,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn all() -> impl Iterator<Item = Scenario> {
        NAMES.into_iter().map(|name| world(name, 1, "w-").unwrap())
    }

    fn facts(scenario: &Scenario) -> BTreeMap<String, String> {
        let Told::Facts(facts) = &scenario.told else { panic!("worlds tell facts") };
        facts.iter().map(|fact| (fact.key.clone().unwrap(), fact.happened_at.clone().unwrap())).collect()
    }

    #[test]
    fn a_seed_gives_the_same_world_and_another_seed_another_one() {
        for name in NAMES {
            let tests = |seed| world(name, seed, "w-").unwrap().tests;
            assert_eq!(tests(1), tests(1));
            assert_ne!(tests(1), tests(2));
        }
        assert!(world("paradise", 1, "w-").is_none());
    }

    #[test]
    fn what_is_needed_was_told_before_under_a_name_of_its_own() {
        for scenario in all() {
            let facts = facts(&scenario);
            assert_eq!(facts.len(), scenario.told.count(), "{}: names are unique", scenario.user());
            for need in scenario.rehearsals.iter().chain(&scenario.tests) {
                for name in need.needed.iter().flatten() {
                    let told_at: Timestamp = facts[name].parse().unwrap();
                    assert!(told_at <= need.at, "{}: {name}", scenario.user());
                }
            }
            assert!(scenario.rehearsals.is_sorted_by_key(|need| need.at));
        }
    }

    #[test]
    fn worlds_are_large_enough_to_measure_and_small_enough_to_run() {
        for scenario in all() {
            let (told, tests) = (scenario.told.count(), scenario.tests.len());
            assert!((300..2_000).contains(&told), "{}: {told} told", scenario.user());
            assert!((40..300).contains(&tests), "{}: {tests} tests", scenario.user());
            assert!((30..2_000).contains(&scenario.rehearsals.len()), "{}", scenario.user());
            let texts: BTreeSet<&str> = scenario.tests.iter().map(|need| need.query.as_str()).collect();
            assert_eq!(texts.len(), tests, "{}: no question twice", scenario.user());
        }
    }
}
