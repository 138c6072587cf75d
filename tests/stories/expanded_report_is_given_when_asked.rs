//! RFC 3461 §5.2.7: a group asked for success gives one `expanded` report, and its copies ask for none.

use crate::support::{Organisation, World, message};

#[test]
fn an_expanded_report_is_given_when_asked() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("hr")
        .cloud("lena")
        .cloud("jonas")
        .group("team", &["lena", "jonas"], "");
    let world = World::start_with(&organisation);
    let mut client = world.colleague();
    assert!(
        client
            .command("MAIL FROM:<hr@contoso.example> RET=HDRS ENVID=qq+3D314")
            .starts_with("250 ")
    );
    let rcpt = "RCPT TO:<team@contoso.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;team@contoso.example";
    assert!(client.command(rcpt).starts_with("250 "));
    assert!(
        client
            .content(&message("hr@contoso.example", "team", "asked"))
            .starts_with("250 ")
    );
    let report = world
        .onprem
        .wait_copy("the report", |copy| copy.reverse_path.is_empty());
    for field in [
        "Action: expanded",
        "Final-Recipient: rfc822; team@contoso.example",
        "Original-Envelope-Id: qq=314",
    ] {
        assert!(report.content.contains(field), "{field} in\n{}", report.content);
    }
    let copies = world.cloud.wait_recipients(2);
    assert!(copies[0].mail_parameters.contains("ENVID=qq+3D314"), "{:?}", copies[0]);
    for parameters in &copies[0].recipient_parameters {
        assert!(
            parameters.contains("NOTIFY=FAILURE") && !parameters.contains("SUCCESS"),
            "{parameters}"
        );
    }
}
