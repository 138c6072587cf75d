//! Table: the figures of `bench/directory` beside what they should be.

use serde_json::Value;

/// One row: what, the figure as people read it, the target, whether it holds.
struct Row {
    what: String,
    figure: String,
    target: &'static str,
    holds: Option<bool>,
}

/// A Markdown table from the lines of a run.
pub fn table(lines: &[Value]) -> String {
    let mut rows = Vec::new();
    for line in lines {
        match line["command"].as_str() {
            Some("prepare") => prepared(line, &mut rows),
            Some("start") => started(line, &mut rows),
            Some("rebuild") => rebuilt(line, &mut rows),
            Some("changes") => changed(line, &mut rows),
            Some("roll") => rolled(line, &mut rows),
            Some("ldapsearch") => compared(line, lines, &mut rows),
            Some(_) | None => {}
        }
    }
    let mut text = "| what | measured | target | |\n| --- | --- | --- | --- |\n".to_owned();
    for row in rows {
        let verdict = match row.holds {
            Some(true) => "holds",
            Some(false) => "MISSED",
            None => "",
        };
        text.push_str(&format!(
            "| {} | {} | {} | {verdict} |\n",
            row.what, row.figure, row.target
        ));
    }
    text
}

fn number(line: &Value, key: &str) -> f64 {
    line[key].as_f64().unwrap_or(f64::NAN)
}

fn size(line: &Value) -> String {
    format!("{} recipients, {} groups", line["people"], line["groups"])
}

fn prepared(line: &Value, rows: &mut Vec<Row>) {
    rows.push(Row {
        what: format!("{}: first load, stored", size(line)),
        figure: format!("{:.1} s", number(line, "first_load_seconds")),
        target: "",
        holds: None,
    });
}

fn started(line: &Value, rows: &mut Vec<Row>) {
    let seconds = number(line, "ready_seconds");
    rows.push(Row {
        what: format!("{}: start to ready", size(line)),
        figure: format!("{seconds:.2} s"),
        target: "< 6 s",
        holds: Some(seconds < 6.0),
    });
    let beyond = number(line, "beyond_text_bytes_per_recipient");
    let megabytes = |key| number(line, key) / 1e6;
    rows.push(Row {
        what: format!("{}: resident memory", size(line)),
        figure: format!(
            "{:.0} MB; loaded text {:.0} MB ({:.0} MB distinct); {beyond:.0} bytes a recipient beyond the text; peak {:.0} MB",
            megabytes("resident_bytes"),
            megabytes("text_bytes"),
            megabytes("text_distinct_bytes"),
            megabytes("peak_bytes"),
        ),
        target: "text + 250 bytes a recipient",
        holds: Some(beyond <= 250.0),
    });
}

fn rebuilt(line: &Value, rows: &mut Vec<Row>) {
    let seconds = number(line, "seconds");
    let wrong = number(line, "differing_from_stored");
    rows.push(Row {
        what: format!("{}: all rolls rebuilt from scratch", size(line)),
        figure: format!(
            "{seconds:.3} s on {} threads, {} entries, {wrong} differ from the stored ones",
            line["threads"], line["entries"]
        ),
        target: "< 5 s, none",
        holds: Some(seconds < 5.0 && wrong == 0.0),
    });
}

fn changed(line: &Value, rows: &mut Vec<Row>) {
    let (p50, p99) = (number(line, "p50_milliseconds"), number(line, "p99_milliseconds"));
    rows.push(Row {
        what: format!("{}: one change visible in every roll, durably", size(line)),
        figure: format!(
            "p50 {p50:.2} ms, p99 {p99:.2} ms, max {:.2} ms over {} changes ({} new rolls)",
            number(line, "max_milliseconds"),
            line["changes"],
            line["rolls_changed"]
        ),
        target: "p99 < 10 ms",
        holds: Some(p99 < 10.0),
    });
    let most = number(line, "allocated_bytes_max");
    rows.push(Row {
        what: format!("{}: allocated by one change", size(line)),
        figure: format!(
            "p50 {:.0} KiB, most {:.0} KiB",
            number(line, "allocated_bytes_p50") / 1024.0,
            most / 1024.0
        ),
        target: "< 1 MiB",
        holds: Some(most < 1_048_576.0),
    });
    let seconds = number(line, "bulk_seconds");
    rows.push(Row {
        what: format!("{}: {} changes in one set", size(line), line["bulk"]),
        figure: format!("{seconds:.3} s ({} new rolls)", line["bulk_rolls_changed"]),
        target: "< 2 s",
        holds: Some(seconds < 2.0),
    });
    let wrong = number(line, "differing_from_rebuild");
    rows.push(Row {
        what: format!("{}: patched rolls that a rebuild would change", size(line)),
        figure: format!("{wrong}"),
        target: "0",
        holds: Some(wrong == 0.0),
    });
}

fn rolled(line: &Value, rows: &mut Vec<Row>) {
    let (stored, load) = (number(line, "stored_bytes"), number(line, "load_milliseconds_max"));
    rows.push(Row {
        what: format!("roll of {} entries", line["entries"]),
        figure: format!("stored in {:.0} KiB, loaded in at most {load:.2} ms", stored / 1024.0),
        target: "< 200 KiB, < 5 ms",
        holds: Some(stored < 204_800.0 && load < 5.0),
    });
}

/// The peer against the rebuild of the same size that stands before it.
fn compared(line: &Value, lines: &[Value], rows: &mut Vec<Row>) {
    let same = |other: &&Value| {
        other["command"] == "rebuild" && other["people"] == line["people"] && other["groups"] == line["groups"]
    };
    let Some(here) = lines.iter().rev().find(same) else {
        return;
    };
    let there = number(line, "one_connection_seconds").min(number(line, "two_connections_seconds"));
    let ratio = there / number(here, "seconds");
    rows.push(Row {
        what: format!(
            "{}: OpenLDAP {}, ldapsearch",
            size(line),
            line["version"].as_str().unwrap_or("")
        ),
        figure: format!(
            "{there:.2} s (one connection {:.2} s, two {:.2} s), counts agree: {}",
            number(line, "one_connection_seconds"),
            number(line, "two_connections_seconds"),
            line["counts_agree"]
        ),
        target: "",
        holds: None,
    });
    rows.push(Row {
        what: format!("{}: times faster than the peer", size(line)),
        figure: format!("{ratio:.0}"),
        target: ">= 100",
        holds: Some(ratio >= 100.0),
    });
}
