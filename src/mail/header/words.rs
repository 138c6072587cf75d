//! The small lexer of structured values (RFC 5322 §3.2): comments, quoted-strings, encoded-words.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Deepest nesting of comments that is read.
const COMMENT_DEPTH_MAX: u32 = 50;

/// The value with every comment replaced by a blank; none if a quote or comment does not end.
pub(super) fn without_comments(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains(['(', '"']) {
        return Some(Cow::Borrowed(value));
    }
    let mut out = String::with_capacity(value.len());
    let (mut depth, mut quoted) = (0_u32, false);
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && (quoted || depth > 0) {
            let escaped = chars.next()?;
            if quoted {
                out.extend([c, escaped]);
            }
            continue;
        }
        match c {
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => {
                depth += 1;
                if depth > COMMENT_DEPTH_MAX {
                    return None;
                }
                continue;
            }
            ')' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    out.push(' ');
                }
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            out.push(c);
        }
    }
    (depth == 0 && !quoted).then_some(Cow::Owned(out))
}

/// The pieces between separators that stand outside quoted-strings and angle brackets.
pub(super) fn outside_quotes(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    value.split(move |c: char| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            _ => return c == separator && !quoted && !angle,
        }
        false
    })
}

/// True if one of the characters stands outside quoted-strings.
pub(super) fn has_outside_quotes(value: &str, wanted: &[char]) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    value.chars().any(|c| {
        if escaped {
            escaped = false;
            return false;
        }
        escaped = quoted && c == '\\';
        if c == '"' {
            quoted = !quoted;
        }
        !quoted && wanted.contains(&c)
    })
}

/// A token, or the content of a quoted-string with its pairs resolved.
pub(super) fn unquoted(value: &str) -> String {
    let value = value.trim();
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

/// An unstructured value for people: encoded-words (RFC 2047) in UTF-8, US-ASCII and ISO-8859-1 decoded,
/// others as they stand; control characters become blanks. For display only, never for a decision.
#[must_use]
pub fn decoded_for_display(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (before, word) = rest.split_at(start);
        let Some((text, length)) = encoded_word(word) else {
            out.push_str(before);
            out.push_str("=?");
            rest = &word[2..];
            after_word = false;
            continue;
        };
        // RFC 2047 §6.2: blanks between two encoded-words are not shown.
        if !(after_word && before.trim().is_empty()) {
            out.push_str(before);
        }
        out.push_str(&text);
        rest = &word[length..];
        after_word = true;
    }
    out.push_str(rest);
    out.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The text of the encoded-word at the start of `word`, and its length in octets.
fn encoded_word(word: &str) -> Option<(String, usize)> {
    // RFC 2047 §2: at most 75 octets, so that the search stays linear; real mail breaks it, hence 200.
    let window = &word.as_bytes()[2..word.len().min(200)];
    let first = memchr::memchr(b'?', window)?;
    let (charset, encoding) = (&window[..first], window.get(first + 1)?);
    let text_start = first + 3;
    let text_length = window.get(text_start..)?.windows(2).position(|pair| pair == b"?=")?;
    if window[first + 2] != b'?' {
        return None;
    }
    let text = &window[text_start..text_start + text_length];
    let octets = match encoding.to_ascii_uppercase() {
        b'B' => BASE64.decode(text).ok()?,
        b'Q' => q_decoded(text)?,
        _ => return None,
    };
    let charset = std::str::from_utf8(charset)
        .ok()?
        .split('*')
        .next()?
        .to_ascii_lowercase();
    let decoded = match charset.as_str() {
        "utf-8" | "us-ascii" => String::from_utf8(octets).ok()?,
        "iso-8859-1" => octets.iter().map(|&octet| char::from(octet)).collect(),
        _ => return None,
    };
    Some((decoded, 2 + text_start + text_length + 2))
}

fn q_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        out.push(match octet {
            b'_' => b' ',
            b'=' => {
                let (pair, tail) = rest.split_at_checked(2)?;
                rest = tail;
                u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?
            }
            _ => octet,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_for_people() {
        for (raw, shown) in [
            ("Bonus 2026", "Bonus 2026"),
            ("=?UTF-8?Q?Gr=C3=BC=C3=9Fe_an_alle?=", "Grüße an alle"),
            (
                "=?utf-8?b?R3LDvMOfZQ==?= an =?iso-8859-1?q?M=FCller?=",
                "Grüße an Müller",
            ),
            ("=?UTF-8?Q?eins?= =?UTF-8?Q?zwei?=", "einszwei"),
            ("=?utf-8*en?Q?x?=", "x"),
            ("=?koi8-r?B?8NLJ18XU?=", "=?koi8-r?B?8NLJ18XU?="),
            ("=?UTF-8?Q?=ZZ?=", "=?UTF-8?Q?=ZZ?="),
            ("=?UTF-8?Q?cut", "=?UTF-8?Q?cut"),
            ("=?", "=?"),
            ("=??=?", "=??=?"),
            ("a\tb\u{1b}[31m", "a b [31m"),
            ("=?UTF-8?Q?a=0D=0ABcc:_x?=", "a  Bcc: x"),
        ] {
            assert_eq!(decoded_for_display(raw), shown, "{raw}");
        }
    }

    #[test]
    fn comments_and_quotes() {
        for (value, plain) in [
            ("a (b (c) d) e", Some("a   e")),
            (r#""a (b)" c"#, Some(r#""a (b)" c"#)),
            (r#"(a "b) c"#, Some("  c")),
            (r"(a \) b) c", Some("  c")),
            ("a (b", None),
            (r#""a"#, None),
            (r#""a\"#, None),
        ] {
            assert_eq!(without_comments(value).as_deref(), plain, "{value}");
        }
        assert!(without_comments(&"(".repeat(100)).is_none());
        let pieces: Vec<&str> = outside_quotes(r#"a; "b;\";c"; <d;e>; f"#, ';').collect();
        assert_eq!(pieces, ["a", r#" "b;\";c""#, " <d;e>", " f"]);
    }
}
