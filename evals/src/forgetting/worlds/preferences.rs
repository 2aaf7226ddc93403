//! World of preferences: what the user likes best in a category shifts now and then, and the present preference is asked. The
//! last statement about a category is needed.

use super::words::CATEGORIES;
use super::{DAYS, Events, Random, UNMARKED};

/// Statements about a category in a year: most repeat the present preference, some shift it.
const STATEMENTS: f64 = 12.0;
/// Share of the statements that shift the preference.
const SHIFTS: f64 = 0.35;
/// Questions on the way in a year.
const QUESTIONS: usize = 200;

pub(super) fn events(random: &mut Random) -> Events {
    let mut events = Events::default();
    let mut said: Vec<(usize, Vec<(f64, String)>)> = Vec::new();
    for (number, (category, options)) in CATEGORIES.iter().enumerate() {
        let (mut day, mut liked, mut statements) =
            (random.share() * 20.0, random.below(options.len()), Vec::new());
        while day < DAYS {
            let name = format!("{category} {}", statements.len());
            let text = format!("When it comes to {category}, I like {} best at the moment.", options[liked]);
            events.told.push((name.clone(), text, day, UNMARKED));
            statements.push((day, name));
            day += random.wait() * DAYS / STATEMENTS;
            if random.share() < SHIFTS {
                liked = (liked + 1 + random.below(options.len() - 1)) % options.len();
            }
        }
        events.tests.extend(statements.last().map(|(_, name)| (question(category), name.clone())));
        said.push((number, statements));
    }
    for _ in 0..QUESTIONS {
        let (day, (number, statements)) = (random.share() * DAYS, &said[random.below(said.len())]);
        let last = statements.iter().rfind(|(at, _)| *at < day);
        events.asked.extend(last.map(|(_, name)| (day, question(CATEGORIES[*number].0), name.clone())));
    }
    events
}

fn question(category: &str) -> String {
    format!("What do I like best when it comes to {category}?")
}
