//! What can be written on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use engrain::wire;
use uuid::Uuid;

/// Long-term memory for LLM agents and chatbots.
#[derive(Debug, Parser)]
#[command(
    name = "engrain",
    version,
    after_help = "Exit status: 0 done; 1 failed; 2 wrong usage or configuration; 3 no server or hub answers, or the store is \
                  in use or busy; 4 there is no such memory, session, job or model."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What all commands take.
#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// The server to talk to. Default: the one of the data directory; without one, it is started for the command
    #[arg(long, global = true, value_name = "URL", env = "ENGRAIN_SERVER")]
    pub(super) server: Option<String>,
    /// A configuration file; `engrain config` prints one with all defaults
    #[arg(long, global = true, value_name = "FILE", env = "ENGRAIN_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// The directory of the store
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Write results as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// What to log: error, warn, info, debug, trace. Default: `log.level` for serve, else warn
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server
    Serve(ServeArgs),
    /// Remember a text
    Remember(RememberArgs),
    /// Recall what bears on a question
    Recall(RecallArgs),
    /// Import a file of conversations
    Import(ImportArgs),
    /// Export memories, one JSON object per line
    Export(ExportArgs),
    /// List memories
    List(ListArgs),
    /// Show a memory
    Show(ShowArgs),
    /// Erase memories
    Delete(DeleteArgs),
    /// Change to another embedder
    Reindex(ReindexArgs),
    /// Copy the store into a file
    Backup(BackupArgs),
    /// Put a copy of the store in place
    Restore(RestoreArgs),
    /// Check the store and its surroundings
    Doctor(DoctorArgs),
    /// List models, or fetch one by name
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
    /// What embeds: auto, remote, or the name of a local model
    #[arg(long, value_name = "NAME")]
    pub(super) embedder: Option<String>,
}

/// What can be done with models.
#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models there are: pinned, your own, and those that can be fetched by name
    List,
    /// Fetch models by name into the cache, and pin them (HF_ENDPOINT and HF_TOKEN say from where)
    Fetch {
        /// Names as `engrain models list` shows them, such as intfloat/multilingual-e5-small
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

/// Whose memories.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ScopeArgs {
    /// The person
    #[arg(long, value_name = "ID", env = "ENGRAIN_USER")]
    pub(super) user: Option<String>,
    /// The agent
    #[arg(long, value_name = "ID")]
    pub(super) agent: Option<String>,
    /// The application
    #[arg(long, value_name = "ID")]
    pub(super) app: Option<String>,
    /// The run
    #[arg(long, value_name = "ID")]
    pub(super) run: Option<String>,
}

impl ScopeArgs {
    pub(super) fn scope(&self) -> wire::Scope {
        let Self { user, agent, app, run } = self.clone();
        wire::Scope { user_id: user, agent_id: agent, app_id: app, run_id: run }
    }
}

#[derive(Debug, Args)]
pub(super) struct RememberArgs {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// The text; `-` reads it from standard input
    pub(super) text: String,
    /// Remember it as a turn of a conversation, said by this one
    #[arg(long, value_enum)]
    pub(super) role: Option<RoleArg>,
    /// The conversation it is a turn of
    #[arg(long, requires = "role", value_name = "NAME")]
    pub(super) session: Option<String>,
    /// A label; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub(super) tags: Vec<String>,
    /// When it happened or was said, such as 2023-05-20T02:21:00Z. Default: now
    #[arg(long, value_name = "MOMENT")]
    pub(super) at: Option<String>,
    /// How much it matters, 0 to 1
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
pub(super) struct RecallArgs {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// The question; `-` reads it from standard input
    pub(super) query: String,
    /// How many memories at most
    #[arg(long, short = 'n')]
    pub(super) limit: Option<u32>,
    /// Print the block for a prompt instead of the memories
    #[arg(long)]
    pub(super) context: bool,
    /// Length of that block, in tokens
    #[arg(long, value_name = "TOKENS")]
    pub(super) budget: Option<u32>,
    /// Let a cross-encoder read the best candidates again
    #[arg(long)]
    pub(super) rerank: bool,
    #[command(flatten)]
    pub(super) filter: FilterArg,
}

#[derive(Clone, Debug, Default, Args)]
pub(super) struct FilterArg {
    /// A filter as JSON, such as '{"field": "tags", "contains": "travel"}'
    #[arg(long, value_name = "JSON")]
    pub(super) filter: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    #[command(flatten)]
    pub(super) filter: FilterArg,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 20)]
    pub(super) limit: u32,
    /// Where to go on: the cursor that the list before ended with
    #[arg(long)]
    pub(super) cursor: Option<String>,
    /// The oldest first
    #[arg(long)]
    pub(super) oldest_first: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The memory
    pub(super) id: Uuid,
    /// All its versions
    #[arg(long)]
    pub(super) history: bool,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// The memories
    #[arg(required_unless_present_any = ["filter", "all"], conflicts_with_all = ["filter", "all"])]
    pub(super) ids: Vec<Uuid>,
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    #[command(flatten)]
    pub(super) filter: FilterArg,
    /// Everything that the scope owns
    #[arg(long, conflicts_with = "filter")]
    pub(super) all: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Files: LongMemEval, LoCoMo, JSON lines, ChatGPT, mem0, or an export; .gz too
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// The format. Default: found out from the content
    #[arg(long, value_parser = format_of, value_name = "NAME")]
    pub(super) format: Option<engrain::formats::Format>,
    /// What to put before the user ids that a benchmark's reader makes
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(super) user_prefix: String,
    /// Turns or memories in one request, 1 to 1,000
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(super) batch: u16,
    /// Add what an earlier import brought once more: for memories that were erased since
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
    /// Where to write. Default: standard output
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ReindexArgs {
    /// The embedder to change to
    pub(super) embedder: String,
    /// Do not wait for its end
    #[arg(long)]
    pub(super) no_wait: bool,
}

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// Where to write
    pub(super) file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// What `engrain backup` wrote
    pub(super) file: PathBuf,
    /// Replace the store that is there; what it holds is lost
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Mend what can be mended without loss
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
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn good_lines_are_understood() {
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
            "engrain import a.json b.jsonl.gz --format longmemeval --batch 1",
            "engrain export -o f",
            "engrain backup f --force",
            "engrain doctor --repair",
            "engrain models list --json",
            "engrain models fetch intfloat/multilingual-e5-small BAAI/bge-m3",
            "engrain openapi",
            "engrain config",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn bad_lines_are_refused() {
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
