//! Enhanced mail system status codes (RFC 3463).

use std::fmt;

use serde::{Deserialize, Serialize};

/// `class.subject.detail`, as in `5.7.1`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnhancedStatus {
    /// 2 success, 4 transient, 5 permanent.
    pub class: u8,
    /// What part of the system the status is about.
    pub subject: u16,
    /// The precise condition.
    pub detail: u16,
}

impl EnhancedStatus {
    /// Builds a status; the class is 2, 4 or 5.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }

    /// Reads the status at the start of `text`, if there is a well-formed one followed by a blank or the end.
    #[must_use]
    pub fn leading(text: &str) -> Option<Self> {
        let word = text.split(' ').next()?;
        word.parse().ok()
    }
}

impl std::str::FromStr for EnhancedStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}` is not an enhanced status code such as 5.7.1");
        let mut parts = text.split('.');
        let mut number = |digits_max: usize| -> Option<u16> {
            let part = parts.next()?;
            let digits = !part.is_empty() && part.len() <= digits_max && part.bytes().all(|b| b.is_ascii_digit());
            if digits { part.parse().ok() } else { None }
        };
        let class = number(1).ok_or_else(fault)?;
        let subject = number(3).ok_or_else(fault)?;
        let detail = number(3).ok_or_else(fault)?;
        if parts.next().is_some() || !matches!(class, 2 | 4 | 5) {
            return Err(fault());
        }
        Ok(Self::new(class as u8, subject, detail))
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl TryFrom<String> for EnhancedStatus {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<EnhancedStatus> for String {
    fn from(status: EnhancedStatus) -> Self {
        status.to_string()
    }
}
