//! Stratified sample of questions: every type has its share, and within a type the chosen ones are evenly spread over
//! the file. It is deterministic: the same file and number give the same questions.

use std::collections::{BTreeMap, BTreeSet};

/// The places of `wanted` of the `kinds`, or of all if there are not as many. Shares are rounded by largest remainder;
/// among equal remainders the first kind in the order of names goes first.
pub(crate) fn spread(kinds: &[String], wanted: usize) -> BTreeSet<usize> {
    let wanted = wanted.min(kinds.len());
    let mut strata: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, kind) in kinds.iter().enumerate() {
        strata.entry(kind).or_default().push(place);
    }
    let share = |places: &Vec<usize>| places.len() * wanted;
    let mut counts: Vec<usize> = strata.values().map(|places| share(places) / kinds.len().max(1)).collect();
    let mut by_remainder: Vec<(usize, usize)> = strata
        .values()
        .enumerate()
        .map(|(stratum, places)| (share(places) % kinds.len().max(1), stratum))
        .collect();
    by_remainder.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    let missing = wanted - counts.iter().sum::<usize>();
    for (_, stratum) in by_remainder.into_iter().take(missing) {
        counts[stratum] += 1;
    }
    let chosen = strata.values().zip(counts).flat_map(|(places, count)| {
        // The middle of each of `count` equal stretches.
        (0..count).map(move |part| places[(2 * part + 1) * places.len() / (2 * count)])
    });
    chosen.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(counts: &[(&str, usize)]) -> Vec<String> {
        counts.iter().flat_map(|(kind, count)| vec![(*kind).to_owned(); *count]).collect()
    }

    fn counted(kinds: &[String], chosen: &BTreeSet<usize>) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        for place in chosen {
            *counted.entry(kinds[*place].clone()).or_default() += 1;
        }
        counted
    }

    #[test]
    fn every_type_has_its_share() {
        let kinds = kinds(&[("a", 50), ("b", 30), ("c", 20)]);
        let chosen = spread(&kinds, 10);
        assert_eq!(counted(&kinds, &chosen), [("a".into(), 5), ("b".into(), 3), ("c".into(), 2)].into());
        // 7 of 100: shares of 3.5, 2.1 and 1.4; the half is the largest remainder.
        let chosen = spread(&kinds, 7);
        assert_eq!(counted(&kinds, &chosen), [("a".into(), 4), ("b".into(), 2), ("c".into(), 1)].into());
    }

    #[test]
    fn the_chosen_are_evenly_spread_and_always_the_same() {
        let kinds = kinds(&[("a", 100)]);
        assert_eq!(Vec::from_iter(spread(&kinds, 4)), [12, 37, 62, 87]);
        assert_eq!(spread(&kinds, 4), spread(&kinds, 4));
        let mixed: Vec<String> = (0..100).map(|place| format!("{}", place % 3)).collect();
        let chosen = spread(&mixed, 9);
        assert_eq!(chosen.len(), 9);
        assert!(
            chosen.first().is_some_and(|first| *first < 34) && chosen.last().is_some_and(|last| *last > 65)
        );
    }

    #[test]
    fn as_many_as_are_wanted_and_never_more_than_there_are() {
        let kinds = kinds(&[("a", 7), ("b", 5), ("c", 1)]);
        for wanted in 0..=20 {
            assert_eq!(spread(&kinds, wanted).len(), wanted.min(13), "{wanted}");
        }
        assert!(spread(&[], 3).is_empty());
    }
}
