//! The example organisation holds what its README says.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::load;
use crate::directory::filter::{CompiledRule, EvaluationOptions, NoMemberships};
use crate::directory::recipient::{RecipientObject, SourceId};
use crate::directory::testing::CountingOrdinals;
use crate::directory::{ChangeSet, Directory, RecipientKind};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/example")
}

/// `| \`all-staff@\` | … | 6 |` of the example's README.
fn advertised() -> HashMap<String, u64> {
    let readme = fs::read_to_string(example().join("README.md")).expect("a README");
    let row = |line: &str| {
        let cells: Vec<&str> = line
            .strip_prefix('|')?
            .strip_suffix('|')?
            .split('|')
            .map(str::trim)
            .collect();
        let name = cells.first()?.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        Some((name, cells.last()?.parse().ok()?))
    };
    readme.lines().filter_map(row).collect()
}

#[test]
fn the_example_organisation_is_as_advertised() {
    let snapshot = load(&example(), &SourceId::new("example")).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(snapshot.notices, []);
    let count =
        |fits: &dyn Fn(&RecipientObject) -> bool| snapshot.objects.iter().filter(|object| fits(object)).count() as u64;
    let mut found: HashMap<String, u64> = HashMap::new();
    for kind in RecipientKind::ALL.iter().copied() {
        let number = count(&|object| object.kind == kind);
        if number > 0 {
            found.insert(kind.recipient_type_details().to_owned(), number);
        }
    }
    let options = EvaluationOptions::default();
    for group in snapshot.objects.iter().filter(|object| object.kind.is_group()) {
        let settings = group.group.as_deref().expect("groups have settings");
        let members = match &settings.rule {
            Some(rule) => {
                let rule = CompiledRule::compile(rule, &options).expect("filters of the example can be evaluated");
                assert_eq!(rule.warnings(), [], "{}", group.primary);
                count(&|object| rule.matches(object, &NoMemberships))
            }
            None => settings.members.len() as u64,
        };
        found.insert(format!("{}@", group.primary.local_part()), members);
    }
    let advertised = advertised();
    let differing: Vec<String> = found
        .iter()
        .filter(|(name, number)| advertised.get(*name) != Some(number))
        .map(|(name, number)| format!("| `{name}` | {number} |"))
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(advertised.len(), found.len());

    // Nothing an administrator would have to look at.
    let changes = ChangeSet {
        upserts: snapshot.objects,
        removals: Vec::new(),
    };
    let (directory, findings) =
        Directory::empty().apply(changes, &mut CountingOrdinals::default(), 1, Timestamp::UNIX_EPOCH);
    assert_eq!(findings, []);
    assert!(directory.len() >= 160);
}
