//! A listed client is told who lists it and reaches postmaster only; the trace says why, also where it was let in.

use std::net::Ipv4Addr;

use crate::support::dns::NameServer;
use crate::support::{Client, Organisation, World, message};

const LISTENERS: &str = r#"
[[listeners]]
name = "screened"
address = "127.0.0.1:0"
role = "inbound"
proxy_from = ["127.0.0.1"]

[listeners.rates]
messages_per_client = "3/d"

[listeners.strangers]
helo = "syntax"
reverse_dns = "confirmed"

[[listeners.strangers.dnsbl]]
zone = "bl.example"

[[listeners.strangers.dnsbl]]
zone = "watch.example"
answers = ["127.0.0.2-8"]
action = "track"
"#;

fn client(world: &World, address: &str) -> Client {
    let mut client = world.silent_client_of("screened");
    client.write(format!("PROXY TCP4 {address} 127.0.0.1 40000 25\r\n").as_bytes());
    assert!(client.reply().starts_with("220 "), "{address}");
    assert!(client.command("EHLO mail.fabrikam.example").starts_with("250"));
    client
}

#[test]
fn a_stranger_on_a_list_reaches_only_postmaster() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena");
    let dns = NameServer::start();
    dns.host("7.2.0.192.bl.example", Ipv4Addr::new(127, 0, 0, 2))
        .text("7.2.0.192.bl.example", "sends spam")
        .host("8.2.0.192.watch.example", Ipv4Addr::new(127, 0, 0, 4))
        .host("mail.fabrikam.example", Ipv4Addr::new(192, 0, 2, 8));
    for last in [7, 8, 9] {
        dns.pointer(Ipv4Addr::new(192, 0, 2, last).into(), "mail.fabrikam.example");
    }
    let mut world = World::of(&organisation).more(LISTENERS).more(&dns.settings());
    world.start();
    let from = "tom@fabrikam.example";

    let mut listed = client(&world, "192.0.2.7");
    let to = ["lena@contoso.example", "postmaster@contoso.example"];
    let replies = listed.send(from, &to, &message(from, to[1], "unfair"));
    assert_eq!(
        replies[0],
        "554 5.7.1 client [192.0.2.7] is listed by bl.example: sends spam"
    );
    assert!(replies[2].starts_with("250 "), "{replies:?}");
    world.until("postmaster to be asked", || world.onprem.copies().len() == 1);
    world.until("the refusal in the trace", || {
        let refused = world.json(&["trace", "--to", "lena@contoso.example"]).to_string();
        refused.contains("client-listed") && refused.contains("192.0.2.7")
    });

    let mut unnamed = client(&world, "192.0.2.9");
    let replies = unnamed.send(from, &["lena@contoso.example"], "");
    assert!(replies[0].starts_with("550 5.7.25 "), "{replies:?}");

    let mut watched = client(&world, "192.0.2.8");
    for number in 0..3 {
        let subject = format!("watched{number}");
        let replies = watched.send(
            from,
            &["lena@contoso.example"],
            &message(from, "lena@contoso.example", &subject),
        );
        assert!(replies[1].starts_with("250 "), "{replies:?}");
    }
    let replies = watched.send(from, &["lena@contoso.example"], "");
    assert!(replies[0].starts_with("450 4.7.1 "), "{replies:?}");
    world.until("the copies to arrive", || world.onprem.copies().len() == 4);
    world.until("the notes in the trace", || {
        let output = world.command(&["trace", "--to", "lena@contoso.example"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.matches("noted: watch.example").count() == 3
    });
}
