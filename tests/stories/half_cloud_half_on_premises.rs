//! Half the members in the cloud, half on premises: each next hop gets one copy with its own people.

use crate::support::{Organisation, World, message};

#[test]
fn half_cloud_half_on_premises() {
    let mut organisation = Organisation::new();
    let names: Vec<String> = (0..40).map(|number| format!("p{number:02}")).collect();
    for (index, name) in names.iter().enumerate() {
        if index % 2 == 0 {
            organisation.cloud(name);
        } else {
            organisation.on_premises(name);
        }
    }
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    organisation.group("all", &members, "");
    let world = World::start_with(&organisation);
    let mail = message("x@outside.example", "all", "both");
    world
        .stranger()
        .send("x@outside.example", &["all@contoso.example"], &mail);
    let cloud = world.cloud.wait_recipients(20);
    let onprem = world.onprem.wait_recipients(20);
    assert_eq!((cloud.len(), onprem.len()), (1, 1), "one copy per next hop");
    assert!(
        cloud[0]
            .recipients
            .iter()
            .all(|to| to.ends_with("@contoso.mail.onmicrosoft.example"))
    );
    assert!(onprem[0].recipients.iter().all(|to| to.ends_with("@contoso.example")));
    assert!(
        cloud[0].content.ends_with(&mail),
        "the message leaves as it came:\n{}",
        cloud[0].content
    );
}
