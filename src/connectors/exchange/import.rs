//! An import from files to objects, stage by stage.
//!
//! In: names and octets of files, the name of the source, the time. Out: recipient objects and a report. Never: I/O,
//! or an object from a file that could be read only in part.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::build::{self, Base};
use super::catalog::{Catalog, Found};
use super::cells::{At, Draft};
use super::convert::Spelled;
use super::intake::Intake;
use super::join;
use super::kinds::{self, Told};
use super::raw::RawValue;
use super::report::{Code, Counts, DynamicGroup, Finding, Outcome, Report, Severity};
use crate::connectors::files::property::Property as P;
use crate::directory::attribute::Attribute;
use crate::directory::kind::{RecipientKind, RecipientType};
use crate::directory::recipient::{ObjectId, ProxyAddress, RecipientObject, SourceId};

/// Most findings of one code that are kept; the rest is counted in one more.
pub const FINDINGS_MAX: usize = 10_000;

/// A file to import.
#[derive(Debug, Clone)]
pub struct InputFile {
    /// As the administrator named it.
    pub name: String,
    /// What is in it.
    pub octets: Vec<u8>,
}

/// What an import yields.
#[derive(Debug, Clone)]
pub struct Imported {
    /// In the order of primary addresses.
    pub objects: Vec<RecipientObject>,
    /// What was found.
    pub report: Report,
}

/// Told how far an import is.
pub trait Progress {
    /// A stage of so many steps begins.
    fn stage(&self, what: &str, steps: u64);
    /// So many steps are done.
    fn advance(&self, steps: u64);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
}

/// Findings with a bound per code.
#[derive(Debug, Default)]
pub struct Findings {
    list: Vec<Finding>,
    counts: BTreeMap<Code, usize>,
}

impl Findings {
    /// Adds one, or counts it.
    pub fn push(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.code).or_insert(0);
        *count += 1;
        if *count <= FINDINGS_MAX {
            self.list.push(finding);
        }
    }

    /// How many of a code there are.
    pub fn count(&self, code: Code) -> usize {
        self.counts.get(&code).copied().unwrap_or(0)
    }

    fn finish(mut self) -> Vec<Finding> {
        for (code, count) in self.counts {
            if count > FINDINGS_MAX {
                let message = format!("{} more of these are not listed", count - FINDINGS_MAX);
                self.list.push(Finding::new(code, message));
            }
        }
        self.list.sort_by(|a, b| {
            let key = |finding: &Finding| (finding.severity, finding.code);
            let place = |finding: &Finding| {
                (
                    finding.file.clone(),
                    finding.line,
                    finding.column,
                    finding.object.clone(),
                )
            };
            key(a).cmp(&key(b)).then_with(|| place(a).cmp(&place(b)))
        });
        self.list
    }
}

/// An import on its way.
pub struct Import<'a> {
    /// Names of the files.
    pub files: &'a [String],
    /// One per object.
    pub drafts: Vec<Draft>,
    /// Kind and addresses; `None` for what receives no mail.
    pub bases: Vec<Option<Base>>,
    /// Names of all objects.
    pub catalog: Catalog,
    /// Lists that stand in tables of their own, by group and property.
    pub links: HashMap<(usize, P), Vec<(Spelled, At)>>,
    /// What was found so far.
    pub findings: Findings,
    /// How many of what.
    pub counts: Counts,
    /// Dynamic groups.
    pub rows: Vec<(ObjectId, DynamicGroup)>,
    /// Values no attribute takes: how often, what was expected, where first.
    pub refused_values: BTreeMap<Attribute, (u64, &'static str, At)>,
    /// GUIDs that lead to nobody, by file and property.
    pub guids: BTreeMap<(usize, String), u64>,
}

/// Imports files.
#[must_use]
pub fn import(files: &[InputFile], source: &SourceId, now: Timestamp, progress: &dyn Progress) -> Imported {
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let mut intake = Intake::default();
    progress.stage("reading", files.len() as u64);
    for (index, file) in files.iter().enumerate() {
        intake.read(index, file);
        progress.advance(1);
    }
    intake.finish();
    let joined = join::join(std::mem::take(&mut intake.drafts));
    let mut import = Import {
        files: &names,
        catalog: Catalog::of(&joined.objects),
        bases: Vec::with_capacity(joined.objects.len()),
        drafts: joined.objects,
        links: HashMap::new(),
        findings: std::mem::take(&mut intake.findings),
        counts: Counts::default(),
        rows: Vec::new(),
        refused_values: BTreeMap::new(),
        guids: BTreeMap::new(),
    };
    import.tell_bases();
    import.take_rows(std::mem::take(&mut intake.rows));
    import.take_permissions(std::mem::take(&mut intake.permissions));
    import.take_named_files(&intake, &joined.object_of);
    let objects = import.objects(source, progress);
    import.tell_missing(&objects, &intake);
    let (objects, rows) = super::judge::judge(&mut import, objects, now, progress);
    import.count(&objects, &rows);
    let mut report = Report {
        files: intake.files,
        counts: import.counts.clone(),
        dynamic_groups: rows,
        findings: Vec::new(),
        settings: String::new(),
    };
    if objects.is_empty() && import.findings.count(Code::UnreadableFile) == 0 {
        let message = "no file holds a recipient that receives mail";
        let proposal = "export Get-Recipient, Get-DistributionGroup and Get-DynamicDistributionGroup, all properties";
        import
            .findings
            .push(Finding::new(Code::NothingRead, message).propose(proposal));
    }
    report.findings = import.findings.finish();
    debug_assert!(
        report
            .findings
            .is_sorted_by_key(|finding| finding.severity != Severity::Error)
    );
    Imported { objects, report }
}

impl Import<'_> {
    /// Kind and addresses of every draft.
    fn tell_bases(&mut self) {
        let mut without_mail = 0_u64;
        for index in 0..self.drafts.len() {
            let Some(draft) = self.drafts.get(index) else { break };
            let at = draft.at;
            let kind = match kinds::kind(draft) {
                Told::Kind(kind) => kind,
                Told::NotMailEnabled => {
                    without_mail += 1;
                    self.bases.push(None);
                    continue;
                }
                Told::Nothing => {
                    let is_named = draft.cell(P::PrimarySmtpAddress).is_some() && draft.is_whole;
                    self.bases.push(None);
                    if is_named {
                        let message = "nothing says what it is: RecipientTypeDetails is missing".to_owned();
                        let proposal = Some("export the column RecipientTypeDetails".to_owned());
                        self.find(Code::NoAddress, index, message, at, proposal);
                    }
                    continue;
                }
            };
            let (base, odd) = build::addresses(draft, kind);
            let is_whole = draft.is_whole;
            let has_base = base.is_some();
            self.bases.push(base);
            for (code, message, at) in odd {
                let proposal = match code {
                    Code::OnlyMailAttribute => "give it proxyAddresses (Enable-MailContact, Enable-DistributionGroup)",
                    _ => "correct the address in Exchange and export again",
                };
                self.find(code, index, message, at, Some(proposal.to_owned()));
            }
            if !has_base && is_whole {
                let message = format!("this {} has no address", kind.recipient_type_details());
                let proposal = Some("export the columns PrimarySmtpAddress and EmailAddresses".to_owned());
                self.find(Code::NoAddress, index, message, at, proposal);
            }
        }
        if without_mail > 0 {
            let message = format!("{without_mail} accounts, contacts or groups without mail were passed over");
            self.findings.push(Finding::new(Code::NotMailEnabled, message));
        }
    }

    fn objects(&mut self, source: &SourceId, progress: &dyn Progress) -> Vec<RecipientObject> {
        progress.stage("binding lists", self.drafts.len() as u64);
        let mut objects = Vec::with_capacity(self.drafts.len());
        let mut ids: HashMap<ObjectId, usize> = HashMap::new();
        for index in 0..self.drafts.len() {
            progress.advance(1);
            let Some(mut object) = build::object(self, index, source) else {
                continue;
            };
            // Two objects of two directories may carry one cloud id; the second one goes by its address.
            if ids.contains_key(&object.id) {
                object.id = ObjectId::new(object.primary.key().as_str());
            }
            ids.insert(object.id.clone(), index);
            objects.push(object);
        }
        objects.sort_by(|a, b| {
            a.primary
                .key()
                .as_str()
                .cmp(b.primary.key().as_str())
                .then_with(|| a.id.cmp(&b.id))
        });
        objects.dedup_by(|a, b| a.id == b.id);
        objects
    }

    fn count(&mut self, objects: &[RecipientObject], rows: &[DynamicGroup]) {
        for object in objects {
            let counter = match object.kind {
                RecipientKind::DynamicDistributionGroup => &mut self.counts.dynamic,
                kind if kind.is_microsoft365_group() => &mut self.counts.microsoft365,
                kind if kind.recipient_type() == RecipientType::MailUniversalSecurityGroup => &mut self.counts.security,
                kind if kind.is_group() => &mut self.counts.fixed,
                _ => &mut self.counts.recipients,
            };
            *counter += 1;
            for proxy in &object.proxies {
                match proxy {
                    ProxyAddress::X500(_) => self.counts.x500 += 1,
                    ProxyAddress::Smtp(_) => self.counts.proxies += 1,
                    ProxyAddress::Other(_) => {}
                }
            }
        }
        for row in rows {
            match row.outcome {
                Outcome::Converted => self.counts.converted += 1,
                Outcome::ConvertedWithNotes => self.counts.converted_with_notes += 1,
                Outcome::NotConverted => self.counts.not_converted += 1,
            }
            self.counts.tails_removed += u64::from(!row.tails.is_empty());
        }
    }

    /// True if a draft came from Active Directory, which states an empty list by leaving it out.
    pub(super) fn is_from_directory(&self, index: usize) -> bool {
        self.drafts.get(index).is_some_and(|draft| !draft.classes.is_empty())
    }

    /// Index of the draft of an object.
    pub(super) fn index_of(&self, object: &RecipientObject) -> Option<usize> {
        match self.catalog.find(&Spelled(vec![object.primary.as_str().to_owned()])) {
            Found::Object(index) => Some(index),
            Found::Several(_) | Found::Outside(_) | Found::Nobody => None,
        }
    }
}

/// Texts of a value, for looking at letters.
pub fn plain_texts(value: &RawValue) -> Vec<&str> {
    match value {
        RawValue::Text(text) => vec![text],
        RawValue::List(list) => list.iter().filter_map(RawValue::plain).collect(),
        RawValue::Null | RawValue::Boolean(_) | RawValue::Number(_) | RawValue::Object { .. } => Vec::new(),
    }
}
