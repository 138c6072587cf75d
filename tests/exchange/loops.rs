//! §3.5: nesting, loops, duplicates.

use crate::support::{Organisation, World, message};
use crate::table::{Door, Source, ask, begins, differs, drained, same, verify, write};

fn organisation() -> Organisation {
    let forward = |to: &str, both: bool| {
        format!("forwarding_address = \"{to}@contoso.example\"\ndeliver_to_mailbox_and_forward = {both}")
    };
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("jonas")
        .on_premises("owner")
        .recipient("keep-a", "UserMailbox", &forward("keep-b", true))
        .recipient("keep-b", "UserMailbox", &forward("keep-a", true))
        .recipient("lost-a", "UserMailbox", &forward("lost-b", false))
        .recipient("lost-b", "UserMailbox", &forward("lost-a", false))
        .contact("contact-1", "x@elsewhere.example")
        .contact("contact-2", "X@ELSEWHERE.example")
        .group("ring-a", &["ring-b", "lena"], "")
        .group("ring-b", &["ring-a", "jonas"], "")
        .group("both-ways", &["lena", "inner-1", "inner-2"], "")
        .group("inner-1", &["jonas", "inner-2"], "")
        .group("inner-2", &["lena", "jonas"], "")
        .group("one-target", &["contact-1", "contact-2"], "")
        .group("kept", &["keep-a"], "")
        .group("lost", &["lost-a", "lena"], "")
        .group("to-owner", &["lena"], "report_to_originator_enabled = false\nreport_to_manager_enabled = true\nmanaged_by = [\"owner@contoso.example\"]")
        .group("two-paths", &["to-owner", "zz-plain"], "")
        .group("zz-plain", &["lena"], "");
    organisation
}

struct Row {
    source: Source,
    to: &'static str,
    reached: &'static [&'static str],
}

#[test]
fn everybody_once() {
    let mut world = World::of(&organisation()).policy("forwarding = \"here\"");
    world.start();
    let row = |source, to, reached| Row { source, to, reached };
    let rows = [
        row(
            same("§3.5 a cycle among groups is harmless: delivered once, no error"),
            "ring-a",
            &["jonas@contoso.example", "lena@contoso.example"][..],
        ),
        row(
            differs(
                "§3.5 loop detection does not remove duplicates, the store does",
                "the next hop may not; one copy per object",
            ),
            "both-ways",
            &["jonas@contoso.example", "lena@contoso.example"],
        ),
        row(
            differs(
                "§3.5 duplicates by final address",
                "one copy per final address, whatever its case",
            ),
            "one-target",
            &["x@elsewhere.example"],
        ),
        row(
            same("§3.5 two mailboxes that deliver and forward to each other"),
            "kept",
            &["keep-a@contoso.example", "keep-b@contoso.example"],
        ),
        row(
            same("§3.5 paths that differ in P1: the first is kept"),
            "two-paths",
            &["lena@contoso.example"],
        ),
    ];
    verify(rows.into_iter().map(|row| {
        let reply = write(
            &world,
            Door::Inside,
            "jonas@contoso.example",
            &format!("{}@contoso.example", row.to),
            row.to,
        );
        let mark = format!("Subject: {}", row.to);
        let found = || {
            let copies = [&world.onprem, &world.internet].map(|hop| hop.copies()).concat();
            let of_row = copies.into_iter().filter(|copy| copy.content.contains(&mark));
            let mut found: Vec<String> = of_row
                .flat_map(|copy| copy.recipients)
                .map(|to| to.to_lowercase())
                .collect();
            found.sort();
            found
        };
        let held = begins(&reply, "250").and_then(|()| {
            world.until(row.to, || found().len() >= row.reached.len());
            drained(&world);
            let found = found();
            if found == row.reached {
                Ok(())
            } else {
                Err(format!("reached {found:?}"))
            }
        });
        (row.source, row.to.to_owned(), held)
    }));
    let copy = world
        .onprem
        .wait_copy("two-paths", |copy| copy.content.contains("Subject: two-paths"));
    assert_eq!(
        copy.reverse_path, "owner@contoso.example",
        "the path that came first in the walk"
    );
}

#[test]
fn a_broken_loop_is_refused() {
    let mut world = World::of(&organisation()).policy("forwarding = \"here\"");
    world.start();
    let jonas = "jonas@contoso.example";
    let alone = write(&world, Door::Inside, jonas, "lost-a@contoso.example", "alone");
    let among = write(&world, Door::Inside, jonas, "lost@contoso.example", "among");
    let report = world
        .onprem
        .wait_copy("a report", |copy| copy.content.contains("Undeliverable: among"));
    verify([
        (
            same("§3.5 a forward-only cycle (broken loop): NDR for that recipient"),
            "addressed".to_owned(),
            begins(&alone, "554 5.4.6 Hop count exceeded - possible mail loop"),
        ),
        (
            same("§3.5 the same as a member: the others get their copy"),
            "in a group".to_owned(),
            begins(&among, "250").and_then(|()| {
                let named = report
                    .content
                    .contains("Final-Recipient: rfc822; lost-a@contoso.example");
                if named { Ok(()) } else { Err(report.content.clone()) }
            }),
        ),
    ]);
}

#[test]
fn depth_and_hops_are_bounded() {
    let mut organisation = organisation();
    for level in 0..12 {
        organisation.group(&format!("level-{level}"), &[&format!("level-{}", level + 1)], "");
    }
    organisation.group("level-12", &["lena"], "");
    let mut world = World::of(&organisation).more("[limits]\nexpansion_depth_max = 10\nreceived_fields_max = 100\n");
    world.start();
    let jonas = "jonas@contoso.example";
    let deep = write(&world, Door::Inside, jonas, "level-0@contoso.example", "deep");
    let fits = write(&world, Door::Inside, jonas, "level-4@contoso.example", "fits");
    let hops = |count: usize| {
        let trace = "Received: from a.example by b.example; Fri, 20 Nov 2026 10:00:00 +0100\r\n".repeat(count);
        ask(
            &world,
            Door::Inside,
            jonas,
            "lena@contoso.example",
            &format!("{trace}{}", message(jonas, "lena", "hops")),
        )
    };
    verify([
        (
            differs(
                "§3.5 no maximum depth is documented",
                "beyond expansion_depth_max the message is refused as a whole",
            ),
            "13 levels, 10 allowed".to_owned(),
            begins(&deep, "550 5.2.4 "),
        ),
        (
            same("§3.5 nesting within the bound"),
            "9 levels".to_owned(),
            begins(&fits, "250"),
        ),
        (
            differs(
                "§3.5, §3.6 hop count: 5.4.6 on-premises, 5.4.14 in Exchange Online",
                "5.4.6 in both dialects: RFC 3463 defines it, and 5.4.14 is registered nowhere",
            ),
            "101 hops".to_owned(),
            begins(&hops(101), "554 5.4.6 "),
        ),
        (
            differs(
                "§3.5 the default trigger is 20 iterations",
                "100 Received fields, as RFC 5321 §6.3 asks",
            ),
            "100 hops".to_owned(),
            begins(&hops(100), "250"),
        ),
    ]);
}
