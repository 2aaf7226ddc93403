//! World of states: things are moved, each at a rate of its own, and where a thing is now is asked (situational understanding).
//! The newest statement about a thing is needed, however old it is; all earlier ones never again.

use super::words::{COLOURS, PLACES, THINGS};
use super::{DAYS, Events, Random, UNMARKED};

/// Moves of a thing in a year, from the least to the most often moved.
const MOVES: (f64, f64) = (1.0, 40.0);
/// Questions on the way in a year.
const QUESTIONS: usize = 300;
/// Number of things.
const COUNT: usize = 80;

pub(super) fn events(random: &mut Random) -> Events {
    let mut events = Events::default();
    let mut current: Vec<Vec<(f64, String)>> = Vec::new();
    for number in random.order(COLOURS.len() * THINGS.len()).into_iter().take(COUNT) {
        let thing = thing(number);
        let rate = MOVES.0 * (MOVES.1 / MOVES.0).powf(random.share());
        let (mut day, mut place, mut states) = (0.0, random.below(PLACES.len()), Vec::new());
        while day < DAYS {
            let name = format!("{thing} {}", states.len());
            let text = format!("The {thing} is in the {} now.", PLACES[place]);
            events.told.push((name.clone(), text, day.max(random.share() * 0.9), UNMARKED));
            states.push((day, name));
            day += random.wait() * DAYS / rate;
            place = (place + 1 + random.below(PLACES.len() - 1)) % PLACES.len();
        }
        events.tests.extend(states.last().map(|(_, name)| (question(&thing), name.clone())));
        current.push(states);
    }
    for _ in 0..QUESTIONS {
        let (day, states) = (1.0 + random.share() * (DAYS - 1.0), &current[random.below(current.len())]);
        let state = states.iter().rfind(|(since, _)| *since + 1.0 < day);
        let asked = state.map(|(_, name)| {
            (day, question(name.rsplit_once(' ').map_or("", |(thing, _)| thing)), name.clone())
        });
        events.asked.extend(asked);
    }
    events
}

fn thing(number: usize) -> String {
    format!("{} {}", COLOURS[number % COLOURS.len()], THINGS[number / COLOURS.len() % THINGS.len()])
}

fn question(thing: &str) -> String {
    format!("Where is the {thing}?")
}
