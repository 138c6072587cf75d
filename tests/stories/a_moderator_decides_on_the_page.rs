//! A moderator decides on a phone, without script. Opening a link decides nothing; the page tells who was first.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::browser::Browser;
use crate::support::{Organisation, Request, World, message};

const EVA: &str = "eva@contoso.example";
const MAX: &str = "max@contoso.example";
const WEB: &str = "[web]\naddress = \"127.0.0.1:0\"\npublic_url = \"https://mail.contoso.example/\"\n";

fn world(more: &str) -> World {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("canteen")
        .on_premises("eva")
        .on_premises("max")
        .group(
            "announce",
            &["lena"],
            &format!("moderation_enabled = true\nmoderated_by = [\"{EVA}\", \"{MAX}\"]\n{more}"),
        );
    let mut world = World::of(&organisation).more(WEB);
    world.start();
    let mail = message("canteen@contoso.example", "announce@contoso.example", "<b>closed</b>");
    world
        .colleague()
        .send("canteen@contoso.example", &["announce@contoso.example"], &mail);
    world
}

/// One HTTP exchange.
fn exchanged(world: &World, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(world.page()).expect("the page listens");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let waits = Some(std::time::Duration::from_secs(30));
    stream.set_read_timeout(waits).expect("the option exists");
    stream.write_all(request.as_bytes()).expect("the page reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the page answers");
    answer
}

fn to_lena(world: &World) -> usize {
    world
        .onprem
        .recipients()
        .iter()
        .filter(|each| *each == "lena@contoso.example")
        .count()
}

#[test]
fn a_real_browser_approves_on_a_phone_without_script() {
    let world = world("");
    let eva = Request::to(&world.onprem, EVA, "closed");
    assert!(eva.text.contains("https://mail.contoso.example/m/1/"), "{}", eva.text);
    let mut browser = Browser::phone(360, 740);
    browser.without_script();
    browser.open(&format!("http://{}{}?choose=approve", world.page(), eva.path()));
    let page = browser.page();
    assert!(
        page.contains("canteen@contoso.example") && page.contains("&lt;b&gt;closed&lt;/b&gt;"),
        "{page}"
    );
    assert!(browser.content_width() <= 360, "nothing is cut off at the side");
    let button = browser.height_of("#approve");
    assert!(button >= 44, "a finger needs 44 pixels: {button}");
    assert_eq!(to_lena(&world), 0, "opening it decided nothing");
    browser.tap("#approve");
    let page = browser.wait_for("#state");
    assert!(page.contains("Done: approved by eva@contoso.example at "), "{page}");
    world
        .onprem
        .wait_copy("the message", |copy| copy.recipients == ["lena@contoso.example"]);

    let max = Request::to(&world.onprem, MAX, "closed");
    browser.open(&format!("http://{}{}", world.page(), max.path()));
    let page = browser.page();
    assert!(page.contains("Already approved by eva@contoso.example at "), "{page}");
    assert!(!page.contains("<button"), "{page}");
}

#[test]
fn a_scanner_that_opens_every_link_decides_nothing() {
    let world = world("");
    let eva = Request::to(&world.onprem, EVA, "closed").path();
    for path in [
        eva.clone(),
        format!("{eva}?choose=approve"),
        format!("{eva}?choose=reject"),
        format!("{eva}?decision=approve"),
    ] {
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
            let answer = exchanged(&world, method, &path, "decision=approve");
            let expected = if matches!(method, "GET" | "HEAD") {
                " 200 "
            } else {
                " 405 "
            };
            assert!(answer[..16].contains(expected), "{method} {path}\n{answer}");
        }
    }
    let empty = exchanged(&world, "POST", &eva, "comment=x");
    assert!(empty.contains("Choose one of the two"), "{empty}");
    let holds = world.json(&["moderate", "list"]);
    assert_eq!(holds.as_array().map(Vec::len), Some(1), "{holds}");
    assert_eq!(to_lena(&world), 0);
}

#[test]
fn browsers_are_told_to_keep_the_page_to_themselves_and_guesses_find_nothing() {
    let world = world("");
    let request = Request::to(&world.onprem, EVA, "closed");
    let eva = request.path();
    let page = exchanged(&world, "GET", &eva, "").to_ascii_lowercase();
    for header in [
        "content-security-policy: default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ] {
        assert!(page.contains(header), "{header}\n{page}");
    }
    assert!(!page.contains("<script"), "{page}");
    let reply_token = request.answers();
    let reply_token = reply_token.split(['.', '@']).nth(1).expect("a token");
    for path in [
        if eva.starts_with("/m/1/") {
            eva.replace("/m/1/", "/m/2/")
        } else {
            eva.replace("/m/2/", "/m/1/")
        },
        eva[..eva.len() - 1].to_owned(),
        format!(
            "{}{}",
            &eva[..eva.len() - 1],
            if eva.ends_with('0') { '1' } else { '0' }
        ),
        // The address that answers go to is seen by every mail system on the way; it opens no page.
        format!("/m/1/{reply_token}"),
        "/m/1/".to_owned(),
        "/".to_owned(),
        "/m/-1/x".to_owned(),
    ] {
        for method in ["GET", "POST"] {
            let answer = exchanged(&world, method, &path, "decision=approve");
            assert!(answer.starts_with("HTTP/1.1 404 "), "{method} {path}\n{answer}");
        }
    }
    let large = exchanged(
        &world,
        "POST",
        &eva,
        &format!("decision=approve&comment={}", "x".repeat(20_000)),
    );
    assert!(large.starts_with("HTTP/1.1 413 "), "{large}");
    assert!(exchanged(&world, "GET", "/style.css", "").contains("text/css"));
}

#[test]
fn two_approvals_are_needed_and_one_refusal_ends_it() {
    let world = world("moderation_quorum = 2\nmoderation_language = \"de\"");
    let eva = Request::to(&world.onprem, EVA, "closed").path();
    let max = Request::to(&world.onprem, MAX, "closed").path();
    for _ in 0..2 {
        exchanged(&world, "POST", &eva, "decision=approve");
    }
    let page = exchanged(&world, "GET", &eva, "");
    assert!(page.contains("Ihre Freigabe zählt. Noch nötig: 1."), "{page}");
    assert_eq!(to_lena(&world), 0);
    exchanged(&world, "POST", &max, "decision=reject&comment=zu+lang");
    let notice = world
        .onprem
        .wait_copy("the notice", |copy| copy.recipients == ["canteen@contoso.example"]);
    assert!(
        crate::support::decoded(&notice.content).contains("  zu lang"),
        "{}",
        notice.content
    );
    let page = exchanged(&world, "GET", &eva, "");
    assert!(page.contains("Bereits abgelehnt: max@contoso.example"), "{page}");
    assert_eq!(to_lena(&world), 0);
}
