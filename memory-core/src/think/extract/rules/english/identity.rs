//! Identity: name, age, birthday, pronouns, home, origin, language.

use super::super::rule::Kind::{Ended, Past, Plan, State};
use super::super::rule::Object::{Captured, Name, Number, Place, Rest, Thing};
use super::super::rule::{LIKELY, Rule, SURE, rule};

pub(super) const RULES: &[Rule] = &[
    rule("my full|first|real? name is", Name, "name", "is named", State, SURE),
    rule("i am called|named", Name, "name", "is named", State, LIKELY),
    rule("i go by", Name, "name", "goes by", State, LIKELY),
    rule("my pronouns are", Thing, "pronouns", "uses the pronouns", State, SURE),
    rule("i am <num> years|year old", Captured, "age", "is aged", State, SURE),
    rule("i turned", Number, "age", "turned", State, LIKELY),
    rule("i am turning", Number, "age", "is turning", Plan, LIKELY),
    rule("my birthday is on? in?", Rest, "birthday", "has a birthday on", State, SURE),
    rule("i was born on", Rest, "birthday", "was born on", State, LIKELY),
    rule("i was born and raised in", Place, "origin", "was born and raised in", Past, SURE),
    rule("i was born|raised in", Place, "origin", "was born in", Past, LIKELY),
    rule("i grew up in|near|on", Place, "origin", "grew up in", Past, SURE),
    rule("i come|am originally? from", Place, "origin", "comes from", Past, LIKELY),
    rule("my hometown is", Place, "origin", "comes from", Past, SURE),
    rule("i live|reside in|near|at|on", Place, "home", "lives in", State, SURE),
    rule("i am living|based|residing in|near|at|on", Place, "home", "lives in", State, LIKELY),
    rule("i have lived|resided in", Place, "home", "lives in", State, LIKELY),
    rule("i have been living|residing in|at|on", Place, "home", "lives in", State, LIKELY),
    rule("i have moved back? in?to|into", Place, "home", "moved to", State, LIKELY),
    rule("i have moved back? to|into", Place, "home", "moved to", State, LIKELY),
    rule("i moved back? here? to|into", Place, "home", "moved to", State, LIKELY),
    rule("i relocated to", Place, "home", "moved to", State, LIKELY),
    rule("i am moving|relocating back? to|into", Place, "home", "is moving to", Plan, LIKELY),
    rule("i am going|planning to move|relocate back? to|into", Place, "home", "is moving to", Plan, LIKELY),
    rule("i will move|relocate to", Place, "home", "is moving to", Plan, LIKELY),
    rule("i will be moving|relocating to", Place, "home", "is moving to", Plan, LIKELY),
    rule("i no longer live in|at|near", Place, "home", "lives in", Ended, SURE),
    rule("i do not live in|at|near", Place, "home", "lives in", Ended, LIKELY),
    rule("i used to live in|at|near", Place, "home", "lives in", Ended, SURE),
    rule("i moved away? out? from|of", Place, "home", "lives in", Ended, LIKELY),
    rule("i moved away from", Place, "home", "lives in", Ended, LIKELY),
    rule("i speak fluent?", Thing, "language", "speaks", State, LIKELY),
    rule("i am fluent in", Thing, "language", "speaks", State, SURE),
    rule("my native|first language is", Thing, "language", "speaks", State, SURE),
    rule("my mother tongue is", Thing, "language", "speaks", State, SURE),
];
