//! Possessions and purchases, and numbers that change.

use super::super::rule::Kind::{Ended, Event, State};
use super::super::rule::Object::{Captured, Rest, Thing};
use super::super::rule::{FAIR, LIKELY, Rule, SURE, WEAK, rule};

pub(super) const RULES: &[Rule] = &[
    rule("i own a|an|two|three|my", Thing, "possession", "owns", State, LIKELY),
    rule("i drive a|an", Thing, "possession", "drives", State, LIKELY),
    rule("i have a|an|my|two|three|four|five <thing>", Captured, "possession", "has", State, LIKELY),
    rule("i have got a|an|my|two|three <thing>", Captured, "possession", "has", State, LIKELY),
    rule("i bought|purchased myself?", Thing, "possession", "bought", State, LIKELY),
    rule("i have bought|purchased myself?", Thing, "possession", "bought", State, LIKELY),
    rule("i got myself? a|an|my|some|new <thing>", Captured, "possession", "got", State, LIKELY),
    rule("i have got myself? a|an|my|some new <thing>", Captured, "possession", "got", State, LIKELY),
    rule("i treated myself to", Thing, "possession", "bought", State, LIKELY),
    rule("i inherited", Thing, "possession", "inherited", State, LIKELY),
    rule("i received", Thing, "", "received", Event, FAIR),
    rule("i ordered|preordered|pre-ordered a|an|some|new", Thing, "", "ordered", Event, FAIR),
    rule("i upgraded my <thing> to", Thing, "possession", "upgraded to", State, LIKELY),
    rule("i upgraded|switched to", Thing, "", "switched to", State, FAIR),
    rule("i sold|donated|lost|returned my|our", Thing, "possession", "has", Ended, LIKELY),
    rule("i got rid of my", Thing, "possession", "has", Ended, LIKELY),
    rule("i no longer own|have", Thing, "possession", "has", Ended, FAIR),
    rule("i have <num>", Rest, "", "has", State, WEAK),
    rule("i have <counted> <num>", Rest, "", "has reached the number", State, FAIR),
    rule(
        "i have <counted> about|around|over|almost|nearly|approximately|at <num>",
        Rest,
        "",
        "has reached the number",
        State,
        FAIR,
    ),
    rule("my new? personal? best|record|pb|pr time? is|was", Rest, "", "has the personal best", State, SURE),
    rule("my highest|best|current|latest <what> is", Rest, "", "has the {what}", State, FAIR),
];
