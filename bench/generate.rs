//! Generate: one organisation in the words of every system a run compares.
//!
//! In: a shape and its size. Out: in a folder, `members` (what the ledger expects), `postfix-virtual` and
//! `exim-groups` (alias tables) and `directory/` (files for muster); or a certificate for a run with TLS.
//! Never: random; the same shape is the same organisation.

#[path = "rig/mod.rs"]
mod rig;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

const DOMAIN: &str = "contoso.example";
/// Domain of every other person of a split organisation, whose mailbox is in the cloud: by either it has another hop.
const OTHER_DOMAIN: &str = "fabrikam.example";
const POSTFIX_LINE_ENTRIES_MAX: usize = 1_000;

#[derive(Parser)]
#[command(about = "Writes the organisation of a test or benchmark for every system in it")]
struct Options {
    folder: PathBuf,
    #[command(subcommand)]
    shape: Shape,
}

#[derive(Subcommand)]
enum Shape {
    /// People only: `p0` and on.
    People { people: usize },
    /// One flat group `all` of everybody.
    Flat { members: usize },
    /// As `flat`, every other member at another domain.
    Split { members: usize },
    /// Groups `g0` and on, each reaching `size` people through nested groups that overlap.
    Nested { groups: usize, size: usize, people: usize },
    /// For durability tests: groups `one0`, `team0`, `big0` and on with 1, 20 and 500 members.
    Mixed { groups: usize },
    /// No organisation: a certificate and its key, for every server and the sink.
    Certificate,
}

/// A group's direct entries, as numbers of people and names of groups.
#[derive(Default)]
struct Group {
    name: String,
    people: Vec<usize>,
    nested: Vec<String>,
}

#[derive(PartialEq, Eq)]
enum Domains {
    One,
    Two,
}

struct Organisation {
    people: usize,
    domains: Domains,
    groups: Vec<Group>,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let organisation = match options.shape {
        Shape::People { people } => Organisation {
            people,
            domains: Domains::One,
            groups: Vec::new(),
        },
        Shape::Flat { members } => flat(members, Domains::One),
        Shape::Split { members } => flat(members, Domains::Two),
        Shape::Nested { groups, size, people } => nested(groups, size, people),
        Shape::Mixed { groups } => mixed(groups),
        Shape::Certificate => return rig::tls::make_certificate(&options.folder),
    };
    fs::create_dir_all(options.folder.join("directory"))?;
    fs::write(options.folder.join("members"), members(&organisation))?;
    fs::write(options.folder.join("postfix-virtual"), postfix_virtual(&organisation))?;
    fs::write(options.folder.join("exim-groups"), exim_groups(&organisation))?;
    muster_directory(&organisation, &options.folder.join("directory"))
}

fn flat(members: usize, domains: Domains) -> Organisation {
    let all = Group {
        name: "all".to_owned(),
        people: (0..members).collect(),
        nested: Vec::new(),
    };
    Organisation {
        people: members,
        domains,
        groups: vec![all],
    }
}

/// Group `g` holds two fifths of its people itself; `g-a` and `g-b` overlap with it and each other, and `g-b`
/// nests `g-c`: everybody in between is reached by two paths.
fn nested(groups: usize, size: usize, people: usize) -> Organisation {
    let tenth = size / 10;
    let mut all = Vec::new();
    for number in 0..groups {
        let slice = |from: usize, to: usize| (from..to).map(|at| (number * 37 + at) % people).collect::<Vec<usize>>();
        let name = |part: &str| format!("g{number}{part}");
        all.push(Group {
            name: name(""),
            people: slice(0, 4 * tenth),
            nested: vec![name("-a"), name("-b")],
        });
        all.push(Group {
            name: name("-a"),
            people: slice(3 * tenth, 7 * tenth),
            nested: Vec::new(),
        });
        all.push(Group {
            name: name("-b"),
            people: slice(6 * tenth, 8 * tenth),
            nested: vec![name("-c")],
        });
        all.push(Group {
            name: name("-c"),
            people: slice(7 * tenth, size),
            nested: Vec::new(),
        });
    }
    Organisation {
        people,
        domains: Domains::One,
        groups: all,
    }
}

fn mixed(groups: usize) -> Organisation {
    let people = 2_000;
    let mut all = Vec::new();
    for (kind, size) in [("one", 1), ("team", 20), ("big", 500)] {
        for number in 0..groups {
            let people = (0..size).map(|at| (number * 61 + at) % people).collect();
            all.push(Group {
                name: format!("{kind}{number}"),
                people,
                nested: Vec::new(),
            });
        }
    }
    Organisation {
        people,
        domains: Domains::One,
        groups: all,
    }
}

impl Organisation {
    fn reached(&self, group: &Group) -> BTreeSet<usize> {
        let mut reached: BTreeSet<usize> = group.people.iter().copied().collect();
        for name in &group.nested {
            let inner = self.groups.iter().find(|inner| inner.name == *name);
            reached.extend(self.reached(inner.expect("a generated group nests only generated groups")));
        }
        reached
    }

    fn person(&self, number: usize) -> String {
        let domain = if self.is_elsewhere(number) {
            OTHER_DOMAIN
        } else {
            DOMAIN
        };
        format!("p{number}@{domain}")
    }

    fn is_elsewhere(&self, number: usize) -> bool {
        self.domains == Domains::Two && number % 2 == 1
    }

    fn entries(&self, group: &Group) -> Vec<String> {
        let people = group.people.iter().map(|number| self.person(*number));
        let nested = group.nested.iter().map(|name| format!("{name}@{DOMAIN}"));
        people.chain(nested).collect()
    }
}

fn members(organisation: &Organisation) -> String {
    let mut text = String::new();
    for group in &organisation.groups {
        let reached: Vec<String> = organisation
            .reached(group)
            .into_iter()
            .map(|number| organisation.person(number))
            .collect();
        let _ = writeln!(text, "{}@{DOMAIN} {}", group.name, reached.join(" "));
    }
    text
}

/// Postfix's virtual(5): `pattern address, address…`. Long lists are cut into lists of lists, because Postfix
/// parses one line in time that grows with the square of its length (100,000 on one line take it 60 s more).
fn postfix_virtual(organisation: &Organisation) -> String {
    let mut text = String::new();
    for group in &organisation.groups {
        let list = organisation.entries(group);
        if list.len() <= POSTFIX_LINE_ENTRIES_MAX {
            let _ = writeln!(text, "{}@{DOMAIN} {}", group.name, list.join(", "));
            continue;
        }
        let mut parts = Vec::new();
        for (number, part) in list.chunks(POSTFIX_LINE_ENTRIES_MAX).enumerate() {
            let name = format!("{}--{number}@{DOMAIN}", group.name);
            let _ = writeln!(text, "{name} {}", part.join(", "));
            parts.push(name);
        }
        let _ = writeln!(text, "{}@{DOMAIN} {}", group.name, parts.join(", "));
    }
    text
}

/// Exim's aliases: `local-part: address, address…`. It reads a line of any length in one pass, but takes 65,535 addresses
/// from one at most: a larger group is cut into parts.
fn exim_groups(organisation: &Organisation) -> String {
    const ADDRESSES_MAX: usize = 50_000;
    let mut text = String::new();
    for group in &organisation.groups {
        let entries = organisation.entries(group);
        if entries.len() <= ADDRESSES_MAX {
            let _ = writeln!(text, "{}: {}", group.name, entries.join(", "));
            continue;
        }
        let mut parts = Vec::new();
        for (number, part) in entries.chunks(ADDRESSES_MAX).enumerate() {
            let name = format!("{}--{number}", group.name);
            let _ = writeln!(text, "{name}: {}", part.join(", "));
            parts.push(format!("{name}@{DOMAIN}"));
        }
        let _ = writeln!(text, "{}: {}", group.name, parts.join(", "));
    }
    text
}

/// The only place that knows muster's directory files: people as CSV, groups as TOML.
fn muster_directory(organisation: &Organisation, folder: &Path) -> io::Result<()> {
    let mut people = "Id,RecipientTypeDetails,PrimarySmtpAddress,DisplayName\n".to_owned();
    for number in 0..organisation.people {
        let kind = if organisation.is_elsewhere(number) {
            "RemoteUserMailbox"
        } else {
            "UserMailbox"
        };
        let address = organisation.person(number);
        let _ = writeln!(people, "p{number},{kind},{address},Person {number}");
    }
    fs::write(folder.join("people.csv"), people)?;
    let mut groups = String::new();
    for group in &organisation.groups {
        let _ = writeln!(
            groups,
            "[[groups]]\nid = \"{0}\"\nprimary_smtp_address = \"{0}@{DOMAIN}\"",
            group.name
        );
        let _ = writeln!(
            groups,
            "recipient_type_details = \"MailUniversalDistributionGroup\"\nrequire_sender_authentication_enabled = false\ndisplay_name = \"{}\"",
            group.name
        );
        let entries = organisation.entries(group);
        let list: Vec<String> = entries.iter().map(|address| format!("\"{address}\"")).collect();
        let _ = writeln!(groups, "members = [{}]\n", list.join(", "));
    }
    fs::write(folder.join("groups.toml"), groups)
}
