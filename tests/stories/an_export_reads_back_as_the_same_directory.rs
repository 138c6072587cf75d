//! An export of the running service reads back as the objects it was loaded from.

use muster::connectors::files::load;
use muster::directory::{RecipientObject, SourceId};

use crate::support::{Organisation, World};

fn objects(folder: &std::path::Path) -> Vec<RecipientObject> {
    let snapshot = load(folder, &SourceId::new("any")).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let mut objects = snapshot.objects;
    objects.sort_by(|a, b| a.id.cmp(&b.id));
    objects
}

#[test]
fn an_export_reads_back_as_the_same_directory() {
    let mut organisation = Organisation::new();
    organisation
        .recipient(
            "lena",
            "UserMailbox",
            "office = \"Berlin \"\nemail_addresses = [\"X500:/o=Old/cn=lena\"]",
        )
        .recipient(
            "jonas",
            "RemoteUserMailbox",
            "forwarding_address = \"lena@contoso.example\"",
        )
        .dynamic("berlin", "(Office -eq 'Berlin')", "max_age = \"2d\"");
    let world = World::start_with(&organisation);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let into = folder.path().join("export");
    let place = into.display().to_string();
    let first = world.command(&["export", &place, "--objects-per-file", "1"]);
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let sources: Vec<_> = std::fs::read_dir(&into)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(sources.len(), 1, "one folder per source: {sources:?}");
    let exported = objects(&sources[0]);
    assert_eq!(exported, objects(&world.organisation_path()));
    assert!(exported.len() >= 3);

    // The same again writes nothing; what somebody else put there is not written over.
    let again = world.json(&["export", &place, "--objects-per-file", "1"]);
    assert_eq!(again["sources"][0]["objects"], exported.len());
    let name = sources[0].file_name().expect("a name");
    let foreign = folder.path().join("foreign").join(name);
    std::fs::create_dir_all(&foreign).expect("created");
    std::fs::write(foreign.join("recipients-0001.json"), "[]").expect("written");
    let place = folder.path().join("foreign").display().to_string();
    let refused = world.command(&["export", &place]);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
}
