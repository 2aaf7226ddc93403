//! Erasures of callers beside sweeps, recalls and feedback, with kills in the middle of them. In the end nothing of what was
//! erased is left, neither its text nor its id, and what nobody erased is there.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use engrain::wire::{
    AddMemories, AddTurns, DeleteMatching, DeleteOwner, Filter, Kind, ListMemories, NewMemory, NewTurn, Role,
    Scope,
};
use engrain::{Client, Error};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{first_seed, is_long_form};
use tempfile::TempDir;
use uuid::Uuid;

use super::super::ledger::{Ledger, listed, no_trace_of, word_of, words_in};
use super::super::watched::Watched;
use super::{
    add, jobs_ended, places_with, policy, present, previewed, segments_with, set_policy, sweep_of, swept,
    used,
};

/// User whose memories are swept and erased.
const USER: &str = "mara";
/// Memories of this user that hardly fade: enough for segments of the index.
const NOTES: usize = 1_200;
/// User whose memories are left alone.
const NEIGHBOUR: &str = "lena";

struct Campaign {
    folder: TempDir,
    rng: Rng,
    seed: u64,
    ledger: Ledger,
    /// Memories that hardly fade, one of which is erased in each round.
    notes: Vec<Uuid>,
    /// Ids of what was erased, turns included.
    gone: BTreeSet<Uuid>,
    /// Users that were erased.
    users: Vec<String>,
    /// Time that the erasures of a round take.
    takes: Duration,
    /// Kills before the end of the erasures.
    early: usize,
    /// Kills with a segment of the index that names what is to be erased.
    with_segment: usize,
}

/// Erasures of a round, each of which takes what was derived as well.
#[derive(Clone)]
struct Victims {
    /// Erased by their ids.
    single: Vec<Uuid>,
    /// Tag of those that are erased by a filter.
    tag: String,
    /// User that is erased.
    user: String,
    /// All memories of [`USER`] among them.
    all: BTreeSet<Uuid>,
    /// Erasure that comes first.
    first: usize,
}

/// Erasures that were acknowledged.
#[derive(Clone, Debug, Default)]
struct Acknowledged {
    single: BTreeSet<Uuid>,
    is_tag: bool,
    is_user: bool,
}

impl Acknowledged {
    /// Erases everything until the server dies.
    async fn erase(&mut self, client: &Client, victims: &Victims) -> Result<(), Error> {
        for turn in 0..3 {
            match (victims.first + turn) % 3 {
                0 => {
                    for id in &victims.single {
                        match client.keyed(format!("erase-{id}")).delete_memory(*id).await {
                            // A sweep or another erasure was quicker.
                            Err(error) if error.code() == Some("not_found") => {}
                            answer => {
                                answer?;
                                self.single.insert(*id);
                            }
                        }
                    }
                }
                1 => {
                    erase_tag(client, &victims.tag).await?;
                    self.is_tag = true;
                }
                _ => {
                    try_erase_owner(client, &victims.user).await?;
                    self.is_user = true;
                }
            }
        }
        Ok(())
    }
}

/// Erases all memories with a tag, as often as other writes come between preview and confirmation.
async fn erase_tag(client: &Client, tag: &str) -> Result<(), Error> {
    let filter = Filter::contains("tags", tag);
    loop {
        let mut request =
            DeleteMatching { scope: Scope::user(USER), filter: filter.clone(), confirmation: None };
        let preview = client.delete_matching(&request).await?;
        if preview.matched == 0 {
            return Ok(());
        }
        request.confirmation = preview.confirmation;
        match client.delete_matching(&request).await {
            Ok(answer) => assert!(answer.done, "{answer:?}"),
            Err(error) if error.code() == Some("confirmation_stale") => {}
            Err(error) => return Err(error),
        }
    }
}

async fn try_erase_owner(client: &Client, user: &str) -> Result<(), Error> {
    loop {
        let mut request = DeleteOwner { scope: Scope::user(user), confirmation: None };
        request.confirmation = client.delete_owner(&request).await?.confirmation;
        match client.delete_owner(&request).await {
            Err(error) if error.code() == Some("confirmation_stale") => {}
            answer => return answer.map(drop),
        }
    }
}

/// Erases an owner, and waits for the end.
pub(super) async fn erase_owner(client: &Client, user: &str, context: &str) {
    try_erase_owner(client, user).await.unwrap();
    jobs_ended(client, context).await;
}

/// Adds turns, and notes their memories; returns the ids of the turns and of the memories.
async fn say(ledger: &mut Ledger, client: &Client, session: &str, count: usize) -> (Vec<Uuid>, Vec<Uuid>) {
    let texts: Vec<String> = (0..count).map(|_| ledger.next_text(USER)).collect();
    let said_at = ledger.happened_at.clone();
    let new = |text: &String| NewTurn { said_at: said_at.clone(), ..NewTurn::new(Role::User, text.as_str()) };
    let request = AddTurns {
        scope: Scope::user(USER),
        session: Some(session.to_owned()),
        turns: texts.iter().map(new).collect(),
        ..AddTurns::default()
    };
    let added = client.add_turns(&request).await.unwrap();
    for (id, text) in added.memory_ids.iter().zip(texts) {
        ledger.kept.insert(*id, (USER.to_owned(), text));
    }
    (added.turn_ids, added.memory_ids)
}

impl Campaign {
    /// Adds the memories that hardly fade.
    async fn fill_notes(&mut self, client: &Client) {
        for _ in 0..NOTES / 100 {
            let texts: Vec<String> =
                (0..100).map(|_| format!("{} is noted", word_of(&self.ledger.next_text(USER)))).collect();
            let note = |text: &String| NewMemory {
                text: text.clone(),
                kind: Some(Kind::Note),
                ..NewMemory::default()
            };
            let request = AddMemories {
                scope: Scope::user(USER),
                memories: texts.iter().map(note).collect(),
                ..AddMemories::default()
            };
            let added = client.add_memories(&request).await.unwrap().memory_ids;
            self.notes.extend(&added);
            let kept = added.into_iter().zip(texts).map(|(id, text)| (id, (USER.to_owned(), text)));
            self.ledger.kept.extend(kept);
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Adds memories, some of them made of others, uses some and pins some; returns what is to be erased.
    async fn fill(&mut self, client: &Client, round: usize) -> Victims {
        let ledger = &mut self.ledger;
        let at = present().plus_days(-2 - i64::try_from(round % 5).unwrap());
        ledger.happened_at = Some(at.to_string());
        let tag = format!("round{round}");
        let user = format!("owner{}x{round}x", self.seed % 1_000);
        let plain = add((ledger, client), USER, ("plain", 24), &[]).await;
        let (turns, said) = say(ledger, client, &tag, 6).await;
        let of_turns = add((ledger, client), USER, ("plain", 6), &turns).await;
        let facts = add((ledger, client), USER, ("plain", 4), &[]).await;
        let of_facts = add((ledger, client), USER, ("plain", 4), &facts).await;
        let tagged = add((ledger, client), USER, (&tag, 6), &[]).await;
        let of_tagged = add((ledger, client), USER, ("plain", 6), &tagged).await;
        let of_those = add((ledger, client), USER, ("plain", 3), &of_tagged).await;
        let theirs = add((ledger, client), &user, ("plain", 12), &[]).await;
        set_policy(client, &user, policy("cold")).await;
        let note = self.notes.swap_remove(self.rng.below(self.notes.len()));
        let single: Vec<Uuid> = said[..3].iter().chain(&facts).copied().chain([note]).collect();
        for id in plain[..3].iter().chain(&of_tagged[..1]).chain(&facts[..1]) {
            client.pin_memory(*id, true).await.unwrap();
        }
        for id in [plain[4], plain[5], said[0], said[4], tagged[0], of_facts[1], of_those[0]] {
            used(client, USER, &self.ledger.kept[&id].1, Some(at)).await.unwrap();
        }
        used(client, &user, &self.ledger.kept[&theirs[0]].1, Some(at)).await.unwrap();
        swept(client, &user, None, "of the user to erase").await;
        self.gone.extend(turns[..3].iter().chain(&theirs));
        let groups = [&single[..], &of_turns[..3], &of_facts, &tagged, &of_tagged, &of_those];
        let all = groups.into_iter().flatten().copied().collect();
        Victims { single, tag, user, all, first: self.rng.below(3) }
    }

    /// Erasures, sweeps and recalls at the same time, and the kill of their server.
    async fn kill_in(&mut self, server: Watched, victims: &Victims) -> Acknowledged {
        let (client, asked) = (server.client.clone(), victims.clone());
        let erasing = tokio::spawn(async move {
            let (began, mut acknowledged) = (Instant::now(), Acknowledged::default());
            match acknowledged.erase(&client, &asked).await {
                Ok(()) => (acknowledged, Some(began.elapsed())),
                Err(error) if error.status().is_none() => (acknowledged, None),
                Err(error) => panic!("{error:?}"),
            }
        });
        let client = server.client.clone();
        let sweeping =
            tokio::spawn(
                async move { while client.sweep_memories(&sweep_of(USER, None, true)).await.is_ok() {} },
            );
        let client = server.client.clone();
        let texts: Vec<String> = self
            .ledger
            .kept
            .values()
            .filter(|(user, _)| user == USER)
            .map(|(_, text)| text.clone())
            .collect();
        let recalling = tokio::spawn(async move {
            for text in texts.iter().rev().step_by(3).cycle() {
                if used(&client, USER, text, None).await.is_err() {
                    break;
                }
            }
        });
        let percent = u32::try_from(self.rng.below(120)).unwrap();
        tokio::time::sleep(self.takes * percent / 100).await;
        self.assert_log_has_no_text(&server);
        server.kill();
        let (acknowledged, took) = erasing.await.unwrap();
        sweeping.await.unwrap();
        recalling.await.unwrap();
        match took {
            Some(took) => self.takes = took,
            None => self.early += 1,
        }
        acknowledged
    }

    fn assert_log_has_no_text(&self, server: &Watched) {
        let log = server.log();
        assert_eq!(words_in(log.as_bytes()).next(), None, "seed {}:\n{log}", self.seed);
        for user in self.users.iter().map(String::as_str).chain([USER, NEIGHBOUR]) {
            assert!(!log.contains(user), "{user}:\n{log}");
        }
    }

    /// True if a segment of the index names what is to be erased. One is written after a load, which takes a moment.
    async fn has_segment(&self, victims: &Victims) -> bool {
        for _ in 0..20 {
            if !segments_with(&self.data(), &victims.all).is_empty() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// Repeats the erasures, under the same keys where they have some.
    async fn repeat(&self, client: &Client, victims: &Victims, before: &Acknowledged, context: &str) {
        let there = listed(client, USER).await;
        assert!(before.single.iter().all(|id| !there.contains_key(id)), "{context}");
        for id in &victims.single {
            let again = client.keyed(format!("erase-{id}")).delete_memory(*id).await;
            match again {
                Ok(erased) => assert!(erased.memory_ids.contains(id), "{context}: {erased:?}"),
                Err(error) => {
                    assert_eq!(error.code(), Some("not_found"), "{context}");
                    assert!(!before.single.contains(id), "{context}: {id} was answered before");
                }
            }
        }
        let filter = Some(Filter::contains("tags", victims.tag.as_str()));
        let request = ListMemories { scope: Scope::user(USER), filter, ..ListMemories::default() };
        let left = client.list_memories(&request).await.unwrap().total;
        assert!(left == 0 || !before.is_tag, "{context}: {left} are left");
        erase_tag(client, &victims.tag).await.unwrap();
        let left = listed(client, &victims.user).await.len();
        assert!(left == 0 || !before.is_user, "{context}: {left} are left");
        if left > 0 {
            erase_owner(client, &victims.user, context).await;
        }
    }

    async fn round(&mut self, server: Watched, round: usize) -> Watched {
        let effect = ["delete", "cold"][round % 2];
        let victims = self.fill(&server.client, round).await;
        set_policy(&server.client, USER, policy(effect)).await;
        // The next process reads the memories from the store, and writes a segment of them.
        server.kill();
        let server = Watched::start(&self.data(), "auto").await;
        // Sweeps of the round are over by then.
        let (_, due) = previewed(&server.client, USER, present().plus_micros(3_600_000_000)).await;
        let text = self.ledger.kept[victims.all.last().unwrap()].1.clone();
        used(&server.client, USER, &text, None).await.unwrap();
        assert!(!due.is_empty() || effect == "cold");
        self.with_segment += usize::from(self.has_segment(&victims).await);
        let before = self.kill_in(server, &victims).await;
        let context = format!("seed {}, round {round}, {effect}, {before:?}", self.seed);

        let server = Watched::start(&self.data(), "auto").await;
        self.repeat(&server.client, &victims, &before, &context).await;
        swept(&server.client, USER, None, &context).await;
        jobs_ended(&server.client, &context).await;
        let (left, _) = previewed(&server.client, USER, present()).await;
        assert_eq!(left.changes, [], "{context}");
        let there = listed(&server.client, USER).await;
        let of = |user: &str, ledger: &Ledger| -> Vec<Uuid> {
            ledger.kept.iter().filter(|(_, (of, _))| of == user).map(|(id, _)| *id).collect()
        };
        for id in of(USER, &self.ledger).into_iter().filter(|id| !there.contains_key(id)) {
            assert!(victims.all.contains(&id) || due.contains(&id), "{context}: {id} is lost");
            let doubted = self.ledger.doubt(id);
            self.ledger.erased.push(doubted);
            self.gone.insert(id);
        }
        assert!(victims.all.iter().all(|id| self.gone.contains(id)), "{context}");
        for id in of(&victims.user, &self.ledger) {
            let doubted = self.ledger.doubt(id);
            self.ledger.erased.push(doubted);
        }
        self.users.push(victims.user.clone());
        no_trace_of(&self.data(), &server, &victims.user, &context).await;
        self.ledger.verify(&server, &self.data(), &context).await;
        assert_eq!(segments_with(&self.data(), &self.gone), Vec::<PathBuf>::new(), "{context}");
        self.assert_log_has_no_text(&server);
        server
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_in_erasures_beside_sweeps_and_recalls_leave_nothing_of_what_was_erased() {
    let kills = if is_long_form() { 100 } else { 8 };
    let seed = first_seed().wrapping_add(110);
    println!("faults: seed {seed}");
    let mut campaign = Campaign {
        folder: tempfile::tempdir().unwrap(),
        rng: Rng::new(seed),
        seed,
        ledger: Ledger::default(),
        notes: Vec::new(),
        gone: BTreeSet::new(),
        users: Vec::new(),
        takes: Duration::from_millis(500),
        early: 0,
        with_segment: 0,
    };
    let data = campaign.data();
    let mut server = Watched::start(&data, "hashing").await;
    campaign.fill_notes(&server.client).await;
    campaign.ledger.write(&server.client, NEIGHBOUR, 40).await;
    for round in 0..kills {
        server = campaign.round(server, round).await;
    }
    println!("faults: {} kills in erasures, {} with segments", campaign.early, campaign.with_segment);
    assert!(campaign.early > 0 && campaign.with_segment > 0);
    let left = campaign.ledger.kept.values().filter(|(user, _)| user == USER).count();
    assert!(left > 0 && campaign.gone.len() > 20 * kills, "{left} left, {} gone", campaign.gone.len());
    server.kill();
    assert_eq!(places_with(&data, &campaign.gone).await, BTreeSet::new());
    let kept: BTreeSet<Uuid> = campaign.ledger.kept.keys().copied().collect();
    let places = places_with(&data, &kept).await;
    let named = ["memories.id", "recalls.hits", "forgotten.memory_id", "request_records.made"];
    assert!(named.iter().all(|place| places.contains(*place)), "the search finds what is there: {places:?}");
    let doctor = Command::new(env!("CARGO_BIN_EXE_engrain"))
        .args(["--data-dir".as_ref(), data.as_os_str(), "doctor".as_ref()])
        .env("ENGRAIN_MODEL__EMBEDDER", "hashing")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&doctor.stdout);
    // The embedder of the tests is none that a doctor knows.
    let is_problem = |line: &str| line.starts_with("PROBLEM") && !line.starts_with("PROBLEM  embedder:");
    assert!(told.contains("ok       erased data:") && !told.lines().any(is_problem), "{told}");
}
