//! The one way in which this crate speaks TLS, to model hubs and to embedding services: rustls over ring, trusting what
//! the system trusts. It exists so that the binary holds one cryptographic library, which needs nothing but a C
//! compiler.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;

/// The configuration of a client.
pub(super) fn client_config() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?;
    Ok(config.with_no_client_auth())
}
