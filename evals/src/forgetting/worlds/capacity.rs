//! World of scarce capacity: a few facts that are said once and needed at any time later, such as allergies, among much small
//! talk that is needed in the days after it, if ever. Half of the lasting facts are marked as important by the application.

use super::words::{COLOURS, ERRANDS, PLACES};
use super::{DAYS, Events, MARKED, Random, UNMARKED};

/// Small talk in a year.
const SMALL_TALK: usize = 900;
/// Questions about small talk on the way, each within three days.
const QUESTIONS: usize = 60;
/// Small talk of the last days that is asked at the end.
const RECENT: usize = 12;

/// Lasting facts: what is asked, and what is told.
const LASTING: [(&str, &str); 30] = [
    ("Which nuts must I not eat?", "I am allergic to cashew nuts."),
    ("Which medicine do I not tolerate?", "Penicillin gives me a rash, I must not take it."),
    ("What is my blood type?", "My blood type is A negative."),
    ("What is my sister called?", "My sister is called Ines."),
    ("What is my brother's job?", "My brother works as an air traffic controller."),
    ("Where was I born?", "I was born in Tromsø."),
    ("When is my wedding anniversary?", "We married on the ninth of June."),
    ("What is my mother's birthday?", "My mother has her birthday on the third of March."),
    ("Who is my emergency contact?", "My emergency contact is my aunt Greta."),
    ("What is my passport's country?", "I travel on a Portuguese passport."),
    ("Which hand do I write with?", "I write with my left hand."),
    ("What am I afraid of?", "I am afraid of lifts."),
    ("What did I study?", "I studied geology."),
    ("Where did I grow up?", "I grew up on a farm near Cork."),
    ("What is my shoe size?", "My shoe size is 43."),
    ("What is my dog called?", "My dog is called Biscuit."),
    ("What do I not drink?", "I do not drink alcohol."),
    ("What is my religion's day of rest?", "I keep the Sabbath on Saturday."),
    ("Which insurance do I have?", "My health insurance is with Nordlicht."),
    ("Who is my doctor?", "My doctor is Mrs Okafor."),
    ("What is the name of my school?", "I went to the Lindenhof school."),
    ("What is my grandmother's village?", "My grandmother comes from Zagorje."),
    ("Which ear is deaf?", "I am deaf in my right ear."),
    ("Which language do my parents speak?", "My parents speak Breton with each other."),
    ("What is my thesis about?", "My thesis was about glaciers."),
    ("Which knee was operated?", "My left knee was operated."),
    ("Who taught me to swim?", "My uncle Paul taught me to swim."),
    ("What is my lucky number?", "My lucky number is 17."),
    ("Which bank do I use?", "My bank is the Hansa bank."),
    ("What is my son's name?", "My son's name is Anton."),
];

pub(super) fn events(random: &mut Random) -> Events {
    let mut events = Events::default();
    for (number, (question, text)) in LASTING.into_iter().enumerate() {
        let name = format!("lasting {number}");
        let importance = if number % 2 == 0 { MARKED } else { UNMARKED };
        events.told.push((name.clone(), text.to_owned(), random.share() * (DAYS - 30.0), importance));
        events.tests.push((question.to_owned(), name));
    }
    let mut talk: Vec<(f64, usize)> = Vec::new();
    let errands = ERRANDS.len() * ERRANDS[0].1.len() * PLACES.len() * COLOURS.len();
    for number in random.order(errands).into_iter().take(SMALL_TALK) {
        talk.push((random.share() * DAYS, number));
    }
    talk.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (day, number) in &talk {
        let (what, place, colour) = errand(*number);
        let text = format!("I {what} in front of the {colour} door of the {place}.");
        events.told.push((format!("talk {number}"), text, *day, UNMARKED));
    }
    for _ in 0..QUESTIONS {
        let (day, number) = talk[random.below(talk.len())];
        events.asked.push(((day + random.share() * 3.0).min(DAYS), asked(number), format!("talk {number}")));
    }
    let recent = talk.iter().rev().take(RECENT);
    events.tests.extend(recent.map(|(_, number)| (asked(*number), format!("talk {number}"))));
    events
}

fn errand(number: usize) -> (String, &'static str, &'static str) {
    let (verb, objects) = ERRANDS[number % ERRANDS.len()];
    let rest = number / ERRANDS.len();
    let what = format!("{verb} {}", objects[rest % objects.len()]);
    let rest = rest / objects.len();
    (what, PLACES[rest % PLACES.len()], COLOURS[rest / PLACES.len() % COLOURS.len()])
}

fn asked(number: usize) -> String {
    let (what, place, colour) = errand(number);
    format!("Who {what} in front of the {colour} door of the {place}?")
}
