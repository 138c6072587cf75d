//! One line of the log into its fields.
//!
//! Comma-separated; a field with a comma or a quote stands in quotes, in which a quote is doubled. No field has a
//! line break: Exchange writes a message per line.

use std::borrow::Cow;

/// A line that is no list of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldsFault {
    /// The line ends within quotes.
    #[error("a quote is not closed")]
    QuoteOpen,
    /// Something stands between a closing quote and the comma.
    #[error("text follows a closing quote")]
    AfterQuote,
}

/// The fields of a line without its end.
pub fn split(line: &str) -> Result<Vec<Cow<'_, str>>, FieldsFault> {
    let mut fields = Vec::with_capacity(32);
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => in_quotes(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (field, after) = rest.split_at(end);
                (Cow::Borrowed(field), after)
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(fields),
        }
    }
}

/// The content up to the closing quote, and what follows it: nothing or a comma.
fn in_quotes(text: &str) -> Result<(Cow<'_, str>, &str), FieldsFault> {
    let mut content: Option<String> = None;
    let mut rest = text;
    loop {
        let at = rest.find('"').ok_or(FieldsFault::QuoteOpen)?;
        let (before, after) = (rest.get(..at).unwrap_or(""), rest.get(at + 1..).unwrap_or(""));
        match after.strip_prefix('"') {
            Some(next) => {
                let content = content.get_or_insert_default();
                content.push_str(before);
                content.push('"');
                rest = next;
            }
            None if after.is_empty() || after.starts_with(',') => {
                let field = match content {
                    Some(mut content) => {
                        content.push_str(before);
                        Cow::Owned(content)
                    }
                    None => Cow::Borrowed(before),
                };
                return Ok((field, after));
            }
            None => return Err(FieldsFault::AfterQuote),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (line, expected) in [
            ("a,b,c", Ok(vec!["a", "b", "c"])),
            ("", Ok(vec![""])),
            (",,", Ok(vec!["", "", ""])),
            (r#"a,"Re: one, two",c"#, Ok(vec!["a", "Re: one, two", "c"])),
            (r#""say ""no""",x"#, Ok(vec![r#"say "no""#, "x"])),
            (r#""","""""#, Ok(vec!["", "\""])),
            (r#"x,"""#, Ok(vec!["x", ""])),
            // A quote inside an unquoted field is an ordinary character.
            (r#"5" disk,y"#, Ok(vec![r#"5" disk"#, "y"])),
            (r#"a,"open"#, Err(FieldsFault::QuoteOpen)),
            (r#"a,"b" c,d"#, Err(FieldsFault::AfterQuote)),
        ] {
            let found = split(line).map(|fields| fields.into_iter().map(Cow::into_owned).collect::<Vec<_>>());
            assert_eq!(
                found,
                expected.map(|list| list.into_iter().map(str::to_owned).collect()),
                "{line}"
            );
        }
    }
}
