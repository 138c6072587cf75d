//! BDAT (RFC 3030): content in counted chunks.
//!
//! Never: an octet of a chunk read as a command, whatever becomes of the chunk: what was announced is consumed.

use super::{Dialect, Gate, Phase, ServerSession, content_reason};
use crate::mail::{Envelope, Reply};
use crate::smtp::data::ContentScanner;
use crate::smtp::replies;

/// A message that comes in chunks.
#[derive(Debug)]
pub(super) struct Chunks {
    pub(super) envelope: Envelope,
    pub(super) scanner: ContentScanner,
    /// Octets of the chunk under way that have not come yet.
    remaining: u64,
    last: bool,
}

/// A chunk that is consumed and answered, and no more.
#[derive(Debug)]
pub(super) struct Discard {
    remaining: u64,
    reply: Reply,
    /// Where the session is afterwards.
    then: Phase,
}

impl ServerSession {
    /// Begins a chunk.
    pub(super) fn bdat(&mut self, octets: u64, last: bool, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Start);
        let (dialect, mut chunks) = match phase {
            Phase::Transaction(dialect, envelope) if envelope.recipients.is_empty() => {
                return self.discard(
                    octets,
                    replies::NO_RECIPIENTS,
                    Phase::Transaction(dialect, envelope),
                    out,
                );
            }
            // RFC 5321 §4.1.4: after HELO there are no extensions. The octets come all the same.
            Phase::Transaction(Dialect::Plain, envelope) => {
                return self.discard(
                    octets,
                    replies::NOT_OFFERED,
                    Phase::Transaction(Dialect::Plain, envelope),
                    out,
                );
            }
            Phase::Transaction(dialect, envelope) => {
                if let Err(reply) = gate.begin_content(&envelope) {
                    return self.discard(octets, reply, Phase::Transaction(dialect, envelope), out);
                }
                let scanner = ContentScanner::new(self.profile.message_octets_max);
                (dialect, Box::new(Chunks::new(*envelope, scanner)))
            }
            Phase::BetweenChunks(dialect, chunks) => (dialect, chunks),
            other => {
                let reply = match other {
                    Phase::Start => replies::HELLO_FIRST,
                    _ => replies::MAIL_FIRST,
                };
                return self.discard(octets, reply, other, out);
            }
        };
        chunks.remaining = octets;
        chunks.last = last;
        self.phase = Phase::Chunk(dialect, chunks);
    }

    /// Takes octets of the chunk under way; returns how many, and the envelope once the message is whole.
    pub(super) fn take_chunk(
        &mut self,
        input: &[u8],
        gate: &mut dyn Gate,
        out: &mut Vec<u8>,
    ) -> (usize, Option<Envelope>) {
        let Phase::Chunk(dialect, chunks) = &mut self.phase else {
            return (0, None);
        };
        let count = chunks.take(input, gate);
        if chunks.remaining > 0 {
            return (count, None);
        }
        let dialect = *dialect;
        if chunks.last {
            chunks.scanner.end_counted(&mut |octets| gate.content(octets));
        }
        let Phase::Chunk(_, chunks) = std::mem::replace(&mut self.phase, Phase::Ready(dialect)) else {
            return (count, None);
        };
        self.steps += 1;
        if let Some(fault) = chunks.scanner.fault() {
            let reply = replies::for_content_fault(fault);
            gate.refused(&chunks.envelope.reverse_path, &reply, content_reason(fault));
            self.fail(&reply, out);
            return (count, None);
        }
        if chunks.last {
            self.phase = Phase::Submitted(dialect);
            return (count, Some(chunks.envelope));
        }
        replies::CHUNK_OK.write(out);
        self.phase = Phase::BetweenChunks(dialect, chunks);
        (count, None)
    }

    fn discard(&mut self, octets: u64, reply: Reply, then: Phase, out: &mut Vec<u8>) {
        self.phase = Phase::Discard(Box::new(Discard {
            remaining: octets,
            reply,
            then,
        }));
        if octets == 0 {
            self.take_discarded(0, out);
        }
    }

    /// Passes over octets of a chunk that was refused; returns how many.
    pub(super) fn take_discarded(&mut self, available: usize, out: &mut Vec<u8>) -> usize {
        let Phase::Discard(discard) = &mut self.phase else {
            return 0;
        };
        let count = usize::try_from(discard.remaining).map_or(available, |remaining| remaining.min(available));
        discard.remaining -= count as u64;
        if discard.remaining > 0 {
            return count;
        }
        if let Phase::Discard(discard) = std::mem::replace(&mut self.phase, Phase::Closed) {
            let Discard { reply, then, .. } = *discard;
            self.phase = then;
            self.steps += 1;
            self.refuse(&reply, out);
        }
        count
    }
}

impl Chunks {
    fn new(envelope: Envelope, scanner: ContentScanner) -> Self {
        Self {
            envelope,
            scanner,
            remaining: 0,
            last: false,
        }
    }

    /// True if nothing of the chunk is missing: `BDAT 0 LAST`.
    pub(super) fn is_whole(&self) -> bool {
        self.remaining == 0
    }

    fn take(&mut self, input: &[u8], gate: &mut dyn Gate) -> usize {
        let count = usize::try_from(self.remaining).map_or(input.len(), |remaining| remaining.min(input.len()));
        self.scanner
            .scan_counted(&input[..count], &mut |octets| gate.content(octets));
        self.remaining -= count as u64;
        count
    }
}
