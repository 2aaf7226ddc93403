//! Finding a server to talk to, or starting one for as long as the command runs.
//!
//! In this order: `--server`; the server that `server.json` in the data directory names, if the directory is locked and
//! that server answers with the instance id of the file; else this process becomes the server, on a free port of this
//! machine. A store that another process holds without answering so is left alone.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use engrain::Client;
use engrain::client::RetryPolicy;
use memory_core::store::StoreError;

use super::args::Global;
use super::failure::Failure;
use crate::config::{Config, Overrides, load};
use crate::discovery::{Announcement, Holder, holder};
use crate::problem::causes;
use crate::serve::{self, Running};
use crate::telemetry;

/// How long a server that says it is there may take to say so again.
const HEALTH_WITHIN: Duration = Duration::from_secs(2);
/// How long one request of a command may take: those on the whole store take long.
const REQUEST_WITHIN: Duration = Duration::from_secs(600);

/// A server to talk to.
pub(super) struct Connection {
    pub(super) client: Client,
    own: Option<Running>,
}

impl Connection {
    /// Finds or starts a server.
    pub(super) async fn open(global: &Global) -> Result<Self, Failure> {
        if let Some(url) = &global.server {
            log_warnings(global, None)?;
            return Ok(Self { client: client(url)?, own: None });
        }
        let mut config = configuration(global, Overrides::default())?;
        log_warnings(global, Some(&config))?;
        if let Some(url) = running_at(&config).await? {
            return Ok(Self { client: client(&url)?, own: None });
        }
        config.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        config.server.allow_remote_without_keys = false;
        let own = serve::start(config, false).await?;
        Ok(Self { client: client(own.url())?, own: Some(own) })
    }

    /// Whether the server ends with the command.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Stops the server, if it was started for the command.
    pub(super) async fn close(self) {
        if let Some(own) = self.own {
            own.stop().await;
        }
    }
}

/// Runs `work` with a server, and closes it whatever became of the work.
pub(super) async fn with_server<T>(
    global: &Global,
    work: impl AsyncFnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let connection = Connection::open(global).await?;
    let result = work(&connection).await;
    connection.close().await;
    result
}

/// The configuration as flags, environment and file say.
pub(super) fn configuration(global: &Global, overrides: Overrides) -> Result<Config, Failure> {
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let overrides =
        Overrides { data_dir: global.data_dir.clone(), log_level: global.log_level.clone(), ..overrides };
    Ok(load(global.config.as_deref(), &environment, &overrides)?)
}

/// Where the server of the data directory answers, if it has one. None if nobody has the directory.
///
/// Errors: [`Failure::Unreachable`] if a process has it that cannot be talked to.
pub(super) async fn running_at(config: &Config) -> Result<Option<String>, Failure> {
    let data_dir = &config.store.data_dir;
    let shown = data_dir.display();
    let unreachable = |sentence| Err(Failure::Unreachable(sentence));
    let unknown = |error: StoreError| {
        Failure::Failed(format!("cannot tell whether the store in {shown} is in use: {}", causes(&error)))
    };
    let announced = match holder(data_dir).map_err(unknown)? {
        Holder::Announced(announced) => announced,
        Holder::Nobody { left_behind } => {
            if left_behind {
                let sentence = format!("removed server.json of a server of {shown} that was killed");
                let _ = writeln!(io::stderr(), "engrain: {sentence}");
            }
            return Ok(None);
        }
        Holder::Unannounced => {
            return unreachable(format!(
                "the store in {shown} is in use by another command, or by a server that is starting or stopping"
            ));
        }
        Holder::Illegible(error) => {
            return unreachable(format!(
                "the store in {shown} is in use, and its server.json cannot be read ({error}): give the address of \
                 its server with --server"
            ));
        }
    };
    let Announcement { pid, url, .. } = &announced;
    match asked(&announced).await {
        Answer::Right => Ok(Some(announced.url)),
        Answer::Silence => {
            unreachable(format!("the server of {shown} (process {pid}) does not answer at {url}"))
        }
        Answer::Wrong => unreachable(format!(
            "the store in {shown} is in use, but not by what answers at {url}, where its server.json says that its \
             server is (process {pid}): nothing was asked of it"
        )),
    }
}

/// What came back from the address of an announcement.
enum Answer {
    /// The id of the announcement.
    Right,
    /// Something else: another server, of Engrain or not, has the address now.
    Wrong,
    /// Nothing.
    Silence,
}

async fn asked(announced: &Announcement) -> Answer {
    let builder = Client::builder(&announced.url).timeout(HEALTH_WITHIN).retry(RetryPolicy::NEVER);
    let Ok(client) = builder.build() else { return Answer::Silence };
    match client.health().await {
        Ok(health) if health.instance == Some(announced.instance) => Answer::Right,
        Err(engrain::Error::Transport(_) | engrain::Error::TimedOut(_)) => Answer::Silence,
        Ok(_) | Err(_) => Answer::Wrong,
    }
}

fn client(url: &str) -> Result<Client, Failure> {
    Ok(Client::builder(url).timeout(REQUEST_WITHIN).build()?)
}

/// A command logs only what goes wrong, unless it is told otherwise.
fn log_warnings(global: &Global, config: Option<&Config>) -> Result<(), Failure> {
    let level = global.log_level.clone().unwrap_or_else(|| "warn".to_owned());
    let format = config.map_or(crate::config::LogFormat::Text, |config| config.log.format);
    telemetry::init(&crate::config::Log { level, format }).map_err(|error| Failure::Usage(error.to_string()))
}
