//! Rust source as the tidy rules see it: comments and strings told apart from code, tests from production.
//!
//! A lexer of a page, not a parser: it knows comments, strings, raw strings and characters, counts braces,
//! and trusts that code is formatted by `rustfmt`.

use std::fs;
use std::path::Path;

/// One file.
pub struct Source {
    /// Relative to the package.
    pub path: String,
    /// As it stands.
    pub text: String,
    code: String,
    comments: String,
}

/// A function with a body.
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of `fn`.
    pub line: usize,
    /// Lines from `fn` to the closing brace.
    pub lines: usize,
    /// It is a test or helps one.
    pub is_test: bool,
}

/// Every Rust file below a folder of the package, in order.
pub fn sources(folder: &str) -> Vec<Source> {
    let mut found = everything(&[folder]);
    found.retain(|source| source.path.ends_with(".rs"));
    found
}

/// Every text file below the given folders and files.
pub fn everything(places: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for place in places {
        collect(root, &root.join(place), &mut found);
    }
    found.sort_by(|one: &Source, other| one.path.cmp(&other.path));
    found
}

fn collect(root: &Path, path: &Path, found: &mut Vec<Source>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a readable folder") {
            collect(root, &entry.expect("a readable entry").path(), found);
        }
    } else if let Ok(text) = fs::read_to_string(path) {
        let relative = path.strip_prefix(root).expect("below the package");
        found.push(Source::new(relative.to_string_lossy().into_owned(), text));
    }
}

impl Source {
    fn new(path: String, text: String) -> Self {
        let (code, comments) = split(&text);
        Self {
            path,
            text,
            code,
            comments,
        }
    }

    /// The room: the first folder below `src`, or the file's own name.
    pub fn room(&self) -> String {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let first = below.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first).to_owned()
    }

    /// True for a file that holds nothing but tests or helps them.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.starts_with("tests/")
            || matches!(name, "tests.rs" | "testing.rs" | "contract.rs")
            || name.ends_with("_tests.rs")
            || self.path.contains("/tests/")
    }

    /// Line number where the test module begins; tests come last in a file.
    fn tests_start(&self) -> usize {
        if self.is_test() {
            return 0;
        }
        let lines: Vec<&str> = self.code.lines().collect();
        let start = lines.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]" && pair[1].trim_start().starts_with("mod ") && pair[1].contains('{')
        });
        start.unwrap_or(lines.len())
    }

    /// Code outside tests with line numbers; strings are empty, comments gone.
    pub fn production_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .lines()
            .take(self.tests_start())
            .enumerate()
            .map(|(index, text)| (index + 1, text))
    }

    /// Code of tests with line numbers.
    pub fn test_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .lines()
            .enumerate()
            .skip(self.tests_start())
            .map(|(index, text)| (index + 1, text))
    }

    /// Rooms named by `crate::…` outside tests, with line numbers.
    pub fn rooms_used(&self) -> Vec<(usize, String)> {
        let code: String = self.production_lines().flat_map(|(_, text)| [text, "\n"]).collect();
        let mut used = Vec::new();
        for (at, _) in code.match_indices("crate::") {
            if code[..at].ends_with('$') {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let rest = &code[at + "crate::".len()..];
            match rest.strip_prefix('{') {
                Some(group) => used.extend(heads(group).into_iter().map(|head| (line, head))),
                None => used.push((line, identifier(rest))),
            }
        }
        used
    }

    /// Functions with a body, nested ones too.
    pub fn functions(&self) -> Vec<Function> {
        let tests_start = self.tests_start();
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            let before = self.code[..at].chars().next_back();
            let name = identifier(&self.code[at + 3..]);
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') || name.is_empty() {
                continue;
            }
            let Some(length) = body_end(&self.code[at..]) else {
                continue;
            };
            let line = self.code[..at].matches('\n').count() + 1;
            found.push(Function {
                name,
                line,
                is_test: line > tests_start,
                lines: self.code[at..at + length].matches('\n').count() + 1,
            });
        }
        found
    }

    /// Numbers of the RFCs named in comments and text.
    pub fn rfcs(&self) -> Vec<u16> {
        let after = self.text.match_indices("RFC ").map(|(at, _)| &self.text[at + 4..]);
        after
            .filter_map(|rest| {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                digits.parse().ok()
            })
            .collect()
    }

    /// Words of comments with line numbers.
    pub fn comment_words(&self) -> Vec<(usize, String)> {
        words(&self.comments)
    }

    /// Identifiers of the code.
    pub fn code_words(&self) -> Vec<String> {
        words(&self.code).into_iter().map(|(_, word)| word).collect()
    }
}

fn words(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let pieces = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        found.extend(
            pieces
                .filter(|word| !word.is_empty())
                .map(|word| (index + 1, word.to_owned())),
        );
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// First names of the elements of a `{…}` group, up to its closing brace.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                found.push(identifier(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found.retain(|head| !head.is_empty());
    found
}

/// Offset just behind the body of the function that `code` begins with; none for a declaration.
fn body_end(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut brackets = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            ';' if depth == 0 && brackets == 0 => return None,
            '{' => depth += 1,
            '}' if depth <= 1 => return (depth == 1).then_some(at + 1),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Code with comments and string contents blanked, and comments with everything else blanked. Line ends stay.
fn split(text: &str) -> (String, String) {
    let (mut code, mut comments) = (String::with_capacity(text.len()), String::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (token, kind) = token(rest);
        let blank: String = token.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        match kind {
            Kind::Code => {
                code.push_str(token);
                comments.push_str(&blank);
            }
            Kind::Comment => {
                code.push_str(&blank);
                comments.push_str(token);
            }
            Kind::Literal => {
                code.push_str(&blank);
                comments.push_str(&blank);
            }
        }
        rest = &rest[token.len()..];
    }
    (code, comments)
}

enum Kind {
    Code,
    Comment,
    Literal,
}

fn token(text: &str) -> (&str, Kind) {
    let first = text.chars().next().unwrap_or(' ');
    let cut = |length: usize| &text[..length.min(text.len())];
    if text.starts_with("//") {
        return (cut(text.find('\n').unwrap_or(text.len())), Kind::Comment);
    }
    if text.starts_with("/*") {
        return (cut(text.find("*/").map_or(text.len(), |end| end + 2)), Kind::Comment);
    }
    if first == '"' {
        return (cut(string_length(text)), Kind::Literal);
    }
    if first.is_alphanumeric() || first == '_' {
        let word = identifier(text);
        let rest = &text[word.len()..];
        if matches!(word.as_str(), "r" | "br") {
            let hashes = rest.len() - rest.trim_start_matches('#').len();
            if rest[hashes..].starts_with('"') {
                let close = format!("\"{}", "#".repeat(hashes));
                let body = word.len() + hashes + 1;
                let end = text[body..]
                    .find(&close)
                    .map_or(text.len(), |end| body + end + close.len());
                return (cut(end), Kind::Literal);
            }
        }
        return (cut(word.len()), Kind::Code);
    }
    if first == '\'' {
        let mut chars = text.char_indices().skip(1);
        let (_, second) = chars.next().unwrap_or((0, ' '));
        if second == '\\' {
            let end = text[3..].find('\'').map_or(text.len(), |end| 3 + end + 1);
            return (cut(end), Kind::Literal);
        }
        if let Some((at, '\'')) = chars.next() {
            return (cut(at + 1), Kind::Literal);
        }
    }
    (cut(first.len_utf8()), Kind::Code)
}

/// Octets of the string literal that `text` begins with.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
