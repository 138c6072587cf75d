//! Which conversation a message belongs to: `Message-ID`, `References` and `In-Reply-To` (RFC 5322 §3.6.4).
//!
//! In: a header section. Out: the ids of the messages it answers, from the first of the conversation on. Never: the
//! subject; an id without end; more ids than a bound.

use super::HeaderSection;
use super::words::without_comments;

/// Most ancestors that are kept: the first, which names the conversation, and the last ones.
pub const ANCESTORS_MAX: usize = 32;

/// Longest id in octets that is kept whole; a longer one is cut (a line has at most 998, RFC 5322 §2.1.1).
pub const MESSAGE_ID_OCTETS_MAX: usize = 250;

/// Where a message stands in its conversation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ThreadFacts {
    /// Its own id, in angle brackets; none if it has no readable one.
    pub own: Option<String>,
    /// Ids of the messages it answers, the oldest first; empty for a message that begins a conversation.
    pub ancestors: Vec<String>,
}

impl ThreadFacts {
    /// Reads the facts from a section.
    #[must_use]
    pub fn of(section: &HeaderSection<'_>) -> Self {
        let ids = |name: &str| -> Vec<String> {
            let values: Vec<String> = section.all(name).map(|field| field.unfolded().into_owned()).collect();
            values.iter().flat_map(|value| message_ids(value)).collect()
        };
        let mut ancestors: Vec<String> = Vec::new();
        for id in ids("References").into_iter().chain(ids("In-Reply-To")) {
            if !ancestors.contains(&id) {
                ancestors.push(id);
            }
            if ancestors.len() > ANCESTORS_MAX {
                ancestors.remove(1);
            }
        }
        Self {
            own: ids("Message-ID").into_iter().next(),
            ancestors,
        }
    }

    /// True if it answers something.
    #[must_use]
    pub fn is_reply(&self) -> bool {
        !self.ancestors.is_empty()
    }

    /// True if it is that message or names it among those it answers.
    #[must_use]
    pub fn belongs_to(&self, id: &str) -> bool {
        self.own.as_deref() == Some(id) || self.ancestors.iter().any(|ancestor| ancestor == id)
    }
}

/// The ids in a value, each in angle brackets. What stands between them, as old programs write it, is passed over.
pub fn message_ids(value: &str) -> Vec<String> {
    let Some(value) = without_comments(value) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut rest: &str = &value;
    while let Some(start) = rest.find('<') {
        let after = &rest[start + 1..];
        let Some(end) = after.find('>') else { break };
        // A second bracket before the end: the first was none of an id.
        let inner = after[..end].rsplit('<').next().unwrap_or_default();
        let inner: String = inner
            .chars()
            .filter(|c| !c.is_whitespace() && !c.is_control())
            .collect();
        if !inner.is_empty() {
            found.push(format!("<{}>", cut(&inner)));
        }
        rest = &after[end + 1..];
    }
    found
}

fn cut(id: &str) -> &str {
    let mut end = id.len().min(MESSAGE_ID_OCTETS_MAX);
    while !id.is_char_boundary(end) {
        end -= 1;
    }
    &id[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::header::HeaderFacts;

    #[test]
    fn ids_are_found_in_what_real_programs_write() {
        for (value, expected) in [
            ("<a@x.example>", vec!["<a@x.example>"]),
            ("<a@x.example> <b@x.example>", vec!["<a@x.example>", "<b@x.example>"]),
            ("<a@x.example><b@x.example>", vec!["<a@x.example>", "<b@x.example>"]),
            ("<a@x.exa mple>", vec!["<a@x.example>"]),
            (
                "Your message of Monday (from <no@x.example>) <a@x.example>",
                vec!["<a@x.example>"],
            ),
            ("<a@x.example", vec![]),
            ("<<a@x.example>>", vec!["<a@x.example>"]),
            ("a@x.example", vec![]),
            ("<>", vec![]),
            ("(<a@x.example>", vec![]),
        ] {
            assert_eq!(message_ids(value), expected, "{value}");
        }
        assert_eq!(message_ids(&format!("<{}>", "ä".repeat(400)))[0].len(), 252);
    }

    #[test]
    fn the_first_of_a_conversation_stays_and_the_subject_has_no_say() {
        let read = |fields: &str| {
            let message = format!("{fields}\r\n\r\n");
            HeaderFacts::read(message.as_bytes()).expect("small").thread
        };
        let facts = read("Message-ID: <c@x>\r\nReferences: <a@x>\r\n\t<b@x>\r\nIn-Reply-To: <b@x>");
        assert_eq!(facts.ancestors, ["<a@x>", "<b@x>"]);
        assert_eq!(facts.own.as_deref(), Some("<c@x>"));
        assert!(facts.is_reply() && facts.belongs_to("<a@x>") && !facts.belongs_to("<d@x>"));
        assert_eq!(read("In-Reply-To: <b@x>").ancestors, ["<b@x>"]);
        assert!(!read("Subject: RE: RE: AW: party").is_reply());
        let many: String = (0..100).map(|number| format!(" <{number}@x>")).collect();
        let ancestors = read(&format!("References:{many}")).ancestors;
        assert_eq!(ancestors.len(), ANCESTORS_MAX);
        assert_eq!((ancestors[0].as_str(), ancestors[31].as_str()), ("<0@x>", "<99@x>"));
    }
}
