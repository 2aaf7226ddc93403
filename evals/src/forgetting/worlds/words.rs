//! Words of the worlds: combined, they make texts that an embedder can tell apart.

/// Colours.
pub(super) const COLOURS: [&str; 10] =
    ["red", "blue", "green", "yellow", "black", "white", "silver", "orange", "purple", "brown"];

/// Things.
pub(super) const THINGS: [&str; 12] = [
    "suitcase",
    "bicycle",
    "toolbox",
    "guitar",
    "umbrella",
    "camera",
    "ladder",
    "tent",
    "typewriter",
    "telescope",
    "kettle",
    "blanket",
];

/// Places.
pub(super) const PLACES: [&str; 16] = [
    "kitchen",
    "garage",
    "attic",
    "cellar",
    "garden shed",
    "office",
    "car",
    "bedroom",
    "hallway",
    "balcony",
    "workshop",
    "library",
    "barn",
    "boat",
    "neighbour's flat",
    "holiday house",
];

/// Categories of preferences, each with what may be preferred.
pub(super) const CATEGORIES: [(&str, [&str; 5]); 48] = [
    ("breakfast", ["porridge", "toast", "pancakes", "fruit salad", "omelette"]),
    ("coffee", ["espresso", "cappuccino", "filter coffee", "flat white", "cold brew"]),
    ("tea", ["green tea", "Earl Grey", "rooibos", "peppermint tea", "oolong"]),
    ("pizza", ["margherita", "marinara", "four cheese", "mushroom pizza", "calzone"]),
    ("soup", ["lentil soup", "ramen", "minestrone", "pho", "tomato soup"]),
    ("dessert", ["tiramisu", "cheesecake", "apple pie", "crème brûlée", "brownies"]),
    ("ice cream", ["vanilla", "pistachio", "chocolate", "lemon sorbet", "stracciatella"]),
    ("fruit", ["mangoes", "cherries", "apples", "peaches", "pears"]),
    ("cuisine", ["Thai food", "Italian food", "Ethiopian food", "Mexican food", "Japanese food"]),
    ("bread", ["rye bread", "sourdough", "baguette", "focaccia", "pita"]),
    ("cheese", ["gouda", "brie", "feta", "cheddar", "gorgonzola"]),
    ("snack", ["almonds", "popcorn", "rice crackers", "olives", "carrots"]),
    ("sport", ["tennis", "climbing", "rowing", "badminton", "fencing"]),
    ("workout", ["pilates", "weight training", "spinning", "yoga", "boxing"]),
    ("hike", ["coastal paths", "forest trails", "mountain ridges", "canyon walks", "lake loops"]),
    ("holiday", ["city trips", "beach weeks", "ski weeks", "road trips", "cruises"]),
    ("hotel", ["small guesthouses", "hostels", "grand hotels", "apartments", "campsites"]),
    ("seat", ["window seats", "aisle seats", "front rows", "exit rows", "back rows"]),
    ("transport", ["night trains", "flights", "buses", "ferries", "rental cars"]),
    ("commute", ["cycling", "the tram", "walking", "carpooling", "the scooter"]),
    ("music", ["jazz", "techno", "baroque music", "folk", "hip hop"]),
    ("instrument", ["the cello", "the piano", "the clarinet", "the drums", "the harp"]),
    ("concert", ["small clubs", "open-air stages", "opera houses", "churches", "arenas"]),
    ("podcast", ["history podcasts", "science podcasts", "true crime", "comedy podcasts", "news podcasts"]),
    ("film", ["thrillers", "documentaries", "westerns", "animated films", "silent films"]),
    ("series", ["medical dramas", "sitcoms", "space operas", "crime series", "costume dramas"]),
    ("book", ["biographies", "science fiction", "poetry", "crime novels", "essays"]),
    (
        "newspaper",
        ["the morning paper", "the weekly", "the evening news", "an online digest", "the local paper"],
    ),
    ("game", ["chess", "go", "card games", "role-playing games", "puzzles"]),
    ("language", ["Rust", "Python", "Go code", "Haskell", "TypeScript"]),
    ("editor", ["Vim", "Emacs", "Helix", "VS Code", "Zed"]),
    ("database", ["PostgreSQL", "SQLite", "DuckDB", "Redis", "MySQL"]),
    (
        "keyboard",
        [
            "split keyboards",
            "flat keyboards",
            "mechanical keyboards",
            "foldable keyboards",
            "compact keyboards",
        ],
    ),
    ("font", ["Fira", "Garamond", "Helvetica", "Iosevka", "Bodoni"]),
    (
        "meeting",
        ["morning meetings", "walking meetings", "written updates", "video calls", "Friday meetings"],
    ),
    ("pen", ["fountain pens", "pencils", "rollerballs", "felt pens", "brush pens"]),
    ("paint", ["watercolours", "oil paint", "acrylics", "gouache", "pastels"]),
    ("flower", ["tulips", "peonies", "sunflowers", "lilies", "dahlias"]),
    ("tree", ["oaks", "birches", "maples", "pines", "willows"]),
    ("pet", ["cats", "dogs", "parrots", "tortoises", "rabbits"]),
    ("season", ["spring", "autumn", "winter", "summer", "the monsoon"]),
    ("museum", ["art museums", "technical museums", "maritime museums", "open-air museums", "palaces"]),
    ("shoes", ["sneakers", "boots", "sandals", "loafers", "clogs"]),
    ("jacket", ["denim jackets", "parkas", "raincoats", "blazers", "leather jackets"]),
    ("perfume", ["lavender", "sandalwood", "bergamot", "vetiver", "jasmine"]),
    ("wine", ["Riesling", "Merlot", "Chianti", "Malbec", "Sancerre"]),
    ("cocktail", ["negronis", "mojitos", "gimlets", "spritzes", "daiquiris"]),
    ("market", ["farmers' markets", "flea markets", "night markets", "fish markets", "book fairs"]),
];

/// Verbs of small talk, with what they are done to.
pub(super) const ERRANDS: [(&str, [&str; 6]); 10] = [
    (
        "watched",
        ["the rain", "a street parade", "two swans", "the neighbours' quarrel", "a kite", "an old tram"],
    ),
    ("repaired", ["the tap", "a chair", "the doorbell", "a zip", "the lamp", "the mailbox"]),
    ("bought", ["stamps", "light bulbs", "a doormat", "batteries", "paper bags", "candles"]),
    ("cooked", ["beans", "rice with peas", "dumplings", "a stew", "noodles", "potatoes"]),
    (
        "met",
        ["the postman", "a former colleague", "the caretaker", "a tourist", "the plumber", "an old teacher"],
    ),
    (
        "read",
        ["a leaflet", "the manual of the oven", "a column on bees", "an old letter", "a menu", "a timetable"],
    ),
    ("cleaned", ["the windows", "the oven", "the gutters", "the aquarium", "the car seats", "the drawers"]),
    ("lost", ["a glove", "a button", "the bus ticket", "an earring", "a pencil", "the shopping list"]),
    ("planted", ["basil", "radishes", "a lemon seed", "clover", "chives", "garlic"]),
    ("heard", ["a siren", "a blackbird", "the bells", "a drill", "an argument", "a choir"]),
];
