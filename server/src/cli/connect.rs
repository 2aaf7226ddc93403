//! Connection of a command to a server: discovery, or a server started for the duration of the command.
//!
//! In this order: `--server`; the server named by `server.json` in the data directory, if the directory is locked and
//! that server answers with the file's instance id; otherwise a server in this process, on a free local port. A store
//! held by any other process is not touched.

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

/// Timeout of the health check of an announced server.
const HEALTH_WITHIN: Duration = Duration::from_secs(2);
/// Timeout of one request of a command; requests on the whole store take long.
const REQUEST_WITHIN: Duration = Duration::from_secs(600);

/// Connection to a server.
pub(super) struct Connection {
    pub(super) client: Client,
    own: Option<Running>,
}

impl Connection {
    /// Finds a server or starts one.
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

    /// True if the server ends with the command.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Stops the server if it was started for the command.
    pub(super) async fn close(self) {
        if let Some(own) = self.own {
            own.stop().await;
        }
    }
}

/// Runs `work` with a connection and closes it in any case.
pub(super) async fn with_server<T>(
    global: &Global,
    work: impl AsyncFnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let connection = Connection::open(global).await?;
    let result = work(&connection).await;
    connection.close().await;
    result
}

/// Configuration from flags, environment and file.
pub(super) fn configuration(global: &Global, overrides: Overrides) -> Result<Config, Failure> {
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let overrides =
        Overrides { data_dir: global.data_dir.clone(), log_level: global.log_level.clone(), ..overrides };
    Ok(load(global.config.as_deref(), &environment, &overrides)?)
}

/// URL of the server of the data directory. None if no process owns the directory.
///
/// # Errors
/// [`Failure::Unreachable`] if the owning process does not answer as its server.
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

/// Response from the address of an announcement.
enum Answer {
    /// The announced instance id.
    Right,
    /// Another response: a different server, of Engrain or not, has the address now.
    Wrong,
    /// No response.
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

/// Default log level of a command: warnings and errors.
fn log_warnings(global: &Global, config: Option<&Config>) -> Result<(), Failure> {
    let level = global.log_level.clone().unwrap_or_else(|| "warn".to_owned());
    let format = config.map_or(crate::config::LogFormat::Text, |config| config.log.format);
    telemetry::init(&crate::config::Log { level, format }).map_err(|error| Failure::Usage(error.to_string()))
}
