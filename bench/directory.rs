//! Directory: how fast lists follow the directory, how much memory it takes. `bench/directory` runs it.
//!
//! In: an organisation by name, a data directory. Out: one line of JSON per command.
//! Never: measures the process that prepared the data: every command is a process of its own.

mod figures;
mod organisation;
mod table;

use std::collections::HashSet;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use muster::backends::sqlite::directory::SqliteDirectoryStore;
use muster::connectors::guard::GuardSettings;
use muster::connectors::sync::{Acceptance, Applied, DirectoryKeeper, KeeperSettings, SourceSettings};
use muster::directory::filter::EvaluationOptions;
use muster::directory::filter::plan::PlanOptions;
use muster::directory::value::Value;
use muster::directory::{ChangeSet, Ordinal, ProxyAddress, RecipientObject};
use muster::env::Env;
use muster::rolls::build::Rules;
use muster::rolls::roll::{Cause, Entries};
use muster::rolls::{codec, update};
use serde_json::json;

use figures::{Counting, allocated, memory, milliseconds, percentile, timed};
use organisation::Organisation;
use organisation::chance::Chance;
use organisation::rules::Mix;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Outcome = Result<serde_json::Value, Box<dyn Error>>;

#[derive(Parser)]
#[command(about = "Measures directory, filters and rolls on a seeded organisation")]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Loads an organisation into a new data directory, through the keeper.
    Prepare(Place),
    /// Opens the data directory: time until ready, memory per recipient.
    Start(Place),
    /// Computes all rolls from scratch.
    Rebuild {
        #[command(flatten)]
        place: Place,
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Writes the number of members of every group, one a line.
        #[arg(long)]
        counts: Option<PathBuf>,
    },
    /// Changes one attribute of one person, again and again; then many people in one set.
    Changes {
        #[command(flatten)]
        place: Place,
        #[arg(long, default_value_t = 500)]
        changes: usize,
        #[arg(long, default_value_t = 10_000)]
        bulk: usize,
    },
    /// Stores and loads one roll of a million entries.
    Roll,
    /// Renders the lines of a run as a table, with targets.
    Table { lines: PathBuf },
    /// Writes schema, settings, entries and filters for OpenLDAP.
    Peer {
        #[command(flatten)]
        place: Place,
        #[arg(long, default_value = "/etc/ldap/schema")]
        schemas: PathBuf,
        #[arg(long, default_value = "/usr/lib/ldap")]
        modules: PathBuf,
    },
}

#[derive(Args, Clone)]
struct Place {
    data: PathBuf,
    #[arg(long, default_value_t = 1_000_000)]
    people: usize,
    #[arg(long, default_value_t = 3_000)]
    groups: usize,
    /// Groups are teams within what their rule says.
    #[arg(long)]
    narrow: bool,
}

impl Place {
    fn organisation(&self) -> Organisation {
        let mix = if self.narrow { Mix::Narrow } else { Mix::Broad };
        Organisation::new(1, self.people, self.groups, mix)
    }

    fn keeper(&self) -> Result<DirectoryKeeper, Box<dyn Error>> {
        let store = SqliteDirectoryStore::open(&self.data, &Env::system())?;
        let source = SourceSettings {
            name: self.organisation().source().clone(),
            max_age: None,
            guard: GuardSettings::default(),
        };
        Ok(DirectoryKeeper::open(
            Arc::new(store),
            EvaluationOptions::default(),
            KeeperSettings {
                sources: vec![source],
                ..KeeperSettings::default()
            },
            Timestamp::now(),
        )?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let line = match Options::parse().command {
        Command::Prepare(place) => prepare(&place),
        Command::Start(place) => start(&place),
        Command::Rebuild { place, rounds, counts } => rebuild(&place, rounds, counts.as_deref()),
        Command::Changes { place, changes, bulk } => changing(&place, changes, bulk),
        Command::Roll => one_roll(),
        Command::Table { lines } => {
            let text = fs::read_to_string(lines)?;
            let lines: Vec<serde_json::Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
            print!("{}", table::table(&lines));
            return Ok(());
        }
        Command::Peer {
            place,
            schemas,
            modules,
        } => peer(&place, &schemas, &modules),
    }?;
    println!("{line}");
    Ok(())
}

// ---------------------------------------------------------------- loading

/// Octets of text in an organisation: as often as it is there, and each text once.
#[derive(Default)]
struct Text {
    total: u64,
    distinct: u64,
    seen: HashSet<Box<str>>,
}

impl Text {
    fn add(&mut self, text: &str) {
        self.total += text.len() as u64;
        if !self.seen.contains(text) {
            self.distinct += text.len() as u64;
            self.seen.insert(text.into());
        }
    }

    fn add_object(&mut self, object: &RecipientObject) {
        self.add(object.id.as_str());
        object.mailboxes().for_each(|address| self.add(address.as_str()));
        for proxy in &object.proxies {
            match proxy {
                ProxyAddress::Smtp(_) => {}
                ProxyAddress::X500(text) | ProxyAddress::Other(text) => self.add(text),
            }
        }
        let fields = [
            &object.alias,
            &object.display_name,
            &object.distinguished_name,
            &object.legacy_dn,
        ];
        fields.into_iter().flatten().for_each(|text| self.add(text));
        if let Some(target) = &object.target_address {
            self.add(target.as_str());
        }
        for (_, value) in object.attributes.iter() {
            match value {
                Value::Text(text) => self.add(text),
                Value::Texts(texts) => texts.iter().for_each(|text| self.add(text)),
                Value::Boolean(_) | Value::Integer(_) | Value::Size(_) | Value::Time(_) => {}
            }
        }
    }
}

fn prepare(place: &Place) -> Outcome {
    fs::create_dir_all(&place.data)?;
    let organisation = place.organisation();
    let mut text = Text::default();
    for number in 0..organisation.people() {
        text.add_object(&organisation.person(number));
    }
    fs::write(
        place.data.join("text.json"),
        json!({"total": text.total, "distinct": text.distinct}).to_string(),
    )?;
    drop(text.seen);
    let keeper = place.keeper()?;
    let objects: Vec<RecipientObject> = organisation.objects().collect();
    let (applied, took) = timed(|| {
        keeper.apply(
            organisation.source(),
            objects,
            None,
            Acceptance::Accepted,
            Timestamp::now(),
        )
    });
    let Applied::Changed(changed) = applied? else {
        return Err("the first load changed nothing".into());
    };
    // The service does so within a minute.
    let (kept, image) = timed(|| keeper.keep_image());
    kept?;
    Ok(json!({
        "command": "prepare", "people": place.people, "groups": place.groups,
        "first_load_seconds": took.as_secs_f64(), "rolls": changed.rolls,
        "image_seconds": image.as_secs_f64(), "findings": changed.findings.len(), "failed": changed.failed.len(),
        "peak_bytes": memory("VmHWM"),
    }))
}

fn start(place: &Place) -> Outcome {
    let empty = memory("VmRSS");
    let (keeper, took) = timed(|| place.keeper());
    let keeper = keeper?;
    let view = keeper.view();
    let recipients = view.directory.len();
    // As the service does after a start.
    muster::app::memory::give_back();
    let ready = memory("VmRSS");
    let text: serde_json::Value = serde_json::from_slice(&fs::read(place.data.join("text.json"))?)?;
    let total = text["total"].as_u64().unwrap_or(0);
    let beyond = ready.saturating_sub(total);
    Ok(json!({
        "command": "start", "people": place.people, "groups": place.groups,
        "ready_seconds": took.as_secs_f64(), "recipients": recipients,
        "resident_bytes": ready, "before_bytes": empty, "peak_bytes": memory("VmHWM"),
        "text_bytes": total, "text_distinct_bytes": text["distinct"],
        "beyond_text_bytes_per_recipient": beyond as f64 / recipients as f64,
        "rolls": view.rolls.len(),
    }))
}

// ---------------------------------------------------------------- rolls

fn rebuild(place: &Place, rounds: usize, counts: Option<&Path>) -> Outcome {
    let keeper = place.keeper()?;
    let view = keeper.view();
    let groups: Vec<Ordinal> = view.directory.groups().map(|(group, _)| group).collect();
    let mut seconds = Vec::new();
    let mut differing = 0;
    let threads = std::thread::available_parallelism()?.get();
    for _ in 0..rounds {
        let now = Timestamp::now();
        let options = EvaluationOptions::default();
        let work = PlanOptions { now, threads };
        let rules = Rules::Compile(&options);
        let (update, took) = timed(|| update::compute(&view, &groups, rules, Cause::Requested, &work));
        seconds.push(took.as_secs_f64());
        differing += update.changed.len() + update.failed.len();
    }
    let members: Vec<u64> = groups
        .iter()
        .map(|group| view.roll(*group).map_or(0, |roll| roll.entries.objects.len()))
        .collect();
    if let Some(path) = counts {
        let mut out = BufWriter::new(File::create(path)?);
        for count in &members {
            writeln!(out, "{count}")?;
        }
        out.flush()?;
    }
    Ok(json!({
        "command": "rebuild", "people": place.people, "groups": place.groups,
        "seconds": percentile(&mut seconds, 50), "rounds": rounds, "threads": threads,
        "entries": members.iter().sum::<u64>(), "differing_from_stored": differing,
    }))
}

fn changing(place: &Place, changes: usize, bulk: usize) -> Outcome {
    let organisation = place.organisation();
    let keeper = place.keeper()?;
    let mut chance = Chance::new(99, changes as u64);
    let (mut times, mut octets, mut rolls) = (Vec::new(), Vec::new(), 0);
    for revision in 0..changes {
        let object = organisation.changed(chance.below(organisation.people()), revision);
        let before = allocated();
        let (applied, took) = timed(|| apply(&keeper, &organisation, ChangeSet::upsert(object)));
        octets.push((allocated() - before) as f64);
        times.push(milliseconds(took));
        rolls += rolls_of(&applied?);
    }
    let mut upserts = Vec::with_capacity(bulk);
    let first = chance.below(organisation.people());
    for number in 0..bulk {
        upserts.push(organisation.changed((first + number * 7) % organisation.people(), changes + number));
    }
    let set = ChangeSet {
        upserts,
        removals: Vec::new(),
    };
    let (applied, bulk_took) = timed(|| apply(&keeper, &organisation, set));
    let bulk_rolls = rolls_of(&applied?);
    let wrong = differing(&keeper);
    Ok(json!({
        "command": "changes", "people": place.people, "groups": place.groups, "changes": changes,
        "p50_milliseconds": percentile(&mut times, 50), "p99_milliseconds": percentile(&mut times, 99),
        "max_milliseconds": percentile(&mut times, 100),
        "rolls_changed": rolls, "allocated_bytes_p50": percentile(&mut octets, 50),
        "allocated_bytes_max": percentile(&mut octets, 100),
        "bulk": bulk, "bulk_seconds": bulk_took.as_secs_f64(), "bulk_rolls_changed": bulk_rolls,
        "differing_from_rebuild": wrong,
    }))
}

fn rolls_of(applied: &Applied) -> usize {
    match applied {
        Applied::Changed(changed) => changed.rolls,
        Applied::Unchanged | Applied::Held(_) => 0,
    }
}

/// Rolls that a rebuild from scratch would change: patched ones must be right.
fn differing(keeper: &DirectoryKeeper) -> usize {
    let view = keeper.view();
    let groups = view.directory.groups().map(|(group, _)| group);
    let options = EvaluationOptions::default();
    let update = update::again(&view, groups, &options, Cause::Requested, Timestamp::now());
    update.changed.len() + update.failed.len()
}

fn apply(keeper: &DirectoryKeeper, organisation: &Organisation, set: ChangeSet) -> Result<Applied, Box<dyn Error>> {
    Ok(keeper.apply_changes(organisation.source(), set, Acceptance::Guarded, Timestamp::now())?)
}

fn one_roll() -> Outcome {
    const ENTRIES: u64 = 1_000_000;
    // Two people of three, at random: neither runs nor gaps that a codec could live on.
    let mut chance = Chance::new(5, 5);
    let mut objects = roaring::RoaringBitmap::new();
    while objects.len() < ENTRIES {
        objects.insert(u32::try_from(chance.below(1_500_000))?);
    }
    let entries = Entries::new(objects, Vec::new(), Vec::new());
    let octets = codec::encode(&entries, None);
    let mut times = Vec::new();
    for _ in 0..21 {
        let (decoded, took) = timed(|| codec::decode(&octets));
        if decoded?.0 != entries {
            return Err("the roll did not survive".into());
        }
        times.push(milliseconds(took));
    }
    Ok(json!({
        "command": "roll", "entries": ENTRIES, "stored_bytes": octets.len(),
        "load_milliseconds_p50": percentile(&mut times, 50), "load_milliseconds_max": percentile(&mut times, 100),
    }))
}

// ---------------------------------------------------------------- the peer

fn peer(place: &Place, schemas: &Path, modules: &Path) -> Outcome {
    /// Octets of address space for the peer's map; it is sparse.
    const MAP_BYTES: u64 = 16 << 30;
    let organisation = place.organisation();
    fs::create_dir_all(place.data.join("data"))?;
    fs::write(place.data.join("bench.schema"), organisation::ldif::schema())?;
    let settings = organisation::ldif::slapd_conf(&place.data, schemas, modules, MAP_BYTES);
    fs::write(place.data.join("slapd.conf"), settings)?;
    let ((), took) = {
        let mut entries = BufWriter::new(File::create(place.data.join("entries.ldif"))?);
        let written = timed(|| organisation::ldif::write_entries(&organisation, &mut entries));
        entries.flush()?;
        (written.0?, written.1)
    };
    let mut filters = BufWriter::new(File::create(place.data.join("filters"))?);
    organisation::ldif::write_filters(&organisation, &mut filters)?;
    filters.flush()?;
    Ok(json!({"command": "peer", "entries": place.people + place.groups, "seconds": Duration::as_secs_f64(&took)}))
}
