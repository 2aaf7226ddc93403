//! Closed word classes of English that the patterns and the reader of clauses share.

/// Set of words, as data: separated by white space, in lower case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words(pub(super) &'static str);

impl Words {
    /// True if a word is in the set.
    pub(super) fn contains(self, word: impl AsRef<str>) -> bool {
        let word = word.as_ref();
        self.0.split_ascii_whitespace().any(|known| known == word)
    }

    /// Words of the set, in order.
    pub(super) fn iter(self) -> impl Iterator<Item = &'static str> {
        self.0.split_ascii_whitespace()
    }
}

/// Adverbs that may stand before any word of a pattern.
pub(super) const ADVERBS: Words = Words(
    "just really also still recently currently actually always usually finally now absolutely totally \
     even already personally honestly generally mostly often mainly particularly especially definitely \
     truly genuinely simply officially proudly happily super very quite pretty so deeply greatly \
     initially originally previously both successfully normally typically regularly occasionally \
     sometimes only primarily apparently thoroughly strongly soon newly lately seriously basically \
     severely",
);

/// Words of kinship and partnership.
pub(super) const KIN: Words = Words(
    "wife husband spouse partner girlfriend boyfriend fiancé fiancée fiance fiancee mom mum mother dad \
     father sister brother son daughter grandma grandmother grandpa grandfather aunt uncle cousin niece \
     nephew stepmother stepfather stepson stepdaughter stepbrother stepsister mother-in-law father-in-law \
     sister-in-law brother-in-law grandson granddaughter twin godson goddaughter",
);

/// Words of acquaintance.
pub(super) const FRIENDS: Words = Words(
    "friend roommate flatmate housemate neighbor neighbour colleague coworker co-worker boss manager \
     mentor coach therapist classmate bandmate buddy",
);

/// Adjectives between `my` and a word of kinship or acquaintance.
pub(super) const KIN_ADJECTIVES: Words = Words(
    "older younger little big elder eldest youngest oldest best good close closest dear new old baby twin \
     lovely beloved childhood college",
);

/// Kinds of animals that are kept.
pub(super) const PETS: Words = Words(
    "dog cat puppy kitten parrot hamster rabbit bunny horse pony turtle tortoise snake lizard gecko \
     goldfish ferret parakeet budgie bird dogs cats puppies kittens horses chickens hens rabbits \
     bearded-dragon retriever labrador poodle beagle corgi bulldog terrier husky dachshund chihuahua \
     hedgehog goat goats guinea",
);

/// Kinds of things that are owned for long. A thing outside the list is no candidate: `I have a question`.
pub(super) const THINGS: Words = Words(
    "car bike bicycle motorcycle house apartment condo cottage cabin boat guitar piano keyboard violin \
     ukulele drums cello camera lens tripod laptop computer phone smartphone tablet ipad iphone macbook \
     tv television console playstation xbox switch kindle watch smartwatch fitbit garmin tesla toyota \
     honda ford truck suv van scooter treadmill mixer blender grill oven fryer espresso printer telescope \
     kayak tent surfboard snowboard skis skateboard garden greenhouse collection desk sofa couch mattress \
     bookshelf necklace ring handbag backpack suitcase jacket boots sneakers shoes dress vinyl turntable \
     drone headphones speaker microphone amp amplifier monitor subscription membership tank aquarium \
     succulent farm shop store restaurant blog podcast channel website hybrid sedan coffee-maker vacuum \
     thermostat rug lamp dresser bed basketball racket plant plants tree painting sculpture coin coins \
     stamps figurine",
);

/// Occupations that the endings in [`is_occupation`] do not cover.
const OCCUPATIONS: Words = Words(
    "nurse doctor teacher lawyer engineer developer programmer designer writer student professor lecturer \
     chef cook baker barista waiter waitress plumber carpenter electrician mechanic farmer pilot driver \
     firefighter paramedic photographer filmmaker dancer actor actress singer author editor analyst \
     consultant manager accountant architect veterinarian vet counselor therapist psychologist \
     social-worker translator attorney paralegal secretary assistant administrator marketer salesperson \
     realtor freelancer researcher tutor coach trainer entrepreneur founder ceo cto researcher officer \
     contractor stay-at-home homemaker retiree nanny librarian soldier veteran tailor jeweler surgeon \
     specialist coordinator director supervisor intern postdoc undergrad sophomore freshman technician \
     planner strategist worker cashier bartender hairdresser stylist",
);

/// Words that end like an occupation and are none.
const NO_OCCUPATIONS: Words = Words(
    "vegetarian pedestrian perfectionist optimist pessimist list realist minimalist twist completionist \
     idealist christian feminist italian indian canadian australian brazilian russian asian norwegian \
     egyptian civilian hobbyist tourist assist exist persist resist gist guardian loyalist colombian \
     nigerian peruvian hungarian ukrainian belgian lesbian fist wrist mist humanist novelist",
);

/// True for the last word of the name of an occupation.
pub(super) fn is_occupation(word: &str) -> bool {
    let ends = word.ends_with("ist") || word.ends_with("ician") || word.ends_with("ologist");
    OCCUPATIONS.contains(word) || (ends && !NO_OCCUPATIONS.contains(word))
}

/// Participles after `I have been` or `I am` that tell of a habit or course, not of the conversation.
pub(super) const HABITS: Words = Words(
    "learning practicing practising studying training volunteering taking attending teaching writing \
     reading playing running cycling swimming climbing hiking painting sculpting knitting crocheting \
     sewing baking gardening growing collecting restoring building working living dating seeing following \
     watching listening using doing going commuting tracking saving fostering mentoring coaching \
     streaming blogging brewing fishing camping meditating journaling experimenting participating driving \
     riding eating drinking sleeping waking researching leading managing running selling making cooking \
     renting battling dealing suffering recovering helping caring raising teaching lifting walking \
     jogging subscribing contributing serving singing dancing acting tutoring interning organizing",
);

/// Participles after `have` before a number: `I've read 5 books`.
pub(super) const COUNTED: Words = Words(
    "read seen been run written made done won lost gained caught sold taken met grown got gotten had \
     spent baked built ridden driven beaten found flown bought",
);

/// Number words that count as numbers in digits do.
pub(super) const NUMBERS: Words = Words(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen \
     seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred dozen \
     several",
);

/// True for a number in digits or words.
pub(super) fn is_number(word: &str) -> bool {
    let digits = word.trim_start_matches(['$', '€', '£', '#']);
    let first = word.split('-').next().unwrap_or(word);
    digits.starts_with(|c: char| c.is_ascii_digit()) || NUMBERS.contains(first)
}
