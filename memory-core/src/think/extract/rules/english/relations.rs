//! Relations: partner, family, friends, pets, and statements about relatives.

use super::super::rule::Kind::{Ended, Event, Plan, State};
use super::super::rule::Object::{Activity, Captured, CapturedName, Name, None, Place, Rest, Thing};
use super::super::rule::{FAIR, LIKELY, Rule, SURE, rule};

const PARTNER: &str = "my wife|husband|spouse|partner|girlfriend|boyfriend|fiancé|fiancée|fiance|fiancee is? named|called? <name>";

pub(super) const RULES: &[Rule] = &[
    rule("i am engaged|married to", Name, "partner", "is married or engaged to", State, LIKELY),
    rule("i got engaged|married to", Name, "partner", "married or engaged", State, LIKELY),
    rule("i am dating|seeing", Name, "partner", "is dating", State, LIKELY),
    rule("i have been dating|seeing", Name, "partner", "is dating", State, LIKELY),
    rule("i broke up with", Name, "partner", "is with", Ended, SURE),
    rule(
        "i divorced|left my? wife|husband|girlfriend|boyfriend|partner?",
        Name,
        "partner",
        "is with",
        Ended,
        FAIR,
    ),
    rule(
        "i am single|divorced|widowed|married|engaged",
        None,
        "relationship_status",
        "relationship status",
        State,
        LIKELY,
    ),
    rule("i got married|engaged|divorced", None, "relationship_status", "relationship status", State, LIKELY),
    rule("i am getting married|engaged|divorced", None, "", "is getting married or divorced", Plan, LIKELY),
    rule(PARTNER, CapturedName, "partner", "partner is", State, LIKELY),
    rule("my <kin> 's name is", Name, "family", "has a {kin} named", State, SURE),
    rule("my <friend> 's name is", Name, "friend", "has a {kin} named", State, SURE),
    rule("my <kin> <name>? lives in|near", Place, "home", "lives in", State, LIKELY),
    rule("my <kin> <name>? moved|relocated to", Place, "home", "moved to", State, LIKELY),
    rule("my <kin> <name>? is moving|relocating to", Place, "home", "is moving to", Plan, LIKELY),
    rule("my <kin> <name>? works at|for", Name, "employer", "works at", State, LIKELY),
    rule("my <kin> <name>? works as|in", Activity, "job", "works as", State, LIKELY),
    rule("my <kin> <name>? is a|an <job>", Captured, "job", "is a", State, LIKELY),
    rule("my <kin> <name>? is allergic to", Thing, "allergy", "is allergic to", State, LIKELY),
    rule("my <kin> <name>? is <num> years|months old?", Captured, "age", "is aged", State, FAIR),
    rule("my <kin> <name>? loves|likes|enjoys", Activity, "likes", "likes", State, FAIR),
    rule("my <kin> <name>? passed away", None, "", "passed away", Event, LIKELY),
    rule("my <kin> <name>? died", None, "", "died", Event, LIKELY),
    rule(
        "my <kin> <name>? got engaged|married|divorced",
        None,
        "relationship_status",
        "relationship status",
        State,
        LIKELY,
    ),
    rule("...my <kin> ,? <name>", CapturedName, "family", "has a {kin} named", State, LIKELY)
        .says("{owner} {kin} is {name}."),
    rule("...my <friend> ,? <name>", CapturedName, "friend", "has a {kin} named", State, LIKELY)
        .says("{owner} {kin} is {name}."),
    rule("my <pet> 's name is", Name, "pet", "has a pet named", State, SURE),
    rule("my <pet> is named|called", Name, "pet", "has a pet named", State, SURE),
    rule("...my <pet> ,? <name>", CapturedName, "pet", "has a pet named", State, LIKELY)
        .says("{owner} {what} is {name}."),
    rule("i have a|an|two|three|four|five <pet> named|called", Captured, "pet", "has", State, SURE),
    rule("i have a|an|two|three|four|five|my own? <pet>", Captured, "pet", "has", State, LIKELY),
    rule("i own a|an|two|three|four|five <pet>", Captured, "pet", "has", State, SURE),
    rule(
        "i adopted|fostered|rescued|got a|an|two|three|another <pet>",
        Captured,
        "pet",
        "adopted",
        State,
        LIKELY,
    ),
    rule("i have a|an|two|three|four|five|no <kin>", Rest, "family", "has", State, FAIR),
    rule(
        "i have two|three|four|five kids|children|sisters|brothers|sons|daughters|siblings",
        None,
        "family",
        "has",
        State,
        LIKELY,
    ),
];
