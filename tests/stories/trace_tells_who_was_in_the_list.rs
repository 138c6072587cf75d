//! `trace --was` answers from the version of the list that a message was expanded with, not from today's.

use crate::support::{Organisation, World, message};

fn organisation(jonas: &str) -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .recipient("lena", "UserMailbox", "office = \"Berlin\"")
        .recipient("jonas", "UserMailbox", &format!("office = \"{jonas}\""))
        .dynamic("berlin", "Office -eq 'Berlin'", "")
        .group("germany", &["berlin"], "");
    organisation
}

#[test]
fn trace_tells_who_was_in_the_list() {
    let world = World::start_with(&organisation("Bonn"));
    let mail = message("x@outside.example", "germany", "Bonus");
    world
        .stranger()
        .send("x@outside.example", &["germany@contoso.example"], &mail);
    world.onprem.wait_recipients(1);
    let trace = ["trace", "--to", "lena@contoso.example"];
    world.until("the message to be traced", || {
        world.json(&trace).to_string().contains("SEND")
    });
    let id = world.json(&trace)[0]["message"].as_str().expect("an id").to_owned();

    organisation("Berlin").write(&world.organisation_path());
    let why = ["group", "why", "berlin@contoso.example", "jonas@contoso.example"];
    world.until("jonas to be a member", || world.command(&why).status.code() == Some(0));

    for (person, code, words) in [
        (
            "lena@contoso.example",
            0,
            "yes: lena@contoso.example was in list v1 of germany@contoso.example > berlin@contoso.example",
        ),
        (
            "jonas@contoso.example",
            1,
            "no: jonas@contoso.example was not in list v1 of germany@contoso.example > berlin@contoso.example; joined at",
        ),
        (
            "jonas@contoso.example",
            1,
            "Office changed from \"Bonn\" to \"Berlin\" (files)",
        ),
        ("stranger@outside.example", 1, "was not in list v1"),
    ] {
        let output = world.command(&["trace", "--message", &id, "--was", person]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{person}: {text}");
        assert!(text.contains(words), "{person}: {text}");
    }
}
