//! Plans and goals.

use super::super::rule::Kind::{Plan, State};
use super::super::rule::Object::Rest;
use super::super::rule::{FAIR, LIKELY, Rule, SURE, WEAK, rule};

pub(super) const RULES: &[Rule] = &[
    rule("i am planning to", Rest, "plan", "plans to", Plan, LIKELY),
    rule("i am planning on", Rest, "plan", "plans", Plan, LIKELY),
    rule("i am planning a|an|my", Rest, "plan", "plans", Plan, LIKELY),
    rule("i plan|intend to|on", Rest, "plan", "plans to", Plan, LIKELY),
    rule("i have decided to", Rest, "plan", "decided to", Plan, FAIR),
    rule("i decided to", Rest, "plan", "decided to", Plan, FAIR),
    rule("i am going to", Rest, "plan", "is going to", Plan, FAIR),
    rule("i will be", Rest, "plan", "will be", Plan, FAIR),
    rule("i will", Rest, "plan", "will", Plan, WEAK),
    rule("i am thinking|considering of|about?", Rest, "plan", "is considering", Plan, WEAK),
    rule(
        "i have a|an appointment|interview|flight|exam|meeting|trip|surgery|wedding|reservation|date|race|concert",
        Rest,
        "plan",
        "has an appointment",
        Plan,
        FAIR,
    ),
    rule("i booked|reserved|scheduled a|an|my|our|tickets|flights", Rest, "plan", "booked", Plan, LIKELY),
    rule(
        "i have booked|reserved|scheduled a|an|my|our|tickets|flights",
        Rest,
        "plan",
        "booked",
        Plan,
        LIKELY,
    ),
    rule("i signed up for", Rest, "plan", "signed up for", Plan, LIKELY),
    rule("i have signed up for", Rest, "plan", "signed up for", Plan, LIKELY),
    rule("i registered for", Rest, "plan", "registered for", Plan, LIKELY),
    rule(
        "my long-term|main|ultimate|biggest? goal|dream|ambition is|was to?",
        Rest,
        "goal",
        "has the goal",
        State,
        SURE,
    ),
    rule("i am aiming to|for", Rest, "goal", "hopes to", State, FAIR),
    rule("i aim|aspire to", Rest, "goal", "hopes to", State, FAIR),
    rule("i am saving up? for", Rest, "goal", "is saving for", State, LIKELY),
    rule("i am training for", Rest, "goal", "is training for", State, LIKELY),
    rule("i am trying to learn|lose|quit|reduce|become|stop", Rest, "goal", "is trying to", State, FAIR),
    rule("i want to become|learn", Rest, "goal", "wants to", State, FAIR),
    rule("i have always wanted|dreamed to|of", Rest, "goal", "has always wanted to", State, FAIR),
    rule("i dream of", Rest, "goal", "dreams of", State, LIKELY),
];
