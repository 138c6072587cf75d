//! Reports on delivery: RFC 3461.

use super::{Requirement, shown};

/// What it demands.
pub const REPORTS: &[Requirement] = &[
    shown(
        3461,
        "4",
        "NOTIFY, ORCPT, RET and ENVID stand at most once in a command",
        "src/smtp/params.rs::refuses_the_rest",
    ),
    shown(
        3461,
        "4.1",
        "NOTIFY is NEVER alone, or a list of SUCCESS, FAILURE and DELAY",
        "src/smtp/params.rs::refuses_the_rest",
    ),
    shown(
        3461,
        "4.2",
        "ORCPT is a type and xtext of at most 500 octets, and stays as it came",
        "src/smtp/params.rs::reads_parameters",
    ),
    shown(
        3461,
        "4.2",
        "xtext encodes what it must",
        "src/categorizer/outcome.rs::xtext_escapes_what_rfc_3461_says",
    ),
    shown(
        3461,
        "4.3",
        "RET is FULL or HDRS",
        "src/smtp/params.rs::refuses_the_rest",
    ),
    shown(
        3461,
        "4.4",
        "ENVID is printable xtext of at most 100 characters",
        "src/smtp/params.rs::refuses_the_rest",
    ),
    shown(
        3461,
        "5.1",
        "a server that offers DSN takes all its parameters with any message",
        "tests/dialogues/transaction.txt::All parameters",
    ),
    shown(
        3461,
        "5.2",
        "a relay passes NOTIFY, ORCPT, RET and ENVID on as they came",
        "tests/exchange/reports.rs::return_path_and_dsn_request_of_copies",
    ),
    shown(
        3461,
        "5.2.1",
        "to a hop with DSN the request goes along, and no report of success is made here",
        "src/delivery/tests/reports.rs::success_is_reported_as_relayed_where_the_hop_lacks_dsn",
    ),
    shown(
        3461,
        "5.2.1",
        "a copy with NOTIFY goes with it",
        "src/delivery/tests/relay.rs::dsn_requests_go_along_where_offered",
    ),
    shown(
        3461,
        "5.2.2",
        "to a hop without DSN no parameter is sent, and success that was asked for is reported as relayed",
        "tests/stories/relayed_report_where_the_hop_offers_no_dsn.rs::a_relayed_report_is_given_where_the_hop_offers_no_dsn",
    ),
    shown(
        3461,
        "5.2.4",
        "NEVER and a null reverse-path get no report; a failure is reported where nothing, or FAILURE, was asked for",
        "src/delivery/tests/reports.rs::notify_is_honoured",
    ),
    shown(
        3461,
        "5.2.5",
        "a delay is reported where it was asked for or nothing was, and the message is tried on",
        "src/delivery/tests/reports.rs::a_delay_is_reported_once",
    ),
    shown(
        3461,
        "5.2.7.1",
        "what goes on from an alias keeps ENVID, NOTIFY, RET and ORCPT",
        "tests/exchange/reports.rs::return_path_and_dsn_request_of_copies",
    ),
    shown(
        3461,
        "5.2.7.3",
        "copies of a list do not ask the original sender's success again; a list asked for success says expanded",
        "tests/stories/expanded_report_is_given_when_asked.rs::an_expanded_report_is_given_when_asked",
    ),
    shown(
        3461,
        "6.1",
        "a report leaves from the null reverse-path and asks for no report of itself",
        "tests/exchange/replies.rs::the_report_for_people_and_for_machines",
    ),
    shown(
        3461,
        "6.2",
        "a report is a multipart/report with a part for people, one for machines, and the message or its header section",
        "src/mail/report/tests.rs::a_failure_report_as_a_whole",
    ),
    shown(
        3461,
        "6.2",
        "with HDRS, and in reports that are not of failures, the whole message is not returned",
        "src/mail/report/tests.rs::what_is_returned",
    ),
    shown(
        3461,
        "6.3",
        "ENVID and ORCPT come back decoded in Original-Envelope-Id and Original-Recipient",
        "tests/stories/expanded_report_is_given_when_asked.rs::an_expanded_report_is_given_when_asked",
    ),
    shown(
        3461,
        "6.3",
        "Final-Recipient, Action and Status stand for every recipient",
        "src/mail/report/tests.rs::every_action_has_its_fields_and_words",
    ),
];
