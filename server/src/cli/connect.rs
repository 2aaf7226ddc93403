//! Finding a server to talk to, or starting one for as long as the command runs.
//!
//! In this order: `--server`; the server that `server.json` in the data directory names, if it answers; else this
//! process becomes the server, on a free port of this machine. A store that another process holds without answering
//! is left alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use engrain::Client;
use engrain::client::RetryPolicy;

use super::args::Global;
use super::failure::Failure;
use crate::config::{Config, Overrides, load};
use crate::discovery::{Announcement, is_in_use};
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

/// Where the server of the data directory answers, if it has one.
pub(super) async fn running_at(config: &Config) -> Result<Option<String>, Failure> {
    let data_dir = &config.store.data_dir;
    let Some(announced) = Announcement::read(data_dir) else {
        return match is_in_use(data_dir)? {
            true => Err(Failure::Unreachable(format!(
                "the store in {} is in use by another command, or by a server that is still starting",
                data_dir.display()
            ))),
            false => Ok(None),
        };
    };
    if answers(&announced.url).await {
        return Ok(Some(announced.url));
    }
    if is_in_use(data_dir)? {
        return Err(Failure::Unreachable(format!(
            "the server of {} (process {}) does not answer at {}",
            data_dir.display(),
            announced.pid,
            announced.url
        )));
    }
    Ok(None) // left behind by a server that was killed
}

async fn answers(url: &str) -> bool {
    let builder = Client::builder(url).timeout(HEALTH_WITHIN).retry(RetryPolicy::NEVER);
    match builder.build() {
        Ok(client) => client.health().await.is_ok(),
        Err(_) => false,
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
