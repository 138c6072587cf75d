//! Our certificates: read from files, chosen by the name the client asks for (SNI), replaced without a pause.
//!
//! Never: a certificate without its key in use; the last good pair given up for one that cannot be read.

use std::collections::HashMap;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Where one certificate is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateFiles {
    /// The chain in PEM form, our own certificate first.
    pub chain: PathBuf,
    /// Its private key in PEM form.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// A file.
    #[error("{path}: {fault}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// The key is another certificate's.
    #[error("{key} is not the key of the certificate in {chain}", key = .0.key.display(), chain = .0.chain.display())]
    Mismatch(CertificateFiles),
}

/// All certificates of the service.
pub struct Certificates {
    files: Vec<CertificateFiles>,
    loaded: ArcSwap<Loaded>,
}

#[derive(Default)]
struct Loaded {
    /// In the order of the settings; the first serves who asks for no name, or for none of ours.
    keys: Vec<Arc<CertifiedKey>>,
    /// By DNS name, in lower case; `*.` names stand as they are written.
    names: HashMap<String, usize>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Certificates {
    /// Reads the files; the first fault is told.
    pub fn read(files: Vec<CertificateFiles>) -> Result<Arc<Self>, CertificateFault> {
        let loaded = load(&files)?;
        Ok(Arc::new(Self {
            files,
            loaded: ArcSwap::from_pointee(loaded),
        }))
    }

    /// Reads the files again: new handshakes see what is in them now, sessions that stand are left alone. After a
    /// fault everything stays as it was.
    pub fn reread(&self) -> Result<(), CertificateFault> {
        self.loaded.store(Arc::new(load(&self.files)?));
        Ok(())
    }

    /// Where they come from.
    #[must_use]
    pub fn files(&self) -> &[CertificateFiles] {
        &self.files
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let loaded = self.loaded.load();
        let place = hello.server_name().and_then(|name| loaded.place(name));
        loaded.keys.get(place.unwrap_or(0)).cloned()
    }
}

impl Loaded {
    fn place(&self, name: &str) -> Option<usize> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.names.get(&format!("*.{parent}"))
        };
        self.names.get(&name).or_else(wildcard).copied()
    }
}

fn load(files: &[CertificateFiles]) -> Result<Loaded, CertificateFault> {
    let mut loaded = Loaded::default();
    for (place, each) in files.iter().enumerate() {
        let (key, names) = load_one(each)?;
        loaded.keys.push(Arc::new(key));
        for name in names {
            loaded.names.entry(name).or_insert(place);
        }
    }
    Ok(loaded)
}

fn load_one(files: &CertificateFiles) -> Result<(CertifiedKey, Vec<String>), CertificateFault> {
    let of = |path: &Path, fault: String| CertificateFault::File {
        path: path.to_owned(),
        fault,
    };
    for path in [&files.chain, &files.key] {
        let metadata = std::fs::metadata(path).map_err(|fault| match fault.kind() {
            std::io::ErrorKind::NotFound => of(
                path,
                "it does not exist: your authority gives it, or for trying out `openssl req -x509`".to_owned(),
            ),
            _ => of(path, fault.to_string()),
        })?;
        // Our group may read a key, as where root owns the file; others may not.
        if path == &files.key && metadata.mode() & 0o027 != 0 {
            let mode = metadata.mode() & 0o777;
            let fault = format!(
                "it has mode {mode:04o}: whoever has this key can be us; set 0600, or 0640 with a group of its own"
            );
            return Err(of(path, fault));
        }
    }
    let chain = CertificateDer::pem_file_iter(&files.chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|fault| of(&files.chain, fault.to_string()))?;
    let Some(own) = chain.first() else {
        return Err(of(&files.chain, "it holds no certificate".to_owned()));
    };
    let parsed = webpki::EndEntityCert::try_from(own).map_err(|fault| of(&files.chain, fault.to_string()))?;
    let names = parsed.valid_dns_names().map(str::to_ascii_lowercase).collect();
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|fault| of(&files.key, fault.to_string()))?;
    let signing = aws_lc_rs::sign::any_supported_type(&key).map_err(|fault| of(&files.key, fault.to_string()))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) => Ok((certified, names)),
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok((certified, names)),
        Err(_) => Err(CertificateFault::Mismatch(files.clone())),
    }
}
