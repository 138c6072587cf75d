//! A name server that says nothing costs the time limit of the checks, not the message.

use std::time::{Duration, Instant};

use crate::support::dns::NameServer;
use crate::support::{Organisation, World, message};

#[test]
fn silent_name_servers_hold_nothing_up() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena").group("team", &["lena"], "");
    let dns = NameServer::start();
    dns.silent("outside.example").silent("_dmarc.outside.example");
    let more = format!(
        "\n[authenticity]\nverify = \"unproven\"\ntime_limit = \"500ms\"\n{}",
        dns.settings()
    );
    let mut world = World::of(&organisation).more(&more);
    world.start();
    let (from, to) = ("x@outside.example", "team@contoso.example");
    let begun = Instant::now();
    let replies = world.stranger().send(from, &[to], &message(from, to, "patience"));
    assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    // One look-up alone waits 5 s for its answer.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let copy = &world.onprem.wait_recipients(1)[0];
    let content = copy.content.replace("\r\n ", " ");
    assert!(
        content.starts_with("Authentication-Results: muster.contoso.example; spf=temperror "),
        "{content}"
    );
    assert!(content.contains("dmarc=temperror"), "{content}");
}
