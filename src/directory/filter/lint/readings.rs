//! The other reading of a filter that mixes `-and` and `-or`: PowerShell takes them from left to right.
//!
//! In: an OPATH text that parses. Out: the same text with the parentheses PowerShell would put; it is parsed like any
//! other.

/// The text as it reads from left to right.
pub(super) fn left_to_right(text: &str) -> String {
    let text = text.trim();
    let text = text
        .strip_prefix('{')
        .and_then(|inner| inner.strip_suffix('}'))
        .unwrap_or(text);
    let (operands, words) = operands(text);
    let mut all = operands.iter().map(|operand| operand_again(operand));
    let mut read = all.next().unwrap_or_default();
    for (word, operand) in words.iter().zip(all) {
        read = format!("({read} {word} {operand})");
    }
    read
}

/// An operand with what is in its parentheses read in the same way.
fn operand_again(operand: &str) -> String {
    let operand = operand.trim();
    let Some(open) = operand
        .find(['(', '\'', '"'])
        .filter(|at| operand.get(*at..).is_some_and(|rest| rest.starts_with('(')))
    else {
        return operand.to_owned();
    };
    let (before, rest) = operand.split_at(open);
    match rest
        .strip_prefix('(')
        .and_then(|inner| inner.trim_end().strip_suffix(')'))
    {
        Some(inner) => format!("{before}({})", left_to_right(inner)),
        None => operand.to_owned(),
    }
}

/// The operands of the outermost level and the words between them.
fn operands(text: &str) -> (Vec<&str>, Vec<&'static str>) {
    let (mut parts, mut words) = (Vec::new(), Vec::new());
    let (mut depth, mut quote, mut start) = (0_usize, None, 0);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), found) if open == found => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, '-') if depth == 0 => {
                let rest = text.get(at..).unwrap_or("");
                let found = ["-and", "-or"].into_iter().find(|word| {
                    let is_word = rest
                        .get(..word.len())
                        .is_some_and(|head| head.eq_ignore_ascii_case(word));
                    is_word
                        && !rest
                            .get(word.len()..)
                            .is_some_and(|after| after.starts_with(char::is_alphanumeric))
                });
                if let Some(word) = found {
                    parts.push(text.get(start..at).unwrap_or(""));
                    words.push(word);
                    start = at + word.len();
                }
            }
            (None, _) => {}
        }
    }
    parts.push(text.get(start..).unwrap_or(""));
    (parts, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_as_powershell_puts_them() {
        for (text, read) in [
            (
                "A -eq 'a' -or B -eq 'b' -and C -eq 'c'",
                "((A -eq 'a' -or B -eq 'b') -and C -eq 'c')",
            ),
            ("A -eq 'x -or y'", "A -eq 'x -or y'"),
            (
                "{A -eq 'a' -and (B -eq 'b' -OR C -eq ')' -and D -eq 'd')}",
                "(A -eq 'a' -and (((B -eq 'b' -or C -eq ')') -and D -eq 'd')))",
            ),
            (
                "-not(A -eq 'a' -or B -eq 'b') -and C -eq 'c'",
                "(-not((A -eq 'a' -or B -eq 'b')) -and C -eq 'c')",
            ),
            ("A -eq 'it''s' -or B -eq 'b'", "(A -eq 'it''s' -or B -eq 'b')"),
        ] {
            assert_eq!(left_to_right(text), read);
        }
    }
}
