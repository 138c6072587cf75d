//! A letter with text, perhaps HTML, and perhaps the message it is about.

use lettre::message::header::{ContentDisposition, ContentTransferEncoding, ContentType};
use lettre::message::{Body, MultiPart, SinglePart};

use super::text::{boundary, header_section, one_line};
use super::{AboutMessage, Composed, Letterhead, Original, content_type};
use crate::mail::Mailbox;
use crate::mail::header::HeaderSection;

/// What a letter says. Texts are written as they are; the subject becomes one line.
#[derive(Clone, Debug)]
pub struct Letter<'a> {
    /// Subject, readable.
    pub subject: String,
    /// For every reader. Lines end in `\n`.
    pub text: String,
    /// For those who read HTML.
    pub html: Option<String>,
    /// The message it is about; whole if it may be.
    pub attached: Option<Original<'a>>,
    /// Where answers go; none: answers are not expected.
    pub answers: Option<&'a Mailbox>,
    /// `Auto-Submitted` (RFC 3834 §5): `auto-generated` unless the letter answers a message of its reader.
    pub auto_submitted: &'static str,
}

/// Writes a letter.
#[must_use]
pub fn compose_letter(letterhead: &Letterhead, about: &AboutMessage, letter: &Letter<'_>) -> Composed {
    let subject = one_line(&letter.subject);
    let mut head = header_section(letterhead, about, &subject, letter.auto_submitted);
    if let Some(answers) = letter.answers {
        // A mailbox is proof: no control octet, no blank outside quotes (`mail/address.rs`).
        head.push_str(&format!("Reply-To: <{answers}>\r\n"));
    }
    // Out-of-office answers would only come back to us.
    head.push_str("X-Auto-Response-Suppress: All\r\n");
    let mut octets = head.into_bytes();
    let text = SinglePart::plain(letter.text.clone());
    let body = match (&letter.html, letter.attached) {
        (None, None) => text.formatted(),
        (Some(html), None) => alternative(letterhead, text, html).formatted(),
        (html, Some(original)) => {
            let attachment = attachment(original);
            let first = match html {
                Some(html) => alternative(letterhead, text, html).formatted(),
                None => text.formatted(),
            };
            let line = format!("{}-m", boundary(letterhead.id, &[&first, &attachment.formatted()]));
            let mixed = MultiPart::builder().header(content_type(&format!("multipart/mixed; boundary=\"{line}\"")));
            let mixed = match html {
                Some(html) => mixed.multipart(alternative(letterhead, SinglePart::plain(letter.text.clone()), html)),
                None => mixed.singlepart(SinglePart::plain(letter.text.clone())),
            };
            mixed.singlepart(attachment).formatted()
        }
    };
    octets.extend_from_slice(&body);
    Composed::new(octets, letterhead, subject)
}

fn alternative(letterhead: &Letterhead, text: SinglePart, html: &str) -> MultiPart {
    let html = SinglePart::html(html.to_owned());
    let line = format!("{}-a", boundary(letterhead.id, &[&text.formatted(), &html.formatted()]));
    MultiPart::builder()
        .header(content_type(&format!("multipart/alternative; boundary=\"{line}\"")))
        .singlepart(text)
        .singlepart(html)
}

/// The original as it stands, or its header section.
fn attachment(original: Original<'_>) -> SinglePart {
    let head = HeaderSection::parse(original.head).map_or(&b""[..], |section| &original.head[..section.octets]);
    let (media_type, octets) = match (original.whole, head.is_ascii()) {
        (Some(whole), true) => ("message/rfc822", whole),
        (Some(whole), false) => ("message/global", whole),
        (None, true) => ("text/rfc822-headers", head),
        (None, false) => ("message/global-headers", head),
    };
    let encoding = if octets.is_ascii() {
        ContentTransferEncoding::SevenBit
    } else {
        ContentTransferEncoding::EightBit
    };
    SinglePart::builder()
        .content_type(ContentType::parse(media_type).expect("our own media types are well formed"))
        .header(ContentDisposition::attachment("message.eml"))
        .body(Body::dangerous_pre_encoded(octets.to_vec(), encoding))
}
