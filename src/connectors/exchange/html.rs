//! The report of an import as one page: no script, nothing loaded from elsewhere, every text escaped.
//!
//! In: a report. Out: HTML. Never: a value of a file as markup.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::report::{Code, DynamicGroup, Finding, Outcome, Report, Severity};

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1b1b1b;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ddd;overflow-wrap:anywhere}\
th{background:#f3f3f3}code,pre{font:13px/1.4 ui-monospace,monospace;white-space:pre-wrap}td.n,th.n{text-align:right}\
.error{color:#a40000;font-weight:600}.problem{color:#8a4b00;font-weight:600}.note{color:#345}.ok{color:#14532d}\
@media(prefers-color-scheme:dark){body{background:#161616;color:#e6e6e6}th{background:#262626}\
th,td{border-color:#3a3a3a}.error{color:#ff8a80}.problem{color:#ffc66b}.note{color:#9fc0e0}.ok{color:#8fd19e}}";

/// `&`, `<`, `>` and both quotes as references; control characters as their pictures.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            control if control.is_control() => escaped.push('\u{FFFD}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The page. `title` and `about` stand at its head.
#[must_use]
pub fn page(report: &Report, title: &str, about: &str) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>{0}</h1>\n<p>{1}</p>\n",
        escape(title),
        escape(about)
    );
    counts(report, &mut html);
    findings(report, &mut html);
    groups(&report.dynamic_groups, &mut html);
    files(report, &mut html);
    if !report.settings.is_empty() {
        let _ = write!(html, "<h2>Settings</h2>\n<pre>{}</pre>\n", escape(&report.settings));
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn counts(report: &Report, html: &mut String) {
    let counts = &report.counts;
    let rows = [
        ("dynamic groups", counts.dynamic),
        ("converted", counts.converted),
        ("converted with notes", counts.converted_with_notes),
        ("not converted", counts.not_converted),
        ("static groups", counts.fixed),
        ("security groups", counts.security),
        ("Microsoft 365 groups", counts.microsoft365),
        ("recipients", counts.recipients),
        ("entries of member lists", counts.members),
        ("entries of sender lists", counts.sender_list_entries),
        ("moderators and those who skip them", counts.moderation_entries),
        ("owners", counts.owners),
        ("groups in groups", counts.parents),
        ("further addresses", counts.proxies),
        ("X500 addresses", counts.x500),
        ("references that lead to nobody or several", counts.unresolved),
    ];
    html.push_str("<h2>What was read</h2>\n<table>\n");
    for (name, count) in rows {
        let _ = writeln!(html, "<tr><td>{name}</td><td class=\"n\">{count}</td></tr>");
    }
    html.push_str("</table>\n");
}

fn findings(report: &Report, html: &mut String) {
    let mut by_code: BTreeMap<(Severity, Code), Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        by_code
            .entry((finding.severity, finding.code))
            .or_default()
            .push(finding);
    }
    html.push_str("<h2>What to look at</h2>\n");
    if by_code.is_empty() {
        html.push_str("<p class=\"ok\">Nothing.</p>\n");
    }
    for ((severity, code), list) in by_code {
        let class = match severity {
            Severity::Error => "error",
            Severity::Problem => "problem",
            Severity::Note => "note",
        };
        let _ = write!(
            html,
            "<h2 class=\"{class}\">{}: {} ({})</h2>\n<table>\n<tr><th>object</th><th>where</th><th>why</th><th>proposal</th></tr>\n",
            class,
            escape(code.heading()),
            list.len()
        );
        for finding in list {
            let place = match (&finding.file, finding.line, finding.column) {
                (None, _, _) => String::new(),
                (Some(file), 0, _) => file.clone(),
                (Some(file), line, 0) => format!("{file}:{line}"),
                (Some(file), line, column) => format!("{file}:{line}:{column}"),
            };
            let _ = writeln!(
                html,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td><pre>{}</pre></td></tr>",
                escape(finding.object.as_deref().unwrap_or("")),
                escape(&place),
                escape(&finding.message),
                escape(finding.proposal.as_deref().unwrap_or(""))
            );
        }
        html.push_str("</table>\n");
    }
}

fn groups(groups: &[DynamicGroup], html: &mut String) {
    if groups.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Dynamic groups</h2>\n<table>\n<tr><th>group</th><th>outcome</th><th class=\"n\">members</th>\
         <th>filter</th><th>removed</th><th>notes</th></tr>\n",
    );
    for group in groups {
        let (class, outcome) = match group.outcome {
            Outcome::Converted => ("ok", "converted"),
            Outcome::ConvertedWithNotes => ("note", "converted with notes"),
            Outcome::NotConverted => ("problem", "not converted"),
        };
        let members = group.members.map_or_else(|| "?".to_owned(), |count| count.to_string());
        let members = match group.members_with_remote {
            Some(with) => format!("{members}, {with} with cloud mailboxes"),
            None => members,
        };
        let container = group.container.as_deref().map(|container| format!("\nin {container}"));
        let original = if group.original == group.filter || group.original.is_empty() {
            String::new()
        } else {
            format!(
                "<details><summary>as exported</summary><code>{}</code></details>",
                escape(&group.original)
            )
        };
        let _ = writeln!(
            html,
            "<tr><td>{}<br>{}</td><td class=\"{class}\">{outcome}</td><td class=\"n\">{}</td>\
             <td><code>{}{}</code>{original}</td><td>{}</td><td>{}</td></tr>",
            escape(&group.name),
            escape(&group.address),
            escape(&members),
            escape(&group.filter),
            escape(container.as_deref().unwrap_or("")),
            escape(&group.tails.join(", ")),
            group
                .notes
                .iter()
                .map(|note| escape(note))
                .collect::<Vec<_>>()
                .join("<br>")
        );
    }
    html.push_str("</table>\n");
}

fn files(report: &Report, html: &mut String) {
    html.push_str(
        "<h2>Files</h2>\n<table>\n<tr><th>file</th><th>kind</th><th>encoding</th><th class=\"n\">records</th></tr>\n",
    );
    for file in &report.files {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
            escape(&file.name),
            file.kind,
            file.encoding,
            file.records
        );
    }
    html.push_str("</table>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_file_becomes_markup() {
        let hostile = "<script>alert('x')</script>\u{1b}\"&";
        let mut report = Report::default();
        report.findings.push(
            Finding::new(Code::FilterRefused, hostile)
                .about(hostile)
                .at(hostile, 1, 1)
                .propose(hostile),
        );
        report.settings = hostile.to_owned();
        report.dynamic_groups.push(DynamicGroup {
            address: hostile.to_owned(),
            name: hostile.to_owned(),
            outcome: Outcome::NotConverted,
            original: hostile.to_owned(),
            filter: "x".to_owned(),
            tails: vec![hostile.to_owned()],
            container: Some(hostile.to_owned()),
            members: None,
            members_with_remote: None,
            notes: vec![hostile.to_owned()],
        });
        let page = page(&report, hostile, hostile);
        assert!(
            !page.contains("<script") && !page.contains('\u{1b}') && !page.contains("('x')"),
            "{page}"
        );
        assert_eq!(page.matches("&lt;script&gt;alert(&#39;x&#39;)").count(), 14);
    }
}
