//! Words of Entra dynamic membership rules.
//!
//! In: the text of a rule. Out: one token at a time with its place. A hyphen before an operator may be missing or be a
//! dash of a pasted page. A line that begins with `//` is a comment.

use std::ops::Range;

use crate::directory::filter::error::{FilterError, FilterFault};

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Comma,
    /// `-eq`, without the hyphen.
    Dashed(String),
    /// `user.city`, `_`, `eq`, `null`, `system.now`.
    Word(String),
    /// Begins with a digit: a date or a number without quotes.
    Bare(String),
    Text(Quoted),
    End,
}

/// A quoted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quoted {
    pub(super) text: String,
    /// True if it holds escapes: then places in it are not those in the source.
    pub(super) is_escaped: bool,
}

impl Token {
    /// The token as an error message names it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Open => "(".into(),
            Self::Close => ")".into(),
            Self::OpenBracket => "[".into(),
            Self::CloseBracket => "]".into(),
            Self::Comma => ",".into(),
            Self::Dashed(word) => format!("-{word}"),
            Self::Word(word) | Self::Bare(word) => word.chars().take(80).collect(),
            Self::Text(quoted) => format!("\"{}\"", quoted.text.chars().take(40).collect::<String>()),
            Self::End => "the end of the rule".into(),
        }
    }

    /// The word of an operator or keyword, with its hyphen or without.
    pub(super) fn keyword(&self) -> Option<&str> {
        match self {
            Self::Dashed(word) | Self::Word(word) => Some(word),
            Self::Open
            | Self::Close
            | Self::OpenBracket
            | Self::CloseBracket
            | Self::Comma
            | Self::Bare(_)
            | Self::Text(_)
            | Self::End => None,
        }
    }
}

/// Reads tokens from a text.
pub(super) struct Lexer<'a> {
    pub(super) source: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or("")
    }

    /// The next token; after the end it is `End` for ever.
    pub(super) fn next(&mut self) -> Result<(Token, Range<usize>), FilterError> {
        self.skip_blanks_and_comments();
        let start = self.at;
        let Some(first) = self.rest().chars().next() else {
            return Ok((Token::End, start..start));
        };
        let token = match first {
            '(' => self.single(Token::Open),
            ')' => self.single(Token::Close),
            '[' => self.single(Token::OpenBracket),
            ']' => self.single(Token::CloseBracket),
            ',' => self.single(Token::Comma),
            '\'' | '"' => self.text(first)?,
            '-' | '\u{2013}' | '\u{2014}' => {
                self.at += first.len_utf8();
                Token::Dashed(self.take_while(char::is_alphanumeric))
            }
            '0'..='9' => Token::Bare(self.take_while(|c| c.is_ascii_alphanumeric() || "-:.+".contains(c))),
            _ if first.is_alphabetic() || first == '_' => {
                Token::Word(self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '.'))
            }
            _ => return Err(self.unexpected(first)),
        };
        Ok((token, start..self.at))
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            let skipped = rest.len() - trimmed.len();
            let begins_line = self.at == 0 || rest.get(..skipped).is_some_and(|blanks| blanks.contains('\n'));
            self.at += skipped;
            if !(begins_line && trimmed.starts_with("//")) {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn single(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(|c: char| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("").to_owned()
    }

    /// A quoted text. The quote doubled stands for itself; between double quotes a backtick does that too.
    fn text(&mut self, quote: char) -> Result<Token, FilterError> {
        let start = self.at;
        self.at += 1;
        let mut quoted = Quoted {
            text: String::new(),
            is_escaped: false,
        };
        loop {
            let rest = self.rest();
            let Some(end) = rest.find(quote) else {
                let fault = FilterFault::UnclosedText(quote);
                return Err(FilterError::new(self.source, start..start + 1, fault));
            };
            let piece = rest.get(..end).unwrap_or("");
            self.at += end + 1;
            match piece.strip_suffix('`').filter(|_| quote == '"') {
                Some(before) => quoted.text.push_str(before),
                None => {
                    quoted.text.push_str(piece);
                    if !self.rest().starts_with(quote) {
                        return Ok(Token::Text(quoted));
                    }
                    self.at += 1;
                }
            }
            quoted.text.push(quote);
            quoted.is_escaped = true;
        }
    }

    fn unexpected(&self, found: char) -> FilterError {
        let fault = match found {
            '\u{2018}'..='\u{201f}' | '\u{00ab}' | '\u{00bb}' | '\u{00b4}' => FilterFault::CurlyQuote(found),
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => FilterFault::Dash(found),
            '&' | '|' | '=' | '!' => FilterFault::LdapFilter,
            '$' | '{' | '}' => FilterFault::OpathFilter,
            _ => FilterFault::Character(found),
        };
        FilterError::new(self.source, self.at..self.at + found.len_utf8(), fault)
    }
}
