//! What an import found: counts, groups, and everything somebody should look at, each with a reason and a proposal.
//!
//! In: nothing. Out: types that the terminal, the HTML page and the JSON file show alike. The words of a code do not
//! change.

use std::fmt;

use serde::Serialize;

use super::raw::FileKind;
use super::text::Encoding;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The import stops: what was read would be wrong or incomplete in a way nobody sees.
    Error,
    /// Something was not carried over.
    Problem,
    /// Something to know.
    Note,
}

macro_rules! codes {
    ($($variant:ident, $word:literal, $severity:ident;)*) => {
        /// What a finding is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $(
                #[doc = $word]
                $variant,
            )*
        }

        impl Code {
            /// How much it weighs.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)*
                }
            }

            /// What it is about, as a heading.
            #[must_use]
            pub fn heading(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

codes! {
    UnreadableFile, "A file cannot be read", Error;
    TypeNameColumn, "A column holds the name of a type", Error;
    CutOffValue, "A value was cut off", Error;
    NothingRead, "No recipient was found", Error;
    FilterRefused, "A filter cannot be converted", Problem;
    UnresolvedReference, "A name leads to nobody in these files", Problem;
    AmbiguousReference, "A name leads to several objects", Problem;
    UnknownGroup, "A member list names a group that is not in these files", Problem;
    MembersMissing, "A group has no member list in these files", Problem;
    NoAddress, "An object has no address", Problem;
    AddressRefused, "An address cannot be used", Problem;
    DuplicateAddress, "Two objects have the same address", Problem;
    TruncatedExport, "An export was cut off at 1,000 rows", Problem;
    TruncatedRange, "A list of values is not complete", Problem;
    NoDisplayNames, "Sender lists hold GUIDs that no file explains", Problem;
    ValueRefused, "A value cannot be used", Problem;
    LostLetters, "Letters were lost", Problem;
    LocalMailboxesOnly, "A filter leaves out mailboxes that moved to the cloud", Note;
    HomeServer, "A filter asks for the server or database of a mailbox", Note;
    FilterWarning, "A filter works and may mean something else", Note;
    EmptyGroup, "A dynamic group has no members", Note;
    TailsRemoved, "System exclusions were removed from filters", Note;
    PrecannedDiffers, "Conditions and stored filter differ", Note;
    ConflictingValues, "Two files say different things", Note;
    OnlyMailAttribute, "An object has a mail attribute and no addresses", Note;
    NoModerators, "Moderation is on and nobody is named", Note;
    ModeratorIsGroup, "A moderator is a group", Note;
    NoReports, "Both report settings are off", Note;
    InternalOnly, "A group takes mail from inside only", Note;
    ThinRecipients, "Recipients are known from member lists only", Note;
    MembersByFileName, "A file was taken for a member list because of its name", Note;
    OutsideAddress, "A list names an address outside the directory", Note;
    NotMailEnabled, "Objects without mail were passed over", Note;
    ColumnsPassedOver, "Columns have no use here", Note;
}

/// One thing somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// What it is about.
    pub code: Code,
    /// The object it is about: its address, or its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// File it was read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1; 0 if the whole file or object is meant.
    pub line: u32,
    /// Column in characters, from 1; 0 if the whole line is meant.
    pub column: u32,
    /// What is wrong and why, one sentence without a full stop.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
}

impl Finding {
    /// A finding without a place.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: code.severity(),
            code,
            object: None,
            file: None,
            line: 0,
            column: 0,
            message: message.into(),
            proposal: None,
        }
    }

    /// Names the object.
    #[must_use]
    pub fn about(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// Names the place.
    #[must_use]
    pub fn at(mut self, file: &str, line: u32, column: u32) -> Self {
        (self.file, self.line, self.column) = (Some(file.to_owned()), line, column);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn propose(mut self, proposal: impl Into<String>) -> Self {
        self.proposal = Some(proposal.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            match (self.line, self.column) {
                (0, _) => write!(out, "{file}: ")?,
                (line, 0) => write!(out, "{file}:{line}: ")?,
                (line, column) => write!(out, "{file}:{line}:{column}: ")?,
            }
        }
        if let Some(object) = &self.object {
            write!(out, "{object}: ")?;
        }
        out.write_str(&self.message)
    }
}

/// How the rule of a dynamic group fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it was.
    Converted,
    /// It works; somebody should read the notes.
    ConvertedWithNotes,
    /// Kept as it is; mail for the group waits until the filter is mended.
    NotConverted,
}

/// One dynamic group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DynamicGroup {
    /// Its primary address.
    pub address: String,
    /// What people call it.
    pub name: String,
    /// How its rule fared.
    pub outcome: Outcome,
    /// The filter as it was exported.
    pub original: String,
    /// The filter that was written; the conditions of a precanned group as a filter.
    pub filter: String,
    /// Exclusions that Exchange had appended, by version.
    pub tails: Vec<String>,
    /// Where it looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Members among the imported objects; nothing if the filter cannot be evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u64>,
    /// Members if `RecipientType -eq 'UserMailbox'` took mailboxes in the cloud as well; only where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members_with_remote: Option<u64>,
    /// What to look at again.
    pub notes: Vec<String>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileRow {
    /// As it was named.
    pub name: String,
    /// What it is written in.
    pub kind: FileKind,
    /// How its text is encoded.
    pub encoding: Encoding,
    /// Records in it.
    pub records: u64,
}

/// How many of what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Dynamic distribution groups.
    pub dynamic: u64,
    /// Static distribution groups, room lists included.
    pub fixed: u64,
    /// Mail-enabled security groups.
    pub security: u64,
    /// Microsoft 365 groups.
    pub microsoft365: u64,
    /// Everything that is no group.
    pub recipients: u64,
    /// Dynamic groups by outcome.
    pub converted: u64,
    /// Dynamic groups by outcome.
    pub converted_with_notes: u64,
    /// Dynamic groups by outcome.
    pub not_converted: u64,
    /// Filters that had exclusions appended.
    pub tails_removed: u64,
    /// Entries of member lists.
    pub members: u64,
    /// Entries of accept and reject lists.
    pub sender_list_entries: u64,
    /// Owners named by groups.
    pub owners: u64,
    /// Moderators and those who skip them.
    pub moderation_entries: u64,
    /// Memberships of groups in groups.
    pub parents: u64,
    /// X500 addresses.
    pub x500: u64,
    /// Further SMTP addresses.
    pub proxies: u64,
    /// References that lead to nobody or to several.
    pub unresolved: u64,
}

/// Everything an import found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was read.
    pub files: Vec<FileRow>,
    /// How many of what.
    pub counts: Counts,
    /// Every dynamic group, in the order of addresses.
    pub dynamic_groups: Vec<DynamicGroup>,
    /// What to look at, the weightiest first.
    pub findings: Vec<Finding>,
    /// Lines for the settings: where the directory is, and what is proposed.
    pub settings: String,
}

impl Report {
    /// True if nothing may be written.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// True if something was not carried over.
    #[must_use]
    pub fn has_problems(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity != Severity::Note)
    }

    /// Findings of one code.
    pub fn of(&self, code: Code) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.code == code)
    }
}
