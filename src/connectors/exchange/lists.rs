//! The lists of an import: rows of member tables, files named after a group, and who each name in a list is.
//!
//! In: names as files spell them. Out: references by address. Never: a name that leads nowhere left out: a list that
//! was not empty stays a list.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::catalog::Found;
use super::cells::At;
use super::convert::{self, Spelled};
use super::import::Import;
use super::intake::{Intake, MemberRow};
use super::names::Link;
use super::report::{Code, Finding};
use super::rule::bounded;
use crate::connectors::files::property::Property as P;
use crate::directory::Reference;
use crate::directory::dn::DistinguishedName;

impl Import<'_> {
    /// Rows of member tables with a column for the group.
    pub(super) fn take_rows(&mut self, rows: Vec<MemberRow>) {
        let mut unknown: BTreeMap<String, (u64, At)> = BTreeMap::new();
        let mut of_dynamic = 0_u64;
        let mut sizes: HashMap<usize, (u64, At)> = HashMap::new();
        for row in rows {
            let group = match self.catalog.find(&row.group) {
                Found::Object(index) if self.is_group(index) => index,
                Found::Object(_) | Found::Several(_) | Found::Outside(_) | Found::Nobody => {
                    unknown.entry(row.group.shown().to_owned()).or_insert((0, row.at)).0 += 1;
                    continue;
                }
            };
            let is_dynamic = self
                .bases
                .get(group)
                .and_then(Option::as_ref)
                .is_some_and(|base| base.kind.is_dynamic());
            if is_dynamic && row.link == Link::Members {
                of_dynamic += 1;
                continue;
            }
            sizes.entry(group).or_insert((0, row.at)).0 += 1;
            self.link(group, row.link, row.member, row.at);
        }
        for (group, (rows, at)) in unknown {
            let file = self.files.get(at.file).cloned().unwrap_or_default();
            let message = format!("`{group}` is no group of these files; its {rows} rows were not used");
            let finding = Finding::new(Code::UnknownGroup, message)
                .about(group)
                .at(&file, bounded(at.line), bounded(at.column))
                .propose("add the export of Get-DistributionGroup that holds it");
            self.findings.push(finding);
        }
        let mut cut: Vec<(usize, At)> = sizes
            .into_iter()
            .filter(|(_, (rows, _))| *rows == 1_000)
            .map(|(group, (_, at))| (group, at))
            .collect();
        cut.sort_by_key(|(group, _)| *group);
        for (group, at) in cut {
            let message = "its member list has exactly 1,000 rows: Get-DistributionGroupMember stops there".to_owned();
            let proposal = Some("export the members again with -ResultSize Unlimited".to_owned());
            self.find(Code::TruncatedExport, group, message, at, proposal);
        }
        if of_dynamic > 0 {
            let message = format!(
                "{of_dynamic} rows list members of dynamic groups; they follow from filters here and were passed over"
            );
            self.findings.push(Finding::new(Code::ColumnsPassedOver, message));
        }
    }

    fn is_group(&self, index: usize) -> bool {
        self.bases
            .get(index)
            .and_then(Option::as_ref)
            .is_some_and(|base| base.kind.is_group())
    }

    fn link(&mut self, group: usize, link: Link, member: Spelled, at: At) {
        let property = match link {
            Link::Members => P::Members,
            Link::Owners => P::ManagedBy,
            Link::Subscribers => P::Subscribers,
        };
        self.links.entry((group, property)).or_default().push((member, at));
    }

    /// Files without a column for the group that bear the name of one: `sales.csv`.
    pub(super) fn take_named_files(&mut self, intake: &Intake, object_of: &[usize]) {
        for candidate in &intake.candidates {
            let found = candidate.stems.iter().find_map(|stem| self.catalog.find_name(stem));
            let Some(group) = found.filter(|group| self.is_group(*group)) else {
                continue;
            };
            let objects = object_of.get(candidate.records.clone()).unwrap_or(&[]);
            let is_dynamic = self
                .bases
                .get(group)
                .and_then(Option::as_ref)
                .is_some_and(|base| base.kind.is_dynamic());
            if objects.contains(&group) || is_dynamic || self.has_members(group, candidate.link) {
                continue;
            }
            for (member, at) in &candidate.members {
                self.link(group, candidate.link, member.clone(), *at);
            }
            let at = At {
                file: candidate.file,
                line: 0,
                column: 0,
            };
            let what = match candidate.link {
                Link::Members => "members",
                Link::Owners => "owners",
                Link::Subscribers => "subscribers",
            };
            let message = format!("the file names no group; because of its name it was taken for its {what}");
            let proposal = Some("rename the file if that is wrong".to_owned());
            self.find(Code::MembersByFileName, group, message, at, proposal);
        }
    }

    fn has_members(&self, group: usize, link: Link) -> bool {
        let property = match link {
            Link::Members => P::Members,
            Link::Owners => return false,
            Link::Subscribers => P::Subscribers,
        };
        self.links.contains_key(&(group, property))
            || self
                .drafts
                .get(group)
                .is_some_and(|draft| draft.cell(property).is_some())
    }

    /// Binds a list: by address where one object was found, as text where not.
    pub(super) fn bind(&mut self, index: usize, property: P, named: Vec<(Spelled, At)>) -> Vec<Reference> {
        let mut seen = HashSet::new();
        let mut list = Vec::with_capacity(named.len());
        for (spelled, at) in named {
            let text = match self.catalog.find(&spelled) {
                Found::Object(target) => match self.bases.get(target).and_then(Option::as_ref) {
                    Some(base) => {
                        let text = base.primary.as_str().to_owned();
                        let is_group = base.kind.is_group();
                        self.counts.parents += u64::from(is_group && property == P::Members);
                        if is_group && property == P::ModeratedBy {
                            let message = format!("its moderator {text} is a group; Exchange takes persons only");
                            let proposal = Some("name the persons who decide".to_owned());
                            self.find(Code::ModeratorIsGroup, index, message, at, proposal);
                        }
                        text
                    }
                    None => {
                        let why = format!("`{}` ({}) has no mail", spelled.shown(), property.name());
                        self.unresolved(
                            index,
                            why,
                            "mail-enable it (Enable-DistributionGroup) or take it out of the list",
                            at,
                        );
                        spelled.shown().to_owned()
                    }
                },
                Found::Several(count) => {
                    self.counts.unresolved += 1;
                    let message = format!("`{}` ({}) fits {count} objects", spelled.shown(), property.name());
                    let proposal = Some("export the list with GUIDs or addresses".to_owned());
                    self.find(Code::AmbiguousReference, index, message, at, proposal);
                    spelled.shown().to_owned()
                }
                Found::Outside(mailbox) => {
                    let message = format!("{mailbox} ({}) is not in these files", property.name());
                    let proposal =
                        Some("nothing, if it is an address outside; else add the export that holds it".to_owned());
                    self.find(Code::OutsideAddress, index, message, at, proposal);
                    mailbox.as_str().to_owned()
                }
                Found::Nobody => {
                    self.nobody(index, property, &spelled, at);
                    spelled.shown().to_owned()
                }
            };
            if seen.insert(text.to_lowercase()) {
                list.push(Reference::from(text));
            }
        }
        list
    }

    fn unresolved(&mut self, index: usize, message: String, proposal: &str, at: At) {
        self.counts.unresolved += 1;
        self.find(Code::UnresolvedReference, index, message, at, Some(proposal.to_owned()));
    }

    fn nobody(&mut self, index: usize, property: P, spelled: &Spelled, at: At) {
        let shown = spelled.shown();
        let is_guid = spelled.0.iter().all(|text| convert::guid(text).is_some());
        let (what, proposal) = if is_guid {
            *self.guids.entry((at.file, property.name())).or_insert(0) += 1;
            let proposal =
                "add Get-Recipient -ResultSize Unlimited with its Guid, or export with -Include…WithDisplayNames";
            ("is a GUID that no file explains", proposal)
        } else if shown.contains('/') {
            let proposal =
                "add the export that holds it; a role group such as Organization Management cannot be an owner here";
            ("is a path that leads to nobody in these files", proposal)
        } else if DistinguishedName::parse(shown).is_some() {
            ("is a DN that no file holds", "add the export of the unit it lies in")
        } else {
            (
                "is a name that nobody in these files has",
                "put an address in its place, or add the export that holds it",
            )
        };
        self.unresolved(index, format!("`{shown}` ({}) {what}", property.name()), proposal, at);
    }

    /// GUIDs that lead to nobody, by file: an export without display names.
    pub(super) fn tell_guids(&mut self) {
        for ((file, property), count) in std::mem::take(&mut self.guids) {
            let name = self.files.get(file).cloned().unwrap_or_default();
            let message = format!("{count} entries of {property} are GUIDs that no file explains");
            let proposal = format!(
                "export again with -Include{property}WithDisplayNames, or add Get-Recipient -ResultSize Unlimited as JSON"
            );
            self.findings.push(
                Finding::new(Code::NoDisplayNames, message)
                    .at(&name, 0, 0)
                    .propose(proposal),
            );
        }
    }
}
