//! Send As in every form in which it is exported.

use jiff::Timestamp;

use super::import::{Imported, InputFile, Silent, import};
use super::report::Code;
use crate::directory::attribute::Attribute;
use crate::directory::delivery::Reference;
use crate::directory::recipient::SourceId;

const PEOPLE: &str = r#"[
    {"DisplayName":"Lena Vogt","Name":"Lena Vogt","Alias":"lena","PrimarySmtpAddress":"lena@contoso.example",
     "SamAccountName":"lvogt","RecipientTypeDetails":"UserMailbox","Identity":"contoso.example/Users/Lena Vogt",
     "DistinguishedName":"CN=Lena Vogt,OU=Users,DC=contoso,DC=example","Guid":"5d2f0000-0000-4000-8000-000000000001"},
    {"DisplayName":"Jonas Roth","Name":"Jonas Roth","Alias":"jonas","PrimarySmtpAddress":"jonas@contoso.example",
     "SamAccountName":"jroth","RecipientTypeDetails":"UserMailbox","Guid":"5d2f0000-0000-4000-8000-000000000002",
     "DistinguishedName":"CN=Jonas Roth,OU=Users,DC=contoso,DC=example"},
    {"DisplayName":"Sales","Name":"Sales","Alias":"sales","PrimarySmtpAddress":"sales@contoso.example",
     "RecipientTypeDetails":"MailUniversalDistributionGroup","Guid":"5d2f0000-0000-4000-8000-000000000003",
     "Identity":"contoso.example/Groups/Sales","GrantSendOnBehalfTo":["contoso.example/Users/Lena Vogt"]}]"#;

fn with(name: &str, permissions: &str) -> Imported {
    let file = |name: &str, text: &str| InputFile {
        name: name.to_owned(),
        octets: text.as_bytes().to_vec(),
    };
    // The order of files does not matter.
    let files = [file(name, permissions), file("recipients.json", PEOPLE)];
    import(&files, &SourceId::new("exchange"), Timestamp::UNIX_EPOCH, &Silent)
}

fn send_as(imported: &Imported, address: &str) -> Vec<String> {
    let object = imported
        .objects
        .iter()
        .find(|object| object.primary.as_str() == address);
    let object = object.unwrap_or_else(|| panic!("{address} in {:#?}", imported.report.findings));
    let delivery = object.delivery.as_deref();
    let list = delivery.map(|delivery| delivery.send_as.as_slice()).unwrap_or_default();
    list.iter()
        .map(|reference| Reference::as_str(reference).to_owned())
        .collect()
}

#[test]
fn every_form_of_the_export_is_read() {
    for (name, permissions) in [
        (
            "send-as.json",
            r#"[{"Identity":"Sales","Trustee":"jonas@contoso.example","AccessControlType":"Allow","AccessRights":["SendAs"],
                 "IsInherited":false},
                {"Identity":"Sales","Trustee":"NT AUTHORITY\\SELF","AccessControlType":"Allow","AccessRights":["SendAs"]}]"#,
        ),
        (
            "send-as.csv",
            "\"Identity\",\"Trustee\",\"AccessControlType\",\"AccessRights\"\r\n\
             \"Sales\",\"jonas@contoso.example\",\"Allow\",\"{SendAs}\"\r\n",
        ),
        (
            "ad-permission.csv",
            "\"Identity\",\"User\",\"Deny\",\"IsInherited\",\"AccessRights\",\"ExtendedRights\"\r\n\
             \"contoso.example/Groups/Sales\",\"CONTOSO\\jroth\",\"False\",\"False\",\"ExtendedRight\",\"{Send-As}\"\r\n\
             \"contoso.example/Groups/Sales\",\"CONTOSO\\lvogt\",\"False\",\"False\",\"ReadProperty\",\"\"\r\n\
             \"contoso.example/Groups/Sales\",\"S-1-5-21-1-2-3-4\",\"False\",\"False\",\"ExtendedRight\",\"{Send-As}\"\r\n",
        ),
        (
            "send-as.xml",
            r#"<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0"><Props>
               <S N="Identity">Sales</S><S N="Trustee">Jonas Roth</S>
               <Obj N="AccessControlType" RefId="1"><ToString>Allow</ToString><I32>0</I32></Obj>
               <Obj N="AccessRights" RefId="2"><LST><Obj RefId="3"><ToString>SendAs</ToString><I32>1</I32></Obj></LST></Obj>
               </Props></Obj></Objs>"#,
        ),
    ] {
        let imported = with(name, permissions);
        assert_eq!(
            send_as(&imported, "sales@contoso.example"),
            ["jonas@contoso.example"],
            "{name}"
        );
        assert_eq!(imported.objects.len(), 3, "{name}: rows are no recipients");
        assert_eq!(imported.report.of(Code::UnresolvedReference).count(), 0, "{name}");
    }
}

#[test]
fn a_denial_wins_and_unknown_names_are_told() {
    let imported = with(
        "send-as.csv",
        "Identity,Trustee,AccessControlType,AccessRights\r\n\
         Sales,jonas@contoso.example,Allow,SendAs\r\n\
         Sales,Jonas Roth,Deny,SendAs\r\n\
         Sales,lena@contoso.example,Allow,SendAs\r\n\
         Nobody,lena@contoso.example,Allow,SendAs\r\n",
    );
    assert_eq!(send_as(&imported, "sales@contoso.example"), ["lena@contoso.example"]);
    let told: Vec<String> = imported
        .report
        .of(Code::UnresolvedReference)
        .map(ToString::to_string)
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("`Nobody` is no recipient of these files; 1 permissions"),
        "{told:?}"
    );
}

#[test]
fn on_behalf_is_read_with_the_object() {
    let imported = with("send-as.csv", "Identity,Trustee,AccessRights\r\n");
    let sales = imported
        .objects
        .iter()
        .find(|object| object.primary.as_str() == "sales@contoso.example");
    let list = crate::policy::author::on_behalf(sales.expect("there"));
    assert_eq!(list.len(), 1);
    assert_eq!(
        list[0].as_str().to_lowercase(),
        "cn=lena vogt,ou=users,dc=contoso,dc=example"
    );
    assert!(
        sales
            .expect("there")
            .attributes
            .get(Attribute::GrantSendOnBehalfTo)
            .is_some()
    );
}
