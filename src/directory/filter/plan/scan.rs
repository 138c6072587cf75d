//! Rows read one by one, once for all asks about their column.
//!
//! In: a column's rows without an index, and every ask about it. Out: for each ask the rows that pass, or those that
//! fail if an absent value passes. A row is read once and folded once per profile; patterns are searched through a
//! block of rows at a time by their longest piece, and only hits are looked at one by one.

use std::collections::HashMap;

use memchr::memmem::Finder;
use roaring::RoaringBitmap;

use super::super::context::EvaluationContext;
use super::ask::{Ask, AskKind, Piece, TextForm};
use super::reference::Named;
use crate::directory::attribute::Attribute;
use crate::directory::generation::Directory;
use crate::directory::group::ComparisonProfile;
use crate::directory::index::Ordinal;
use crate::directory::value::ValueRef;

/// Rows searched together: their texts fill some tens of kilobytes, which stay in a core's cache.
const BLOCK_ROWS: usize = 1_024;

/// Between texts of a block; a piece that holds it is not searched this way.
const SEPARATOR: char = '\n';

/// Rows of an ask as one part of the scan found them: the ask's number and ordinals in ascending order.
pub(super) type Hits = Vec<(usize, Vec<u32>)>;

/// All asks about one column, made ready.
pub(super) struct Scanner<'a> {
    context: &'a (dyn EvaluationContext + Sync),
    directory: &'a Directory,
    attribute: Attribute,
    texts: Vec<TextLookup<'a>>,
    references: Named,
    pieces: Vec<PieceSearch<'a>>,
    others: Vec<(usize, &'a Ask, bool)>,
    /// Highest number of an ask, and one.
    end: usize,
}

struct TextLookup<'a> {
    form: TextForm,
    profile: ComparisonProfile,
    asks: HashMap<&'a str, Vec<usize>>,
}

/// Patterns that are searched in the same folded texts.
struct PieceSearch<'a> {
    form: TextForm,
    profile: ComparisonProfile,
    asks: Vec<(usize, &'a Ask, Finder<'a>)>,
}

impl<'a> Scanner<'a> {
    /// Asks by their numbers, all about this attribute.
    pub(super) fn new(
        context: &'a (dyn EvaluationContext + Sync),
        directory: &'a Directory,
        attribute: Attribute,
        asks: impl Iterator<Item = (usize, &'a Ask)>,
    ) -> Self {
        let mut scanner = Self {
            context,
            directory,
            attribute,
            texts: Vec::new(),
            references: Named::default(),
            pieces: Vec::new(),
            others: Vec::new(),
            end: 0,
        };
        for (number, ask) in asks {
            scanner.end = scanner.end.max(number + 1);
            scanner.take(number, ask);
        }
        scanner
    }

    fn take(&mut self, number: usize, ask: &'a Ask) {
        match ask.kind() {
            AskKind::Text {
                form, folded, profile, ..
            } => {
                let place = self
                    .texts
                    .iter()
                    .position(|each| each.form == form && each.profile == profile)
                    .unwrap_or_else(|| {
                        self.texts.push(TextLookup {
                            form,
                            profile,
                            asks: HashMap::new(),
                        });
                        self.texts.len() - 1
                    });
                if let Some(lookup) = self.texts.get_mut(place) {
                    lookup.asks.entry(folded).or_default().push(number);
                }
            }
            AskKind::Reference { target, .. } => self.references.take_ask(self.directory, target, number),
            AskKind::Value { .. } | AskKind::Wide { .. } => {
                match ask.piece().filter(|piece| !piece.text.contains(SEPARATOR)) {
                    Some(piece) => self.take_piece(number, ask, piece),
                    None => self
                        .others
                        .push((number, ask, ask.passes(&ValueRef::Absent, self.context))),
                }
            }
            AskKind::Within(_) | AskKind::Member(_) | AskKind::MemberOfAny => {}
        }
    }

    fn take_piece(&mut self, number: usize, ask: &'a Ask, piece: Piece<'a>) {
        let finder = Finder::new(piece.text);
        let found = self
            .pieces
            .iter_mut()
            .find(|each| each.form == piece.form && each.profile == piece.profile);
        match found {
            Some(search) => search.asks.push((number, ask, finder)),
            None => self.pieces.push(PieceSearch {
                form: piece.form,
                profile: piece.profile,
                asks: vec![(number, ask, finder)],
            }),
        }
    }

    /// Asks everything of these rows.
    pub(super) fn run(&self, rows: impl Iterator<Item = u32>) -> Hits {
        let mut hits = vec![Vec::new(); self.end];
        let mut block = Vec::with_capacity(BLOCK_ROWS);
        let mut buffer = Buffer::default();
        for number in rows {
            let Some(row) = self.directory.row(Ordinal(number)) else {
                continue;
            };
            let value = row.value(self.attribute);
            self.ask_one(number, &value, &mut hits);
            if !self.pieces.is_empty() && value != ValueRef::Absent {
                block.push((number, value));
                if block.len() == BLOCK_ROWS {
                    self.search(&block, &mut buffer, &mut hits);
                    block.clear();
                }
            }
        }
        self.search(&block, &mut buffer, &mut hits);
        let found = hits.into_iter().enumerate();
        found.filter(|(_, rows)| !rows.is_empty()).collect()
    }

    fn ask_one(&self, number: u32, value: &ValueRef<'_>, hits: &mut [Vec<u32>]) {
        for lookup in &self.texts {
            lookup.form.each_text(value, lookup.profile, &mut |folded| {
                mark(lookup.asks.get(folded).map_or(&[], Vec::as_slice), number, hits);
            });
        }
        self.references
            .each_ask(self.directory, value, &mut |asks| mark(asks, number, hits));
        for (ask, test, holds_for_absent) in &self.others {
            if test.passes(value, self.context) != *holds_for_absent {
                mark(&[*ask], number, hits);
            }
        }
    }

    fn search(&self, block: &[(u32, ValueRef<'_>)], buffer: &mut Buffer, hits: &mut [Vec<u32>]) {
        for search in &self.pieces {
            buffer.fill(block, search.form, search.profile);
            for (number, ask, finder) in &search.asks {
                let Some(rows) = hits.get_mut(*number) else { continue };
                buffer.each_hit(finder, &mut |place| {
                    if let Some((row, value)) = block.get(place)
                        && ask.passes(value, self.context)
                    {
                        rows.push(*row);
                    }
                });
            }
        }
    }
}

fn mark(asks: &[usize], row: u32, hits: &mut [Vec<u32>]) {
    for ask in asks {
        if let Some(rows) = hits.get_mut(*ask)
            && rows.last() != Some(&row)
        {
            rows.push(row);
        }
    }
}

/// Folded texts of a block, one after the other.
#[derive(Default)]
struct Buffer {
    text: String,
    /// Where each text ends, and the place of its row in the block.
    ends: Vec<(usize, usize)>,
}

impl Buffer {
    fn fill(&mut self, block: &[(u32, ValueRef<'_>)], form: TextForm, profile: ComparisonProfile) {
        self.text.clear();
        self.ends.clear();
        for (place, (_, value)) in block.iter().enumerate() {
            form.each_text(value, profile, &mut |folded| {
                self.text.push_str(folded);
                self.ends.push((self.text.len(), place));
                self.text.push(SEPARATOR);
            });
        }
    }

    /// Calls `visit` with the place of every row that has the piece, each once.
    fn each_hit(&self, finder: &Finder<'_>, visit: &mut dyn FnMut(usize)) {
        let octets = self.text.as_bytes();
        let mut from = 0;
        let mut last = None;
        while let Some(found) = octets.get(from..).and_then(|rest| finder.find(rest)) {
            let at = from + found;
            let text = self.ends.partition_point(|(end, _)| *end <= at);
            let Some((end, place)) = self.ends.get(text) else {
                return;
            };
            if last != Some(*place) {
                last = Some(*place);
                visit(*place);
            }
            from = end + SEPARATOR.len_utf8();
        }
    }
}

/// Puts the parts of a scan together: one set per ask.
pub(super) fn collect(parts: Vec<Hits>, asks: usize) -> Vec<RoaringBitmap> {
    let mut sets = vec![RoaringBitmap::new(); asks];
    // Parts come in the order of their rows within a column.
    for (ask, rows) in parts.into_iter().flatten() {
        if let Some(set) = sets.get_mut(ask)
            && set.append(rows.iter().copied()).is_err()
        {
            set.extend(rows);
        }
    }
    sets
}
