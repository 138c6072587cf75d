//! What every reader of the importer is asked: an export of one kind, alone and as an import.

use muster::connectors::exchange::detect;
use muster::connectors::exchange::import::{InputFile, Silent, import};
use muster::connectors::exchange::raw::FileKind;
use muster::directory::SourceId;

/// Reads octets as an export of this kind; other kinds are left to their own targets.
pub fn read(kind: FileKind, octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    if detect::kind_of(&text).ok() != Some(kind) {
        return;
    }
    let alone = detect::read(octets);
    let file = InputFile {
        name: "export".to_owned(),
        octets: octets.to_vec(),
    };
    let imported = import(&[file], &SourceId::new("fuzz"), jiff::Timestamp::UNIX_EPOCH, &Silent);
    if alone.is_err() {
        assert!(imported.objects.is_empty(), "nothing comes of a file that cannot be read");
    }
}
