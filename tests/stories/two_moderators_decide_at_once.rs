//! Two moderators decide at the same moment, 500 times: one winner each time, the loser told, one release or none.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;

use crate::support::{Organisation, Request, World, message};

const ROUNDS: usize = 500;
const MODERATORS: [&str; 2] = ["eva@contoso.example", "max@contoso.example"];

fn posted(page: SocketAddr, path: &str, decision: &str) -> String {
    let body = format!("decision={decision}&comment=");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    exchanged(page, &request)
}

fn exchanged(page: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(page).expect("the page listens");
    stream.write_all(request.as_bytes()).expect("the page reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the page answers");
    answer
}

#[test]
fn one_winner_each_time() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("canteen")
        .cloud("eva")
        .cloud("max")
        .on_premises("lena")
        .group(
            "announce",
            &["lena"],
            &format!("moderation_enabled = true\nmoderated_by = {MODERATORS:?}"),
        );
    let mut world =
        World::of(&organisation).more("[web]\naddress = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1\"\n");
    world.start();
    let page = world.page();
    let mut client = world.colleague();
    for round in 0..ROUNDS {
        let mail = message(
            "canteen@contoso.example",
            "announce@contoso.example",
            &format!("round {round}."),
        );
        client.send("canteen@contoso.example", &["announce@contoso.example"], &mail);
    }
    let routing = |moderator: &str| moderator.replace("contoso.example", "contoso.mail.onmicrosoft.example");
    world.cloud.wait_recipients(2 * ROUNDS);
    let requests = world.cloud.copies();
    let (mut approved, mut rejected) = (0, 0);
    for round in 0..ROUNDS {
        let path = |moderator: &str| {
            let subject = format!("announce: round {round}.\r\n");
            let to = routing(moderator);
            let copy = requests
                .iter()
                .find(|copy| copy.recipients == [to.as_str()] && copy.content.contains(&subject));
            let copy = copy
                .unwrap_or_else(|| panic!("a request of round {round} to {moderator}"))
                .clone();
            let text = crate::support::decoded(&copy.content);
            Request { copy, text }.path()
        };
        let (eva, max) = (path(MODERATORS[0]), path(MODERATORS[1]));
        let start = Barrier::new(2);
        let decide = |path: &str, decision: &str| {
            start.wait();
            posted(page, path, decision)
        };
        std::thread::scope(|scope| {
            let first = scope.spawn(|| decide(&eva, "approve"));
            let second = scope.spawn(|| decide(&max, "reject"));
            for answer in [first.join(), second.join()] {
                let answer = answer.expect("no panic");
                assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
            }
        });
        let shown = |path: &str| {
            exchanged(
                page,
                &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            )
        };
        let (eva, max) = (shown(&eva), shown(&max));
        let by_eva = "approved by eva@contoso.example at";
        let by_max = "rejected by max@contoso.example at";
        if eva.contains(&format!("Done: {by_eva}")) {
            assert!(max.contains(&format!("Already {by_eva}")), "{max}");
            approved += 1;
        } else {
            assert!(max.contains(&format!("Done: {by_max}")), "{max}");
            assert!(eva.contains(&format!("Already {by_max}")), "{eva}");
            rejected += 1;
        }
    }
    assert_eq!(approved + rejected, ROUNDS);
    // Each approval is one copy to Lena, each refusal one notice to the sender.
    world.onprem.wait_recipients(ROUNDS);
    let to = |name: &str| world.onprem.recipients().iter().filter(|each| *each == name).count();
    assert_eq!(
        (to("lena@contoso.example"), to("canteen@contoso.example")),
        (approved, rejected)
    );
    println!("{ROUNDS} rounds: {approved} approved, {rejected} rejected");
}
