//! RFC 5321, the side of the client and relay.

use super::{Requirement, shown};

/// What a client and a relay must do.
pub const CLIENT: &[Requirement] = &[
    shown(
        5321,
        "2.3.8",
        "CR and LF are sent as CRLF, at the ends of lines only",
        "tests/smuggling.rs::what_leaves_is_one_message_to_every_reader",
    ),
    shown(
        5321,
        "2.4",
        "octets over 127 go only where an extension lets them",
        "src/delivery/tests/relay.rs::eight_bit_content_is_not_sent_where_it_may_not_go",
    ),
    shown(
        5321,
        "3.3",
        "content is sent after 354 only, and not after 5yz",
        "src/smtp/client_tests.rs::pipelined_dialogues",
    ),
    shown(
        5321,
        "4.1.1.1",
        "a session begins with EHLO, or HELO where that is not known",
        "src/smtp/client_tests.rs::greetings",
    ),
    shown(
        5321,
        "4.1.1.4",
        "no empty line is added to a message by its end",
        "src/smtp/stuffing.rs::stuffs_lines",
    ),
    shown(
        5321,
        "4.1.1.10",
        "QUIT is sent before the connection is closed, also where nothing comes of it",
        "src/smtp/client_tests.rs::sign_in_dialogues",
    ),
    shown(
        5321,
        "4.1.1.11",
        "only parameters of offered extensions are sent",
        "src/smtp/plan.rs::says_only_what_the_peer_understands",
    ),
    shown(
        5321,
        "4.2",
        "what is done follows from the code and not from the text, by its first digit if the code is unknown",
        "src/smtp/client_tests.rs::replies_count_by_their_first_digit",
    ),
    shown(
        5321,
        "4.2.1",
        "replies without text and of many lines are understood",
        "src/smtp/reply_parser.rs::reads_replies",
    ),
    shown(
        5321,
        "4.2.1",
        "the lines of a reply have one code",
        "src/smtp/reply_parser.rs::malformed_replies_are_faults",
    ),
    shown(
        5321,
        "4.3.1",
        "the client waits for the greeting",
        "src/smtp/client_tests.rs::greetings",
    ),
    shown(
        5321,
        "4.3.1",
        "without PIPELINING each command waits for the reply to the one before",
        "src/smtp/client_tests.rs::step_by_step_dialogues",
    ),
    shown(
        5321,
        "4.5.2",
        "a dot is put before each line that begins with one",
        "src/smtp/stuffing.rs::cuts_do_not_matter",
    ),
    shown(
        5321,
        "4.5.3.1.10",
        "a limit on recipients (452, also 552) does not fail the others",
        "src/delivery/tests/hostile.rs::the_recipient_after_five_hundred_may_be_refused",
    ),
    shown(
        5321,
        "4.5.3.2",
        "every command has its own timeout",
        "src/delivery/tests/faults.rs::silence_at_any_step_is_temporary",
    ),
    shown(
        5321,
        "4.5.4.1",
        "what cannot be sent now is queued and tried again",
        "tests/stories/next_hop_down_then_up.rs::the_next_hop_is_down_then_up",
    ),
    shown(
        5321,
        "4.5.4.1",
        "a destination is left alone for a while after an attempt that failed",
        "src/queue/destination.rs::three_broken_sessions_are_a_hop_to_leave_alone",
    ),
    shown(
        5321,
        "4.5.4.1",
        "when it is tried again can be set",
        "src/config/tests.rs::every_key_is_documented_once",
    ),
    shown(
        5321,
        "4.5.4.1",
        "a 5yz to MAIL is not kept for the next message",
        "src/delivery/tests/learning.rs::what_a_message_was_refused_for_teaches_nothing",
    ),
    shown(
        5321,
        "4.5.5",
        "nothing is sent in answer to the null reverse-path",
        "src/queue/tests.rs::nobody_is_told_at_a_null_reverse_path",
    ),
    shown(
        5321,
        "5.1",
        "the exchangers of a domain are looked up, and its addresses are not used beside them",
        "src/delivery/tests/mx.rs::the_exchanger_of_the_domain_gets_the_copy",
    ),
    shown(
        5321,
        "5.1",
        "without exchangers the domain is its own",
        "src/delivery/tests/mx.rs::without_exchangers_the_domain_is_its_own",
    ),
    shown(
        5321,
        "5.1",
        "a domain that is not there, or whose exchangers cannot be used, is reported",
        "src/delivery/tests/mx.rs::what_dns_says_for_good_fails",
    ),
    shown(
        5321,
        "5.1",
        "trouble of DNS is temporary: the message is queued",
        "src/delivery/tests/mx.rs::trouble_with_dns_waits_and_nothing_is_lost",
    ),
    shown(
        5321,
        "5.1",
        "exchangers are taken by preference",
        "src/routing/candidates.rs::lower_preference_values_come_first",
    ),
    shown(
        5321,
        "5.1",
        "those of equal preference are taken by chance",
        "src/routing/candidates.rs::every_order_of_equals_occurs",
    ),
    shown(
        5321,
        "5.1",
        "one address after the other is tried",
        "src/delivery/tests/faults.rs::the_second_host_is_tried_when_the_first_is_down",
    ),
    shown(
        5321,
        "5.1",
        "exchangers of our preference and behind us are left out, and a message with none left is returned",
        "src/routing/candidates.rs::ourselves_and_what_is_behind_us_is_left_out",
    ),
];
