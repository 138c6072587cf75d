//! The exports in `config/exchange-export` become the directory of `config/example`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use muster::connectors::files::load;
use muster::directory::attribute::Attribute;
use muster::directory::delivery::Reference;
use muster::directory::filter::EvaluationOptions;
use muster::directory::group::{FilterLanguage, RuleCondition};
use muster::directory::value::Value;
use muster::directory::{ChangeSet, Directory, ObjectId, Ordinal, OrdinalSource, RecipientObject, SourceId};

use super::{printed, repository, run_import};

struct Counting(u32);

impl OrdinalSource for Counting {
    fn ordinal(&mut self, _: &ObjectId) -> Ordinal {
        self.0 += 1;
        Ordinal(self.0 - 1)
    }
}

fn directory(objects: &[RecipientObject]) -> Directory {
    let changes = ChangeSet {
        upserts: objects.to_vec(),
        removals: Vec::new(),
    };
    let (directory, findings) = Directory::empty().apply(changes, &mut Counting(0), 1, Timestamp::UNIX_EPOCH);
    assert_eq!(findings, []);
    directory
}

/// Members of every group by address, as a list is computed.
fn members(directory: &Directory) -> BTreeMap<String, BTreeSet<String>> {
    let options = EvaluationOptions::default();
    let address = |ordinal: u32| {
        let object = directory.recipient(Ordinal(ordinal)).expect("an entry is an object");
        object.primary.as_str().to_owned()
    };
    let mut all = BTreeMap::new();
    for (ordinal, group) in directory.groups() {
        let built = muster::rolls::build(directory, ordinal, &options, Timestamp::UNIX_EPOCH).expect("computable");
        all.insert(
            group.primary.as_str().to_owned(),
            built.entries.objects.iter().map(address).collect(),
        );
    }
    all
}

/// An object without what an export adds (ids, places) and what Exchange does not know (freshness).
fn comparable(object: &RecipientObject, by_dn: &BTreeMap<String, String>) -> RecipientObject {
    let mut object = object.clone();
    object.id = ObjectId::new(object.primary.as_str());
    object.source = SourceId::new("any");
    object.distinguished_name = None;
    object.container = None;
    for added in [
        Attribute::Guid,
        Attribute::ExternalDirectoryObjectId,
        Attribute::WhenCreated,
        Attribute::WhenCreatedUTC,
        Attribute::Name,
    ] {
        object.attributes.set(added, None);
    }
    if let Some(Value::Text(manager)) = object.attributes.get(Attribute::Manager)
        && let Some(address) = by_dn.get(&**manager)
    {
        let address = Value::Text(address.as_str().into());
        object.attributes.set(Attribute::Manager, Some(address));
    }
    // The country by code or by name is one country.
    let country = object.value(Attribute::C).to_string();
    for each in [Attribute::C, Attribute::Co, Attribute::CountryOrRegion] {
        object.attributes.set(each, None);
    }
    if country != "(none)" {
        object.attributes.set(Attribute::C, Some(Value::Text(country.into())));
    }
    // A switched-off account is a state; the flags of Active Directory say the same.
    object.attributes.set(Attribute::UserAccountControl, None);
    if let Some(delivery) = &mut object.delivery {
        sort(&mut delivery.accept_from);
        sort(&mut delivery.reject_from);
        // Groups take internal senders only unless they say otherwise.
        let default = object.kind.is_group().then_some(true);
        delivery.require_sender_authentication = delivery
            .require_sender_authentication
            .filter(|required| Some(*required) != default);
    }
    if object.delivery.as_deref() == Some(&Default::default()) {
        object.delivery = None;
    }
    if let Some(group) = &mut object.group {
        sort(&mut group.members);
        // Compared by the members it finds.
        group.rule = None;
        (group.refresh, group.max_age, group.on_stale) = (None, None, None);
    }
    object
}

fn sort(list: &mut [Reference]) {
    list.sort_by(|a, b| a.as_str().cmp(b.as_str()));
}

/// Exchange has no groups with rules in the language of Entra; those of the example are its own.
fn is_known_to_exchange(object: &RecipientObject) -> bool {
    let rule = object.group.as_deref().and_then(|group| group.rule.as_deref());
    match rule.map(|rule| &rule.condition) {
        Some(RuleCondition::Custom { language, .. }) => *language == FilterLanguage::Opath,
        Some(RuleCondition::Precanned(_)) | None => true,
    }
}

#[test]
fn the_exports_become_the_example_organisation() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let into = folder.path().join("directory");
    let exports = [repository("config/exchange-export")];
    let output = run_import(&exports, &into, folder.path(), &["--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    assert!(printed(&output).contains("; 0 unresolved"), "{}", printed(&output));

    let source = SourceId::new("any");
    let imported = load(&into, &source).expect("readable").objects;
    let mut example = load(&repository("config/example"), &source).expect("readable").objects;
    example.retain(is_known_to_exchange);
    let by_dn: BTreeMap<String, String> = imported
        .iter()
        .filter_map(|object| {
            Some((
                object.distinguished_name.as_deref()?.to_owned(),
                object.primary.as_str().to_owned(),
            ))
        })
        .collect();
    let all = |objects: &[RecipientObject]| -> BTreeMap<String, RecipientObject> {
        objects
            .iter()
            .map(|object| (object.primary.as_str().to_owned(), comparable(object, &by_dn)))
            .collect()
    };
    let (found, wanted) = (all(&imported), all(&example));
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (address, object) in &wanted {
        assert_eq!(found.get(address), Some(object), "{address}");
    }
    assert_eq!(members(&directory(&imported)), members(&directory(&example)));

    // A second run has nothing to do, and says so.
    let again = run_import(&exports, &into, folder.path(), &["--yes"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(printed(&again).contains("\n0 changes\n"), "{}", printed(&again));
}

#[test]
fn a_dry_run_writes_a_report_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let into = folder.path().join("directory");
    let exports = [repository("config/exchange-export")];
    for more in [&["--dry-run"][..], &[]] {
        let output = run_import(&exports, &into, folder.path(), more);
        assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
        assert!(
            printed(&output).contains("changes: 173 new, 0 changed, 0 gone; not written"),
            "{}",
            printed(&output)
        );
        assert!(!into.exists());
        let page = std::fs::read_to_string(folder.path().join("report.html")).expect("a page");
        assert!(page.contains("hamburg@contoso.example") && !page.contains("<script"));
        let json = std::fs::read_to_string(folder.path().join("report.json")).expect("a document");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["report"]["counts"]["dynamic"], 11);
        assert_eq!(json["changes"]["written"], false);
    }
}

#[test]
fn files_of_others_are_not_touched() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let into = folder.path().join("directory");
    std::fs::create_dir(&into).expect("created");
    std::fs::write(into.join("groups-0001.json"), "[]").expect("written");
    let exports = [repository("config/exchange-export")];
    let output = run_import(&exports, &into, folder.path(), &["--yes"]);
    assert_eq!(output.status.code(), Some(4), "{}", printed(&output));
    assert!(
        printed(&output).contains("groups-0001.json was not written by an import"),
        "{}",
        printed(&output)
    );
    assert_eq!(
        std::fs::read_to_string(into.join("groups-0001.json")).expect("still there"),
        "[]"
    );
}
