//! Standards and Exchange behaviour we cite, as tables that tests check.

pub mod exchange;
pub mod requirements;
pub mod rfcs;

/// How far something is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// As written.
    Done,
    /// In part; the note says which.
    Partly,
    /// Not yet; an issue will.
    Planned,
    /// Not, on purpose; the note says why.
    No,
}

impl State {
    /// True if the code claims to carry out some of it, and so must name it.
    #[must_use]
    pub const fn is_claimed(self) -> bool {
        match self {
            Self::Done | Self::Partly => true,
            Self::Planned | Self::No => false,
        }
    }
}
