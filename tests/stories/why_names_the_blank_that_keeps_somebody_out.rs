//! `group why` names the blank that keeps Jonas out, when it came, and who else has it.

use crate::support::{Organisation, World};

const FILTER: &str = "(Office -eq 'Berlin') -and (Title -ne $null)";

fn organisation(office: &str) -> Organisation {
    let mut organisation = Organisation::new();
    for (name, office) in [
        ("lena", "Berlin"),
        ("jonas", office),
        ("k1", "Berlin "),
        ("k2", "Berlin "),
        ("k3", "berlin "),
        ("bonn", "Bonn "),
    ] {
        let more = format!("office = \"{office}\"\ntitle = \"Clerk\"");
        organisation.recipient(name, "UserMailbox", &more);
    }
    organisation.dynamic("berlin", FILTER, "");
    organisation
}

#[test]
fn why_names_the_blank_that_keeps_somebody_out() {
    let world = World::start_with(&organisation("Berlin "));
    let why = ["group", "why", "berlin@contoso.example", "jonas@contoso.example"];
    let output = world.command(&why);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for line in [
        "not a member",
        "  clause Office -eq 'Berlin'  no   stored value \"Berlin \" (blank at the end), from files",
        "  clause Title -ne $null      yes  stored value \"Clerk\", from files",
        "nearest: would be a member without the blank at the end of Office (and 3 others: --list)",
    ] {
        assert!(text.lines().any(|each| each.starts_with(line)), "{line}\n{text}");
    }
    let mut list = why.to_vec();
    list.push("--list");
    let answer = world.json(&list);
    assert_eq!(
        answer["nearest"]["other_recipients"],
        serde_json::json!(["k1@contoso.example", "k2@contoso.example", "k3@contoso.example"]),
        "{answer}"
    );

    organisation("Berlin").write(&world.organisation_path());
    world.until("jonas to be a member", || world.command(&why).status.code() == Some(0));
    let answer = world.json(&why);
    assert_eq!(
        answer["paths"],
        serde_json::json!([["berlin@contoso.example"]]),
        "{answer}"
    );
}
