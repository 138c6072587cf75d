//! Comparison operators of all filter languages.
//!
//! In: the word of a language. Out: one operator, the same whoever wrote it.

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// A text with `*` for any characters (OPATH), or the pieces of an LDAP substring assertion.
    Like,
    NotLike,
    StartsWith,
    NotStartsWith,
    EndsWith,
    NotEndsWith,
    /// A part of the text, not an element of a collection.
    Contains,
    NotContains,
    /// A regular expression, found anywhere in the text.
    Match,
    NotMatch,
    In,
    NotIn,
    /// LDAP `~=`; Active Directory compares it as equality.
    Approx,
    /// 1.2.840.113556.1.4.803: all bits of the value are set.
    BitAnd,
    /// 1.2.840.113556.1.4.804: any bit of the value is set.
    BitOr,
    /// 1.2.840.113556.1.4.1941: the reference leads to the object, over any number of steps.
    InChain,
    /// Entra's `Direct Reports for`: the manager is the object with this id.
    ReportsTo,
}

impl Operator {
    /// The operators of OPATH.
    pub const OPATH: [Self; 8] = [
        Self::Eq,
        Self::Ne,
        Self::Lt,
        Self::Le,
        Self::Gt,
        Self::Ge,
        Self::Like,
        Self::NotLike,
    ];

    /// The operators of Entra dynamic membership rules.
    pub const ENTRA: [Self; 14] = [
        Self::Eq,
        Self::Ne,
        Self::StartsWith,
        Self::NotStartsWith,
        Self::EndsWith,
        Self::NotEndsWith,
        Self::Contains,
        Self::NotContains,
        Self::Match,
        Self::NotMatch,
        Self::In,
        Self::NotIn,
        Self::Le,
        Self::Ge,
    ];

    /// The word without its hyphen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Like => "like",
            Self::NotLike => "notlike",
            Self::StartsWith => "startsWith",
            Self::NotStartsWith => "notStartsWith",
            Self::EndsWith => "endsWith",
            Self::NotEndsWith => "notEndsWith",
            Self::Contains => "contains",
            Self::NotContains => "notContains",
            Self::Match => "match",
            Self::NotMatch => "notMatch",
            Self::In => "in",
            Self::NotIn => "notIn",
            Self::Approx => "approx",
            Self::BitAnd => "bitAnd",
            Self::BitOr => "bitOr",
            Self::InChain => "inChain",
            Self::ReportsTo => "reportsTo",
        }
    }

    /// Finds the word, without its hyphen and ignoring case, among the operators of one language.
    pub fn from_word_of(language: &[Self], word: &str) -> Option<Self> {
        language
            .iter()
            .copied()
            .find(|operator| operator.word().eq_ignore_ascii_case(word))
    }

    /// True for the operators that hold where their positive form does not, missing values included.
    pub fn is_negative(self) -> bool {
        self.positive() != self
    }

    /// The operator without its negation.
    pub fn positive(self) -> Self {
        match self {
            Self::Ne => Self::Eq,
            Self::NotLike => Self::Like,
            Self::NotStartsWith => Self::StartsWith,
            Self::NotEndsWith => Self::EndsWith,
            Self::NotContains => Self::Contains,
            Self::NotMatch => Self::Match,
            Self::NotIn => Self::In,
            Self::Eq
            | Self::Lt
            | Self::Le
            | Self::Gt
            | Self::Ge
            | Self::Like
            | Self::StartsWith
            | Self::EndsWith
            | Self::Contains
            | Self::Match
            | Self::In
            | Self::Approx
            | Self::BitAnd
            | Self::BitOr
            | Self::InChain
            | Self::ReportsTo => self,
        }
    }

    /// True for `-like` and `-notlike`, the only ones with wildcards.
    pub fn takes_wildcards(self) -> bool {
        self.positive() == Self::Like
    }

    /// True for the operators that look into a text: parts of it and regular expressions.
    pub fn looks_into_text(self) -> bool {
        matches!(
            self.positive(),
            Self::StartsWith | Self::EndsWith | Self::Contains | Self::Match
        )
    }

    /// True for `-lt`, `-le`, `-gt` and `-ge`.
    pub fn is_ordering(self) -> bool {
        matches!(self, Self::Lt | Self::Le | Self::Gt | Self::Ge)
    }
}
