//! Directory files as administrators write them, and as exports come.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::{Snapshot, load};
use crate::directory::RecipientKind;
use crate::directory::attribute::Attribute;
use crate::directory::delivery::ModerationNotice;
use crate::directory::filter::precanned::IncludedRecipients;
use crate::directory::group::{ComparisonProfile, RefreshMode, RuleCondition, StaleAction};
use crate::directory::recipient::{Location, ObjectState, SourceId};
use crate::directory::value::Value;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("writable");
    }
    folder
}

fn loaded(files: &[(&str, &str)]) -> Snapshot {
    let folder = folder(files);
    load(folder.path(), &SourceId::new("test")).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// The faults of one load, one per line.
fn faults(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let faults = load(folder.path(), &SourceId::new("test")).expect_err("a fault");
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

const LENA: &str = "[[recipients]]\nid = \"1\"\nrecipient_type_details = \"UserMailbox\"\n\
    primary_smtp_address = \"lena@contoso.example\"\nalias = \"lena\"\n";

#[test]
fn toml_json_and_csv_say_the_same() {
    let toml = "[[recipients]]\nid = \"1\"\nrecipient_type_details = \"RemoteUserMailbox\"\n\
        primary_smtp_address = \"lena@contoso.example\"\n\
        email_addresses = [\"smtp:l.vogt@contoso.example\", \"X500:/o=Contoso/cn=lena\"]\n\
        external_email_address = \"lena@contoso.mail.onmicrosoft.example\"\nalias = \"lena\"\n\
        display_name = \"Lena Vogt\"\ndepartment = \"Sales\"\naccount_disabled = true\n\
        max_receive_size = \"25MB\"\nextension_custom_attribute1 = [\"de\", \"en\"]\n";
    let json = r#"[{"Id":"1","RecipientTypeDetails":"RemoteUserMailbox","PrimarySmtpAddress":"lena@contoso.example",
        "EmailAddresses":["SMTP:lena@contoso.example","smtp:l.vogt@contoso.example","X500:/o=Contoso/cn=lena"],
        "ExternalEmailAddress":"SMTP:lena@contoso.mail.onmicrosoft.example","Alias":"lena","DisplayName":"Lena Vogt",
        "Department":"Sales","AccountDisabled":true,"MaxReceiveSize":"25 MB (26,214,400 bytes)",
        "ExtensionCustomAttribute1":["de","en"],"Office":null,"ModeratedBy":[]}]"#;
    let csv = "#TYPE Selected.System.Management.Automation.PSCustomObject\r\n\
        \"Id\";\"RecipientTypeDetails\";\"EmailAddresses\";\"ExternalEmailAddress\";\"Alias\";\"DisplayName\";\"Department\";\
        \"AccountDisabled\";\"MaxReceiveSize\";\"ExtensionCustomAttribute1\";\"Office\"\r\n\
        \"1\";\"RemoteUserMailbox\";\"SMTP:lena@contoso.example;smtp:l.vogt@contoso.example;X500:/o=Contoso/cn=lena\";\
        \"SMTP:lena@contoso.mail.onmicrosoft.example\";\"lena\";\"Lena Vogt\";\"Sales\";\"True\";\"26214400\";\"de;en\";\"\"\r\n";
    let from_toml = loaded(&[("people.toml", toml)]);
    assert_eq!(loaded(&[("people.json", json)]).objects, from_toml.objects);
    assert_eq!(loaded(&[("people.csv", csv)]).objects, from_toml.objects);
    let lena = &from_toml.objects[0];
    assert_eq!(lena.location, Location::Cloud);
    assert_eq!(lena.state, ObjectState::Disabled);
    assert_eq!(lena.final_address().as_str(), "lena@contoso.mail.onmicrosoft.example");
    assert_eq!(lena.proxies.len(), 2);
    assert_eq!(
        lena.delivery.as_ref().and_then(|delivery| delivery.max_receive_size),
        Some(25 << 20)
    );
    let Some(Value::Texts(languages)) = lena.attributes.get(Attribute::ExtensionCustomAttribute1) else {
        panic!("a list")
    };
    assert_eq!(languages.len(), 2);
}

#[test]
fn a_group_says_everything_a_group_can() {
    let text = r#"
        [[groups]]
        primary_smtp_address = "announce@contoso.example"
        members = ["lena@contoso.example", "CN=Mia,OU=Berlin,DC=contoso,DC=example"]
        managed_by = ["lena@contoso.example"]
        require_sender_authentication_enabled = true
        accept_messages_only_from = ["a@contoso.example"]
        accept_messages_only_from_dl_members = ["b@contoso.example"]
        reject_messages_from_senders_or_members = ["c@contoso.example"]
        moderation_enabled = true
        moderated_by = ["m@contoso.example"]
        bypass_moderation_from_senders_or_members = ["n@contoso.example"]
        bypass_nested_moderation_enabled = true
        send_moderation_notifications = "Internal"
        report_to_originator_enabled = false
        report_to_manager_enabled = true
        send_oof_message_to_originator_enabled = true
        hidden_group_membership_enabled = true
        bcc_blocked = true

        [[groups]]
        primary_smtp_address = "berlin@contoso.example"
        recipient_filter = "Office -eq 'Berlin'"
        recipient_container = "contoso.example/Berlin"
        comparison_profile = "active_directory"
        refresh = "12h"
        max_age = "2d"
        on_stale = "refuse"

        [[groups]]
        primary_smtp_address = "finance@contoso.example"
        included_recipients = ["MailboxUsers", "MailUsers"]
        conditional_department = ["Finance", "Legal"]
        conditional_custom_attribute3 = ["x"]
        refresh = "on_change"

        [[groups]]
        recipient_type_details = "GroupMailbox"
        primary_smtp_address = "adler@contoso.example"
        external_email_address = "adler@contoso.mail.onmicrosoft.example"
        expand_subscribers = true
        subscribers = ["lena@contoso.example"]
    "#;
    let snapshot = loaded(&[("groups.toml", text)]);
    let group = |at: usize| snapshot.objects[at].group.as_deref().expect("a group");
    let announce = &snapshot.objects[0];
    assert_eq!(announce.kind, RecipientKind::MailUniversalDistributionGroup);
    let delivery = announce.delivery.as_deref().expect("rules");
    assert_eq!((delivery.accept_from.len(), delivery.reject_from.len()), (2, 1));
    let moderation = delivery.moderation.as_deref().expect("moderated");
    assert!(moderation.enabled && moderation.bypass_nested && moderation.notify == ModerationNotice::Internal);
    let settings = group(0);
    assert_eq!(settings.members.len(), 2);
    assert!(!settings.report_to_originator && settings.report_to_owner && settings.send_oof);
    assert!(settings.hidden_membership && settings.bcc_blocked);

    assert_eq!(snapshot.objects[1].kind, RecipientKind::DynamicDistributionGroup);
    let rule = group(1).rule.as_deref().expect("a rule");
    assert_eq!(rule.comparison, Some(ComparisonProfile::ActiveDirectory));
    assert_eq!(
        group(1).refresh,
        Some(RefreshMode::Interval(Duration::from_secs(12 * 3600)))
    );
    assert_eq!(group(1).on_stale, Some(StaleAction::Refuse));

    let RuleCondition::Precanned(precanned) = &group(2).rule.as_deref().expect("a rule").condition else {
        panic!("precanned")
    };
    assert_eq!(
        precanned.included,
        [IncludedRecipients::MailboxUsers, IncludedRecipients::MailUsers]
    );
    assert_eq!(
        (precanned.department.len(), precanned.custom_attributes[0].number),
        (2, 3)
    );
    assert!(
        group(3)
            .subscribers
            .as_deref()
            .is_some_and(|subscribers| subscribers.expand)
    );
    assert_eq!(snapshot.objects[3].location, Location::Cloud);
}

#[test]
fn faults_of_all_files_are_told_at_once() {
    let found = faults(&[
        (
            "people.toml",
            "[[recipients]]\nid = \"lena\"\nprimary_smtp_adress = \"lena@contoso.example\"\n\n\
             [[recipients]]\nrecipient_type_details = \"Mailbox\"\nprimary_smtp_address = \"mia@contoso\\u0000\"\n\
             account_disabled = \"yes\"\n",
        ),
        (
            "groups.toml",
            "[[groups]]\nprimary_smtp_address = \"team@contoso.example\"\nmembers = [\"lena@contoso.example\", 7]\n\
             max_age = \"2d\"\nmax_receive_size = \"large\"\n\n\
             [[groups]]\nprimary_smtp_address = \"dynamic@contoso.example\"\n\
             recipient_filter = \"Ofice -eq 'Berlin'\"\nincluded_recipients = [\"Mailboxes\"]\nmembers = [\"x@contoso.example\"]\n\n\
             [[groups]]\nprimary_smtp_address = \"nobody@contoso.example\"\nrecipient_type_details = \"UserMailbox\"\n",
        ),
        ("more.json", "{\"recipients\": [{\"alias\": \"x\"}],\n \"people\": []}"),
        ("broken.json", "{\"recipients\": [\n  {\"alias\": \"x\",}\n]}"),
        ("broken.toml", "[[recipients]]\nalias = \"x\nid = \"1\"\n"),
        (
            "people.csv",
            "Id,Alias,PrimarySmtpAdress\n1,lena,lena@contoso.example\n2,mia\n",
        ),
    ]);
    let expected = "\
broken.json:2:17: expected a key in double quotes, found `}`
broken.toml:2:11: invalid basic string, expected `\"`
groups.toml:3:36: members: expected a text, found 7
groups.toml:4:1: `max_age` is a property of dynamic distribution groups; this is a MailUniversalDistributionGroup
groups.toml:5:20: max_receive_size: expected a size such as \"25M\", \"300MB\" or \"1.5G\" (K, M, G and T are powers of 1024), found \"large\"
groups.toml:9:21: recipient_filter: unknown property Ofice; did you mean Office?
groups.toml:10:1: `included_recipients` and `recipient_filter` exclude each other
groups.toml:11:1: `members` is a property of static groups; this is a DynamicDistributionGroup
groups.toml:15:26: a UserMailbox does not belong here; did you mean [[recipients]]?
more.json:1:17: the property `recipient_type_details` is missing: what is it?
more.json:1:17: the property `primary_smtp_address` is missing
more.json:2:2: unknown key `people`; a file has `recipients` and `groups`
people.csv:1:10: unknown key `PrimarySmtpAdress`; did you mean PrimarySmtpAddress?
people.csv:2:1: the property `recipient_type_details` is missing: what is it?
people.csv:2:1: the property `primary_smtp_address` is missing
people.csv:3:1: the row has 2 fields, the header has 3
people.toml:1:1: the property `recipient_type_details` is missing: what is it?
people.toml:1:1: the property `primary_smtp_address` is missing
people.toml:3:1: unknown key `primary_smtp_adress`; did you mean primary_smtp_address?
people.toml:6:26: recipient_type_details: expected a type of recipient such as \"UserMailbox\" or \"MailUniversalDistributionGroup\", found \"Mailbox\"; did you mean \"UserMailbox\"?
people.toml:7:24: primary_smtp_address: expected an address such as \"lena@contoso.example\", found \"mia@contoso\u{0}\"
";
    assert_eq!(found, expected, "\n{found}");
}

#[test]
fn traps_of_exports_are_named() {
    let header = "Id,RecipientTypeDetails,PrimarySmtpAddress,EmailAddresses\n";
    let row = |addresses: &str| format!("{header}1,UserMailbox,lena@contoso.example,\"{addresses}\"\n");
    for (addresses, expected) in [
        (
            "Microsoft.Exchange.Data.ProxyAddressCollection",
            "people.csv:2:36: `EmailAddresses` holds the name of a type instead of its values; export it with \
             Select-Object @{n='EmailAddresses';e={$_.EmailAddresses -join ';'}}\n",
        ),
        (
            "System.Object[]",
            "people.csv:2:36: `EmailAddresses` holds the name of a type",
        ),
        (
            "Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]",
            "holds the name of a type",
        ),
        (
            "{SMTP:lena@contoso.example, smtp:l@contoso.example...}",
            "people.csv:2:36: `EmailAddresses` was cut off",
        ),
        (
            "smtp:l.vogt@contoso.exa…",
            "people.csv:2:36: `EmailAddresses` was cut off",
        ),
        (
            "SMTP:lena@contoso.example smtp:l@contoso.example",
            "people.csv:2:36: EmailAddresses: expected values joined by \";\", not by blanks",
        ),
        (
            "SMTP:lena@contoso.example;SMTP:l@contoso.example",
            "two primary addresses",
        ),
        (
            "SMTP:l@contoso.example",
            "the primary address is lena@contoso.example, but l@contoso.example is marked",
        ),
        ("smtp:not an address", "is not an address of the form type:value"),
    ] {
        let found = faults(&[("people.csv", &row(addresses))]);
        assert!(found.contains(expected), "{addresses}\n{found}");
    }
    let printed = "Name        PrimarySmtpAddress\n----        ------------------\nLena Vogt   lena@contoso.example\n";
    assert!(faults(&[("people.csv", printed)]).contains("people.csv:1:1: this is a table printed for a screen"));
    assert!(faults(&[("people.csv", "")]).contains("the file is empty"));

    let temporary = folder(&[]);
    let utf16: Vec<u8> = "\u{feff}Id,Alias\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(temporary.path().join("people.csv"), utf16).expect("writable");
    fs::write(temporary.path().join("others.csv"), b"Id,Alias\n1,M\xFCller\n").expect("writable");
    let found = load(temporary.path(), &SourceId::new("test")).expect_err("two encodings");
    assert_eq!(
        found[0].to_string(),
        "others.csv:2:4: the file is not UTF-8, probably Windows-1252; save it as UTF-8"
    );
    assert!(
        found[1].to_string().starts_with("people.csv: the file is UTF-16"),
        "{found:?}"
    );

    // Separators that scripts use, a mark of UTF-8, a delimiter of a European locale.
    let good = "\u{feff}Id;RecipientTypeDetails;EmailAddresses;Notes\n\
        1;UserMailbox;SMTP:lena@contoso.example|smtp:l@contoso.example;and so on…\n";
    assert_eq!(loaded(&[("people.csv", good)]).objects[0].proxies.len(), 1);
}

#[test]
fn members_come_from_a_long_table() {
    let groups = "[[groups]]\nid = \"g\"\nprimary_smtp_address = \"team@contoso.example\"\nalias = \"team\"\n\
        members = [\"mia@contoso.example\"]\n\
        [[groups]]\nprimary_smtp_address = \"dynamic@contoso.example\"\nrecipient_filter = \"Office -eq 'x'\"\n";
    let snapshot = loaded(&[
        ("groups.toml", groups),
        (
            "members.csv",
            "Group,Member\nTEAM@contoso.example,lena@contoso.example\nteam,kim@fabrikam.example\n",
        ),
    ]);
    let members = &snapshot.objects[0].group.as_deref().expect("a group").members;
    let members: Vec<&str> = members.iter().map(|member| member.as_str()).collect();
    assert_eq!(
        members,
        ["mia@contoso.example", "lena@contoso.example", "kim@fabrikam.example"]
    );

    let found = faults(&[
        ("groups.toml", groups),
        (
            "members.csv",
            "member,group\nlena@contoso.example,taem\nx@contoso.example,dynamic@contoso.example\n,team\n",
        ),
    ]);
    let expected = "\
members.csv:4:1: the member is missing in this row
members.csv:2:22: there is no group taem; did you mean team?
members.csv:3:19: dynamic@contoso.example is a dynamic group; its filter says who is a member
";
    assert_eq!(found, expected, "\n{found}");
}

#[test]
fn blanks_in_quotes_are_kept_in_values_and_dropped_around_names() {
    let text = "\"Id \",\"RecipientTypeDetails\",PrimarySmtpAddress,Alias,Department,Office\n\
        \"1 \",\" UserMailbox \",\" lena@contoso.example \",\"lena \",\"Sales \", Berlin \n\" \",,,,,\n";
    let snapshot = loaded(&[("people.csv", text)]);
    let [lena] = snapshot.objects.as_slice() else {
        panic!("one object and a blank row")
    };
    assert_eq!(
        (lena.id.as_str(), lena.primary.as_str(), lena.alias.as_deref()),
        ("1", "lena@contoso.example", Some("lena"))
    );
    let text = |attribute| match lena.attributes.get(attribute) {
        Some(Value::Text(text)) => text.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (text(Attribute::Department).as_str(), text(Attribute::Office).as_str()),
        ("Sales ", "Berlin")
    );
}

#[test]
fn one_object_stands_once() {
    let found = faults(&[("a.toml", LENA), ("b.toml", &format!("\n{LENA}"))]);
    assert_eq!(found, "b.toml:2:1: 1 is already in a.toml:1\n");
    let without_id = LENA.replace("id = \"1\"\n", "");
    let found = faults(&[
        ("a.toml", &without_id),
        ("b.toml", &without_id.replace("lena@", "LENA@")),
    ]);
    assert_eq!(found, "b.toml:1:1: lena@contoso.example is already in a.toml:1\n");
    let twice = LENA.replace("alias", "PrimarySmtpAddress = \"x@contoso.example\"\nalias");
    assert_eq!(
        faults(&[("a.toml", &twice)]),
        "a.toml:5:1: `PrimarySmtpAddress` says again what `primary_smtp_address` says\n"
    );
}

#[test]
fn what_is_passed_over_is_said() {
    let people = LENA
        .replace("alias", "throttling_policy = \"x\"\nalias")
        .replace("id = \"1\"\n", "");
    let snapshot = loaded(&[
        ("people.toml", &people),
        ("README.md", "about"),
        (".people.toml.swp", "\0"),
        ("people.toml~", "old"),
        ("export.xlsx", "PK"),
    ]);
    let notices: Vec<String> = snapshot.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        [
            "export.xlsx: passed over: directory files end in .toml, .json or .csv",
            "people.toml:4:1: ThrottlingPolicy is a property of Exchange that has no use here; it is passed over",
            "all files: 1 objects have no stable id; if the address of one changes, it becomes another object",
        ]
    );
    assert_eq!(snapshot.files.len(), 1);
}

#[test]
fn an_empty_or_missing_folder_is_a_fault() {
    assert!(faults(&[("README.md", "about")]).contains("no .toml, .json or .csv file here"));
    let gone = folder(&[]).path().to_owned();
    assert!(load(&gone, &SourceId::new("test")).is_err());
}

#[test]
fn the_digest_tells_contents_apart() {
    let one = loaded(&[("a.toml", LENA)]).digest;
    assert_eq!(one.len(), 64);
    assert_eq!(loaded(&[("a.toml", LENA)]).digest, one);
    assert_ne!(loaded(&[("b.toml", LENA)]).digest, one);
    assert_ne!(loaded(&[("a.toml", &LENA.replace("lena", "mia"))]).digest, one);
}

#[test]
fn many_faults_are_counted() {
    let text: String = (0..2_000).map(|_| "[[recipients]]\n").collect();
    let found = faults(&[("a.toml", &text)]);
    assert!(
        found.lines().count() < 600 && found.contains("more faults are not listed"),
        "{found}"
    );
}

#[test]
fn rules_carry_the_setting_of_their_source() {
    let text = r#"
        [[groups]]
        primary_smtp_address = "all@contoso.example"
        recipient_filter = "RecipientType -eq 'UserMailbox'"

        [[groups]]
        primary_smtp_address = "some@contoso.example"
        members = ["lena@contoso.example"]
    "#;
    let carried = |snapshot: Snapshot| -> Vec<Option<bool>> {
        let groups = snapshot.objects.iter().filter_map(|object| object.group.as_deref());
        let rules = groups.map(|group| group.rule.as_deref());
        rules
            .map(|rule| rule.map(|rule| rule.remote_mailboxes_match_user_mailbox))
            .collect()
    };
    assert_eq!(carried(loaded(&[("groups.toml", text)])), [Some(false), None]);
    let widened = loaded(&[("groups.toml", text)]).with_remote_mailboxes_as_user_mailboxes();
    assert_eq!(carried(widened), [Some(true), None]);
}
