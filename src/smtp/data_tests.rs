//! The scanner against a strict reference, whatever the packet cuts.

use proptest::prelude::*;

use super::*;

/// What RFC 5321 says, in ten lines: content ends at the first `CRLF.CRLF` (the DATA command's CRLF included), one
/// dot goes from each line that begins with one, and outside of CRLFs there is no CR, LF or NUL.
fn reference(input: &str) -> Option<(String, usize, bool)> {
    let stream = format!("\r\n{input}");
    let end = stream.find("\r\n.\r\n")?;
    let content = stream[..end + 2].replace("\r\n.", "\r\n");
    let bare = stream[..end + 2].replace("\r\n", "").contains(['\r', '\n', '\0']);
    Some((content[2..].to_owned(), end + 5 - 2, bare))
}

/// Content, octets consumed up to the end (none without an end), fault.
fn scanned<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, max: u64) -> (Vec<u8>, Option<usize>, Option<ContentFault>) {
    let mut scanner = ContentScanner::new(max);
    let mut content = Vec::new();
    let mut consumed = 0;
    for chunk in chunks {
        let found = scanner.scan(chunk, &mut |octets| content.extend_from_slice(octets));
        consumed += found.consumed;
        if found.ended {
            return (content, Some(consumed), scanner.fault());
        }
        assert_eq!(found.consumed, chunk.len());
    }
    (content, None, scanner.fault())
}

fn check(input: &str, cuts: &[usize]) {
    let mut chunks = Vec::new();
    let mut rest = input.as_bytes();
    for cut in cuts {
        let (head, tail) = rest.split_at((*cut).min(rest.len()));
        chunks.push(head);
        rest = tail;
    }
    chunks.push(rest);
    let (content, end, fault) = scanned(chunks, u64::MAX);
    match reference(input) {
        None => assert_eq!(end, None, "{input:?}"),
        Some((expected, at, bare)) => {
            assert_eq!(end, Some(at), "{input:?} {cuts:?}");
            assert_eq!(fault == Some(ContentFault::BareLineEnd), bare, "{input:?} {cuts:?}");
            if !bare {
                assert_eq!(String::from_utf8_lossy(&content), expected, "{input:?} {cuts:?}");
            }
        }
    }
}

#[test]
fn every_short_stream_in_single_octets() {
    // All strings of up to 7 of the five octets that matter: 97,656 streams.
    let octets = ['\r', '\n', '.', 'a', '\0'];
    for length in 0..=7_u32 {
        for number in 0..5_usize.pow(length) {
            let mut stream = String::new();
            let mut rest = number;
            for _ in 0..length {
                stream.push(octets[rest % 5]);
                rest /= 5;
            }
            stream.push_str("\r\n.\r\n");
            check(&stream, &[]);
            check(&stream, &[1; 16]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn equals_the_reference_whatever_the_cuts(
        input in "(a|b|\\.|\r\n|\r\n\\.|\r\n\\.\\.|\r|\n|\0){0,30}(\r\n\\.\r\n)?(a|\r\n){0,3}",
        cuts in proptest::collection::vec(0usize..9, 0..12),
    ) {
        check(&input, &cuts);
    }
}

#[test]
fn limits() {
    let body = "line\r\n".repeat(100);
    for (max, fault) in [
        (600, None),
        (599, Some(ContentFault::TooLarge)),
        (0, Some(ContentFault::TooLarge)),
    ] {
        let stream = format!("{body}.\r\nQUIT\r\n");
        let (content, end, found) = scanned(stream.as_bytes().chunks(7), max);
        assert_eq!((end, found), (Some(603), fault), "{max}");
        assert!(content.len() as u64 <= max);
    }
    // A bare LF weighs more than size; the end is still the true one.
    let (_, end, found) = scanned([b"a\n.\n\r\n.\r\n".as_slice()], 1);
    assert_eq!((end, found), (Some(9), Some(ContentFault::BareLineEnd)));
}

#[test]
fn header_section_limit() {
    let field = format!("X: {}\r\n", "x".repeat(995));
    let over = field.repeat(HEADER_SECTION_OCTETS_MAX / field.len() + 1);
    let under = field.repeat(HEADER_SECTION_OCTETS_MAX / field.len());
    for (content, fault) in [
        (format!("{over}\r\nbody\r\n"), Some(ContentFault::HeaderTooLarge)),
        (over.clone(), Some(ContentFault::HeaderTooLarge)),
        (format!("{under}\r\n{over}"), None),
        (format!("\r\n{over}"), None),
    ] {
        for cut in [1_000_000, 4_096, 997] {
            let stream = format!("{content}.\r\n");
            let (_, end, found) = scanned(stream.as_bytes().chunks(cut), u64::MAX);
            assert_eq!((end, found), (Some(stream.len()), fault), "{} {cut}", content.len());
        }
    }
}
