//! TLS towards those who know accounts.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;

use crate::trust;

/// TLS with the authorities of a file, or those of the system.
pub(super) fn config(authorities: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|fault| fault.to_string())?
        .with_root_certificates(trust::roots(authorities)?)
        .with_no_client_auth();
    Ok(config)
}
