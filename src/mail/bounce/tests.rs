//! Reports as other systems write them.

use proptest::prelude::*;

use super::*;

fn status_report(blocks: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"a=_b/c\"\r\n\r\n\
         This is a MIME-encapsulated message.\r\n\r\n--a=_b/c\r\nContent-Description: Notification\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\nThis is the mail system at host mx.example.\r\n\r\n\
         <wrong@elsewhere.example>: not to be read\r\n\r\n--a=_b/c\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.example\r\nArrival-Date: Fri, 20 Nov 2026 10:00:00 +0100\r\n\r\n{}\r\n\
         --a=_b/c\r\nContent-Type: message/rfc822\r\n\r\nSubject: hello\r\n\r\nAction: failed\r\n\r\n--a=_b/c--\r\n",
        blocks.replace('\n', "\r\n")
    )
}

fn shown(bounce: &Bounce) -> Vec<String> {
    let Bounce::Failed(failures) = bounce else {
        return vec![format!("{bounce:?}")];
    };
    let one = |failure: &Failure| {
        let address = failure.address.as_ref().map_or("?", Mailbox::as_str);
        format!("{address}: {}", failure.reply)
    };
    failures.iter().map(one).collect()
}

#[test]
fn rfc_3464() {
    for (blocks, expected, why) in [
        (
            "Final-Recipient: rfc822; lena@x.example\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; mail.x.example\n\
             Diagnostic-Code: smtp; 550 5.1.1 <lena@x.example>: Recipient\n    address rejected",
            vec!["lena@x.example: 550 5.1.1 <lena@x.example>: Recipient address rejected"],
            "Postfix",
        ),
        (
            "Final-Recipient: rfc822;lena@x.example\nOriginal-Recipient: rfc822;l@x.example\nAction: failed\n\
             Status: 5.1.10\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found",
            vec!["lena@x.example: 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found"],
            "Exchange",
        ),
        (
            "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 552 5.2.2 full\n\n\
             Final-Recipient: rfc822; <B@x.example>\naction: Failed (expired)\nStatus: 4.4.7 (timeout)\n\n\
             Final-Recipient: rfc822; c@x.example\nAction: delayed\nStatus: 4.4.1",
            vec![
                "a@x.example: 552 5.2.2 full",
                "B@x.example: 550 5.4.7 reported as undeliverable",
            ],
            "several, one of them still tried; the status of a failure counts as permanent",
        ),
        (
            "Final-Recipient: x400; /S=lena/\nOriginal-Recipient: rfc822; lena@x.example\nAction: failed\nStatus: 5.1.1",
            vec!["lena@x.example: 550 5.1.1 reported as undeliverable"],
            "only the original address is one of SMTP",
        ),
        (
            "Action: failed\nStatus: 5.7.1",
            vec!["?: 550 5.7.1 reported as undeliverable"],
            "nobody named",
        ),
        (
            "Final-Recipient: rfc822; a@x.example\nAction: delayed\nStatus: 4.4.1",
            vec!["Delayed"],
            "delay",
        ),
        (
            "Final-Recipient: rfc822; a@x.example\nAction: relayed\nStatus: 2.0.0",
            vec!["Delivered"],
            "success",
        ),
        (
            "Final-Recipient: rfc822; a@x.example\nAction: dreamt\nStatus: 2.0.0",
            vec!["Other"],
            "an unknown action",
        ),
        ("", vec!["Other"], "nothing about anybody"),
    ] {
        assert_eq!(shown(&read(status_report(blocks).as_bytes())), expected, "{why}");
    }
    let remote = read(
        status_report(
            "Final-Recipient: rfc822; a@x.example\nAction: failed\nRemote-MTA: dns; mail.x.example (1.2.3.4)",
        )
        .as_bytes(),
    );
    let Bounce::Failed(failures) = remote else {
        panic!("{remote:?}")
    };
    assert_eq!(failures[0].remote.as_deref(), Some("mail.x.example"));
}

fn plain(head: &str, text: &str) -> String {
    format!("From: x@mx.example\r\n{head}\r\n{}", text.replace('\n', "\r\n"))
}

#[test]
fn texts_of_systems_that_write_their_own() {
    for (head, text, expected, why) in [
        (
            "Subject: Mail delivery failed: returning message to sender\r\nX-Failed-Recipients: lena@x.example,\r\n b@x.example\r\n",
            "This message was created automatically by mail delivery software.\n\n\
             A message that you sent could not be delivered to one or more of its recipients.\n\n\
             \u{20} lena@x.example\n    host mail.x.example [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<lena@x.example>:\n    550 5.1.1 no such user\n\n\
             \u{20} b@x.example\n    retry timeout exceeded\n\n------ This is a copy of the message ------\n",
            vec![
                "lena@x.example: 550 5.1.1 no such user",
                "b@x.example: 550 5.0.0 retry timeout exceeded",
            ],
            "Exim",
        ),
        (
            "Subject: failure notice\r\n",
            "Hi. This is the qmail-send program at mx.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\
             This is a permanent error; I've given up. Sorry it didn't work out.\n\n\
             <lena@x.example>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 unknown\nGiving up on 192.0.2.1.\n\n\
             <b@x.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n\n<c@x.example>:\n550 no\n",
            vec![
                "lena@x.example: 550 5.1.1 unknown Giving up on 192.0.2.1.",
                "b@x.example: 550 5.1.1 Sorry, no mailbox here by that name. (#5.1.1)",
            ],
            "qmail",
        ),
        (
            "Subject: Undelivered Mail Returned to Sender\r\n",
            "This is the mail system at host mx.example.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n\
             \u{20}                  The mail system\n\n<lena@x.example>: host mail.x.example[192.0.2.1] said: 554 5.7.1 rejected\n    (in reply to RCPT TO command)\n",
            vec!["lena@x.example: 554 5.7.1 rejected (in reply to RCPT TO command)"],
            "Postfix whose status part was cut off on the way",
        ),
        (
            "Subject: Undeliverable: hello\r\n",
            "Your message did not reach some or all of the intended recipients.\n\n      Subject:  hello\n      Sent:     20.11.2026 10:00\n\n\
             The following recipient(s) could not be reached:\n\n      lena@x.example on 20.11.2026 10:01\n            The e-mail account does not exist at the organization.\n            <mx.example #5.1.1 smtp;550 5.1.1 User unknown>\n",
            vec!["lena@x.example: 550 5.1.1 smtp;550 5.1.1 User unknown>"],
            "Exchange 2003",
        ),
        (
            "Subject: Undeliverable: hello\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n",
            "Delivery has failed to these recipients or groups:\n\nlena@x=\n.example<mailto:lena@x.example>\nThe email address you entered couldn't be found.\n\n",
            vec!["lena@x.example: 550 5.0.0 The email address you entered couldn't be found."],
            "Exchange, quoted-printable",
        ),
        (
            "Subject: Delivery Status Notification (Failure)\r\n",
            "Delivery to the following recipient failed permanently:\n\n     lena@x.example\n\nTechnical details of permanent failure:\nGoogle tried to deliver your message, but it was rejected by the server for the recipient domain x.example by mail.x.example. [192.0.2.1].\n\nThe error that the other server returned was:\n550 5.1.1 user unknown\n",
            vec!["lena@x.example: 550 5.1.1 user unknown"],
            "Gmail of old",
        ),
        (
            "Subject: Delivery Status Notification (Failure)\r\n",
            "** Address not found **\n\nYour message wasn't delivered to lena@x.example because the address couldn't be found, or is unable to receive mail.\n\nThe response from the remote server was:\n550 5.1.1 The email account that you tried to reach does not exist.\n",
            vec!["lena@x.example: 550 5.1.1 The email account that you tried to reach does not exist."],
            "Gmail",
        ),
        (
            "Subject: Re: hello\r\n",
            "I am away. Write to b@x.example: he was not reached by 550 people.\n",
            vec!["Other"],
            "a person",
        ),
        (
            "Subject: Re: hello\r\n",
            "> <lena@x.example>:\n> 550 5.1.1 unknown\n",
            vec!["Other"],
            "a quotation",
        ),
        (
            "Auto-Submitted: auto-replied\r\nSubject: Away\r\n",
            "I am away.\n",
            vec!["Other"],
            "out of office",
        ),
    ] {
        assert_eq!(shown(&read(plain(head, text).as_bytes())), expected, "{why}");
    }
}

#[test]
fn bounds_hold() {
    let many: String = (0..5_000)
        .map(|n| format!("Final-Recipient: rfc822; p{n}@x.example\nAction: failed\nStatus: 5.1.1\n\n"))
        .collect();
    let Bounce::Failed(failures) = read(status_report(&many).as_bytes()) else {
        panic!("a report");
    };
    assert!(failures.len() <= BOUNCE_RECIPIENTS_MAX);
    let parts = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n".repeat(10_000);
    let message = format!("Content-Type: multipart/report; boundary=b\r\n\r\n{parts}");
    assert_eq!(read(message.as_bytes()), Bounce::Other);
}

proptest! {
    /// Whatever comes is read without harm, and no address is invented.
    #[test]
    fn reads_anything(text in "(\\PC|\r\n|\n|<|>|:|#|@|5|0|\\.|--b|=|Action: failed|Content-Type: message/delivery-status){0,60}") {
        for head in ["Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n", "X-Failed-Recipients: a@x.example\r\n\r\n", "\r\nHi. This is the qmail-send program\r\n", "\r\ncouldn't be delivered\r\n"] {
            let message = format!("{head}{text}");
            if let Bounce::Failed(failures) = read(message.as_bytes()) {
                for failure in failures {
                    prop_assert!(failure.reply.code >= 500);
                    prop_assert!(failure.address.is_none_or(|address| message.replace("=\r\n", "").contains(address.as_str()) || message.contains('=')));
                }
            }
        }
    }
}
