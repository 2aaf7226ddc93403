//! Events and habits without a slot, and attributes of things: `my commute is 45 minutes`.

use super::super::rule::Kind::{Event, State};
use super::super::rule::Object::{Activity, Rest};
use super::super::rule::{FAIR, LIKELY, Rule, WEAK, rule};

pub(super) const RULES: &[Rule] = &[
    rule(
        "i attended|visited|watched|hosted|organized|organised|launched|founded|adopted|repaired|replaced|fixed",
        Rest,
        "",
        "{verb}",
        Event,
        LIKELY,
    ),
    rule(
        "i finished|completed|started|began|joined|ran|won|passed|failed|submitted|published|released|taught",
        Rest,
        "",
        "{verb}",
        Event,
        LIKELY,
    ),
    rule(
        "i participated|volunteered|performed|competed|enrolled in|at|for",
        Rest,
        "",
        "took part in",
        Event,
        LIKELY,
    ),
    rule("i went", Rest, "", "went", Event, LIKELY),
    rule("i took a|an|my|part|the", Rest, "", "{verb}", Event, FAIR),
    rule(
        "i met|saw|read|baked|cooked|planted|painted|built|wrote|made|tried|redecorated|assembled|cleaned|harvested",
        Rest,
        "",
        "{verb}",
        Event,
        FAIR,
    ),
    rule(
        "i spent|donated|raised|earned|lost|gained|saved|ran|biked|hiked|walked <num>",
        Rest,
        "",
        "{verb}",
        Event,
        LIKELY,
    ),
    rule("i spent", Rest, "", "spent", Event, FAIR),
    rule("i flew|traveled|travelled|drove|returned to|from|with|back", Rest, "", "traveled", Event, LIKELY),
    rule("i came|got back from", Rest, "", "returned from", Event, LIKELY),
    rule(
        "i have started|finished|completed|joined|visited|attended|launched|watched",
        Rest,
        "",
        "{verb}",
        Event,
        FAIR,
    ),
    rule("i helped my", Rest, "", "helped", Event, FAIR),
    rule("i set up", Rest, "", "set up", Event, FAIR),
    rule("i lost|found my", Rest, "", "lost or found", Event, FAIR),
    rule("i have been <habit>", Rest, "", "has been {what}", State, FAIR),
    rule("i am <habit>", Rest, "", "is {what}", State, WEAK),
    rule("i used to", Rest, "", "used to", Event, FAIR),
    rule("i volunteer|commute|meditate|exercise|jog|swim", Rest, "", "does", State, FAIR),
    rule("my <what> is|are", Activity, "", "{what} is", State, WEAK),
];
