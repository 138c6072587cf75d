//! Story 2: side by side with Exchange, its log compared, then group by group over to us, and back.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::support::{Organisation, World, message};

const HEADER: &str = "#Software: Microsoft Exchange Server\r\n#Version: 15.01.2375.007\r\n\
    #Log-type: Message Tracking Log\r\n#Date: 2026-11-10T00:00:00.000Z\r\n#Fields: date-time,client-ip,client-hostname,\
    server-ip,server-hostname,source-context,connector-id,source,event-id,internal-message-id,message-id,\
    network-message-id,recipient-address,recipient-status,total-bytes,recipient-count,related-recipient-address,\
    reference,message-subject,sender-address,return-path,message-info,directionality,tenant-id,original-client-ip,\
    original-server-ip,custom-data,transport-traffic-type,log-id,schema-version\r\n";

fn organisation(department: &str) -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena")
        .cloud("jonas")
        .recipient(
            "anna",
            "RemoteUserMailbox",
            &format!(
                "external_email_address = \"anna@contoso.mail.onmicrosoft.example\"\ndepartment = \"{department}\""
            ),
        )
        .group("all-berlin", &["lena", "jonas"], "")
        .dynamic("sales", "Department -eq 'Sales'", "")
        .group("odd", &["lena"], "");
    organisation
}

/// A line of the log: at `at` the message `id` reached `people` through `group`.
fn expand(at: Timestamp, id: &str, group: &str, people: &str) -> String {
    format!(
        "{at:.3},,,,EX16,,,ROUTING,EXPAND,6471,<{id}@contoso.example>,13fad5b7-39c5-46e7-130e-08d4a138ac67,\
         {people},250 2.1.5,4711,2,{group}@contoso.example,,\"Plan, second\",hr@contoso.example,hr@contoso.example,,\
         Originating,,,,,Email,x,15\r\n"
    )
}

fn log(world: &World, lines: &[String]) -> PathBuf {
    let folder = world.organisation_path().with_file_name("tracking");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(
        folder.join("MSGTRK2026111008-1.LOG"),
        format!("{HEADER}{}", lines.concat()),
    )
    .expect("a log");
    folder
}

fn send(world: &World, group: &str, subject: &str) {
    world.stranger().send(
        "x@outside.example",
        &[&format!("{group}@contoso.example")],
        &message("x@outside.example", group, subject),
    );
}

fn members(world: &World, group: &str) -> usize {
    world.json(&["group", "members", group])["members"]
        .as_array()
        .map_or(0, Vec::len)
}

#[test]
fn groups_move_over_one_by_one() {
    let mut world = World::of(&organisation("Sales ")).routing("side_by_side = \"onprem\"");
    world.start();
    let message_at = Timestamp::now();
    organisation("Sales").write(&world.organisation_path());
    world.until("Anna to be in the list", || {
        members(&world, "sales@contoso.example") == 1
    });
    let lena_and_jonas = "lena@contoso.example;jonas@contoso.example";
    let folder = log(
        &world,
        &[
            expand(message_at, "1", "all-berlin", lena_and_jonas),
            expand(message_at, "2", "sales", "anna@contoso.example"),
            expand(message_at, "3", "odd", lena_and_jonas),
        ],
    );
    let folder = folder.to_str().expect("a path in UTF-8");
    let compare = ["compare", "--with", "exchange-log", folder, "--days", "14"];

    let output = world.command(&compare);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("Department was \"Sales \" (blank at the end) until "),
        "{text}"
    );
    assert!(text.ends_with("3 groups in 1 file: 1 the same, 2 differ\n"), "{text}");
    let compared = world.json(&compare);
    let of = |name: &str| {
        let groups = compared["groups"].as_array().cloned().unwrap_or_default();
        let found = groups
            .into_iter()
            .find(|group| group["group"] == format!("{name}@contoso.example"));
        found.unwrap_or_else(|| panic!("no {name} in {compared}"))
    };
    assert_eq!(
        (of("all-berlin")["agrees"].clone(), of("all-berlin")["same"].clone()),
        (true.into(), 1.into())
    );
    let anna = of("sales")["only_exchange"][0].clone();
    assert_eq!(anna["address"], "anna@contoso.example");
    assert_eq!(
        (anna["attribute"].clone(), anna["before"].clone()),
        ("Department".into(), "Sales ".into())
    );
    assert!(
        anna["at"]
            .as_str()
            .is_some_and(|at| at.parse::<Timestamp>().is_ok_and(|at| at > message_at)),
        "{anna}"
    );
    assert_eq!(of("sales")["unexplained"], 0);
    assert_eq!(of("odd")["only_exchange"][0]["cause"], "unexplained");

    // Not cut over: one copy of the group itself, to Exchange.
    send(&world, "all-berlin", "before");
    world.onprem.wait_recipients(1);
    assert_eq!(world.onprem.recipients(), ["all-berlin@contoso.example"]);
    let explained = world.json(&[
        "explain",
        "--from",
        "x@outside.example",
        "--to",
        "all-berlin@contoso.example",
    ]);
    assert_eq!(
        explained["verdicts"][0]["next_hops"],
        serde_json::json!({"onprem": 1}),
        "{explained}"
    );

    let done = world.command(&["group", "cutover", "all-berlin@contoso.example"]);
    assert!(done.status.success(), "{done:?}");
    send(&world, "all-berlin", "after");
    world.cloud.wait_recipients(2);

    // A difference that something on record explains is no obstacle; one that nothing explains is.
    assert!(
        world
            .command(&["group", "cutover", "sales@contoso.example"])
            .status
            .success()
    );
    let refused = world.command(&["group", "cutover", "odd@contoso.example"]);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("without a cause for 1 person"),
        "{refused:?}"
    );
    let accepted = [
        "group",
        "cutover",
        "odd@contoso.example",
        "--accept-difference",
        "--reason",
        "he left",
    ];
    assert_eq!(world.json(&accepted)["changed"], true);

    // A switch survives a restart and can be taken back.
    world.stop();
    world.start();
    send(&world, "odd", "restarted");
    world.cloud.wait_recipients(3);
    assert!(
        world
            .command(&["group", "cutover", "odd@contoso.example", "--undo"])
            .status
            .success()
    );
    send(&world, "odd", "undone");
    world.onprem.wait_recipients(2);
    assert_eq!(
        world.onprem.recipients().last().map(String::as_str),
        Some("odd@contoso.example")
    );
    assert_eq!(world.cloud.recipients().len(), 3);
}
