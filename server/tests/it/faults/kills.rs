//! Kills in the middle of operations, at moments of a seed. After each one every acknowledged write is there, what was
//! acknowledged as erased is not readable and in no file, the check is healthy, nothing unfinished is left over, and the
//! same operation succeeds when it is repeated.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engrain::Client;
use engrain::wire::{AddMemories, DeleteOwner, NewMemory, ReindexRequest, Scope};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{first_seed, is_long_form};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use super::ledger::{Ledger, PATIENCE, by_word, leftovers, listed, no_trace_of};
use super::watched::Watched;

/// Memories of a store when its campaign begins.
const MEMORIES: usize = 300;

/// One campaign: a store, its acknowledged state, and the moments of its kills.
struct Campaign {
    folder: TempDir,
    rng: Rng,
    seed: u64,
    ledger: Ledger,
    /// Time that the operation takes undisturbed.
    takes: Duration,
}

impl Campaign {
    /// A filled store, and its running server.
    async fn begin(number: u64) -> (Self, Watched) {
        let seed = first_seed().wrapping_add(number);
        println!("faults: seed {seed}");
        let folder = tempfile::tempdir().unwrap();
        let campaign = Self {
            folder,
            rng: Rng::new(seed),
            seed,
            ledger: Ledger::default(),
            takes: Duration::from_millis(200),
        };
        let mut campaign = campaign;
        fs::create_dir(campaign.out()).unwrap();
        let server = Watched::start(&campaign.data(), "hashing").await;
        campaign.ledger.write(&server.client, "mara", MEMORIES).await;
        (campaign, server)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn rounds() -> usize {
        if is_long_form() { 12 } else { 2 }
    }

    /// Writes, erases, and returns a sentence for failures.
    async fn prepare(&mut self, server: &Watched, round: usize) -> String {
        let ids = self.ledger.write(&server.client, "mara", 5).await;
        self.ledger.erase(&server.client, ids[round % 5]).await;
        format!("seed {}, round {round}", self.seed)
    }

    /// Moment of a kill after the beginning of the operation.
    async fn moment(&mut self) {
        let percent = u32::try_from(self.rng.below(120)).unwrap();
        tokio::time::sleep(self.takes * percent / 100).await;
    }

    /// The server as it comes back.
    async fn restart(&self, context: &str) -> Watched {
        let server = Watched::start(&self.data(), "auto").await;
        self.ledger.verify(&server, &self.data(), context).await;
        server
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_engrain"))
            .args(["--data-dir".as_ref(), self.data().as_os_str()])
            .args(arguments)
            .env("ENGRAIN_MODEL__EMBEDDER", "hashing")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Runs a command to its end, which must be a success; notes how long it takes.
    async fn succeed(&mut self, arguments: &[&str], context: &str) {
        let began = Instant::now();
        let mut child = self.spawn(arguments);
        let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{context}: {arguments:?} ended with {status}");
        self.takes = began.elapsed();
        assert_eq!(leftovers(&self.out()), Vec::<PathBuf>::new(), "{context}");
    }

    /// Begins a command, and kills its server in the middle of it: with it, or alone.
    async fn kill_in(&mut self, arguments: &[&str], server: Watched) {
        let mut child = self.spawn(arguments);
        self.moment().await;
        if self.rng.chance(50) {
            let _ = child.kill();
        }
        server.kill();
        let _ = child.kill();
        child.wait().unwrap();
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Rounds of a command that goes through the server and changes nothing.
async fn kill_in_copies(number: u64, arguments: impl Fn(&Path) -> Vec<String>) {
    let (mut campaign, mut server) = Campaign::begin(number).await;
    let arguments = arguments(&campaign.out());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    campaign.succeed(&arguments, "undisturbed").await;
    for round in 0..Campaign::rounds() {
        let context = campaign.prepare(&server, round).await;
        campaign.kill_in(&arguments, server).await;
        server = campaign.restart(&context).await;
        campaign.succeed(&arguments, &context).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_a_backup_loses_nothing_and_leaves_nothing() {
    kill_in_copies(101, |out| vec!["backup".to_owned(), "--force".to_owned(), text(&out.join("b.db"))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_an_export_loses_nothing_and_leaves_nothing() {
    kill_in_copies(102, |out| {
        ["export", "--user", "mara", "-o"]
            .map(ToOwned::to_owned)
            .into_iter()
            .chain([text(&out.join("e"))])
            .collect()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_an_import_leaves_what_the_repeated_import_completes_without_doubles() {
    let (mut campaign, mut server) = Campaign::begin(103).await;
    let file = campaign.folder.path().join("said.jsonl");
    let lines = |round: usize| -> Vec<String> {
        let line = |turn| format!("import{round}x{turn} was said {}", "at length ".repeat(turn % 40));
        (0..MEMORIES).map(line).collect()
    };
    for round in 0..=Campaign::rounds() {
        let context = campaign.prepare(&server, round).await;
        let (user, said) = (format!("import-{round}"), lines(round));
        let line = |text| json!({"role": "user", "content": text, "session": "s"}).to_string();
        fs::write(&file, said.iter().map(line).collect::<Vec<_>>().join("\n")).unwrap();
        let name = text(&file);
        let arguments = ["import", "--user", &user, "--batch", "20", &name];
        if round > 0 {
            campaign.kill_in(&arguments, server).await;
            server = campaign.restart(&context).await;
        }
        campaign.succeed(&arguments, &context).await;
        let mut there: Vec<String> = listed(&server.client, &user).await.into_values().collect();
        let mut expected = said;
        there.sort_unstable();
        expected.sort_unstable();
        assert_eq!(there, expected, "{context}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_a_restore_leaves_the_old_store_or_the_new_one() {
    let (mut campaign, mut server) = Campaign::begin(104).await;
    campaign.prepare(&server, 0).await;
    let copy = text(&campaign.out().join("copy.db"));
    campaign.succeed(&["backup", "--force", &copy], "undisturbed").await;
    let of_copy = campaign.ledger.clone();
    let arguments = ["restore", "--force", &copy];
    server.kill();
    campaign.succeed(&arguments, "undisturbed").await;
    for round in 0..Campaign::rounds() {
        let context = format!("seed {}, round {round}", campaign.seed);
        server = campaign.restart(&context).await;
        let later = campaign.ledger.write(&server.client, "later", 20).await;
        server.kill();
        let mut child = campaign.spawn(&arguments);
        campaign.moment().await;
        let _ = child.kill();
        child.wait().unwrap();

        server = Watched::start(&campaign.data(), "auto").await;
        let there = listed(&server.client, "later").await.len();
        assert!([0, later.len()].contains(&there), "{context}: {there} of {}", later.len());
        let state = if there == 0 { &of_copy } else { &campaign.ledger };
        state.verify(&server, &campaign.data(), &context).await;
        server.kill();
        campaign.succeed(&arguments, &context).await;
        campaign.ledger.kept.clone_from(&of_copy.kept);
    }
    campaign.restart("in the end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_a_reindex_is_made_good_by_the_next_start() {
    let (mut campaign, mut server) = Campaign::begin(105).await;
    for round in 0..=Campaign::rounds() {
        let context = campaign.prepare(&server, round).await;
        let embedder = ["hashing-96", "hashing"][round % 2].to_owned();
        let began = Instant::now();
        let job = server.client.reindex(&ReindexRequest { embedder: embedder.clone() }).await.unwrap();
        if round > 0 {
            campaign.moment().await;
            server.kill();
            server = campaign.restart(&context).await;
        }
        ended(&server.client, job.id, &context).await;
        if round == 0 {
            campaign.takes = began.elapsed();
        }
        assert_eq!(server.client.version().await.unwrap().embedder, embedder, "{context}");
        campaign.ledger.verify(&server, &campaign.data(), &context).await;
    }
}

/// Waits for a job that must succeed.
async fn ended(client: &Client, job: Uuid, context: &str) {
    let began = Instant::now();
    loop {
        let now = client.job(job).await.unwrap();
        if now.state.is_over() {
            assert_eq!(now.state, engrain::wire::JobState::Done, "{context}: {now:?}");
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{context}: {now:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_erasures_brings_none_of_the_acknowledged_ones_back() {
    let (mut campaign, mut server) = Campaign::begin(106).await;
    campaign.takes = Duration::from_millis(600);
    for round in 0..Campaign::rounds() {
        let context = campaign.prepare(&server, round).await;
        let mut victims = campaign.ledger.write(&server.client, "mara", 60).await;
        let client = server.client.clone();
        let doubted: Vec<_> = victims.iter().map(|id| campaign.ledger.doubt(*id)).collect();
        let erasing = victims.clone();
        let acknowledged = tokio::spawn(async move {
            let mut count = 0;
            for id in erasing {
                if client.delete_memory(id).await.is_err() {
                    break;
                }
                count += 1;
            }
            count
        });
        campaign.moment().await;
        server.kill();
        let count = acknowledged.await.unwrap();
        campaign.ledger.erased.extend(doubted[..count].iter().cloned());
        server = campaign.restart(&format!("{context}, {count} erased")).await;
        for id in victims.drain(count..) {
            let again = server.client.delete_memory(id).await;
            let is_gone = again.as_ref().err().and_then(engrain::Error::code) == Some("not_found");
            assert!(again.is_ok() || is_gone, "{context}: {again:?}");
        }
        campaign.ledger.erased.extend(doubted[count..].iter().cloned());
        campaign.ledger.verify(&server, &campaign.data(), &context).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_erasure_of_an_owner_leaves_it_whole_or_erases_it_to_the_last_byte() {
    let (mut campaign, mut server) = Campaign::begin(107).await;
    for round in 0..Campaign::rounds() {
        let mut context = campaign.prepare(&server, round).await;
        let user = format!("owner{}x{round}x", campaign.seed % 1_000);
        let ids = campaign.ledger.write(&server.client, &user, MEMORIES).await;
        let mut request = DeleteOwner { scope: Scope::user(&user), confirmation: None };
        request.confirmation = server.client.delete_owner(&request).await.unwrap().confirmation;
        let client = server.client.clone();
        let asked = request.clone();
        let erasing = tokio::spawn(async move { client.delete_owner(&asked).await });
        campaign.moment().await;
        server.kill();
        let acknowledged = erasing.await.unwrap().is_ok_and(|answer| answer.done);
        let doubted: Vec<_> = ids.iter().map(|id| campaign.ledger.doubt(*id)).collect();
        context = format!("{context}, acknowledged: {acknowledged}");
        server = Watched::start(&campaign.data(), "auto").await;
        let there = listed(&server.client, &user).await.len();
        assert!(there == 0 || there == ids.len() && !acknowledged, "{context}: {there}");
        if there > 0 {
            request.confirmation = None;
            request.confirmation = server.client.delete_owner(&request).await.unwrap().confirmation;
            let job = server.client.delete_owner(&request).await.unwrap().job_id.unwrap();
            ended(&server.client, job, &context).await;
        }
        campaign.ledger.erased.extend(doubted);
        no_trace_of(&campaign.data(), &server, &user, &context).await;
        campaign.ledger.verify(&server, &campaign.data(), &context).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_vectors_are_made_in_the_background_leaves_them_to_the_next_start() {
    let (mut campaign, mut server) = Campaign::begin(108).await;
    campaign.takes = Duration::from_millis(800);
    for round in 0..Campaign::rounds() {
        let context = campaign.prepare(&server, round).await;
        let word = format!("large{round}q");
        let body: String = (0..15_000).map(|number| format!("{word} w{number} ")).collect();
        let memory = NewMemory { text: body.clone(), ..NewMemory::default() };
        let request =
            AddMemories { scope: Scope::user("mara"), memories: vec![memory], ..AddMemories::default() };
        let id = server.client.add_memories(&request).await.unwrap().memory_ids[0];
        campaign.ledger.kept.insert(id, ("mara".to_owned(), body));
        campaign.moment().await;
        server.kill();
        server = Watched::start(&campaign.data(), "auto").await;
        let found = server.client.recall(&by_word("mara", &word)).await.unwrap();
        assert_eq!(found.memories.first().map(|one| one.memory.id), Some(id), "{context}");
        let began = Instant::now();
        while server.client.ready().await.unwrap().rows_without_vectors != Some(0) {
            assert!(began.elapsed() < PATIENCE, "{context}: vectors are missing");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        campaign.ledger.verify(&server, &campaign.data(), &context).await;
    }
}
