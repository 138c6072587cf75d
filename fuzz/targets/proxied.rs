//! What the reader of PROXY headers is asked: any connection, read as the listener reads it.

use muster::limits::PROXY_HEADER_OCTETS_MAX;
use muster::smtp::proxy::{Progress, read};

/// Reads what was asked for and no more.
pub fn proxied(stream: &[u8]) {
    let mut taken = 0;
    while let Ok(Progress::More(more)) = read(&stream[..taken]) {
        assert!(more > 0, "a wait for nothing");
        taken += more;
        assert!(taken <= PROXY_HEADER_OCTETS_MAX, "over the bound");
        if taken > stream.len() {
            return;
        }
    }
    let end = read(&stream[..taken]);
    // Pieces make no difference: a part of a header is never one itself.
    for cut in 0..taken {
        assert!(!matches!(read(&stream[..cut]), Ok(Progress::Whole(_))) || end.is_err());
    }
}
