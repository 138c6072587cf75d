//! §8 limits: the protection against storms of replies to all, as Exchange Online has it.

use crate::support::{Organisation, World};
use crate::table::{Door, Source, ask, begins, differs, drained, same, verify};

const LENA: &str = "lena@contoso.example";
const BRAKED: &str = "450 4.7.28";

/// Two replies to all came on the thread `<root@contoso.example>` to each group; this is the next message.
#[test]
fn storms_of_replies_to_all() {
    let people: Vec<String> = (0..6).map(|number| format!("p{number}")).collect();
    let members: Vec<&str> = people.iter().map(String::as_str).collect();
    let mut organisation = Organisation::new();
    organisation.on_premises("lena").on_premises("boss");
    people.iter().for_each(|name| {
        organisation.on_premises(name);
    });
    let owned = "managed_by = [\"boss@contoso.example\"]";
    organisation
        .group("large", &members, owned)
        .group("small", &members[..4], owned)
        .group("around", &["small", "p4", "p5"], owned);
    let settings = "[storm]\naction = \"defer\"\nmembers = 5\nreplies = 2\n";
    let mut world = World::of(&organisation).more(settings);
    world.start();
    let content = |number: usize, answers: &str| {
        format!(
            "From: <{LENA}>\r\nTo: <large@contoso.example>\r\nSubject: RE: party\r\nMessage-ID: <m{number}@contoso.example>\r\n{answers}\r\nHello.\r\n"
        )
    };
    let of_thread = "References: <root@contoso.example>\r\n";
    for (index, group) in ["large", "small", "around"].into_iter().enumerate() {
        for number in 0..2 {
            let reply = content(10 * index + number, of_thread);
            let reply = ask(&world, Door::Inside, LENA, &format!("{group}@contoso.example"), &reply);
            assert!(reply.starts_with("250"), "{reply}");
        }
    }
    let deep = "In-Reply-To: <m1@contoso.example>\r\n";
    let rows: [(Source, &str, &str, &str, &str); 8] = [
        (
            differs(
                "§8 reply-all storm: further replies on the thread get an NDR",
                "450, so that what is sent in the last minute of the brake is not lost; or a hold, which is the default",
            ),
            "large",
            LENA,
            of_thread,
            BRAKED,
        ),
        (
            same("§8 the thread is known by its fields: a reply to a reply belongs to it"),
            "large",
            LENA,
            deep,
            BRAKED,
        ),
        (
            same("§8 another thread to the same group is not blocked"),
            "large",
            LENA,
            "References: <other@contoso.example>\r\n",
            "250",
        ),
        (
            same("§8 a new message with the same subject is not blocked"),
            "large",
            LENA,
            "",
            "250",
        ),
        (
            same("§8 a reply to one person only is not blocked"),
            "lena",
            LENA,
            of_thread,
            "250",
        ),
        (
            same("§8 conversations of fewer recipients are not watched"),
            "small",
            LENA,
            of_thread,
            "250",
        ),
        (
            same("§8 recipients are counted after expansion"),
            "around",
            LENA,
            of_thread,
            BRAKED,
        ),
        (
            differs(
                "§8 everybody is blocked",
                "moderators and owners of the group are not: somebody must be able to ask for an end",
            ),
            "large",
            "boss@contoso.example",
            of_thread,
            "250",
        ),
    ];
    verify(
        rows.into_iter()
            .enumerate()
            .map(|(index, (source, to, from, answers, expected))| {
                let content = content(100 + index, answers);
                let reply = ask(&world, Door::Inside, from, &format!("{to}@contoso.example"), &content);
                (source, format!("{answers:?} to {to}"), begins(&reply, expected))
            }),
    );
    drained(&world);
}
