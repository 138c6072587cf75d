//! Traps of real exports, one small input each, with what becomes of it.

use jiff::Timestamp;

use super::detect;
use super::import::{Imported, InputFile, Silent, import};
use super::report::{Code, Outcome};
use crate::directory::attribute::Attribute;
use crate::directory::delivery::{ModerationNotice, Reference};
use crate::directory::filter::precanned::IncludedRecipients;
use crate::directory::group::{FilterLanguage, RuleCondition};
use crate::directory::kind::RecipientKind;
use crate::directory::recipient::{Location, ObjectState, RecipientObject, SourceId};

fn imported(files: &[(&str, &[u8])]) -> Imported {
    let files: Vec<InputFile> = files
        .iter()
        .map(|(name, octets)| InputFile {
            name: (*name).to_owned(),
            octets: octets.to_vec(),
        })
        .collect();
    import(&files, &SourceId::new("exchange"), Timestamp::UNIX_EPOCH, &Silent)
}

fn of_texts(files: &[(&str, &str)]) -> Imported {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    imported(&files)
}

fn one<'a>(imported: &'a Imported, address: &str) -> &'a RecipientObject {
    let found = imported
        .objects
        .iter()
        .find(|object| object.primary.as_str() == address);
    found.unwrap_or_else(|| panic!("{address} in {:#?}", imported.report.findings))
}

/// The findings of a code, as they are printed.
fn told(imported: &Imported, code: Code) -> Vec<String> {
    let shown = |finding: &super::report::Finding| match &finding.proposal {
        Some(proposal) => format!("{finding} -> {proposal}"),
        None => finding.to_string(),
    };
    imported.report.of(code).map(shown).collect()
}

fn members(object: &RecipientObject) -> Vec<&str> {
    let settings = object.group.as_deref().expect("a group");
    settings.members.iter().map(Reference::as_str).collect()
}

const LENA: &str = r#"{"DisplayName":"Lena Vogt","Alias":"lena","PrimarySmtpAddress":"lena@contoso.example",
    "RecipientTypeDetails":"UserMailbox","Guid":"5d2f0000-0000-4000-8000-000000000001",
    "DistinguishedName":"CN=Lena Vogt,OU=Users,DC=contoso,DC=example"}"#;

const GROUP: &str = r#"{"DisplayName":"Sales","Alias":"sales-all","PrimarySmtpAddress":"sales-all@contoso.example",
    "RecipientTypeDetails":"MailUniversalDistributionGroup","Guid":"5d2f0000-0000-4000-8000-000000000002"}"#;

#[test]
fn files_that_are_no_exports_are_refused_with_advice() {
    let wide: Vec<u8> = "Name  Alias\n----  -----\nSales sal…\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases: [(&[u8], &str, &str); 12] = [
        (
            b"Name   Alias\r\n----   -----\r\nSales  sal...\r\n",
            "a table printed for a screen",
            "do not print",
        ),
        (&wide, "a table printed for a screen", "do not print"),
        (
            b"Name  : Sales\nAlias : sales\nMembers : {a, b, c...}\n",
            "a list printed for a screen",
            "ConvertTo-Json",
        ),
        (b"PK\x03\x04rest", "a workbook", "CSV UTF-8"),
        (b"", "the file is empty", "run it again"),
        (b"  \r\n", "the file is empty", "run it again"),
        (b"just some words\n", "no output of a cmdlet", "ConvertTo-Json"),
        (
            b"<html><body>no</body></html>",
            "no output of a cmdlet",
            "Export-Clixml",
        ),
        (b"[{\"a\": }]", "line 1, column 8: expected a value", ""),
        (
            b"<Objs><Obj><Props><S N=\"a\">x",
            "never closed; the file was cut off",
            "",
        ),
        (b"<!DOCTYPE x [<!ENTITY a \"b\">]><Objs></Objs>", "document type", ""),
        (
            b"a,b\n1,2,3\n",
            "line 2, column 1: the row has 3 fields, the header has 2",
            "",
        ),
    ];
    for (octets, message, proposal) in cases {
        let fault = detect::read(octets).expect_err(message);
        assert!(fault.to_string().contains(message), "{fault}");
        let advice = fault.fault.proposal().unwrap_or_default();
        assert!(advice.contains(proposal), "{advice}");
    }
}

#[test]
fn ldif_is_refused_where_it_is_no_list_of_objects() {
    let cases = [
        (
            "dn: CN=a\nchangetype: modify\nreplace: mail\n",
            "line 2, column 1: `changetype: modify`",
        ),
        (
            "dn: CN=a\njpegPhoto:< file:///etc/passwd\n",
            "`jpegPhoto` refers to another file",
        ),
        (
            "dn: CN=a\nno colon here\n",
            "line 2, column 1: expected `attribute: value`",
        ),
        ("dn: CN=a\nmail:: %%%\n", "`mail` is not base64"),
        ("dn: CN=a\n\ncn: b\n", "an entry begins with `dn:`"),
    ];
    for (text, message) in cases {
        let fault = detect::read(text.as_bytes()).expect_err(text);
        assert!(fault.to_string().contains(message), "{fault}");
    }
}

#[test]
fn columns_that_hold_type_names_are_refused_with_the_select_that_helps() {
    for (file, text) in [
        (
            "a.csv",
            "PrimarySmtpAddress,EmailAddresses,RecipientTypeDetails\nlena@contoso.example,Microsoft.Exchange.Data.ProxyAddressCollection,UserMailbox\n",
        ),
        (
            "a.csv",
            "PrimarySmtpAddress,EmailAddresses,RecipientTypeDetails\nlena@contoso.example,System.Object[],UserMailbox\n",
        ),
        (
            "a.json",
            r#"{"PrimarySmtpAddress":"lena@contoso.example","EmailAddresses":"System.Collections.ArrayList","RecipientTypeDetails":"UserMailbox"}"#,
        ),
    ] {
        let imported = of_texts(&[(file, text)]);
        assert!(imported.report.is_refused());
        let told = told(&imported, Code::TypeNameColumn);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("Select-Object @{n='EmailAddresses';e={$_.EmailAddresses -join ';'}}"),
            "{told:?}"
        );
    }
    // A column nothing depends on may hold what it likes.
    let text =
        "PrimarySmtpAddress,PoliciesIncluded,RecipientTypeDetails\nlena@contoso.example,System.Object[],UserMailbox\n";
    assert!(!of_texts(&[("a.csv", text)]).report.is_refused());
    let cut = "PrimarySmtpAddress,Department,RecipientTypeDetails\nlena@contoso.example,Sales and Mark…,UserMailbox\n";
    let imported = of_texts(&[("a.csv", cut)]);
    assert_eq!(told(&imported, Code::CutOffValue).len(), 1);
}

#[test]
fn both_dialects_say_the_same() {
    let rich = r#"[{"Name":"Lena Vogt","DisplayName":"Lena Vogt","Alias":"lena","RecipientType":3,"RecipientTypeDetails":2147483648,
        "PrimarySmtpAddress":{"Length":20,"Local":"lena","Domain":"contoso.example","Address":"lena@contoso.example"},
        "EmailAddresses":[{"AddressString":"lena@contoso.example","ProxyAddressString":"SMTP:lena@contoso.example"},
            {"AddressString":"l.vogt@contoso.example","PrefixString":"smtp","IsPrimaryAddress":false}],
        "ExternalEmailAddress":{"ProxyAddressString":"SMTP:lena@contoso.mail.onmicrosoft.example"},
        "MaxReceiveSize":{"IsUnlimited":false,"Value":"25 MB (26,214,400 bytes)"},"WhenCreated":"\/Date(1648771200000)\/",
        "Guid":"5d2f0000-0000-4000-8000-000000000001","Department":"Sales "}]"#;
    let plain = r#"{"Name":"Lena Vogt","DisplayName":"Lena Vogt","Alias":"lena","RecipientType":"MailUser",
        "RecipientTypeDetails":"RemoteUserMailbox","PrimarySmtpAddress":"lena@contoso.example",
        "EmailAddresses":["SMTP:lena@contoso.example","smtp:l.vogt@contoso.example"],
        "ExternalEmailAddress":"SMTP:lena@contoso.mail.onmicrosoft.example","MaxReceiveSize":"25 MB (26,214,400 bytes)",
        "WhenCreated":"2022-04-01T00:00:00Z","Guid":"{5D2F0000-0000-4000-8000-000000000001}","Department":"Sales "}"#;
    // ConvertTo-Json with its default depth prints what is deeper.
    let cut = r#"{"value":[{"DisplayName":"Lena Vogt","Alias":"lena","RecipientTypeDetails":"RemoteUserMailbox",
        "PrimarySmtpAddress":"@{Length=20; Local=lena; Domain=contoso.example}",
        "EmailAddresses":"SMTP:lena@contoso.example smtp:l.vogt@contoso.example",
        "ExternalEmailAddress":"@{AddressString=lena@contoso.mail.onmicrosoft.example; PrefixString=SMTP}",
        "MaxReceiveSize":"25 MB (26,214,400 bytes)","WhenCreated":"04/01/2022 00:00:00",
        "Guid":"5d2f0000-0000-4000-8000-000000000001","Department":"Sales "}],"Count":1}"#;
    let csv = "#TYPE Selected\r\nDisplayName;Alias;RecipientTypeDetails;PrimarySmtpAddress;EmailAddresses;ExternalEmailAddress;\
        MaxReceiveSize;WhenCreated;Guid;Department\r\nLena Vogt;lena;RemoteUserMailbox;lena@contoso.example;\
        SMTP:lena@contoso.example smtp:l.vogt@contoso.example;SMTP:lena@contoso.mail.onmicrosoft.example;\
        25 MB (26,214,400 bytes);01.04.2022 00:00:00;5d2f0000-0000-4000-8000-000000000001;\"Sales \"\r\n";
    let xml = r#"<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0">
        <TN RefId="0"><T>Deserialized.X</T></TN><ToString>Lena Vogt</ToString><Props><S N="DisplayName">Lena Vogt</S>
        <S N="Alias">lena</S><Obj N="RecipientTypeDetails" RefId="1"><ToString>RemoteUserMailbox</ToString><I64>2147483648</I64></Obj>
        <S N="PrimarySmtpAddress">lena@contoso.example</S><Obj N="EmailAddresses" RefId="2"><LST><S>SMTP:lena@contoso.example</S>
        <S>smtp:l.vogt@contoso.example</S></LST></Obj><S N="ExternalEmailAddress">SMTP:lena@contoso.mail.onmicrosoft.example</S>
        <S N="MaxReceiveSize">25 MB (26,214,400 bytes)</S><DT N="WhenCreated">2022-04-01T00:00:00Z</DT>
        <G N="Guid">5d2f0000-0000-4000-8000-000000000001</G><S N="Department">Sales_x0020_</S></Props></Obj></Objs>"#;
    let ldif = "dn: CN=Lena Vogt,OU=Users,DC=contoso,DC=example\nobjectClass: top\nobjectClass: user\ndisplayName: Lena Vogt\n\
        mailNickname: lena\nmsExchRecipientTypeDetails: 2147483648\nproxyAddresses: SMTP:lena@contoso.example\n\
        proxyAddresses: smtp:l.vogt@contoso.exa\n mple\ntargetAddress: SMTP:lena@contoso.mail.onmicrosoft.example\n\
        delivContLength: 25600\nwhenCreated: 20220401000000.0Z\nobjectGUID:: AAAvXQAAAECAAAAAAAAAAQ==\ndepartment:: U2FsZXMg\n";
    let wanted = of_texts(&[("plain.json", plain)]).objects;
    assert_eq!(wanted.len(), 1);
    assert_eq!(wanted[0].kind, RecipientKind::RemoteUserMailbox);
    assert_eq!(wanted[0].value(Attribute::Department).to_string(), "Sales ");
    for (name, text) in [
        ("rich.json", rich),
        ("cut.json", cut),
        ("a.csv", csv),
        ("a.xml", xml),
        ("a.ldf", ldif),
    ] {
        let mut found = of_texts(&[(name, text)]).objects;
        for object in &mut found {
            object.distinguished_name = None;
            // The directory keeps instants in UTC, the shell prints them; both are the same.
            let created = object.attributes.get(Attribute::WhenCreatedUTC).cloned();
            if created.is_some() {
                object.attributes.set(Attribute::WhenCreatedUTC, None);
                object.attributes.set(Attribute::WhenCreated, created);
            }
        }
        assert_eq!(found, wanted, "{name}");
    }
}

#[test]
fn lists_are_bound_by_every_name_an_object_has() {
    for (spelled, is_found) in [
        ("lena@contoso.example", true),
        ("5D2F0000-0000-4000-8000-000000000001", true),
        ("{5d2f0000-0000-4000-8000-000000000001}", true),
        ("cn=lena vogt, ou=Users,dc=contoso,dc=example", true),
        ("contoso.example/Users/Lena Vogt", true),
        ("CONTOSO\\\\lena", true),
        ("lena", true),
        ("Lena Vogt", true),
        ("contoso.example/Users/Somebody Else", false),
        ("5d2f0000-0000-4000-8000-00000000ffff", false),
        ("Nobody", false),
    ] {
        let group = GROUP.replace(
            "\"Alias\":\"sales-all\"",
            &format!("\"Alias\":\"sales-all\",\"Members\":[\"{spelled}\"],\"ManagedBy\":\"{spelled}\""),
        );
        let imported = of_texts(&[(
            "a.json",
            &format!("[{LENA},{group}]")
                .replace("\"Alias\":\"lena\"", "\"Alias\":\"lena\",\"SamAccountName\":\"lena\""),
        )]);
        let group = one(&imported, "sales-all@contoso.example");
        let kept = spelled.replace("\\\\", "\\");
        let wanted = if is_found {
            "lena@contoso.example"
        } else {
            kept.as_str()
        };
        assert_eq!(members(group), [wanted], "{spelled}");
        assert_eq!(
            imported.report.counts.unresolved,
            if is_found { 0 } else { 2 },
            "{spelled}"
        );
        assert_eq!(imported.report.has_problems(), !is_found, "{spelled}");
    }
}

#[test]
fn a_display_name_that_two_have_names_nobody() {
    let other = LENA
        .replace("lena@", "lena2@")
        .replace("\"lena\"", "\"lena2\"")
        .replace("00000001", "00000003")
        .replace("OU=Users", "OU=Other");
    let group = GROUP.replace("\"Alias\"", "\"Members\":[\"Lena Vogt\"],\"Alias\"");
    let imported = of_texts(&[("a.json", &format!("[{LENA},{other},{group}]"))]);
    assert_eq!(members(one(&imported, "sales-all@contoso.example")), ["Lena Vogt"]);
    let told = told(&imported, Code::AmbiguousReference);
    assert!(told[0].contains("fits 2 objects"), "{told:?}");
}

#[test]
fn guids_without_display_names_are_told_and_explained_where_the_export_does() {
    let guid = "0f3e0000-0000-4000-8000-000000000009";
    let bare = GROUP.replace(
        "\"Alias\"",
        &format!("\"AcceptMessagesOnlyFrom\":[\"{guid}\"],\"Alias\""),
    );
    let imported = of_texts(&[("a.json", &format!("[{LENA},{bare}]"))]);
    let told_all = told(&imported, Code::NoDisplayNames);
    assert!(
        told_all[0].contains("AcceptMessagesOnlyFromSendersOrMembersWithDisplayNames"),
        "{told_all:?}"
    );
    // The list stays a list: nobody may write who could not before.
    let delivery = one(&imported, "sales-all@contoso.example")
        .delivery
        .as_deref()
        .expect("settings");
    assert_eq!(delivery.accept_from, [Reference::from(guid)]);
    let named = bare.replace(
        "\"Alias\"",
        "\"AcceptMessagesOnlyFromWithDisplayNames\":[\"Lena Vogt <lena@contoso.example>\"],\"Alias\"",
    );
    let imported = of_texts(&[("a.json", &format!("[{LENA},{named}]"))]);
    assert_eq!(told(&imported, Code::NoDisplayNames), Vec::<String>::new());
    let delivery = one(&imported, "sales-all@contoso.example")
        .delivery
        .as_deref()
        .expect("settings");
    assert_eq!(delivery.accept_from, [Reference::from("lena@contoso.example")]);
}

#[test]
fn member_tables_in_the_shapes_scripts_write() {
    let both = format!("[{LENA},{GROUP}]");
    for (file, text) in [
        (
            "m.csv",
            "GroupName,GroupEmail,Member,EmailAddress,RecipientType\nSales,sales-all@contoso.example,Lena Vogt,lena@contoso.example,UserMailbox\n",
        ),
        (
            "m.csv",
            "DisplayName,FirstName,LastName,Title,PrimarySMTPAddress,Manager,RecipientType,RecipientTypeDetails,Group Email,Group Display Name\nLena Vogt,Lena,Vogt,,lena@contoso.example,,UserMailbox,UserMailbox,sales-all@contoso.example,Sales\n",
        ),
        ("m.csv", "\"Group\";\"Member\"\r\n\"Sales\";\"Lena Vogt\"\r\n"),
        (
            "m.json",
            r#"{"GroupGuid":"5d2f0000-0000-4000-8000-000000000002","MemberGuid":"5d2f0000-0000-4000-8000-000000000001"}"#,
        ),
        (
            "sales-all.csv",
            "DisplayName,PrimarySmtpAddress,RecipientType\nLena Vogt,lena@contoso.example,UserMailbox\n",
        ),
        (
            "members-sales-all@contoso.example.csv",
            "Name,RecipientType\nLena Vogt,UserMailbox\n",
        ),
    ] {
        let imported = of_texts(&[("a.json", &both), (file, text)]);
        assert_eq!(
            members(one(&imported, "sales-all@contoso.example")),
            ["lena@contoso.example"],
            "{text}: {:#?}",
            imported.report.findings
        );
        assert_eq!(imported.objects.len(), 2, "{text}");
    }
    let unknown = of_texts(&[("a.json", &both), ("m.csv", "Group,Member\nMarketing,lena\n")]);
    assert!(told(&unknown, Code::UnknownGroup)[0].contains("`Marketing` is no group"));
    let none = of_texts(&[("a.json", &both)]);
    assert!(told(&none, Code::MembersMissing)[0].contains("Get-DistributionGroupMember sales-all"));
}

#[test]
fn lists_of_microsoft_365_groups_are_three() {
    let group = r#"{"DisplayName":"Adler","Alias":"adler","PrimarySmtpAddress":"adler@contoso.example","RecipientTypeDetails":"GroupMailbox"}"#;
    let links = "GroupName,LinkType,PrimarySmtpAddress\nAdler,Members,lena@contoso.example\nAdler,Owners,lena@contoso.example\nAdler,Subscribers,lena@contoso.example\n";
    let imported = of_texts(&[("a.json", &format!("[{LENA},{group}]")), ("links.csv", links)]);
    let object = one(&imported, "adler@contoso.example");
    let settings = object.group.as_deref().expect("a group");
    let lena = [Reference::from("lena@contoso.example")];
    assert_eq!(
        (settings.members.as_slice(), settings.managed_by.as_slice()),
        (&lena[..], &lena[..])
    );
    let subscribers = settings.subscribers.as_deref().expect("a list");
    assert_eq!((subscribers.expand, subscribers.list.as_slice()), (false, &lena[..]));
    assert_eq!(object.location, Location::Cloud);
}

#[test]
fn truncated_exports_are_named() {
    let mut text = "PrimarySmtpAddress,RecipientTypeDetails,Alias\n".to_owned();
    for number in 0..1_000 {
        text.push_str(&format!("p{number}@contoso.example,UserMailbox,p{number}\n"));
    }
    let imported = of_texts(&[("a.csv", &text)]);
    assert!(told(&imported, Code::TruncatedExport)[0].contains("-ResultSize Unlimited"));
    text.push_str("last@contoso.example,UserMailbox,last\n");
    assert_eq!(
        told(&of_texts(&[("a.csv", &text)]), Code::TruncatedExport),
        Vec::<String>::new()
    );
    let group = |range: &str| {
        format!(
            "dn: CN=G,DC=contoso,DC=example\nobjectClass: group\nmailNickname: g\nproxyAddresses: SMTP:g@contoso.example\ngroupType: 8\nmember;range={range}: CN=Lena Vogt,OU=Users,DC=contoso,DC=example\n"
        )
    };
    for (range, count) in [("0-1499", 1), ("1500-*", 0)] {
        let imported = of_texts(&[("a.json", LENA), ("g.ldf", &group(range))]);
        assert_eq!(told(&imported, Code::TruncatedRange).len(), count, "{range}");
        assert_eq!(members(one(&imported, "g@contoso.example")), ["lena@contoso.example"]);
    }
}

#[test]
fn lost_letters_are_named() {
    let text = "DisplayName,PrimarySmtpAddress,RecipientTypeDetails,Alias\nJ?rg M?ller,joerg@contoso.example,UserMailbox,joerg\n";
    let imported = of_texts(&[("a.csv", text)]);
    assert!(
        told(&imported, Code::LostLetters)[0]
            .contains("`J?rg M?ller` (DisplayName) -> export again with -Encoding UTF8")
    );
    let latin = imported_latin();
    assert_eq!(
        one(&latin, "joerg@contoso.example").display_name.as_deref(),
        Some("Jörg")
    );
    assert_eq!(latin.report.files[0].encoding.to_string(), "Windows-1252");
}

fn imported_latin() -> Imported {
    imported(&[(
        "a.csv",
        b"DisplayName,PrimarySmtpAddress,RecipientTypeDetails,Alias\nJ\xF6rg,joerg@contoso.example,UserMailbox,joerg\n",
    )])
}

#[test]
fn active_directory_speaks_its_own_words() {
    let text = "dn: CN=Board,OU=Groups,DC=contoso,DC=example\nobjectClass: group\ndisplayName: Board\nmailNickname: board\n\
        proxyAddresses: SMTP:board@contoso.example\nproxyAddresses: X500:/o=Old/cn=board\nlegacyExchangeDN: /o=New/cn=board\n\
        groupType: -2147483640\nmsExchRequireAuthToSendTo: TRUE\nauthOrig: CN=Lena Vogt,OU=Users,DC=contoso,DC=example\n\
        msExchEnableModeration: TRUE\nmsExchModeratedByLink: CN=Lena Vogt,OU=Users,DC=contoso,DC=example\n\
        msExchModerationFlags: 3\nmanagedBy: CN=Lena Vogt,OU=Users,DC=contoso,DC=example\nreportToOwner: TRUE\n\
        reportToOriginator: FALSE\nmsExchHideFromAddressLists: TRUE\n\n\
        dn: CN=Plain,OU=Groups,DC=contoso,DC=example\nobjectClass: group\nsAMAccountName: plain\n\n\
        dn: CN=Open,OU=Groups,DC=contoso,DC=example\nobjectClass: group\nmailNickname: open\nmail: open@contoso.example\ngroupType: 2\n\n\
        dn: CN=Gone,OU=Users,DC=contoso,DC=example\nobjectClass: user\nmailNickname: gone\nmail: gone@contoso.example\n\
        homeMDB: CN=DB1,DC=contoso,DC=example\nuserAccountControl: 514\naltRecipient: CN=Lena Vogt,OU=Users,DC=contoso,DC=example\n";
    let imported = of_texts(&[("a.json", LENA), ("a.ldf", text)]);
    let board = one(&imported, "board@contoso.example");
    assert_eq!(board.kind, RecipientKind::MailUniversalSecurityGroup);
    assert_eq!(board.legacy_dn.as_deref(), Some("/o=New/cn=board"));
    assert_eq!(board.proxies.len(), 1);
    let delivery = board.delivery.as_deref().expect("settings");
    assert_eq!(delivery.require_sender_authentication, Some(true));
    assert_eq!(delivery.accept_from, [Reference::from("lena@contoso.example")]);
    let moderation = delivery.moderation.as_deref().expect("moderated");
    assert_eq!(
        (moderation.enabled, moderation.bypass_nested, moderation.notify),
        (true, true, ModerationNotice::Internal)
    );
    let settings = board.group.as_deref().expect("a group");
    assert_eq!((settings.report_to_owner, settings.report_to_originator), (true, false));
    assert_eq!(
        board.value(Attribute::HiddenFromAddressListsEnabled).to_string(),
        "True"
    );
    let open = one(&imported, "open@contoso.example");
    assert_eq!(open.kind, RecipientKind::MailNonUniversalGroup);
    assert_eq!(
        open.delivery
            .as_deref()
            .and_then(|delivery| delivery.require_sender_authentication),
        Some(false)
    );
    assert_eq!(told(&imported, Code::OnlyMailAttribute).len(), 2);
    let gone = one(&imported, "gone@contoso.example");
    assert_eq!(
        (gone.kind, gone.state),
        (RecipientKind::UserMailbox, ObjectState::Disabled)
    );
    let forward = gone
        .delivery
        .as_deref()
        .and_then(|delivery| delivery.forwarding_address.as_ref());
    assert_eq!(forward.map(Reference::as_str), Some("lena@contoso.example"));
    assert!(told(&imported, Code::NotMailEnabled)[0].contains("1 accounts"));
}

#[test]
fn both_halves_of_a_hybrid_organisation_are_one_object() {
    let here = r#"{"DisplayName":"Lena Vogt","Alias":"lena","PrimarySmtpAddress":"lena@contoso.example","RecipientTypeDetails":"RemoteUserMailbox",
        "Guid":"5d2f0000-0000-4000-8000-000000000001","OrganizationalUnit":"contoso.example/Users","LegacyExchangeDN":"/o=Contoso/cn=lena",
        "ExternalEmailAddress":"SMTP:lena@contoso.mail.onmicrosoft.example"}"#;
    let there = r#"{"DisplayName":"Lena Vogt","Alias":"lena","PrimarySmtpAddress":"lena@contoso.example","RecipientTypeDetails":"UserMailbox",
        "Guid":"5d2f0000-0000-4000-8000-00000000000a","ExternalDirectoryObjectId":"5d2f0000-0000-4000-8000-00000000000b",
        "OrganizationalUnit":"eurpr01a001.prod.outlook.com/Microsoft Exchange Hosted Organizations/contoso.onmicrosoft.example",
        "LegacyExchangeDN":"/o=ExchangeLabs/cn=lena","Department":"Sales"}"#;
    for files in [
        [("a.json", there), ("b.json", here)],
        [("a.json", here), ("b.json", there)],
    ] {
        let imported = of_texts(&files);
        assert_eq!(imported.objects.len(), 1);
        let lena = one(&imported, "lena@contoso.example");
        assert_eq!(lena.kind, RecipientKind::RemoteUserMailbox);
        assert_eq!(lena.location, Location::Cloud);
        assert_eq!(lena.legacy_dn.as_deref(), Some("/o=Contoso/cn=lena"));
        assert_eq!(lena.proxies.len(), 1, "the cloud's legacyExchangeDN answers as well");
        assert_eq!(lena.value(Attribute::Department).to_string(), "Sales");
    }
    // Two objects of one directory with one address stay two, and that is told.
    let twin = here.replace("00000001", "00000007").replace("\"lena\"", "\"lena7\"");
    let imported = of_texts(&[("a.json", &format!("[{here},{twin}]"))]);
    assert_eq!(imported.objects.len(), 2);
    assert!(told(&imported, Code::DuplicateAddress)[0].contains("lena@contoso.example"));
}

const TAIL: &str = " -and (-not(Name -like 'SystemMailbox{*')) -and (-not(Name -like 'CAS_{*')) \
    -and (-not(RecipientTypeDetailsValue -eq 'MailboxPlan')) -and (-not(RecipientTypeDetailsValue -eq 'DiscoveryMailbox')) \
    -and (-not(RecipientTypeDetailsValue -eq 'PublicFolderMailbox')) -and (-not(RecipientTypeDetailsValue -eq 'ArbitrationMailbox'))";

fn dynamic(more: &str) -> Imported {
    let group = format!(
        r#"{{"DisplayName":"D","Alias":"d","PrimarySmtpAddress":"d@contoso.example","RecipientTypeDetails":"DynamicDistributionGroup",{more}}}"#
    );
    let remote = LENA
        .replace("lena", "remo")
        .replace("Lena", "Remo")
        .replace("UserMailbox", "RemoteUserMailbox")
        .replace("00000001", "00000004");
    of_texts(&[("a.json", &format!("[{LENA},{remote},{group}]"))])
}

#[test]
fn rules_of_dynamic_groups() {
    use Outcome::{Converted, ConvertedWithNotes, NotConverted};
    let twice = format!("((Alias -like 'len*'){TAIL}){TAIL}");
    let guests = format!(
        "((Alias -like 'len*'){TAIL} -and (-not(RecipientTypeDetailsValue -eq 'AuditLogMailbox')) -and \
         (-not(RecipientTypeDetailsValue -eq 'AuxAuditLogMailbox')) -and (-not(RecipientTypeDetailsValue -eq \
         'SupervisoryReviewPolicyMailbox')) -and (-not(RecipientTypeDetailsValue -eq 'GuestMailUser')))"
    );
    for (filter, outcome, written, members, tails) in [
        (
            "Alias -like 'len*'".to_owned(),
            Converted,
            "Alias -like 'len*'",
            Some(1),
            0,
        ),
        (
            format!("((Alias -like 'len*'){TAIL})"),
            Converted,
            "(Alias -like 'len*')",
            Some(1),
            1,
        ),
        (twice, Converted, "(Alias -like 'len*')", Some(1), 2),
        (
            guests,
            Converted,
            "((Alias -like 'len*') -and (-not(RecipientTypeDetails -eq 'GuestMailUser')))",
            Some(1),
            1,
        ),
        (
            "RecipientType -eq 'UserMailbox'".to_owned(),
            ConvertedWithNotes,
            "RecipientType -eq 'UserMailbox'",
            Some(1),
            0,
        ),
        (
            "Office -eq 'Nowhere'".to_owned(),
            ConvertedWithNotes,
            "Office -eq 'Nowhere'",
            Some(0),
            0,
        ),
        (
            "Office -eq Berlin".to_owned(),
            NotConverted,
            "Office -eq Berlin",
            None,
            0,
        ),
        (
            "ThrottlingPolicy -ne $null".to_owned(),
            NotConverted,
            "ThrottlingPolicy -ne $null",
            None,
            0,
        ),
    ] {
        let imported = dynamic(&format!("\"RecipientFilter\":\"{filter}\""));
        let row = &imported.report.dynamic_groups[0];
        assert_eq!(
            (row.outcome, row.filter.as_str(), row.members, row.tails.len()),
            (outcome, written, members, tails),
            "{filter}: {row:#?}"
        );
        assert_eq!(row.original, filter);
        assert_eq!(imported.report.has_problems(), outcome == NotConverted, "{filter}");
    }
    let imported = dynamic(r#""RecipientFilter":"Office -eq Berlin""#);
    let told_all = told(&imported, Code::FilterRefused);
    assert!(told_all[0].contains("line 1, column 12"), "{told_all:?}");
    assert!(
        told_all[0].contains("Office -eq Berlin\n"),
        "the caret's line: {told_all:?}"
    );
    let both = dynamic(r#""RecipientFilter":"RecipientType -eq 'UserMailbox'""#);
    let row = &both.report.dynamic_groups[0];
    assert_eq!((row.members, row.members_with_remote), (Some(1), Some(2)));
    assert!(told(&both, Code::LocalMailboxesOnly)[0].contains("remote_mailboxes_match_user_mailbox = true"));
}

#[test]
fn precanned_conditions_are_carried_as_conditions() {
    let stored = format!("(((Department -eq 'Sales') -and (((RecipientType -eq 'UserMailbox'))))){TAIL}");
    let imported = dynamic(&format!(
        r#""RecipientFilter":"{stored}","RecipientFilterType":"Precanned","IncludedRecipients":"MailboxUsers","ConditionalDepartment":["Sales"]"#
    ));
    let rule = |imported: &Imported| {
        let settings = one(imported, "d@contoso.example").group.clone().expect("a group");
        settings.rule.expect("a rule")
    };
    match rule(&imported).condition {
        RuleCondition::Precanned(precanned) => {
            assert_eq!(precanned.included, [IncludedRecipients::MailboxUsers]);
            assert_eq!(precanned.department, ["Sales"]);
        }
        other => panic!("{other:?}"),
    }
    let differs = dynamic(
        r#""RecipientFilter":"Department -eq 'Other'","IncludedRecipients":1,"ConditionalDepartment":["Sales"]"#,
    );
    assert!(matches!(rule(&differs).condition, RuleCondition::Custom { .. }));
    assert_eq!(told(&differs, Code::PrecannedDiffers).len(), 1);
    let numbers = dynamic(r#""IncludedRecipients":20,"ConditionalCustomAttribute3":"x""#);
    match rule(&numbers).condition {
        RuleCondition::Precanned(precanned) => {
            assert_eq!(
                precanned.included,
                [IncludedRecipients::MailContacts, IncludedRecipients::MailUsers]
            );
            assert_eq!(precanned.custom_attributes[0].number, 3);
        }
        other => panic!("{other:?}"),
    }
    let nothing = dynamic("\"Notes\":\"x\"");
    assert_eq!(told(&nothing, Code::FilterRefused).len(), 1);
}

#[test]
fn groups_with_an_ldap_filter_only_keep_it() {
    let text = "dn: CN=D,OU=Groups,DC=contoso,DC=example\nobjectClass: msExchDynamicDistributionList\ndisplayName: D\nmailNickname: d\n\
        proxyAddresses: SMTP:d@contoso.example\nmsExchDynamicDLFilter: (&(mailNickname=len*)(objectCategory=person))\n\
        msExchDynamicDLBaseDN: DC=contoso,DC=example\n";
    let imported = of_texts(&[("a.json", LENA), ("d.ldf", text)]);
    let settings = one(&imported, "d@contoso.example").group.clone().expect("a group");
    let rule = settings.rule.expect("a rule");
    assert!(
        matches!(
            &rule.condition,
            RuleCondition::Custom {
                language: FilterLanguage::Ldap,
                ..
            }
        ),
        "{rule:?}"
    );
    assert_eq!(
        imported.report.dynamic_groups[0].members,
        Some(1),
        "{:#?}",
        imported.report
    );
}

proptest::proptest! {
    #[test]
    fn readers_never_panic(text in "(dn: |\\{|\\[|<Objs>|<Obj>|<S N=\"|a,b\n|\"|:: |;range=0-|[ -~äß\n]){0,24}") {
        let _ = detect::read(text.as_bytes());
        let imported = of_texts(&[("a", &text)]);
        proptest::prop_assert!(imported.objects.len() <= 64);
    }
}
