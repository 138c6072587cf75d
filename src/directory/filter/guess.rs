//! Which language a text is in.
//!
//! In: a filter of unknown language. Out: the language of its first comparison, or nothing to go by.

use crate::directory::group::FilterLanguage;

/// The language a text is most likely in, by its first comparison; `None` if there is none to go by.
///
/// Microsoft documents the preview of a filter as taking LDAP, everybody passes OPATH, and Entra rules get
/// pasted in: what asks for a filter without a language asks this first.
pub fn guess(text: &str) -> Option<FilterLanguage> {
    let mut rest = text;
    // What may stand before the first comparison in any of the languages.
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '(' | '{' | '!' | '\u{feff}'));
        if rest.starts_with(['&', '|']) {
            return Some(FilterLanguage::Ldap);
        }
        let after_comment = rest
            .strip_prefix("//")
            .map(|comment| comment.split_once('\n').map_or("", |(_, next)| next));
        let after_not = ["-not", "not"].iter().find_map(|word| strip_word(rest, word));
        match after_comment.or(after_not) {
            Some(next) => rest = next,
            None => break,
        }
    }
    if strip_word(rest, "direct reports for").is_some() {
        return Some(FilterLanguage::Entra);
    }
    let end = rest
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ';')))
        .unwrap_or(rest.len());
    let (name, after) = rest.split_at_checked(end)?;
    let after = after.trim_start();
    if name.is_empty() {
        return None;
    }
    if ["=", ">=", "<=", "~=", ":"].iter().any(|sign| after.starts_with(sign)) {
        return Some(FilterLanguage::Ldap);
    }
    if ["user.", "device.", "group."]
        .iter()
        .any(|prefix| starts_without_case(name, prefix))
    {
        return Some(FilterLanguage::Entra);
    }
    let has_operator = after.starts_with(['-', '\u{2013}', '\u{2014}']);
    has_operator.then_some(FilterLanguage::Opath)
}

fn starts_without_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// The text after a word in any case, if no letter continues it.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    if !starts_without_case(text, word) {
        return None;
    }
    text.get(word.len()..)
        .filter(|rest| !rest.starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_by_their_first_comparison() {
        for (text, language) in [
            ("Office -eq 'Berlin'", Some(FilterLanguage::Opath)),
            ("{ (-not(Office -eq 'Berlin')) }", Some(FilterLanguage::Opath)),
            ("(!(Office -eq 'a=b'))", Some(FilterLanguage::Opath)),
            ("Office \u{2013}eq 'Berlin'", Some(FilterLanguage::Opath)),
            ("(physicalDeliveryOfficeName=Berlin)", Some(FilterLanguage::Ldap)),
            ("(& (a=b))", Some(FilterLanguage::Ldap)),
            ("(!cn=SystemMailbox{*})", Some(FilterLanguage::Ldap)),
            ("cn:1.2.3:=x", Some(FilterLanguage::Ldap)),
            ("user.department -eq \"Sales\"", Some(FilterLanguage::Entra)),
            ("//all\n(User.objectId -ne null)", Some(FilterLanguage::Entra)),
            ("not (user.city eq 'x')", Some(FilterLanguage::Entra)),
            ("Direct Reports for \"x\"", Some(FilterLanguage::Entra)),
            ("notes -eq 'x'", Some(FilterLanguage::Opath)),
            ("", None),
            ("Berlin", None),
            ("((((", None),
        ] {
            assert_eq!(guess(text), language, "{text}");
        }
    }
}
