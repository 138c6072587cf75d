//! Words of OPATH.
//!
//! In: the filter text. Out: one token at a time with its place, so that the first thing wrong is the one
//! reported. Never: looks at a character twice.

use std::ops::Range;

use super::error::{FilterError, FilterFault};

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    OpenBrace,
    CloseBrace,
    Bang,
    /// `-eq`, without the hyphen.
    Dashed(String),
    Word(String),
    Number(String),
    Text(String),
    /// `$null`, without the dollar.
    Dollar(String),
    End,
}

impl Token {
    /// The token as an error message names it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Open => "(".into(),
            Self::Close => ")".into(),
            Self::OpenBrace => "{".into(),
            Self::CloseBrace => "}".into(),
            Self::Bang => "!".into(),
            Self::Dashed(word) => format!("-{word}"),
            Self::Word(word) | Self::Number(word) => word.clone(),
            Self::Text(text) => format!("'{}'", text.chars().take(40).collect::<String>()),
            Self::Dollar(word) => format!("${word}"),
            Self::End => "the end of the filter".into(),
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
        let trimmed = self
            .rest()
            .trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        self.at = self.source.len() - trimmed.len();
        let start = self.at;
        let Some(first) = self.rest().chars().next() else {
            return Ok((Token::End, start..start));
        };
        let token = match first {
            '(' => self.single(Token::Open),
            ')' => self.single(Token::Close),
            '{' => self.single(Token::OpenBrace),
            '}' => self.single(Token::CloseBrace),
            '!' => self.single(Token::Bang),
            '\'' | '"' => self.text(first)?,
            '-' => self.dashed(),
            '$' => {
                self.at += 1;
                Token::Dollar(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'))
            }
            // A backtick escapes the dollar in scripts that build the filter in a double-quoted string.
            '`' if self.rest().starts_with("`$") => {
                self.at += 2;
                Token::Dollar(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'))
            }
            '0'..='9' => Token::Number(self.take_while(|c| c.is_ascii_alphanumeric() || c == '.')),
            _ if first.is_alphabetic() => Token::Word(self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '.')),
            _ => return Err(self.unexpected(first)),
        };
        Ok((token, start..self.at))
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

    /// `-eq`, or a negative number such as `-2147483640`.
    fn dashed(&mut self) -> Token {
        self.at += 1;
        if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            return Token::Number(format!("-{}", self.take_while(|c| c.is_ascii_digit())));
        }
        Token::Dashed(self.take_while(|c| c.is_alphanumeric()))
    }

    /// A quoted text; the quote doubled stands for itself.
    fn text(&mut self, quote: char) -> Result<Token, FilterError> {
        let start = self.at;
        self.at += 1;
        let mut content = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest.find(quote) else {
                return Err(FilterError::new(
                    self.source,
                    start..start + 1,
                    FilterFault::UnclosedText(quote),
                ));
            };
            content.push_str(rest.get(..end).unwrap_or(""));
            self.at += end + 1;
            if !self.rest().starts_with(quote) {
                return Ok(Token::Text(content));
            }
            content.push(quote);
            self.at += 1;
        }
    }

    fn unexpected(&self, found: char) -> FilterError {
        let fault = match found {
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => FilterFault::Dash(found),
            '\u{2018}'..='\u{201f}' | '\u{00ab}' | '\u{00bb}' | '\u{00b4}' => FilterFault::CurlyQuote(found),
            '&' | '|' | '=' => FilterFault::LdapFilter,
            _ => FilterFault::Character(found),
        };
        FilterError::new(self.source, self.at..self.at + found.len_utf8(), fault)
    }
}
