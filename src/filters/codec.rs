//! The milter protocol's packets, version 6: a length of four octets, a letter, and what belongs to it. Pure.
//!
//! In: octets of a filter. Out: what it said; and the other way. Never: a packet larger than its bound.

/// Largest packet that a filter may send. Replies and fields are small; bodies are not taken from filters.
pub const PACKET_OCTETS_MAX: usize = 1 << 20;

/// Largest part of a body in one packet, as libmilter has it.
pub const BODY_OCTETS_MAX: usize = 65_535;

/// Version that we speak.
const VERSION: u32 = 6;
/// Everything that a filter may ask for; what we do not do is passed over, because filters give up that are told less.
const ACTIONS: u32 = 0x1ff;
/// Steps that a filter may leave out or not answer. Without SMFIP_RCPT_REJ (0x800): refused recipients are not told.
const STEPS: u32 = 0x1f_f7ff;

/// A step of the protocol with the bits by which a filter leaves it out, or leaves its answer out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Who connects.
    Connect,
    /// EHLO.
    Helo,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// One field.
    Header,
    /// End of the header section.
    EndOfHeaders,
    /// A part of the body.
    Body,
    /// End of the message: always sent and answered.
    End,
}

impl Step {
    /// Letter of its packet.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Connect => b'C',
            Self::Helo => b'H',
            Self::Mail => b'M',
            Self::Rcpt => b'R',
            Self::Data => b'T',
            Self::Header => b'L',
            Self::EndOfHeaders => b'N',
            Self::Body => b'B',
            Self::End => b'E',
        }
    }

    const fn bits(self) -> (u32, u32) {
        match self {
            Self::Connect => (0x1, 0x1000),
            Self::Helo => (0x2, 0x2000),
            Self::Mail => (0x4, 0x4000),
            Self::Rcpt => (0x8, 0x8000),
            Self::Data => (0x200, 0x1_0000),
            Self::Header => (0x20, 0x80),
            Self::EndOfHeaders => (0x40, 0x4_0000),
            Self::Body => (0x10, 0x8_0000),
            Self::End => (0, 0),
        }
    }
}

/// What a filter has chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Chosen(u32);

impl Chosen {
    /// True if the step is sent.
    #[must_use]
    pub fn wants(self, step: Step) -> bool {
        step == Step::End || self.0 & step.bits().0 == 0
    }

    /// True if the step is answered.
    #[must_use]
    pub fn answers(self, step: Step) -> bool {
        step == Step::End || self.0 & step.bits().1 == 0
    }

    /// True if values of fields are sent with the blank before them.
    #[must_use]
    pub fn keeps_leading_blanks(self) -> bool {
        self.0 & 0x10_0000 != 0
    }
}

/// What a filter says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// Go on.
    Continue,
    /// It needs no more to let the message go on.
    Accept,
    /// Refuse.
    Reject,
    /// Put off.
    Defer,
    /// Take it and give it up.
    Discard,
    /// Refuse or put off with these words: `550 5.7.1 spam`.
    Reply(String),
    /// It needs no more of the body.
    Skip,
    /// It is still at work.
    Progress,
    /// A field on top.
    Add(String, String),
    /// A field in place of another, or without a value: away with it.
    Change(String, String),
    /// Hold it.
    Quarantine(String),
    /// Something else: a change of the body or of recipients.
    Other(u8),
}

/// A packet.
#[must_use]
pub fn packet(letter: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 1).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(content.len() + 5);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(letter);
    out.extend_from_slice(content);
    out
}

/// The first packet: what we speak and allow.
#[must_use]
pub fn negotiation() -> Vec<u8> {
    let words: Vec<u8> = [VERSION, ACTIONS, STEPS]
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .collect();
    packet(b'O', &words)
}

/// What a filter chose of it.
pub fn chosen(letter: u8, content: &[u8]) -> Result<Chosen, String> {
    let word = |at: usize| -> Option<u32> {
        let octets: [u8; 4] = content.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(octets))
    };
    match (letter, word(0), word(8)) {
        (b'O', Some(version), Some(steps)) if (2..=VERSION).contains(&version) && steps & !STEPS == 0 => {
            Ok(Chosen(steps))
        }
        (b'O', Some(version), Some(steps)) => Err(format!("version {version}, steps {steps:#x}: not offered")),
        _ => Err("the filter does not negotiate".to_owned()),
    }
}

/// Texts, each with a zero octet behind it.
#[must_use]
pub fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut out = Vec::new();
    for text in texts {
        // A zero octet would end the text early.
        out.extend(text.bytes().filter(|octet| *octet != 0));
        out.push(0);
    }
    out
}

/// Macros that belong to a step: names in braces and values.
#[must_use]
pub fn macros(step: Step, values: &[(&str, &str)]) -> Vec<u8> {
    let mut content = vec![step.letter()];
    content.extend(texts(values.iter().flat_map(|(name, value)| [*name, *value])));
    packet(b'D', &content)
}

/// Reads what a filter says.
#[must_use]
pub fn said(letter: u8, content: &[u8]) -> Said {
    let text = |content: &[u8]| {
        let end = content.iter().position(|octet| *octet == 0).unwrap_or(content.len());
        String::from_utf8_lossy(&content[..end]).into_owned()
    };
    let pair = |content: &[u8]| {
        let name = text(content);
        let rest = content.get(name.len() + 1..).unwrap_or_default();
        (name, text(rest))
    };
    match letter {
        b'c' => Said::Continue,
        b'a' => Said::Accept,
        b'r' => Said::Reject,
        b't' => Said::Defer,
        b'd' => Said::Discard,
        b'y' => Said::Reply(text(content)),
        b's' => Said::Skip,
        b'p' => Said::Progress,
        b'h' => {
            let (name, value) = pair(content);
            Said::Add(name, value)
        }
        b'i' => {
            let (name, value) = pair(content.get(4..).unwrap_or_default());
            Said::Add(name, value)
        }
        b'm' => {
            let (name, value) = pair(content.get(4..).unwrap_or_default());
            Said::Change(name, value)
        }
        b'q' => Said::Quarantine(text(content)),
        other => Said::Other(other),
    }
}
