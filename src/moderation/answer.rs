//! A moderator's answer by mail: approve or reject in the first line, or in the form of Outlook's voting buttons.
//!
//! In: a message. Out: what it says, if that is clear. Never: a guess; an answer in quoted text.

use mail_parser::MessageParser;

use super::machine::Answer;

/// Most octets of an answer that are read; what is longer has its first line within them.
pub const ANSWER_OCTETS_MAX: usize = 64 * 1024;

/// Most characters of a comment.
const COMMENT_CHARACTERS_MAX: usize = 2_000;

const APPROVE: &[&str] = &[
    "approve",
    "approved",
    "yes",
    "ok",
    "okay",
    "accept",
    "ja",
    "freigeben",
    "freigegeben",
    "genehmigen",
    "genehmigt",
];
const REJECT: &[&str] = &[
    "reject",
    "rejected",
    "no",
    "refuse",
    "refused",
    "deny",
    "nein",
    "ablehnen",
    "abgelehnt",
];

/// What an answer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// Yes or no.
    pub answer: Answer,
    /// Words to the sender.
    pub comment: Option<String>,
}

/// Reads an answer. None if it says neither, or both.
#[must_use]
pub fn read(message: &[u8]) -> Option<Said> {
    let message = &message[..message.len().min(ANSWER_OCTETS_MAX)];
    let parsed = MessageParser::default().parse(message)?;
    let by_subject = parsed.subject().and_then(vote);
    let body = parsed.body_text(0).unwrap_or_default();
    let by_body = first_line(&body);
    match (by_subject, by_body) {
        (Some(vote), Some(said)) => (vote == said.answer).then_some(said),
        (None, Some(said)) => Some(said),
        (Some(answer), None) => {
            let comment = comment(&mut body.lines().skip_while(|line| line.trim().is_empty()), "");
            Some(Said { answer, comment })
        }
        (None, None) => None,
    }
}

/// Outlook's voting buttons put their word and a colon before the subject: `Approve: Approve? all-staff: …`.
fn vote(subject: &str) -> Option<Answer> {
    let (word, _) = subject.trim().split_once(':')?;
    word_of(word)
}

/// The first line that is not empty: the word alone, or the word, a colon and a comment.
fn first_line(body: &str) -> Option<Said> {
    let mut lines = body.lines().skip_while(|line| line.trim().is_empty());
    let first = lines.next()?.trim();
    let (word, rest) = match first.split_once(':') {
        Some((word, rest)) => (word, rest),
        None => (first.trim_end_matches(['.', '!']), ""),
    };
    let answer = word_of(word)?;
    Some(Said {
        answer,
        comment: comment(&mut lines, rest),
    })
}

fn word_of(word: &str) -> Option<Answer> {
    let word = word.trim().to_lowercase();
    if APPROVE.contains(&word.as_str()) {
        Some(Answer::Approve)
    } else if REJECT.contains(&word.as_str()) {
        Some(Answer::Reject)
    } else {
        None
    }
}

/// What follows up to the first line that is empty, quoted or a signature.
fn comment<'a>(lines: &mut impl Iterator<Item = &'a str>, first: &str) -> Option<String> {
    let ends = |line: &str| {
        let line = line.trim_end();
        line.trim().is_empty() || line.starts_with('>') || line == "--" || line.starts_with("-----")
    };
    let mut words = vec![first.trim().to_owned()];
    words.extend(lines.take_while(|line| !ends(line)).map(|line| line.trim().to_owned()));
    let text = words.join("\n");
    let text: String = text.trim().chars().take(COMMENT_CHARACTERS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(subject: &str, body: &str) -> Option<(Answer, Option<String>)> {
        let mail = format!("Subject: {subject}\r\nContent-Type: text/plain\r\n\r\n{body}");
        read(mail.as_bytes()).map(|said| (said.answer, said.comment))
    }

    #[test]
    fn what_counts_and_what_does_not() {
        let re = "Re: Approve? all-staff: Canteen closed";
        let approve = Some((Answer::Approve, None));
        let reject = |comment: &str| Some((Answer::Reject, Some(comment.to_owned())));
        for (subject, body, expected) in [
            (re, "approve\r\n", approve.clone()),
            (
                re,
                "\r\n \r\n  OK.\r\n\r\nOn Monday muster wrote:\r\n> reject\r\n",
                approve.clone(),
            ),
            (re, "Ja!\r\n", approve.clone()),
            (re, "no: too long\r\n", reject("too long")),
            (
                re,
                "Ablehnen: zu lang,\r\nbitte kürzen\r\n\r\n-- \r\nEva",
                reject("zu lang,\nbitte kürzen"),
            ),
            (re, "reject\r\n", Some((Answer::Reject, None))),
            // A word is an answer only alone or before a colon.
            (re, "no problem, let it go\r\n", None),
            (re, "ok but not today\r\n", None),
            (re, "approved only if shortened\r\n", None),
            (re, "> approve\r\n", None),
            (re, "I will look at it\r\napprove\r\n", None),
            (re, "", None),
            // Outlook's voting buttons.
            ("Approve: Approve? all-staff: Canteen closed", "", approve.clone()),
            ("Genehmigen: Freigeben? all-staff: x", "", approve.clone()),
            (
                "Reject: Approve? all-staff: Canteen closed",
                "too long\r\n",
                reject("too long"),
            ),
            // Subject and text contradict each other.
            ("Approve: Approve? all-staff: x", "reject\r\n", None),
        ] {
            assert_eq!(said(subject, body), expected, "{subject} / {body}");
        }
    }

    #[test]
    fn the_text_part_is_found_in_what_phones_send() {
        let mail = "Subject: Re: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
                    --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                    YXBwcm92ZQ0K\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>approve</p>\r\n--b--\r\n";
        assert_eq!(read(mail.as_bytes()).map(|said| said.answer), Some(Answer::Approve));
        let html = "Subject: Re: x\r\nContent-Type: text/html\r\n\r\n<div>no: too long</div><div>> approve</div>\r\n";
        assert_eq!(read(html.as_bytes()).map(|said| said.answer), Some(Answer::Reject));
    }

    proptest! {
        #[test]
        fn no_message_is_too_strange(octets in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = read(&octets);
        }
    }
}
