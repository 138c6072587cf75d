//! §3.7 and §8.7: return paths that Exchange lacks. Copies for the hop `outside` are sent with addresses of ours; what
//! comes back to them is read and passed on.

use crate::support::hop::Copy;
use crate::support::{Hop, Organisation, World, message};
use crate::table::drained;

const LENA: &str = "lena@contoso.example";
const OUTSIDE: &str = "x@outside.example";

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("owner")
        .on_premises("other")
        .contact("ann", "ann@partner.example")
        .contact("bob", "bob@partner.example")
        .group("club", &["ann", "bob", "other"], "send_oof_message_to_originator_enabled = true")
        .group("quiet", &["ann"], "")
        .group(
            "owned",
            &["ann", "bob"],
            "report_to_originator_enabled = false\nreport_to_manager_enabled = true\nmanaged_by = [\"owner@contoso.example\"]",
        )
        .group("silent", &["ann"], "report_to_originator_enabled = false")
        .group("secret", &["ann", "bob"], "hidden_group_membership_enabled = true")
        .recipient("away", "UserMailbox", "forwarding_smtp_address = \"away@partner.example\"");
    organisation
}

/// A world whose mail to `partner.example` leaves by the hop `outside`.
fn world(return_path: &str, hop: &Hop) -> World {
    let more = format!(
        "[return_paths]\nbounce_address = \"bounces@contoso.example\"\n\
         [[next_hops]]\nname = \"outside\"\nhosts = [\"{}\"]\nreturn_path = \"{return_path}\"\n\
         [[routing.domains]]\ndomain = \"partner.example\"\nnext_hop = \"outside\"\n",
        hop.address()
    );
    let mut world = World::of(&organisation()).policy("forwarding = \"here\"").more(&more);
    world.start();
    world
}

/// Sends a message and returns its copy at the hop.
fn copy(world: &World, hop: &Hop, from: &str, to: &str, subject: &str) -> Copy {
    let mut client = if from.ends_with("@contoso.example") {
        world.colleague()
    } else {
        world.stranger()
    };
    let to = format!("{to}@contoso.example");
    let replies = client.send(from, &[&to], &message(from, &to, subject));
    assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    let mark = format!("Subject: {subject}\r\n");
    let copy = hop.wait_copy(subject, |copy| copy.content.contains(&mark));
    // A report that is faster than the trace is answered 451; here nobody asks twice.
    world.until("the trace knows of it", || {
        let output = world.command(&["trace", "--to", &copy.recipients[0]]);
        String::from_utf8_lossy(&output.stdout).contains(&format!("\"{subject}\""))
    });
    copy
}

fn report_about(address: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.partner.example\r\nSubject: Undelivered Mail\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\
         Content-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.partner.example\r\n\r\nFinal-Recipient: rfc822; {address}\r\nAction: failed\r\n\
         Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such person\r\n\r\n--b--\r\n"
    )
}

/// What comes back to a return path; the last reply.
fn come_back(world: &World, from: &str, to: &str, content: &str) -> String {
    let replies = world.stranger().send(from, &[to], content);
    let refused = replies.iter().find(|reply| !reply.starts_with('2'));
    refused.or(replies.last()).cloned().expect("a reply")
}

/// The same, once the trace knows of the copy.
fn comes_back(world: &World, to: &str, content: &str) {
    world.until("the report is taken", || {
        let reply = come_back(world, "", to, content);
        assert!(!reply.starts_with('5'), "{reply}");
        reply.starts_with("250 ")
    });
}

fn reports(hop: &Hop, subject: &str) -> Vec<Copy> {
    let wanted = format!("Undeliverable: {subject}\r\n");
    hop.copies()
        .into_iter()
        .filter(|copy| copy.content.contains(&wanted))
        .collect()
}

fn report(hop: &Hop, subject: &str) -> Copy {
    let wanted = format!("Undeliverable: {subject}\r\n");
    hop.wait_copy(&wanted, |copy| copy.content.contains(&wanted))
}

#[test]
fn a_report_comes_back_and_reaches_the_sender_once() {
    let hop = Hop::start();
    let world = world("bounces", &hop);
    let sent = copy(&world, &hop, LENA, "club", "verp");
    assert!(
        sent.reverse_path.starts_with("bounces+") && sent.reverse_path.ends_with("@contoso.example"),
        "{sent:?}"
    );
    assert!(
        sent.reverse_path.len() - "@contoso.example".len() <= 64,
        "{}",
        sent.reverse_path
    );
    let inside = world
        .onprem
        .wait_copy("the inner copy", |copy| copy.recipients == ["other@contoso.example"]);
    assert_eq!(inside.reverse_path, LENA, "the hop that trusts us gets the original");
    drained(&world);

    comes_back(&world, &sent.reverse_path, &report_about("ann@partner.example"));
    let told = report(&world.onprem, "verp");
    assert_eq!(
        (told.reverse_path.as_str(), &told.recipients[..]),
        ("", &[LENA.to_owned()][..])
    );
    for text in [
        "Final-Recipient: rfc822; ann@partner.example",
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 5.1.1 no such person",
    ] {
        assert!(told.content.contains(text), "{text} in\n{}", told.content);
    }
    // Replay: taken, and nobody is told again. Another recipient of the batch is news.
    comes_back(&world, &sent.reverse_path, &report_about("ann@partner.example"));
    comes_back(
        &world,
        &sent.reverse_path.to_uppercase(),
        &report_about("ANN@partner.example"),
    );
    drained(&world);
    assert_eq!(reports(&world.onprem, "verp").len(), 1);
    comes_back(&world, &sent.reverse_path, &report_about("bob@partner.example"));
    world.until("a second report", || reports(&world.onprem, "verp").len() == 2);

    let traced = world.command(&["trace", "--to", "ann@partner.example"]);
    let traced = String::from_utf8_lossy(&traced.stdout).into_owned();
    world.until("the failure is in the trace", || {
        let output = world.command(&["trace", "--to", "ann@partner.example"]);
        String::from_utf8_lossy(&output.stdout).contains("5.1.1 no such person")
    });
    assert!(traced.contains("verp"), "{traced}");
}

#[test]
fn whose_report_it_is() {
    let hop = Hop::start();
    let world = world("bounces", &hop);
    // To the owner, as the group says.
    let owned = copy(&world, &hop, OUTSIDE, "owned", "owned");
    comes_back(&world, &owned.reverse_path, &report_about("ann@partner.example"));
    let told = report(&world.onprem, "owned");
    assert_eq!(told.recipients, ["owner@contoso.example"]);
    // To nobody: no null reverse-path that a server could refuse, and no report.
    let silent = copy(&world, &hop, OUTSIDE, "silent", "silent");
    assert!(silent.reverse_path.starts_with("bounces+"), "{silent:?}");
    assert!(silent.recipient_parameters[0].contains("NOTIFY=NEVER"), "{silent:?}");
    comes_back(&world, &silent.reverse_path, &report_about("ann@partner.example"));
    // Hidden membership, and a stranger: the group's address alone.
    for (from, to, hop_of_sender) in [(LENA, "secret", &world.onprem), (OUTSIDE, "club", &world.internet)] {
        let sent = copy(&world, &hop, from, to, to);
        comes_back(&world, &sent.reverse_path, &report_about("ann@partner.example"));
        let told = report(hop_of_sender, to);
        assert_eq!(told.recipients, [from]);
        assert!(
            told.content
                .contains(&format!("Final-Recipient: rfc822; {to}@contoso.example")),
            "{}",
            told.content
        );
        assert!(
            !told.content.contains("ann@") && !told.content.contains("bob@"),
            "{}",
            told.content
        );
    }
    drained(&world);
    assert!(reports(&world.onprem, "silent").is_empty() && reports(&world.internet, "silent").is_empty());
    // Two messages told of the same address; a third makes it suspect.
    for round in ["one", "two", "three"] {
        let sent = copy(&world, &hop, LENA, "quiet", round);
        comes_back(&world, &sent.reverse_path, &report_about("ann@partner.example"));
    }
    world.until("a suspect", || {
        let output = world.command(&["suspects", "list"]);
        String::from_utf8_lossy(&output.stdout).contains("ann@partner.example")
    });
}

#[test]
fn automatic_replies_reach_the_sender_where_the_group_lets_them() {
    let hop = Hop::start();
    let world = world("bounces", &hop);
    let away = "From: ann@partner.example\r\nAuto-Submitted: auto-replied\r\nSubject: Away\r\n\r\nI am away.\r\n";
    for (group, arrives) in [("quiet", false), ("club", true), ("secret", false)] {
        let sent = copy(&world, &hop, LENA, group, &format!("to-{group}"));
        let before = world.onprem.copies().len();
        comes_back(&world, &sent.reverse_path, away);
        if arrives {
            let reply = world
                .onprem
                .wait_copy("the reply", |copy| copy.content.contains("I am away."));
            assert_eq!(
                (reply.reverse_path.as_str(), &reply.recipients[..]),
                ("", &[LENA.to_owned()][..])
            );
        }
        drained(&world);
        let away: usize = world.onprem.copies()[before..]
            .iter()
            .filter(|copy| copy.content.contains("I am away."))
            .count();
        assert_eq!(away, usize::from(arrives), "{group}");
    }
}

#[test]
fn guesses_and_misuse_are_refused() {
    let hop = Hop::start();
    let world = world("bounces", &hop);
    let sent = copy(&world, &hop, LENA, "club", "guess");
    let address = sent.reverse_path.clone();
    let (local, _) = address.split_once('@').expect("a mailbox");
    let mut refused = 0;
    for place in "bounces+".len()..local.len() {
        let mut guess = local.to_owned().into_bytes();
        guess[place] = if guess[place] == b'a' { b'b' } else { b'a' };
        let guess = format!("{}@contoso.example", String::from_utf8(guess).expect("ASCII"));
        let mut client = world.stranger();
        client.command("MAIL FROM:<>");
        let reply = client.command(&format!("RCPT TO:<{guess}>"));
        // As to anybody unknown: a guess learns nothing.
        assert!(
            reply.starts_with("550 5.1.10 RESOLVER.ADR.RecipientNotFound; "),
            "{guess}: {reply}"
        );
        refused += 1;
    }
    assert!(refused > 20);
    for guess in [
        "bounces+@contoso.example",
        "SRS0=aaaaaaaaaa=aa=victim.example=anybody@contoso.example",
        "SRS1=aaaaaaaaaaaa=victim.example==aaaa=aa=home.example=joe@contoso.example",
        "bounces@contoso.example",
    ] {
        let reply = come_back(&world, "", guess, &report_about("x@victim.example"));
        assert!(reply.starts_with("550 5.1.10 "), "{guess}: {reply}");
    }
    let reply = come_back(&world, OUTSIDE, &address, &report_about("ann@partner.example"));
    assert!(
        reply.starts_with("550 5.7.1 This address takes reports only"),
        "{reply}"
    );
    for (first, second) in [(LENA, address.as_str()), (address.as_str(), LENA)] {
        let mut client = world.stranger();
        client.command("MAIL FROM:<>");
        let reply = client.command(&format!("RCPT TO:<{first}>"));
        assert!(reply.starts_with("250 "), "{reply}");
        let reply = client.command(&format!("RCPT TO:<{second}>"));
        assert!(reply.starts_with("452 4.5.3 "), "{reply}");
    }
    assert!(world.internet.copies().is_empty(), "nothing went to a victim");
}

#[test]
fn outside_senders_are_rewritten_and_reports_find_the_way_back() {
    let hop = Hop::start();
    let world = world("srs", &hop);
    let sent = copy(&world, &hop, OUTSIDE, "away", "srs");
    assert_eq!(sent.recipients, ["away@partner.example"]);
    assert!(
        sent.reverse_path.starts_with("SRS0=") && sent.reverse_path.ends_with("=outside.example=x@contoso.example"),
        "{sent:?}"
    );
    let inner = copy(&world, &hop, LENA, "away", "inner");
    assert_eq!(inner.reverse_path, LENA, "our own sender needs no rewriting");
    let content = report_about("away@partner.example");
    let reply = come_back(&world, "", &sent.reverse_path, &content);
    assert!(reply.starts_with("250 "), "{reply}");
    let back = world
        .internet
        .wait_copy("the report", |copy| copy.recipients == [OUTSIDE]);
    assert!(
        back.reverse_path.is_empty() && back.content.ends_with(&content),
        "{back:?}"
    );
    // A sender whose address does not fit comes back by way of the batch.
    let long = format!("{}@outside.example", "long".repeat(14));
    let sent = copy(&world, &hop, &long, "away", "long");
    assert!(sent.reverse_path.starts_with("bounces+"), "{sent:?}");
    comes_back(&world, &sent.reverse_path, &content);
    let told = report(&world.internet, "long");
    assert_eq!(told.recipients, [long]);
    // A report to a forwarded mailbox keeps its null reverse-path.
    let replies = world
        .stranger()
        .send("", &["away@contoso.example"], &message("", "away", "null"));
    assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    let null = hop.wait_copy("the report for the forwarded", |copy| {
        copy.content.contains("Subject: null\r\n")
    });
    assert_eq!(null.reverse_path, "");
}

#[test]
fn a_restart_keeps_the_key_and_a_report_after_it_is_known() {
    let hop = Hop::start();
    let mut world = world("bounces", &hop);
    let sent = copy(&world, &hop, LENA, "club", "later");
    drained(&world);
    world.stop();
    world.start();
    comes_back(&world, &sent.reverse_path, &report_about("ann@partner.example"));
    let told = report(&world.onprem, "later");
    assert_eq!(told.recipients, [LENA]);
    assert!(
        told.content.contains("Final-Recipient: rfc822; ann@partner.example"),
        "{}",
        told.content
    );
}
