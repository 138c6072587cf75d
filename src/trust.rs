//! Authorities: who vouches for the certificates of others, as a file or the system says.
//!
//! Never: a file without an authority taken for one that names nobody.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The certificates of a file in PEM form. An error says why none could be read; so does a file without any.
pub fn of_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|fault| format!("{}: {fault}", path.display()))?;
    if certificates.is_empty() {
        return Err(nobody(path));
    }
    Ok(certificates)
}

/// Said of a file that names no authority.
#[must_use]
pub fn nobody(path: &Path) -> String {
    format!("{}: it holds no certificate of an authority", path.display())
}

/// Those that the system trusts; what cannot be read of them is told in the log. Reads files: not for threads that drive
/// sockets.
#[must_use]
pub fn of_the_system() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for fault in &found.errors {
        tracing::warn!(%fault, "a certificate of the system's authorities cannot be read");
    }
    found.certs
}

/// Roots for [`rustls`]: of a file, or of the system.
pub fn roots(file: Option<&Path>) -> Result<Arc<RootCertStore>, String> {
    let certificates = file.map_or_else(|| Ok(of_the_system()), of_file)?;
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(certificates);
    match file {
        Some(path) if good == 0 => Err(nobody(path)),
        Some(_) | None => Ok(Arc::new(roots)),
    }
}
