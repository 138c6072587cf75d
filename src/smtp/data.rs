//! Content behind a 354: where it ends, and what it says (RFC 5321 §4.1.1.4, §4.5.2).
//!
//! In: octets in any cut. Out: the content without its stuffed dots, into a sink; how many octets belonged to it;
//! whether something in it forbids taking it.
//! Never: an end at anything but `CRLF.CRLF`; an octet to the sink after a fault. A fault does not end the content:
//! the true end does, otherwise the rest would be read as commands (SMTP smuggling, `reliability.md` §3.1).

use crate::limits::HEADER_SECTION_OCTETS_MAX;

/// Why content is refused after its true end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ContentFault {
    /// The header section is over [`HEADER_SECTION_OCTETS_MAX`].
    HeaderTooLarge,
    /// More octets than the listener takes.
    TooLarge,
    /// A CR or LF that does not belong to a CRLF, or a NUL.
    BareLineEnd,
}

/// What one call of [`ContentScanner::scan`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scanned {
    /// Octets of the input that belonged to the content; all of them unless it ended.
    pub consumed: usize,
    /// The terminator was met; what follows is commands.
    pub ended: bool,
}

/// Reads one message's content.
#[derive(Debug)]
pub struct ContentScanner {
    place: Place,
    in_header: bool,
    octets: u64,
    octets_max: u64,
    fault: Option<ContentFault>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Before the first octet of a line. The CRLF of the DATA command makes the first one.
    LineStart,
    /// Within a line.
    Line,
    /// Behind a CR within a line.
    Cr,
    /// Behind a CR that is the first octet of its line.
    EmptyCr,
    /// Behind a dot that is the first octet of its line; it is not content.
    Dot,
    /// Behind such a dot and a CR.
    DotCr,
}

impl ContentScanner {
    /// Content of at most `octets_max` octets, counted without stuffed dots and terminator.
    #[must_use]
    pub fn new(octets_max: u64) -> Self {
        Self {
            place: Place::LineStart,
            in_header: true,
            octets: 0,
            octets_max,
            fault: None,
        }
    }

    /// The worst fault so far.
    #[must_use]
    pub fn fault(&self) -> Option<ContentFault> {
        self.fault
    }

    /// Octets of content so far.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Reads on; content goes to `sink` in as few pieces as there are stuffed dots and calls.
    pub fn scan(&mut self, input: &[u8], sink: &mut dyn FnMut(&[u8])) -> Scanned {
        let mut at = 0;
        // Content from here on has not gone to the sink yet.
        let mut from = 0;
        while let Some(&octet) = input.get(at) {
            match self.place {
                Place::Line => {
                    at += self.scan_line(&input[at..]);
                    continue;
                }
                Place::LineStart if octet == b'.' => {
                    self.emit(&input[from..at], sink);
                    from = at + 1;
                    self.place = Place::Dot;
                }
                Place::LineStart if octet == b'\r' => self.place = Place::EmptyCr,
                Place::Dot if octet == b'\r' => self.place = Place::DotCr,
                Place::LineStart | Place::Dot => {
                    self.place = Place::Line;
                    continue;
                }
                Place::DotCr if octet == b'\n' => {
                    self.check_header(0);
                    return Scanned {
                        consumed: at + 1,
                        ended: true,
                    };
                }
                Place::EmptyCr if octet == b'\n' => {
                    self.check_header(at - from);
                    self.in_header = false;
                    self.place = Place::LineStart;
                }
                Place::Cr if octet == b'\n' => self.place = Place::LineStart,
                Place::Cr | Place::EmptyCr | Place::DotCr => {
                    self.note(ContentFault::BareLineEnd);
                    self.place = Place::Line;
                    continue;
                }
            }
            at += 1;
        }
        // Behind a dot only a CR can have been passed over that is not content; it is never emitted late, because
        // what follows is either the end or a fault.
        if self.place != Place::DotCr {
            self.emit(&input[from..], sink);
        }
        self.check_header(0);
        Scanned {
            consumed: input.len(),
            ended: false,
        }
    }

    /// Reads on in content that was counted, not ended by a dot (RFC 3030): all of `input` is content.
    pub fn scan_counted(&mut self, input: &[u8], sink: &mut dyn FnMut(&[u8])) {
        let mut at = 0;
        while let Some(&octet) = input.get(at) {
            match (self.place, octet) {
                (Place::Line, _) => {
                    at += self.scan_line(&input[at..]);
                    continue;
                }
                (Place::LineStart, b'\r') => self.place = Place::EmptyCr,
                (Place::EmptyCr, b'\n') => {
                    self.check_header(at);
                    self.in_header = false;
                    self.place = Place::LineStart;
                }
                (Place::Cr, b'\n') => self.place = Place::LineStart,
                (Place::LineStart, _) => {
                    self.place = Place::Line;
                    continue;
                }
                (Place::Cr | Place::EmptyCr | Place::Dot | Place::DotCr, _) => {
                    self.note(ContentFault::BareLineEnd);
                    self.place = Place::Line;
                    continue;
                }
            }
            at += 1;
        }
        self.emit(input, sink);
        self.check_header(0);
    }

    /// The end of counted content. A last line without CRLF gets one: the message will go on by DATA, where its end
    /// cannot be told otherwise (RFC 5321 §4.1.1.4).
    pub fn end_counted(&mut self, sink: &mut dyn FnMut(&[u8])) {
        match self.place {
            Place::LineStart => {}
            Place::Line => self.emit(b"\r\n", sink),
            Place::Cr | Place::EmptyCr | Place::Dot | Place::DotCr => self.note(ContentFault::BareLineEnd),
        }
    }

    /// Reads on within a line; returns how many octets, at least one.
    fn scan_line(&mut self, input: &[u8]) -> usize {
        let Some(end) = memchr::memchr3(b'\r', b'\n', 0, input) else {
            return input.len();
        };
        if input[end] != b'\r' {
            // A bare LF begins no line: `LF.CRLF` must not look like an end.
            self.note(ContentFault::BareLineEnd);
            return end + 1;
        }
        if input.get(end + 1) == Some(&b'\n') {
            self.place = Place::LineStart;
            return end + 2;
        }
        self.place = Place::Cr;
        end + 1
    }

    fn emit(&mut self, octets: &[u8], sink: &mut dyn FnMut(&[u8])) {
        if octets.is_empty() {
            return;
        }
        self.octets = self.octets.saturating_add(octets.len() as u64);
        if self.octets > self.octets_max {
            self.note(ContentFault::TooLarge);
        }
        if self.fault.is_none() {
            sink(octets);
        }
    }

    /// Holds the header section's limit, with `pending` octets not counted yet.
    fn check_header(&mut self, pending: usize) {
        if self.in_header && self.octets.saturating_add(pending as u64) > HEADER_SECTION_OCTETS_MAX as u64 {
            self.note(ContentFault::HeaderTooLarge);
        }
    }

    fn note(&mut self, fault: ContentFault) {
        self.fault = self.fault.max(Some(fault));
    }
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
