//! Distinguished names, compared as a directory compares them.
//!
//! In: `CN=Lena,OU=Sales,DC=contoso,DC=example`. Out: a folded form to compare, the parts, the canonical path.
//! Escapes (RFC 4514 §2.4) are kept as written; `\,` does not separate.

/// A distinguished name in comparison form: case folded, blanks around separators removed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DistinguishedName(Box<str>);

impl DistinguishedName {
    /// Reads a DN; `None` if the text is none (a canonical name, an address, a plain name).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let mut folded = String::with_capacity(text.len());
        for part in parts(text) {
            let (kind, value) = part.split_once('=')?;
            let (kind, value) = (kind.trim(), value.trim());
            let kind_is_valid =
                !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
            if !kind_is_valid || value.is_empty() {
                return None;
            }
            if !folded.is_empty() {
                folded.push(',');
            }
            folded.extend(kind.chars().flat_map(char::to_lowercase));
            folded.push('=');
            folded.extend(value.chars().flat_map(char::to_lowercase));
        }
        Some(Self(folded.into_boxed_str()))
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if `self` is `container` or lies below it.
    pub fn is_within(&self, container: &Self) -> bool {
        let (this, above) = (&*self.0, &*container.0);
        this == above
            || this
                .strip_suffix(above)
                .is_some_and(|rest| rest.ends_with(',') && !rest.ends_with("\\,"))
    }

    /// The value of the first part as written: `Lena` of `CN=Lena,OU=…`.
    pub fn leaf_of(text: &str) -> Option<&str> {
        parts(text)
            .next()
            .and_then(|part| part.split_once('='))
            .map(|(_, value)| value.trim())
    }

    /// Everything above the first part, as written.
    pub fn parent_of(text: &str) -> Option<&str> {
        let first = parts(text).next()?;
        text.get(first.len() + 1..)
            .map(str::trim)
            .filter(|rest| !rest.is_empty())
    }

    /// The canonical form, folded: `contoso.example/sales/lena`.
    pub fn canonical(&self) -> Option<String> {
        let mut domain: Vec<&str> = Vec::new();
        let mut path: Vec<&str> = Vec::new();
        for part in parts(&self.0) {
            let (kind, value) = part.split_once('=')?;
            if kind == "dc" {
                domain.push(value)
            } else {
                path.push(value)
            }
        }
        if domain.is_empty() {
            return None;
        }
        let mut canonical = domain.join(".");
        for value in path.into_iter().rev() {
            canonical.push('/');
            canonical.push_str(&unescaped(value));
        }
        Some(canonical)
    }
}

/// The parts of a DN, split at commas that no backslash protects.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |character: char| {
        let separates = character == ',' && !escaped;
        escaped = character == '\\' && !escaped;
        separates
    })
}

fn unescaped(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            plain.extend(characters.next());
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_without_case_and_blanks() {
        let a = DistinguishedName::parse("CN=Lena, OU=Sales,DC=contoso,DC=example");
        assert!(a.is_some());
        assert_eq!(a, DistinguishedName::parse("cn=lena,ou=sales, dc=Contoso,dc=example"));
        assert_eq!(DistinguishedName::parse("contoso.example/Sales/Lena"), None);
        assert_eq!(DistinguishedName::parse("lena@contoso.example"), None);
        assert_eq!(DistinguishedName::parse(""), None);
    }

    #[test]
    fn scope_is_a_subtree() {
        let lena = DistinguishedName::parse("CN=Lena,OU=Sales,DC=contoso,DC=example").expect("a DN");
        let sales = DistinguishedName::parse("OU=Sales,DC=contoso,DC=example").expect("a DN");
        let ales = DistinguishedName::parse("OU=ales,DC=contoso,DC=example").expect("a DN");
        assert!(lena.is_within(&sales));
        assert!(!lena.is_within(&ales));
        assert!(!sales.is_within(&lena));
    }

    #[test]
    fn parts_respect_escapes() {
        let text = r"CN=Miller\, Lena,OU=Sales,DC=contoso,DC=example";
        assert_eq!(DistinguishedName::leaf_of(text), Some(r"Miller\, Lena"));
        assert_eq!(
            DistinguishedName::parent_of(text),
            Some("OU=Sales,DC=contoso,DC=example")
        );
        let canonical = DistinguishedName::parse(text).and_then(|dn| dn.canonical());
        assert_eq!(canonical.as_deref(), Some("contoso.example/sales/miller, lena"));
    }
}
