//! Small things that delivery keeps in files of its own: policies and counts. Losing the last of them is no harm; a file
//! that is half written is never seen.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a file holds; nothing if it is not there, or cannot be read: then the log says so.
pub(super) fn read<T: DeserializeOwned + Default>(file: &Path) -> T {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return T::default(),
        Err(fault) => {
            tracing::warn!(file = %file.display(), %fault, "it begins anew");
            return T::default();
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|fault| {
        tracing::warn!(file = %file.display(), %fault, "it begins anew");
        T::default()
    })
}

/// Writes a file as a whole: after a crash there is the old one or the new one.
pub(super) fn write<T: Serialize>(file: &Path, value: &T) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(&serde_json::to_vec(value)?)?;
    new.as_file().sync_all()?;
    new.persist(file).map(drop).map_err(|fault| fault.error)
}
