//! Log output on standard error, as text or JSON. Standard output belongs to the command line. An event that cannot be
//! written, for a full disk or a closed pipe, is lost: the service goes on.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};

/// Failure to set up the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadLog {
    /// The filter of `log.level` is invalid.
    #[error("log.level cannot be read: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// A log is already set up.
    #[error("the log is set up already")]
    Twice(#[from] TryInitError),
}

/// Sets up the log of the process. To be called once.
pub(crate) fn init(log: &Log) -> Result<(), BadLog> {
    let filter = EnvFilter::builder().parse(&log.level)?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Errors of the log would be printed where the log itself cannot be written, which panics.
    let subscriber = subscriber.with_ansi(std::io::stderr().is_terminal()).log_internal_errors(false);
    match log.format {
        LogFormat::Text => subscriber.with_target(false).finish().try_init()?,
        LogFormat::Json => subscriber.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
