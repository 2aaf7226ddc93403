//! Replies of language models as text: the object in them is found, or the reply is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memory_core::model::language_model::json::object_in;

fuzz_target!(|reply: &str| {
    if let Ok(object) = object_in(reply) {
        assert!(object.is_object());
    }
});
