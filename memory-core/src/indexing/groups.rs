//! Groups of a memory, pure. By its statement: the entity that it is about, and the slot that it fills or ends. By its
//! document name: the digests of its level.

use crate::domain::digest::Level;
use crate::domain::group::GroupKey;
use crate::domain::memory::Memory;
use crate::domain::statement::{Attribute, Statement};
use crate::text::entity_key;

/// Groups of a memory; none for one that is no digest and has no statement.
pub(crate) fn groups_of(memory: &Memory) -> Vec<GroupKey> {
    let Some(statement) = &memory.statement else { return Level::groups(memory) };
    let subject = entity_key(statement.subject.as_str());
    // The end of a value is in the group of the slot too, where a value that arrives late finds it.
    let ended = memory.tags.iter().find_map(Statement::ended_attribute);
    let attribute: Option<Attribute> = statement.attribute.clone().or(ended);
    GroupKey::of_fact(&subject, attribute.as_ref())
}

#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::domain::memory::Kind;
    use crate::domain::turn::Role;
    use crate::testing::fixtures::{name, plain};

    #[test]
    fn a_fact_is_in_the_group_of_its_subject_and_of_its_slot() {
        let memory = plain(crate::domain::id::MemoryId(uuid::Uuid::nil()), Kind::Fact, "Ann left Acme.");
        assert_eq!(groups_of(&memory), []);
        let statement = Statement {
            subject: name("the  Ann"),
            relation: None,
            object: None,
            attribute: Attribute::new("employer"),
            confidence: 1.0,
            said_by: Role::User,
        };
        let keys =
            |memory: &Memory| groups_of(memory).iter().map(|key| key.as_str().to_owned()).collect::<Vec<_>>();
        let filled = Memory { statement: Some(statement.clone()), ..memory.clone() };
        assert_eq!(keys(&filled), ["entity/ann", "slot/employer/ann"]);
        let statement = Some(Statement { attribute: None, ..statement });
        let ended = Memory { statement, tags: vec![name("ended:employer")], ..memory };
        assert_eq!(keys(&ended), keys(&filled));
    }
}
