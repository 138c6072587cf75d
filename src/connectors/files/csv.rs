//! CSV with places: every field knows where it stands. Read as Export-Csv and spreadsheets write it.
//!
//! In: a text. Out: rows of fields. Never: a guess about a quote that is not closed.
//! (The `csv` crate tells the line of a record, not the column of a field, and a fault must name both.)

use std::borrow::Cow;
use std::ops::Range;

use crate::connectors::document::Fault;

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// Octets of the text, quotes included.
    pub span: Range<usize>,
    /// Without quotes; blanks around it are kept only if quotes say that they are meant.
    pub text: Cow<'a, str>,
}

/// All rows that are not blank, after the lines that only tools need.
///
/// `#TYPE …` (Export-Csv without -NoTypeInformation) and `sep=;` (spreadsheets) are skipped; the delimiter is the
/// one of `,`, `;` and tab that the header line has most of.
pub fn rows(source: &str) -> Result<Vec<Vec<Field<'_>>>, Fault> {
    let mut start = 0;
    if source.starts_with("#TYPE ") || source.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("sep=")) {
        start = source.find('\n').map_or(source.len(), |at| at + 1);
    }
    let mut reader = Reader {
        source,
        at: start,
        delimiter: delimiter(source.get(start..).unwrap_or("")),
    };
    let mut rows = Vec::new();
    while reader.at < source.len() {
        let row = reader.row()?;
        if row.iter().any(|field| !field.text.trim().is_empty()) {
            rows.push(row);
        }
    }
    Ok(rows)
}

fn delimiter(text: &str) -> char {
    let header = text.lines().next().unwrap_or("");
    let mut counts = [(',', 0_usize), (';', 0), ('\t', 0)];
    let mut quoted = false;
    for c in header.chars() {
        quoted ^= c == '"';
        for (delimiter, count) in &mut counts {
            *count += usize::from(c == *delimiter && !quoted);
        }
    }
    // The first of equals: a comma.
    counts
        .iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or(',', |(delimiter, _)| *delimiter)
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    delimiter: char,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn row(&mut self) -> Result<Vec<Field<'a>>, Fault> {
        let mut row = Vec::new();
        loop {
            row.push(self.field()?);
            match self.rest().chars().next() {
                Some(c) if c == self.delimiter => self.at += 1,
                Some('\r') => {
                    self.at += if self.rest().starts_with("\r\n") { 2 } else { 1 };
                    return Ok(row);
                }
                Some(_) => {
                    self.at += 1;
                    return Ok(row);
                }
                None => return Ok(row),
            }
        }
    }

    fn field(&mut self) -> Result<Field<'a>, Fault> {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let ends = |c: char| c == self.delimiter || c == '\r' || c == '\n';
        let length = self.rest().find(ends).unwrap_or(self.rest().len());
        let text = self.rest().get(..length).unwrap_or("");
        let lead = text.len() - text.trim_start().len();
        let text = text.trim();
        let span = self.at + lead..self.at + lead + text.len();
        self.at += length;
        Ok(Field {
            span,
            text: Cow::Borrowed(text),
        })
    }

    fn quoted(&mut self) -> Result<Field<'a>, Fault> {
        let start = self.at;
        let fault = |span: Range<usize>, message: &str| Fault {
            span,
            path: String::new(),
            message: message.to_owned(),
            suggestion: None,
        };
        let mut text = String::new();
        self.at += 1;
        loop {
            let Some(length) = self.rest().find('"') else {
                return Err(fault(start..start + 1, "this quote is never closed"));
            };
            text.push_str(self.rest().get(..length).unwrap_or(""));
            self.at += length + 1;
            if self.rest().starts_with('"') {
                text.push('"');
                self.at += 1;
                continue;
            }
            let span = start..self.at;
            let after = self.rest();
            if !(after.is_empty() || after.starts_with([self.delimiter, '\r', '\n'])) {
                return Err(fault(self.at..self.at, "expected a delimiter after the closing quote"));
            }
            // Quotes say that blanks are meant.
            return Ok(Field {
                span,
                text: Cow::Owned(text),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<Vec<String>> {
        rows(source)
            .expect("valid")
            .iter()
            .map(|row| row.iter().map(|field| field.text.to_string()).collect())
            .collect()
    }

    #[test]
    fn delimiters_quotes_and_lines() {
        let expected = vec![vec!["a", "b"], vec!["1", "x,\"y\"\nz; w"], vec!["", "2"]];
        let quoted = "\"x,\"\"y\"\"\nz; w\"";
        for source in [
            format!("a,b\n1,{quoted}\n\n,2"),
            format!("a;b\r\n1;{quoted}\r\n ; \r\n;2\r\n"),
            format!("a\tb\n 1 \t{quoted}\n\t2\n"),
            format!("#TYPE System.Management.Automation.PSCustomObject\n\"a\",\"b\"\n1,{quoted}\n,2\n"),
            format!("sep=;\na;b\n1;{quoted}\n;2\n"),
        ] {
            assert_eq!(texts(&source), expected, "{source}");
        }
        assert!(texts("").is_empty());
    }

    #[test]
    fn fields_know_their_place() {
        let source = "a,b\n x ,\"y\"\n";
        let rows = rows(source).expect("valid");
        assert_eq!(&source[rows[1][0].span.clone()], "x");
        assert_eq!(&source[rows[1][1].span.clone()], "\"y\"");
    }

    #[test]
    fn quotes_must_close() {
        assert_eq!(rows("a,b\n1,\"x\n2,y\n").expect_err("open").span.start, 6);
        assert_eq!(rows("a,b\n\"1\"x,2\n").expect_err("text").span.start, 7);
    }

    proptest::proptest! {
        #[test]
        fn reads_what_the_csv_crate_reads(cells in proptest::collection::vec("[a-z,;\"\n é]{0,6}", 1..12)) {
            let width = 2;
            let table: Vec<Vec<String>> = cells.chunks_exact(width).map(<[String]>::to_vec).collect();
            let mut writer = ::csv::WriterBuilder::new().quote_style(::csv::QuoteStyle::Always).from_writer(Vec::new());
            writer.write_record(["a", "b"]).expect("memory");
            for row in &table {
                writer.write_record(row).expect("memory");
            }
            let source = String::from_utf8(writer.into_inner().expect("memory")).expect("texts");
            let ours = texts(&source);
            let is_blank = |row: &&Vec<String>| row.iter().all(|cell| cell.trim().is_empty());
            let theirs: Vec<Vec<String>> = table.iter().filter(|row| !is_blank(row)).cloned().collect();
            proptest::prop_assert_eq!(&ours[1..], &theirs[..]);
        }
    }
}
