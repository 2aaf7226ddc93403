//! `engrain serve`: run the server in the foreground.

use super::args::{Global, ServeArgs};
use super::connect::{configuration, running_at};
use super::failure::Failure;
use crate::config::Overrides;
use crate::{serve, telemetry};

/// Runs the server until it receives a stop signal.
pub(super) async fn serve(global: &Global, args: ServeArgs) -> Result<(), Failure> {
    if global.server.is_some() {
        return Err(Failure::Usage("--server names a server to talk to; serve takes --listen".to_owned()));
    }
    let ServeArgs { listen, embedder } = args;
    let config = configuration(global, Overrides { listen, embedder, ..Overrides::default() })?;
    telemetry::init(&config.log).map_err(|error| Failure::Usage(error.to_string()))?;
    // Checked before binding: "address in use" would be true, but not the cause.
    if let Some(url) = running_at(&config).await? {
        return Err(Failure::Unreachable(format!(
            "the store in {} is served already, at {url}",
            config.store.data_dir.display()
        )));
    }
    Box::pin(serve::serve(config, serve::told_to_stop())).await?;
    Ok(())
}
