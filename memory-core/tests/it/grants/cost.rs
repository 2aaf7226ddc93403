//! Cost of grants to a recall, printed:
//! `cargo test --release -p memory-core --all-features --test it grants::cost -- --ignored --nocapture`

use std::time::{Duration, Instant};

use memory_core::domain::scope::{Owner, OwnerKind, Scope};
use memory_core::store::Grants as _;
use memory_core::testing::fixtures::name;
use memory_core::testing::{CALLER, START};

use super::{Ann, bob, tag};

const ROUNDS: u32 = 2_000;

#[tokio::test]
#[ignore = "a measurement"]
async fn the_cost_of_grants_to_a_recall_is_printed() {
    let ann = Ann::new().await;
    ann.fact("bob", "bob reads", &[]).await;
    let bobs = [Owner { kind: OwnerKind::User, id: name("bob") }];
    println!("look-up of open grants, none given: {:?}", looked_up(&ann, &bobs).await);
    println!("recall without: {:?}, with: {:?}", recalled(&ann, false).await, recalled(&ann, true).await);
    ann.fact("ann", "ann reads", &["book"]).await;
    for _ in 0..100 {
        ann.give("ann", &Scope { agent: Some(name("other")), ..Scope::default() }, tag("book")).await;
    }
    println!("look-up, 100 given to another: {:?}", looked_up(&ann, &bobs).await);
    ann.give("ann", &bob(), tag("book")).await;
    println!("look-up, one given: {:?}", looked_up(&ann, &bobs).await);
}

async fn looked_up(ann: &Ann, grantees: &[Owner]) -> Duration {
    let began = Instant::now();
    for _ in 0..ROUNDS {
        ann.test.store.open_grants(CALLER.tenant, grantees, START).await.unwrap();
    }
    began.elapsed() / ROUNDS
}

async fn recalled(ann: &Ann, include_granted: bool) -> Duration {
    use memory_core::recall::request::Recall;
    use memory_core::testing::question;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let asked = Recall { include_granted, budget_tokens: 0, ..question(&bob(), "reads") };
        ann.test.engine.recall(&CALLER, asked).await.unwrap();
    }
    began.elapsed() / ROUNDS
}
