//! What a file of an export says before anybody asks what it means.
//!
//! In: nothing. Out: the words the four readers share: records of named values with places, and typed faults that
//! say where reading ended and what would help.

use std::fmt;

use serde::Serialize;

/// Most records of one file. Exchange Online's ceiling is 1,000,000 recipients; members of all groups are more.
pub const RECORDS_MAX: usize = 5_000_000;

/// Most values of one record, values in lists included: a group of 1,000,000 members with room to spare.
pub const VALUES_MAX: usize = 2_000_000;

/// Longest single value, in octets. A filter has 64 KiB at most, a note may be longer.
pub const VALUE_OCTETS_MAX: usize = 1 << 20;

/// Deepest nesting of values in values; cmdlet output has five levels.
pub const DEPTH_MAX: usize = 32;

/// A value as the file has it.
#[derive(Debug, Clone, PartialEq)]
pub enum RawValue {
    /// `null`, an empty field.
    Null,
    /// `true` or `false` with a type of its own.
    Boolean(bool),
    /// A number with a type of its own, as it was written.
    Number(String),
    /// A text.
    Text(String),
    /// Several values.
    List(Vec<RawValue>),
    /// A rich object: its properties, and what it prints as where the file says that.
    Object {
        /// Names and values in their order.
        fields: Vec<(String, RawValue)>,
        /// `ToString` of CLIXML.
        printed: Option<String>,
    },
}

impl RawValue {
    /// True if there is nothing in it: null, a blank text, an empty list, an object without properties.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(_) => false,
            Self::Number(text) | Self::Text(text) => text.trim().is_empty(),
            Self::List(list) => list.iter().all(Self::is_empty),
            Self::Object { fields, printed } => {
                fields.is_empty() && printed.as_deref().is_none_or(|text| text.trim().is_empty())
            }
        }
    }

    /// A property of a rich object, by name without regard to case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object { fields, .. } => fields
                .iter()
                .find(|(each, value)| each.eq_ignore_ascii_case(name) && !value.is_empty())
                .map(|(_, value)| value),
            Self::Null | Self::Boolean(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// A plain value as text.
    #[must_use]
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Number(text) | Self::Text(text) => Some(text),
            Self::Boolean(true) => Some("True"),
            Self::Boolean(false) => Some("False"),
            Self::Null | Self::List(_) | Self::Object { .. } => None,
        }
    }
}

/// One value under its name.
#[derive(Debug, Clone, PartialEq)]
pub struct RawField {
    /// As the file names it.
    pub name: String,
    /// What stands there.
    pub value: RawValue,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One object, one row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RawRecord {
    /// Line it begins in, from 1.
    pub line: usize,
    /// In the order of the file.
    pub fields: Vec<RawField>,
}

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// `ConvertTo-Json`.
    Json,
    /// `Export-Csv`, a spreadsheet, `csvde`.
    Csv,
    /// `Export-Clixml`.
    CliXml,
    /// `ldifde`, `ldapsearch`.
    Ldif,
}

impl fmt::Display for FileKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Json => "JSON",
            Self::Csv => "CSV",
            Self::CliXml => "CLIXML",
            Self::Ldif => "LDIF",
        })
    }
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadFault {
    #[error("this is a table printed for a screen; its columns are cut off")]
    PrintedTable,
    #[error("this is a list printed for a screen (Format-List); long values are cut off")]
    PrintedList,
    #[error("this is a workbook, not text")]
    Workbook,
    #[error("this is no output of a cmdlet: neither JSON, CSV, CLIXML nor LDIF")]
    NoExport,
    #[error("the file is empty")]
    Empty,
    #[error("{0}")]
    Syntax(String),
    #[error("values nest deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("more than {RECORDS_MAX} records")]
    TooManyRecords,
    #[error("a record has more than {VALUES_MAX} values")]
    TooManyValues,
    #[error("`{0}` is longer than {VALUE_OCTETS_MAX} octets")]
    ValueTooLong(String),
    #[error("`{0}` holds the name of a type instead of its values")]
    TypeName(String),
    #[error("`{0}` was cut off (…) when it was printed")]
    CutOff(String),
    #[error("the row has {fields} fields, the header has {columns}")]
    RowWidth { fields: usize, columns: usize },
    #[error("a document type has no place in CLIXML")]
    DocumentType,
    #[error("`{0}` refers to another file (:<), which is not read")]
    ValueElsewhere(String),
    #[error("`changetype: {0}` describes a change, not an object")]
    Change(String),
}

impl ReadFault {
    /// What to do instead.
    #[must_use]
    pub fn proposal(&self) -> Option<String> {
        Some(match self {
            Self::PrintedTable | Self::PrintedList | Self::CutOff(_) => {
                "do not print (Format-Table, Format-List, Out-File); export with \
                 `… | ConvertTo-Json -Depth 5 | Set-Content -Encoding UTF8 FILE.json`"
                    .to_owned()
            }
            Self::Workbook => "save the sheet as \"CSV UTF-8 (comma delimited)\"".to_owned(),
            Self::NoExport => "export with `… | ConvertTo-Json -Depth 5`, `… | Export-Csv -NoTypeInformation`, \
                 `… | Export-Clixml` or `ldifde -f FILE`"
                .to_owned(),
            Self::Empty => "the cmdlet found nothing, or failed; run it again".to_owned(),
            Self::TypeName(column) => {
                format!("export the column with `Select-Object @{{n='{column}';e={{$_.{column} -join ';'}}}}`")
            }
            Self::ValueElsewhere(_) => "export without references to files".to_owned(),
            Self::Change(_) => "export with `ldifde -f FILE`".to_owned(),
            Self::Syntax(_)
            | Self::TooDeep
            | Self::TooManyRecords
            | Self::TooManyValues
            | Self::ValueTooLong(_)
            | Self::RowWidth { .. }
            | Self::DocumentType => return None,
        })
    }
}

/// A fault at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedFault {
    /// What is wrong.
    pub fault: ReadFault,
    /// Line, from 1; 0 if the whole file is meant.
    pub line: usize,
    /// Column in characters, from 1; 0 if the whole line or file is meant.
    pub column: usize,
}

impl PlacedFault {
    /// About the file as a whole.
    #[must_use]
    pub fn whole(fault: ReadFault) -> Self {
        Self {
            fault,
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for PlacedFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(out, "{}", self.fault),
            (line, 0) => write!(out, "line {line}: {}", self.fault),
            (line, column) => write!(out, "line {line}, column {column}: {}", self.fault),
        }
    }
}

/// Lines and columns of a text that is read forwards: asking costs what lies between two questions.
#[derive(Debug)]
pub struct Places<'a> {
    text: &'a str,
    octet: usize,
    line: usize,
    line_start: usize,
}

impl<'a> Places<'a> {
    /// At the beginning.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self {
            text,
            octet: 0,
            line: 1,
            line_start: 0,
        }
    }

    /// Line and column of an octet, both from 1.
    pub fn at(&mut self, octet: usize) -> (usize, usize) {
        let mut octet = octet.min(self.text.len());
        while !self.text.is_char_boundary(octet) {
            octet -= 1;
        }
        if octet < self.octet {
            (self.octet, self.line, self.line_start) = (0, 1, 0);
        }
        let passed = self.text.as_bytes().get(self.octet..octet).unwrap_or(&[]);
        for at in memchr::memchr_iter(b'\n', passed) {
            self.line += 1;
            self.line_start = self.octet + at + 1;
        }
        self.octet = octet;
        let before = self.text.get(self.line_start..octet).unwrap_or("");
        (self.line, before.chars().count() + 1)
    }

    /// A fault at an octet.
    pub fn fault(&mut self, octet: usize, fault: ReadFault) -> PlacedFault {
        let (line, column) = self.at(octet);
        PlacedFault { fault, line, column }
    }
}

/// True for what PowerShell prints instead of values: `System.Object[]`, `Microsoft.Exchange.Data.MultiValued…`.
#[must_use]
pub fn is_type_name(text: &str) -> bool {
    let text = text.trim();
    ["Microsoft.Exchange.", "System.", "Deserialized."]
        .iter()
        .any(|prefix| {
            text.strip_prefix(prefix).is_some_and(|rest| {
                rest.starts_with(|c: char| c.is_ascii_uppercase()) && !rest.contains([' ', '@', '=', ','])
                    || rest.starts_with("Collections.") && rest.contains('`')
            })
        })
}

/// True for a value that a printer cut off: `{smtp:a@b, smtp:c@d...}`, `Sales and Mark…`.
#[must_use]
pub fn is_cut_off(text: &str) -> bool {
    let text = text.trim_end();
    text.ends_with('…') || text.starts_with('{') && (text.ends_with("...}") || text.ends_with("…}"))
}
