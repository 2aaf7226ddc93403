//! World of needs by the power law of the environment: on a day, a memory is needed with a probability in proportion to the sum
//! of t^(-1/2) over its telling and its earlier needs, t in days (Anderson and Schooler 1991). This is the assumption of ACT-R.

use super::words::{COLOURS, PLACES, THINGS};
use super::{DAYS, Events, Random, UNMARKED};

/// Number of memories.
const COUNT: usize = 600;
/// Needs of all memories on one day, in the mean, at the end of the year.
const NEEDS_PER_DAY: f64 = 3.0;
/// Decay of the need.
const DECAY: f64 = 0.5;
/// Memories asked at the end: drawn by their need.
const TESTS: usize = 120;

pub(super) fn events(random: &mut Random) -> Events {
    let mut events = Events::default();
    let mut uses: Vec<Vec<f64>> = Vec::new();
    let numbers = random.order(COLOURS.len() * THINGS.len() * PLACES.len());
    let mut told: Vec<f64> = (0..COUNT).map(|_| random.share() * (DAYS - 1.0)).collect();
    told.sort_by(f64::total_cmp);
    for (number, day) in numbers.iter().zip(&told) {
        let (colour, thing, place) = combined(*number);
        let text = format!("I left a note about the {colour} {thing} with the people of the {place}.");
        events.told.push((name(*number), text, *day, UNMARKED));
        uses.push(vec![*day]);
    }
    let mut day = 1.0;
    while day < DAYS {
        // As many needs a day as there are memories yet, in proportion.
        if random.share() < NEEDS_PER_DAY / 4.0 * (day / DAYS) + 0.02
            && let Some(chosen) = drawn(&uses, day, random)
        {
            uses[chosen].push(day);
            events.asked.push((day, question(numbers[chosen]), name(numbers[chosen])));
        }
        day += 0.25;
    }
    let mut tested = std::collections::BTreeSet::new();
    for _ in 0..TESTS * 20 {
        if tested.len() < TESTS {
            tested.extend(drawn(&uses, DAYS, random));
        }
    }
    events.tests.extend(tested.into_iter().map(|chosen| (question(numbers[chosen]), name(numbers[chosen]))));
    events
}

/// A memory drawn in proportion to its need on a day; `None` if nothing was told before.
fn drawn(uses: &[Vec<f64>], day: f64, random: &mut Random) -> Option<usize> {
    let need = |used: &Vec<f64>| -> f64 {
        used.iter().filter(|at| **at < day).map(|at| (day - at).max(0.1).powf(-DECAY)).sum()
    };
    let needs: Vec<f64> = uses.iter().map(need).collect();
    let mut left = random.share() * needs.iter().sum::<f64>();
    needs.iter().position(|need| {
        left -= need;
        left < 0.0 && *need > 0.0
    })
}

fn combined(number: usize) -> (&'static str, &'static str, &'static str) {
    let rest = number / COLOURS.len();
    (COLOURS[number % COLOURS.len()], THINGS[rest % THINGS.len()], PLACES[rest / THINGS.len() % PLACES.len()])
}

fn name(number: usize) -> String {
    format!("note {number}")
}

fn question(number: usize) -> String {
    let (colour, thing, place) = combined(number);
    format!("What about the {colour} {thing} and the {place}?")
}
