//! Logs as three versions of Exchange write them, by the published list of fields.

use std::fs;
use std::path::Path;

use super::*;
use crate::rolls::compare::Observed;

const FIELDS_2007: &str = "#Fields: date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,\
    connector-id,source,event-id,internal-message-id,message-id,recipient-address,recipient-status,total-bytes,\
    recipient-count,related-recipient-address,reference,message-subject,sender-address,return-path,message-info";
const FIELDS_2016: &str = "#Fields: date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,\
    connector-id,source,event-id,internal-message-id,message-id,network-message-id,recipient-address,recipient-status,\
    total-bytes,recipient-count,related-recipient-address,reference,message-subject,sender-address,return-path,\
    message-info,directionality,tenant-id,original-client-ip,original-server-ip,custom-data,transport-traffic-type,\
    log-id,schema-version";

fn head(version: &str, fields: &str) -> String {
    format!(
        "#Software: Microsoft Exchange Server\r\n#Version: {version}\r\n#Log-type: Message Tracking Log\r\n\
         #Date: 2026-11-10T00:00:02.052Z\r\n{fields}\r\n"
    )
}

/// A line of 2007: time, event, internal id, message id, recipients, related.
fn old(time: &str, event: &str, internal: &str, message: &str, recipients: &str, related: &str) -> String {
    format!(
        "{time},,,,EX01,,,ROUTING,{event},{internal},{message},{recipients},250 2.1.5,4711,2,{related},,\
         \"Plan, second\",hr@contoso.example,hr@contoso.example,\r\n"
    )
}

/// A line of 2016.
fn new(time: &str, event: &str, message: &str, recipients: &str, related: &str) -> String {
    format!(
        "{time},,,,EX16,,,ROUTING,{event},64712,{message},13fad5b7-39c5-46e7-130e-08d4a138ac67,{recipients},\
         250 2.1.5 RESOLVER.GRP.Expanded; distribution list expanded,4711,2,{related},,\"He said \"\"now\"\"\",\
         hr@contoso.example,hr@contoso.example,,Originating,,10.1.2.3,10.1.2.4,S:DeliveryPriority=Normal,Email,x,15\r\n"
    )
}

fn read_text(text: &str) -> TrackingLog {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("MSGTRK2026111012-1.LOG"), text).expect("writes");
    read(folder.path(), None).expect("reads")
}

/// `group: people` per expansion, in order.
fn shown(observed: &Observed) -> Vec<String> {
    let one = |expansion: &crate::rolls::compare::ObservedExpansion| {
        let mut people: Vec<&str> = expansion.reached.iter().map(|id| observed.address(*id)).collect();
        people.sort_unstable();
        format!("{}: {}", observed.address(expansion.group), people.join(" "))
    };
    observed.expansions.iter().map(one).collect()
}

#[test]
fn nested_groups_of_one_message_are_joined() {
    let text = head("08.03.0083.000", FIELDS_2007)
        + &old(
            "2026-11-10T08:00:00.100Z",
            "RECEIVE",
            "5",
            "<m1@contoso.example>",
            "all@contoso.example",
            "",
        )
        + &old(
            "2026-11-10T08:00:00.200Z",
            "EXPAND",
            "5",
            "<m1@contoso.example>",
            "A@contoso.example;inner@contoso.example",
            "all@contoso.example",
        )
        + &old(
            "2026-11-10T08:00:00.300Z",
            "EXPAND",
            "5",
            "<m1@contoso.example>",
            "b@contoso.example;all@contoso.example",
            "Inner@contoso.example",
        )
        + &old(
            "2026-11-10T09:00:00.300Z",
            "EXPAND",
            "6",
            "<m2@contoso.example>",
            "c@contoso.example",
            "inner@contoso.example",
        );
    let log = read_text(&text);
    assert_eq!(
        shown(&log.observed),
        [
            "all@contoso.example: a@contoso.example b@contoso.example",
            "inner@contoso.example: a@contoso.example b@contoso.example",
            "inner@contoso.example: c@contoso.example",
        ]
    );
    assert_eq!((log.files, log.lines, log.faults_count), (1, 4, 0));
}

#[test]
fn a_nested_group_named_by_another_address_is_resolved() {
    let text = head("15.01.2375.007", FIELDS_2016)
        + &new(
            "2026-11-10T08:00:00.1Z",
            "RESOLVE",
            "<m@x>",
            "inner@contoso.example",
            "old-inner@contoso.example",
        )
        + &new(
            "2026-11-10T08:00:00.2Z",
            "EXPAND",
            "<m@x>",
            "old-inner@contoso.example;l.berg@contoso.example",
            "all@contoso.example",
        )
        + &new(
            "2026-11-10T08:00:00.3Z",
            "EXPAND",
            "<m@x>",
            "b@contoso.example",
            "inner@contoso.example",
        )
        + &new(
            "2026-11-10T08:00:00.4Z",
            "RESOLVE",
            "<m@x>",
            "lena@contoso.example",
            "l.berg@contoso.example",
        );
    let observed = read_text(&text).observed;
    assert_eq!(
        shown(&observed)[0],
        "all@contoso.example: b@contoso.example l.berg@contoso.example"
    );
    let resolved: Vec<(&str, &str)> = observed
        .resolved
        .iter()
        .map(|(before, after)| (observed.address(*before), observed.address(*after)))
        .collect();
    assert_eq!(resolved.len(), 2);
    assert!(resolved.contains(&("l.berg@contoso.example", "lena@contoso.example")));
}

#[test]
fn a_message_without_an_id_is_known_by_server_and_number() {
    let text = head("08.03.0083.000", FIELDS_2007)
        + &old(
            "2026-11-10T08:00:00Z",
            "EXPAND",
            "5",
            "",
            "a@contoso.example;inner@contoso.example",
            "all@contoso.example",
        )
        + &old(
            "2026-11-10T08:00:00.2Z",
            "EXPAND",
            "5",
            "",
            "b@contoso.example",
            "inner@contoso.example",
        )
        + &old(
            "2026-11-10T08:00:01Z",
            "EXPAND",
            "",
            "",
            "b@contoso.example",
            "inner@contoso.example",
        );
    let log = read_text(&text);
    assert_eq!(
        shown(&log.observed)[0],
        "all@contoso.example: a@contoso.example b@contoso.example"
    );
    assert_eq!(log.faults_count, 1);
    assert_eq!(
        log.faults[0].to_string(),
        "MSGTRK2026111012-1.LOG:8: the line names no message"
    );
}

#[test]
fn equal_sets_are_kept_once() {
    let mut text = head("15.01.2375.007", FIELDS_2016);
    for number in 0..50 {
        text += &new(
            "2026-11-10T08:00:00Z",
            "EXPAND",
            &format!("<{number}@x>"),
            "a@x.example;b@x.example",
            "all@x.example",
        );
    }
    let observed = read_text(&text).observed;
    assert_eq!(observed.expansions.len(), 50);
    let first = observed.expansions[0].reached.as_ptr();
    assert!(
        observed
            .expansions
            .iter()
            .all(|expansion| expansion.reached.as_ptr() == first)
    );
    assert_eq!(observed.addresses.len(), 3);
}

#[test]
fn only_the_days_asked_for_are_read() {
    let text = head("15.01.2375.007", FIELDS_2016)
        + &new(
            "2026-11-01T08:00:00Z",
            "EXPAND",
            "<1@x>",
            "a@x.example",
            "all@x.example",
        )
        + &new(
            "2026-11-10T08:00:00Z",
            "EXPAND",
            "<2@x>",
            "b@x.example",
            "all@x.example",
        );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("one.log");
    fs::write(&file, text).expect("writes");
    let since = "2026-11-05T00:00:00Z".parse().expect("a time");
    let log = read(&file, Some(since)).expect("reads");
    assert_eq!(shown(&log.observed), ["all@x.example: b@x.example"]);
}

#[test]
fn lines_that_cannot_be_read_are_named_and_the_rest_is_used() {
    let text = format!(
        "\u{feff}{}{}not a time,,,,EX16,,,ROUTING,EXPAND,1,<2@x>,,a@x.example,,,,all@x.example\n\
         2026-11-10T08:00:00Z,,,,EX16,\"open EXPAND\n2026-11-10T08:00:00Z,,,,EX16,,,ROUTING,EXPAND,1,<3@x>\n\
         2026-11-10T08:00:00Z,,,,EX16,,,ROUTING,EXPAND,1,<4@x>,,a@x.example,,,,\n",
        head("15.01.2375.007", FIELDS_2016),
        new(
            "2026-11-10T08:00:00Z",
            "EXPAND",
            "<1@x>",
            "a@x.example",
            "all@x.example"
        ),
    );
    let log = read_text(&text);
    assert_eq!(shown(&log.observed), ["all@x.example: a@x.example"]);
    let faults: Vec<&str> = log.faults.iter().map(|fault| fault.what.as_str()).collect();
    assert_eq!(
        faults,
        [
            "date-time is not a time in UTC",
            "a quote is not closed",
            "the line has fewer fields than #Fields: names",
            "related-recipient-address is empty",
        ]
    );
}

#[test]
fn what_is_no_log_is_refused_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let fault = |path: &Path| read(path, None).expect_err("refused").to_string();
    assert!(fault(folder.path()).ends_with("no file with the ending .log"));
    let file = folder.path().join("export.log");
    fs::write(&file, "Timestamp,EventId,Recipients\n1,EXPAND,System.String[]\n").expect("writes");
    assert!(fault(folder.path()).contains("no line begins with #Fields:"));
    fs::write(&file, "#Fields: date-time,event-id,message-id,recipient-address\n").expect("writes");
    assert!(fault(&file).ends_with("the header names no column related-recipient-address"));
    assert!(matches!(
        read(&folder.path().join("missing"), None),
        Err(TrackingFault::File { .. })
    ));
}
