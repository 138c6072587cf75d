//! An operator changes the letters, or adds a language: `check` tries them out, a reload brings them.

use std::fs;

use crate::support::{Organisation, Request, World, message};

const EVA: &str = "eva@contoso.example";

fn organisation(language: &str) -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("canteen")
        .on_premises("eva")
        .group(
            "announce",
            &["lena"],
            &format!("moderation_enabled = true\nmoderated_by = [\"{EVA}\"]\nmoderation_language = \"{language}\""),
        );
    organisation
}

fn send(world: &World, subject: &str) {
    let mail = message("canteen@contoso.example", "announce@contoso.example", subject);
    let replies = world
        .colleague()
        .send("canteen@contoso.example", &["announce@contoso.example"], &mail);
    assert!(replies[1].starts_with("250 "), "{replies:?}");
}

#[test]
fn templates_of_a_folder_are_used_and_reloaded() {
    let mut world = World::of(&organisation("fr")).more("[moderation]\ntemplates = \"letters\"\n");
    let folder = world.path().join("letters/fr");
    fs::create_dir_all(&folder).expect("a folder");
    let request = folder.join("request.txt");
    fs::write(
        &request,
        "Subject: Approuver ? {{ subject }}\n\nBonjour {{ moderator }}.\n",
    )
    .expect("writes");
    world.start();
    send(&world, "premier");
    let first = Request::to(&world.onprem, EVA, "Subject: Approuver ? premier");
    assert!(first.text.contains("Bonjour eva@contoso.example."), "{}", first.text);
    fs::write(&request, "Subject: Encore : {{ subject }}\n\n{{ sender }}\n").expect("writes");
    let reloaded = world.command(&["reload"]);
    assert!(reloaded.status.success(), "{reloaded:?}");
    send(&world, "second");
    let second = Request::to(&world.onprem, EVA, "Subject: Encore : second");
    assert!(second.text.contains("canteen@contoso.example"), "{}", second.text);
    // A broken one is refused with its line, and the one before goes on.
    fs::write(&request, "Subject: x\n\n{{ nonsense }}\n").expect("writes");
    let reloaded = world.command(&["reload"]);
    let said = String::from_utf8_lossy(&reloaded.stdout).into_owned() + &String::from_utf8_lossy(&reloaded.stderr);
    assert!(!reloaded.status.success(), "{said}");
    assert!(said.contains("fr/request.txt") && said.contains("line 3"), "{said}");
    send(&world, "third");
    Request::to(&world.onprem, EVA, "Subject: Encore : third");
}
