//! A moderator answers the request by mail. Only his own proved answer counts, and who comes late is told who was first.

use crate::support::{Organisation, Request, World, message};

const EVA: &str = "eva@contoso.example";
const MAX: &str = "max@contoso.example";

fn organisation(more: &str) -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("canteen")
        .on_premises("max")
        .recipient(
            "eva",
            "UserMailbox",
            "email_addresses = [\"smtp:eva.adler@contoso.example\"]",
        )
        .cloud("tom")
        .group(
            "announce",
            &["lena", "tom"],
            &format!("moderation_enabled = true\nmoderated_by = [\"{EVA}\", \"{MAX}\"]\n{more}"),
        );
    organisation
}

fn held(world: &World) {
    let mail = message("canteen@contoso.example", "announce@contoso.example", "closed");
    let replies = world
        .colleague()
        .send("canteen@contoso.example", &["announce@contoso.example"], &mail);
    assert!(replies[1].starts_with("250 "), "{replies:?}");
}

/// Answers from `from`; the reply to the final dot, or to RCPT if that was refused.
fn answers(client: &mut crate::support::Client, from: &str, to: &str, subject: &str, body: &str) -> String {
    let mail = format!("From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{body}\r\n");
    client.send(from, &[to], &mail).pop().expect("a reply")
}

fn reached(world: &World) -> usize {
    let lena = world
        .onprem
        .recipients()
        .iter()
        .filter(|each| *each == "lena@contoso.example")
        .count();
    lena + world.cloud.recipients().len()
}

#[test]
fn an_answer_decides_and_the_late_one_is_told() {
    let world = World::start_with(&organisation(""));
    held(&world);
    let eva = Request::to(&world.onprem, EVA, "closed");
    let max = Request::to(&world.onprem, MAX, "closed");
    assert_ne!(eva.answers(), max.answers(), "each has an address of his own");
    for said in [
        "Approve? announce: closed",
        "canteen@contoso.example",
        "proved to be one of us by network loopback",
        "2 would receive it now",
        "is moderated",
        "Others were asked as well",
        "message/rfc822",
        "Auto-Submitted: auto-generated",
        "text/html",
    ] {
        assert!(eva.text.contains(said), "{said}\n{}", eva.text);
    }
    // The original is there as it was sent, and no link where there is no page.
    assert!(eva.copy.content.contains("Subject: closed\r\n"), "{}", eva.copy.content);
    assert!(!eva.text.contains("http"), "{}", eva.text);
    assert!(
        eva.copy.reverse_path.starts_with("moderation+m1."),
        "{}",
        eva.copy.reverse_path
    );

    // From another address of the same person, on the address that Max was given: the person counts.
    let mut client = world.colleague();
    let reply = answers(&mut client, "eva.adler@contoso.example", &max.answers(), "Re: x", "Ok!");
    assert!(reply.contains("Answer taken: decided"), "{reply}");
    world
        .onprem
        .wait_copy("the message", |copy| copy.recipients == ["lena@contoso.example"]);
    world.cloud.wait_recipients(1);

    let reply = answers(&mut client, MAX, &max.answers(), "Re: x", "reject: too late for that");
    assert!(reply.contains("too late, already approved"), "{reply}");
    let late = world.onprem.wait_copy("the letter to Max", |copy| {
        copy.content.contains("Subject: Already approved")
    });
    assert_eq!(late.recipients, [MAX]);
    assert!(crate::support::decoded(&late.content).contains("already approved by eva@contoso.example"));
    assert_eq!(reached(&world), 2, "once each");
    let trace = world.json(&["trace", "--to", "announce@contoso.example"]);
    let text = trace.to_string();
    assert!(text.contains("\"DECIDE\"") && text.contains(EVA), "{text}");
}

#[test]
fn a_refusal_by_outlooks_voting_form_reaches_the_sender() {
    let world = World::start_with(&organisation("moderation_language = \"de\""));
    held(&world);
    let eva = Request::to(&world.onprem, EVA, "closed");
    assert!(
        eva.text.contains("wartet auf Ihre Freigabe") && eva.text.contains("Frist:"),
        "{}",
        eva.text
    );
    let subject = "Ablehnen: Freigeben? announce: closed";
    let reply = answers(&mut world.colleague(), EVA, &eva.answers(), subject, "bitte kürzen");
    assert!(reply.contains("decided"), "{reply}");
    let notice = world
        .onprem
        .wait_copy("the notice", |copy| copy.recipients == ["canteen@contoso.example"]);
    let text = crate::support::decoded(&notice.content);
    assert!(text.contains("abgelehnt") && text.contains("bitte kürzen"), "{text}");
    assert!(notice.reverse_path.is_empty());
    assert_eq!(reached(&world), 0);
}

#[test]
fn what_is_no_answer_of_a_moderator_decides_nothing() {
    let world = World::start_with(&organisation(""));
    held(&world);
    let eva = Request::to(&world.onprem, EVA, "closed").answers();
    let (mut inside, mut outside) = (world.colleague(), world.stranger());
    // A colleague who is no moderator has got hold of the address.
    let reply = answers(&mut inside, "lena@contoso.example", &eva, "Re: x", "approve");
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    // A stranger, with his own address or with that of a moderator.
    let reply = answers(&mut outside, "eva@outside.example", &eva, "Re: x", "approve");
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    let reply = outside.command(&format!("MAIL FROM:<{EVA}>")) + &outside.command(&format!("RCPT TO:<{eva}>"));
    assert!(reply.contains("550 5.7.1 "), "{reply}");
    outside.command("RSET");
    // The author is somebody else than the sender.
    let mail = format!("From: {MAX}\r\nTo: {eva}\r\nSubject: Re: x\r\n\r\napprove\r\n");
    let reply = inside.send(EVA, &[&eva], &mail).pop().expect("a reply");
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    // An automatic reply in the moderator's name.
    let mail = format!("From: {EVA}\r\nTo: {eva}\r\nSubject: Re: x\r\nAuto-Submitted: auto-replied\r\n\r\napprove\r\n");
    let reply = inside.send(EVA, &[&eva], &mail).pop().expect("a reply");
    assert!(reply.contains("Answer taken: noted"), "{reply}");
    // A guess, an altered token, an answer among other recipients.
    let (start, token) = eva.split_at(eva.find('.').expect("a token") + 1);
    let altered = format!(
        "{start}{}{}",
        if token.starts_with('0') { '1' } else { '0' },
        &token[1..]
    );
    inside.command(&format!("MAIL FROM:<{EVA}>"));
    let reply = inside.command(&format!("RCPT TO:<{altered}>"));
    assert!(
        reply.starts_with("550 5.1.10 "),
        "as any address that nobody has: {reply}"
    );
    inside.command("RSET");
    inside.command(&format!("MAIL FROM:<{EVA}>"));
    assert!(inside.command("RCPT TO:<lena@contoso.example>").starts_with("250"));
    assert!(inside.command(&format!("RCPT TO:<{eva}>")).starts_with("452 4.5.3"));
    inside.command("RSET");
    inside.command(&format!("MAIL FROM:<{EVA}>"));
    assert!(inside.command(&format!("RCPT TO:<{eva}>")).starts_with("250"));
    assert!(
        inside
            .command("RCPT TO:<lena@contoso.example>")
            .starts_with("452 4.5.3")
    );
    inside.command("RSET");
    // Words that are no decision: the moderator is told what would be one.
    let reply = answers(&mut inside, EVA, &eva, "Re: x", "no problem, let me think");
    assert!(reply.contains("not understood"), "{reply}");
    world.onprem.wait_copy("the letter to Eva", |copy| {
        copy.content.contains("Subject: Not understood")
    });
    let holds = world.json(&["moderate", "list"]);
    assert_eq!(holds.as_array().map(Vec::len), Some(1), "it still waits: {holds}");
    assert_eq!(reached(&world), 0);
}
