//! The checkers of the rig can fail: a test that cannot is not counted.

#[path = "../bench/rig/mod.rs"]
mod rig;

use rig::ledger::{Books, Verdict, compare};
use rig::synctrace::{Findings, check};
use rig::wire::{DotScanner, replies_in, token_in};

const MEMBERS: &str = "team@c.example a@c.example b@c.example\n";

fn verdict(source: &str, sink: &str, acked_before: Option<usize>) -> Verdict {
    let books = Books {
        source,
        acked_before,
        sinks: vec![sink],
        members: MEMBERS,
    };
    compare(&books).expect("the books are readable")
}

#[test]
fn the_ledger_sees_every_kind_of_fault() {
    let acked = "sent T1 team@c.example\nacked T1\n";
    let unknown = "sent T1 team@c.example\nunknown T1\n";
    let refused = "sent T1 team@c.example\nrefused T1 451\n";
    let declined = "sent T1 team@c.example x@c.example\ndeclined T1 550 x@c.example\nacked T1\n";
    let whole = "in 1 1 1 T1 s@c.example a@c.example B@c.example\n";
    let half = "in 1 1 1 T1 s@c.example a@c.example\n";
    let twice = "in 1 1 1 T1 s@c.example a@c.example b@c.example\nin 2 2 1 T1 s@c.example b@c.example\n";
    let stray = "in 1 1 1 T1 s@c.example a@c.example b@c.example x@c.example\n";
    let reported = "in 1 1 1 T1 s@c.example a@c.example\nreport 2 1 2 T1 s@c.example b@c.example\n";
    // source, sink: lost, unexpected, duplicated, halved, recovered
    let rows = [
        (acked, whole, [0, 0, 0, 0, 0]),
        (acked, half, [1, 0, 0, 0, 0]),
        (acked, "", [2, 0, 0, 0, 0]),
        (acked, twice, [0, 0, 1, 0, 0]),
        (acked, stray, [0, 1, 0, 0, 0]),
        (acked, reported, [0, 0, 0, 0, 0]),
        (unknown, whole, [0, 0, 0, 0, 1]),
        (unknown, half, [0, 0, 0, 1, 0]),
        (unknown, "", [0, 0, 0, 0, 0]),
        (refused, half, [0, 1, 0, 0, 0]),
        (declined, whole, [0, 0, 0, 0, 0]),
        (declined, stray, [0, 1, 0, 0, 0]),
        ("", half, [0, 1, 0, 0, 0]),
    ];
    for (source, sink, counts) in rows {
        let v = verdict(source, sink, None);
        let got = [v.lost, v.unexpected, v.duplicated, v.halved, v.recovered];
        assert_eq!(got, counts, "{source:?} against {sink:?}");
        let holds = counts[0] + counts[1] + counts[3] == 0;
        assert_eq!(v.holds(Some(1)), holds, "{source:?} against {sink:?}");
        assert_eq!(v.holds(Some(0)), holds && counts[2] == 0);
    }
}

#[test]
fn an_acknowledgement_after_the_power_cut_does_not_count() {
    let source = "sent T1 team@c.example\nacked T1\n";
    assert_eq!(verdict(source, "", Some(source.len())).lost, 2);
    assert_eq!(verdict(source, "", Some(source.len() - 1)).lost, 0);
}

const SOCKET: &str = "9<TCP:[127.0.0.1:25->127.0.0.1:5000]>";
const TOKEN: &str = "T0000abcd000000001";
const FRAME: &str = "\\0\\0\\0\\1\\0\\0\\0\\0\\1\\1\\1\\1\\2\\2\\2\\2\\3\\3\\3\\3\\4\\4\\4\\4";
const COMMIT: &str = "\\0\\0\\0\\1\\0\\0\\0\\7\\1\\1\\1\\1\\2\\2\\2\\2\\3\\3\\3\\3\\4\\4\\4\\4";

fn content() -> String {
    format!("1 recvfrom({SOCKET}, \"X-Ledger-Token: {TOKEN}\\r\\nFrom\"..., 9000, 0, NULL, NULL) = 4096")
}

fn log_write(header: &str) -> String {
    let log = "5</s/mail.db-wal>";
    format!(
        "2 pwrite64({log}, \"{header}\", 24, 32) = 24\n\
         2 pwrite64({log}, \"\\0\\1{TOKEN} text\"..., 4096, 56) = 4096"
    )
}

fn reply() -> String {
    format!("1 sendto({SOCKET}, \"250 2.0.0 Ok\\r\\n\", 14, MSG_NOSIGNAL, NULL, 0) = 14")
}

fn findings(lines: &[String]) -> Findings {
    check(&lines.join("\n"), "/s", "mail.db-wal")
}

#[test]
fn a_reply_before_the_sync_of_the_log_is_found() {
    let sync = "2 fdatasync(5</s/mail.db-wal>) = 0".to_owned();
    let failed = "2 fdatasync(5</s/mail.db-wal>) = -1 EIO (Input/output error)".to_owned();
    let begun = "2 fdatasync(5</s/mail.db-wal> <unfinished ...>".to_owned();
    let ended = "2 <... fdatasync resumed>) = 0".to_owned();
    let (content, reply) = (content(), reply());
    let (commit, frame) = (log_write(COMMIT), log_write(FRAME));
    // trace, covered
    let rows: Vec<(Vec<&String>, u64)> = vec![
        (vec![&content, &commit, &sync, &reply], 1),
        (vec![&content, &commit, &begun, &ended, &reply], 1),
        (vec![&content, &commit, &reply, &sync], 0),
        (vec![&content, &commit, &reply], 0),
        (vec![&content, &commit, &failed, &reply], 0),
        (vec![&content, &sync, &commit, &reply], 0),
        (vec![&content, &begun, &commit, &ended, &reply], 0),
        (vec![&content, &commit, &begun, &reply, &ended], 0),
        (vec![&content, &frame, &sync, &reply], 0),
        (vec![&content, &sync, &reply], 0),
    ];
    for (lines, covered) in rows {
        let lines: Vec<String> = lines.into_iter().cloned().collect();
        let found = findings(&lines);
        assert_eq!((found.replies, found.covered), (1, covered), "{lines:#?}\n{found:?}");
        assert_eq!(found.violations, 1 - covered);
    }
}

#[test]
fn a_frame_of_the_journal_is_closed_by_its_write_alone() {
    let journal = "5</s/journal/00000001.mjl>";
    let made = format!("2 openat(AT_FDCWD</>, \"/s/journal/00000001.mjl\", O_RDWR|O_CREAT|O_EXCL, 0600) = {journal}");
    let folder = "2 fsync(8</s/journal>) = 0".to_owned();
    let frame = format!("2 pwrite64({journal}, \"mjl1\\0{TOKEN} text\"..., 8192, 0) = 8192");
    let sync = format!("2 fdatasync({journal}) = 0");
    let (content, reply) = (content(), reply());
    // trace, covered
    let rows: Vec<(Vec<&String>, u64)> = vec![
        (vec![&content, &frame, &sync, &reply], 1),
        (vec![&made, &folder, &content, &frame, &sync, &reply], 1),
        (vec![&made, &content, &frame, &sync, &reply], 0),
        (vec![&content, &frame, &reply, &sync], 0),
        (vec![&content, &sync, &frame, &reply], 0),
        (vec![&content, &frame, &reply], 0),
    ];
    for (lines, covered) in rows {
        let lines: Vec<String> = lines.into_iter().cloned().collect();
        let found = findings(&lines);
        assert_eq!((found.replies, found.covered), (1, covered), "{lines:#?}\n{found:?}");
        assert_eq!(found.in_log_only, covered);
    }
}

#[test]
fn a_body_file_needs_its_own_sync_and_its_folder() {
    let body = [
        "3 openat(AT_FDCWD</>, \"/s/bodies/new\", O_WRONLY|O_CREAT|O_EXCL, 0600) = 7</s/bodies/new>".to_owned(),
        format!("3 write(7</s/bodies/new>, \"Received: {TOKEN}\"..., 65536) = 65536"),
        "3 fdatasync(7</s/bodies/new>) = 0".to_owned(),
        "3 rename(\"/s/bodies/new\", \"/s/bodies/1\") = 0".to_owned(),
        "3 fsync(8</s/bodies>) = 0".to_owned(),
        log_write(COMMIT),
        "2 fdatasync(5</s/mail.db-wal>) = 0".to_owned(),
        reply(),
    ];
    let without = |left_out: usize| {
        let mut lines = vec![content()];
        let kept = body.iter().enumerate().filter(|(at, _)| *at != left_out);
        lines.extend(kept.map(|(_, line)| line.clone()));
        findings(&lines)
    };
    let whole = without(usize::MAX);
    assert_eq!((whole.covered, whole.in_own_file), (1, 1), "{whole:?}");
    for step in [2, 4, 6] {
        assert_eq!(without(step).violations, 1, "left out {:?}", body[step]);
    }
}

#[test]
fn a_refusal_is_no_promise() {
    let refusal = format!("1 sendto({SOCKET}, \"451 4.3.0 Later\\r\\n\", 17, 0, NULL, 0) = 17");
    assert_eq!(findings(&[content(), refusal]).replies, 0);
}

#[test]
fn the_end_of_data_is_found_wherever_the_pieces_break() {
    let content = b"one\r\n..two\r\n.\r\rthree\n.\r\n\r\n.\r\nMAIL FROM:<>\r\n";
    let end = 29;
    for first in 0..=content.len() {
        for second in first..=content.len() {
            let mut scanner = DotScanner::default();
            let mut base = 0;
            let mut found = None;
            for piece in [&content[..first], &content[first..second], &content[second..]] {
                if let Some(at) = scanner.feed(piece) {
                    found = Some(base + at);
                    break;
                }
                base += piece.len();
            }
            assert_eq!(found, Some(end), "cut at {first} and {second}");
        }
    }
    assert_eq!(DotScanner::default().feed(b".\r\n"), Some(3));
}

#[test]
fn replies_and_tokens_are_read() {
    let mut codes = Vec::new();
    assert_eq!(replies_in(b"250-a\r\n250 b\r\n354 go\r\n25", &mut codes), 22);
    assert_eq!(codes, [250, 354]);
    assert_eq!(token_in(b"A: b\r\nX-Ledger-Token: T1\r\n"), Some(&b"T1"[..]));
    assert_eq!(token_in(b"A: X-Ledger-Token: T1\r\n"), None);
}
