//! A request for approval that its mailbox sends back days later counts as one that never arrived.

use crate::support::{Organisation, Request, World, message};

const EVA: &str = "eva@contoso.example";
const OWNER: &str = "owner@contoso.example";

/// A delivery status notification as a mailbox server writes it (RFC 3464).
fn report(to: &str, action: &str, status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mailbox.contoso.example\r\nTo: {to}\r\nSubject: Undeliverable\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nIt did not arrive.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mailbox.contoso.example\r\n\r\n\
         Final-Recipient: rfc822; {EVA}\r\nAction: {action}\r\nStatus: {status}\r\n--b--\r\n"
    )
}

#[test]
fn a_returned_request_asks_the_substitutes() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("canteen")
        .on_premises("eva")
        .on_premises("owner")
        .group(
            "announce",
            &["lena"],
            &format!("moderation_enabled = true\nmoderated_by = [\"{EVA}\"]\nmanaged_by = [\"{OWNER}\"]"),
        );
    let world = World::start_with(&organisation);
    let mail = message("canteen@contoso.example", "announce@contoso.example", "closed");
    world
        .colleague()
        .send("canteen@contoso.example", &["announce@contoso.example"], &mail);
    let request = Request::to(&world.onprem, EVA, "closed");
    let answers = request.answers();
    let mut mailbox_server = world.stranger();
    // Somebody else's token, and a report that the mail is only late, change nothing.
    let altered = answers.replacen("+m1.", "+m1.0", 1);
    mailbox_server.command("MAIL FROM:<>");
    let reply = mailbox_server.command(&format!("RCPT TO:<{altered}>"));
    assert!(reply.starts_with("550 5.1.10 "), "{reply}");
    mailbox_server.command("RSET");
    let late = report(&answers, "delayed", "4.4.7");
    let replies = mailbox_server.send("", &[&answers], &late);
    assert!(
        replies.last().is_some_and(|reply| reply.starts_with("250 ")),
        "{replies:?}"
    );
    let failed = report(&answers, "failed", "5.1.1");
    let replies = mailbox_server.send("", &[&answers], &failed);
    assert!(
        replies.last().is_some_and(|reply| reply.starts_with("250 ")),
        "{replies:?}"
    );
    let owner = Request::to(&world.onprem, OWNER, "You are asked in their place");
    let asked = world.onprem.recipients().iter().filter(|to| *to == OWNER).count();
    assert_eq!(asked, 1, "asked once");
    let mail = format!(
        "From: {OWNER}\r\nTo: {}\r\nSubject: Re: x\r\n\r\nyes\r\n",
        owner.answers()
    );
    let reply = world.colleague().send(OWNER, &[&owner.answers()], &mail).pop();
    assert!(reply.is_some_and(|reply| reply.contains("decided")));
    world
        .onprem
        .wait_copy("the message", |copy| copy.recipients == ["lena@contoso.example"]);
}
