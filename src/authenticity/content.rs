//! The octets that signatures were made over, as they came.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Shared;
use crate::categorizer::identify::Question;
use crate::limits::AUTHENTICITY_MEMORY_OCTETS_MAX;
use crate::mail::header::HeaderSection;
use crate::spool::content::{Content, Octets};

/// One permit of memory.
pub(super) const UNIT_OCTETS: u64 = 64 * 1024;

/// Permits for so many octets, rounded up.
pub(super) fn units(octets: u64) -> usize {
    usize::try_from(octets.div_ceil(UNIT_OCTETS)).unwrap_or(Semaphore::MAX_PERMITS)
}

/// A message in memory, and the place it takes there.
pub(super) struct Loaded {
    pub(super) octets: Bytes,
    _place: Option<OwnedSemaphorePermit>,
}

/// Brings a message into memory: at once if it is there and was not changed. None if it is larger than all memory
/// there is for this.
pub(super) async fn load(shared: &Shared, question: &Question) -> io::Result<Option<Loaded>> {
    let content = &question.content;
    if let (Octets::Memory(octets), None) = (&content.octets, &question.original_head) {
        return Ok(Some(Loaded {
            octets: octets.clone(),
            _place: None,
        }));
    }
    if content.len() > AUTHENTICITY_MEMORY_OCTETS_MAX {
        return Ok(None);
    }
    let wanted = u32::try_from(units(content.len()).max(1)).unwrap_or(u32::MAX);
    let place = Arc::clone(&shared.memory)
        .acquire_many_owned(wanted)
        .await
        .map_err(io::Error::other)?;
    let (content, head) = (content.clone(), question.original_head.clone());
    let read = tokio::task::spawn_blocking(move || whole(&content, head.as_ref()));
    let octets = read.await.map_err(io::Error::other)??;
    Ok(Some(Loaded {
        octets,
        _place: Some(place),
    }))
}

/// The message with its header section as it came.
fn whole(content: &Content, original_head: Option<&Bytes>) -> io::Result<Bytes> {
    let mut octets = BytesMut::new();
    let mut at = 0;
    if let Some(head) = original_head {
        octets.extend_from_slice(head);
        let section = HeaderSection::parse(&content.head).map_err(io::Error::other)?;
        at = section.octets as u64;
    }
    let rest = usize::try_from(content.len().saturating_sub(at)).map_err(io::Error::other)?;
    let start = octets.len();
    octets.resize(start + rest, 0);
    let mut filled = start;
    while filled < octets.len() {
        let count = content.read_at(at, &mut octets[filled..])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += count;
        at += count as u64;
    }
    Ok(octets.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_follows_the_header_section_as_it_came() {
        let content = Content::in_memory(&b"Subject: x\r\n\r\nbody\r\n"[..]);
        let original = Bytes::from_static(b"X-Gone: y\r\nSubject: x\r\n");
        let whole = whole(&content, Some(&original)).expect("in memory");
        assert_eq!(&whole[..], b"X-Gone: y\r\nSubject: x\r\n\r\nbody\r\n");
    }
}
