//! Command-line arguments, as clap definitions. Their doc comments are the help texts.

mod forgetting;
mod grants;
mod query;
mod scope;
mod thinking;
mod undo;
mod uses;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use engrain::wire;
use uuid::Uuid;

pub(super) use forgetting::{ForgettingCommand, PinArgs};
pub(super) use grants::{GiveArgs, GrantCommand, GrantListArgs};
pub(super) use query::{FilterArg, ListArgs, RecallArgs, ShowArgs, WorkingMemoryArgs};
pub(super) use scope::ScopeArgs;
pub(super) use thinking::{AuditArgs, DigestsArgs, ProfileArgs, TimezoneArgs};
pub(super) use undo::{UndoArgs, UndoCommand};
pub(super) use uses::{FadingArgs, FeedbackArgs, RetentionArgs};

/// Long-term memory for LLM agents and chatbots.
#[derive(Debug, Parser)]
#[command(
    name = "engrain",
    version,
    after_help = "Exit status: 0 success; 1 failure; 2 invalid arguments or configuration; 3 server or hub unreachable, or \
                  store in use or busy; 4 memory, session, job or model not found; 5 import done, but records were \
                  skipped; 6 store damaged, incomplete or of a newer version."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// URL of the server. Default: the server of the data directory, or one started for this command
    #[arg(long, global = true, value_name = "URL", env = "ENGRAIN_SERVER")]
    pub(super) server: Option<String>,
    /// Configuration file; `engrain config` prints one with all defaults
    #[arg(long, global = true, value_name = "FILE", env = "ENGRAIN_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Data directory of the store
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Print results as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Print times in UTC. Default: in the time zone of this machine
    #[arg(long, global = true)]
    pub(super) utc: bool,
    /// Log level: error, warn, info, debug or trace. Default: `log.level` for serve, warn for other commands
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server
    Serve(ServeArgs),
    /// Remember a text
    Remember(RememberArgs),
    /// Recall memories relevant to a query
    Recall(RecallArgs),
    /// Import conversations from files
    Import(ImportArgs),
    /// Export memories, one JSON object per line
    Export(ExportArgs),
    /// List memories
    List(ListArgs),
    /// Show a memory
    Show(ShowArgs),
    /// Show what is true of a subject
    Profile(ProfileArgs),
    /// Show digests of days and of all days, or the portrait
    Digests(DigestsArgs),
    /// Show the working memory of a session
    WorkingMemory(WorkingMemoryArgs),
    /// Say which memories of a recall were cited, confirmed or contradicted
    Feedback(FeedbackArgs),
    /// Show the forgetting curve of a memory, its uses, and when it fades
    Retention(RetentionArgs),
    /// List memories that are about to fade and are worth refreshing
    Fading(FadingArgs),
    /// Count junk, duplicate, looping and unsupported facts
    Audit(AuditArgs),
    /// Show or set the time zone in which the days of an owner are counted
    Timezone(TimezoneArgs),
    /// Forget by policy: show or set policies, preview, sweep, list, restore
    #[command(subcommand)]
    Forgetting(ForgettingCommand),
    /// Pin a memory, which is then never forgotten
    Pin(PinArgs),
    /// Give, list or end read access of others to memories
    #[command(subcommand)]
    Grant(GrantCommand),
    /// Erase memories
    Delete(DeleteArgs),
    /// Take back what a job made, or a change of a memory
    #[command(subcommand)]
    Undo(UndoCommand),
    /// Embed all memories again with another embedder
    Reindex(ReindexArgs),
    /// Back up the store to a file
    Backup(BackupArgs),
    /// Restore the store from a backup
    Restore(RestoreArgs),
    /// Check the store, the configuration and the models
    Doctor(DoctorArgs),
    /// List or fetch models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Print the OpenAPI document
    Openapi,
    /// Print the configuration with all defaults
    Config,
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// Embedder: auto, remote, or the name of a local model
    #[arg(long, value_name = "NAME")]
    pub(super) embedder: Option<String>,
}

/// Commands on models.
#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List models: pinned ones, your own, and those that can be fetched by name
    List,
    /// Fetch models by name into the cache and pin them (HF_ENDPOINT sets the mirror, HF_TOKEN the access token)
    Fetch {
        /// Model names, as listed by `engrain models list`, such as intfloat/multilingual-e5-small
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct RememberArgs {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Text to remember; `-` reads it from standard input
    pub(super) text: String,
    /// Role of the speaker; the text is added as a turn of a conversation
    #[arg(long, value_enum)]
    pub(super) role: Option<RoleArg>,
    /// Session of the turn
    #[arg(long, requires = "role", value_name = "NAME")]
    pub(super) session: Option<String>,
    /// Tag; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub(super) tags: Vec<String>,
    /// Time of the event or turn (RFC 3339), such as 2023-05-20T02:21:00Z; an offset other than Z tells the local day. A date
    /// is the beginning of that day in the owner's time zone. Default: now, with the offset of this machine unless it is zero
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
    /// Importance, 0 to 1
    #[arg(long, value_name = "NUMBER")]
    pub(super) importance: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RoleArg {
    User,
    Assistant,
    System,
    Tool,
}

impl From<RoleArg> for wire::Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::User => wire::Role::User,
            RoleArg::Assistant => wire::Role::Assistant,
            RoleArg::System => wire::Role::System,
            RoleArg::Tool => wire::Role::Tool,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// Ids of the memories
    #[arg(required_unless_present_any = ["filter", "all", "owner"], conflicts_with_all = ["filter", "all"])]
    pub(super) ids: Vec<Uuid>,
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    #[command(flatten)]
    pub(super) filter: FilterArg,
    /// Erase every memory that the scope owns
    #[arg(long, conflicts_with = "filter")]
    pub(super) all: bool,
    /// Erase the owner itself: every memory, its queues, jobs and settings, and its name
    #[arg(long, conflicts_with_all = ["filter", "all", "ids"])]
    pub(super) owner: bool,
    /// Return at once, and let the server delete the data of the owner
    #[arg(long, requires = "owner")]
    pub(super) no_wait: bool,
    /// Skip the confirmation prompt
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Files to import: LongMemEval, LoCoMo, JSON lines, ChatGPT, mem0, or an Engrain export; also their folders, ZIP
    /// archives and gzip
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Format of the files. Default: detected from the content
    #[arg(long, value_parser = format_of, value_name = "NAME")]
    pub(super) format: Option<engrain::formats::Format>,
    /// Prefix of the user ids that are made for benchmark files
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(super) user_prefix: String,
    /// Stop at the first record that cannot be imported. Default: skip it, and exit with status 5 in the end
    #[arg(long)]
    pub(super) strict: bool,
    /// Write what was skipped to a file, as JSON lines: file, record, line, part, reason, count
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Import calls and output of tools in ChatGPT exports, with the role tool. Default: leave them out
    #[arg(long)]
    pub(super) tool_messages: bool,
    /// Maximum number of turns or memories per request, 1 to 1,000
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(super) batch: u16,
    /// Add again what was erased since an earlier import; what is still there is never added twice
    #[arg(long)]
    pub(super) again: bool,
}

fn format_of(name: &str) -> Result<engrain::formats::Format, String> {
    let formats = engrain::formats::Format::ALL;
    formats.into_iter().find(|format| format.name() == name).ok_or_else(|| {
        let names: Vec<&str> = formats.into_iter().map(engrain::formats::Format::name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Output file. Default: standard output
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Print the content alone, as sorted lines, to compare two stores; it cannot be imported
    #[arg(long)]
    pub(super) canonical: bool,
    /// Include versions, derivations and strength in the canonical form
    #[arg(long, requires = "canonical")]
    pub(super) history: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReindexArgs {
    /// Name of the new embedder
    pub(super) embedder: String,
    /// Return without waiting for the end of the job
    #[arg(long)]
    pub(super) no_wait: bool,
}

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// Output file
    pub(super) file: PathBuf,
    /// Overwrite an existing file
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// Backup file, written by `engrain backup`
    pub(super) file: PathBuf,
    /// Replace the existing store; its contents are lost
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Repair faults that can be repaired without loss
    #[arg(long)]
    pub(super) repair: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::error::ErrorKind> {
        Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.kind())
    }

    #[test]
    fn the_argument_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn valid_command_lines_are_parsed() {
        let cli =
            parse("engrain recall --user mara -n 5 --context where --json --server http://x").expect("good");
        assert!(cli.global.json && cli.global.server.as_deref() == Some("http://x"));
        let Command::Recall(args) = cli.command else { panic!("another command") };
        assert_eq!(
            (args.scope.scope().user_id.as_deref(), args.limit, args.context),
            (Some("mara"), Some(5), true)
        );
        for line in [
            "engrain serve --data-dir d --listen 127.0.0.1:0",
            "engrain remember --user u --role assistant --session s text",
            "engrain delete 01890a5d-ac96-774b-bcce-b30209900003 -y",
            "engrain delete --user u --all",
            "engrain delete --user u --owner -y --no-wait",
            "engrain import a.json b.jsonl.gz --format longmemeval --batch 1",
            "engrain export -o f --canonical --history",
            "engrain undo job 01890a5d-ac96-774b-bcce-b30209900003 --dry-run",
            "engrain undo memory 01890a5d-ac96-774b-bcce-b30209900003 --version 2 --with-dependents",
            "engrain grant give --user u --to-agent a --tag travel --until 2030-01-01",
            "engrain grant give --user u --to-user v 01890a5d-ac96-774b-bcce-b30209900003",
            "engrain grant list --agent a --received --all",
            "engrain grant log 01890a5d-ac96-774b-bcce-b30209900003",
            "engrain grant revoke 01890a5d-ac96-774b-bcce-b30209900003",
            "engrain forgetting policy --user u {}",
            "engrain forgetting preview --user u --now 2030-01-01",
            "engrain forgetting restore --user u --all --now 2030-01-01 --no-reinforce",
            "engrain feedback 01890a5d-ac96-774b-bcce-b30209900009 --user u --used 01890a5d-ac96-774b-bcce-b30209900003",
            "engrain pin 01890a5d-ac96-774b-bcce-b30209900003 --release",
            "engrain backup f --force",
            "engrain doctor --repair",
            "engrain timezone --user u Asia/Shanghai",
            "engrain timezone --user u --reset",
            "engrain list --user u --utc",
            "engrain recall --user u --timezone +08:00 yesterday",
            "engrain models list --json",
            "engrain models fetch intfloat/multilingual-e5-small BAAI/bge-m3",
            "engrain openapi",
            "engrain config",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn invalid_command_lines_are_refused() {
        use clap::error::ErrorKind;
        for (line, kind) in [
            ("engrain", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            ("engrain frobnicate", ErrorKind::InvalidSubcommand),
            ("engrain serve --listen here", ErrorKind::ValueValidation),
            ("engrain remember --session s text", ErrorKind::MissingRequiredArgument),
            ("engrain remember --role robot text", ErrorKind::InvalidValue),
            ("engrain show not-an-id", ErrorKind::ValueValidation),
            ("engrain delete", ErrorKind::MissingRequiredArgument),
            ("engrain delete --all --filter {}", ErrorKind::ArgumentConflict),
            ("engrain delete --all --owner", ErrorKind::ArgumentConflict),
            ("engrain timezone UTC --reset", ErrorKind::ArgumentConflict),
            ("engrain forgetting restore --user u", ErrorKind::MissingRequiredArgument),
            ("engrain feedback 01890a5d-ac96-774b-bcce-b30209900009", ErrorKind::MissingRequiredArgument),
            ("engrain grant give --user u --tag t", ErrorKind::MissingRequiredArgument),
            ("engrain grant give --to-user v --to-agent a --tag t", ErrorKind::ArgumentConflict),
            ("engrain import", ErrorKind::MissingRequiredArgument),
            ("engrain models fetch", ErrorKind::MissingRequiredArgument),
            ("engrain models", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            ("engrain import f --format word", ErrorKind::ValueValidation),
            ("engrain import f --batch 1001", ErrorKind::ValueValidation),
        ] {
            assert_eq!(parse(line).err(), Some(kind), "{line}");
        }
    }
}
