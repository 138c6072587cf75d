//! A content filter decides at the end of data: it marks, refuses, discards or has mail quarantined; what it says is
//! tracked, and the body is left as it came.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::support::{Organisation, World, message};

/// A milter that looks at subjects.
fn milter() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || drop(serve(stream)));
        }
    });
    address
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut subject = String::new();
    let say = |stream: &mut TcpStream, letter: u8, content: &[u8]| {
        let mut packet = (content.len() as u32 + 1).to_be_bytes().to_vec();
        packet.push(letter);
        packet.extend_from_slice(content);
        stream.write_all(&packet)
    };
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut packet = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut packet)?;
        match packet[0] {
            b'O' => say(&mut stream, b'O', &[0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0, 0, 0])?,
            b'D' => {}
            b'Q' => return Ok(()),
            b'L' => {
                let text = String::from_utf8_lossy(&packet[1..]).into_owned();
                if let Some(value) = text.strip_prefix("Subject\0") {
                    subject = value.trim_end_matches('\0').to_owned();
                }
                say(&mut stream, b'c', &[])?;
            }
            b'E' => match subject.as_str() {
                "virus" => say(&mut stream, b'y', b"554 5.7.1 a virus was found\0")?,
                "later" => say(&mut stream, b't', &[])?,
                "nothing" => say(&mut stream, b'd', &[])?,
                "odd" => {
                    say(&mut stream, b'q', b"odd\0")?;
                    say(&mut stream, b'c', &[])?;
                }
                _ => {
                    say(&mut stream, b'h', b"X-Filtered\0clean\0")?;
                    say(&mut stream, b'c', &[])?;
                }
            },
            _ => say(&mut stream, b'c', &[])?,
        }
    }
}

#[test]
fn content_filters_decide_before_the_pass() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("mia")
        .on_premises("guard")
        .group("all", &["mia"], "");
    let filter = format!(
        "\n[[filters]]\nname = \"eye\"\nkind = \"milter\"\naddress = \"{}\"\nlisteners = \"inbound\"\n",
        milter()
    );
    let mut world = World::of(&organisation)
        .policy("quarantine_moderators = [\"guard@contoso.example\"]")
        .more(&filter);
    world.start();
    let send = |subject: &str| {
        let mail = message("x@outside.example", "all", subject);
        let mut replies = world
            .stranger()
            .send("x@outside.example", &["all@contoso.example"], &mail);
        (replies.pop().expect("a reply to the dot"), mail)
    };
    let (reply, mail) = send("clean");
    assert!(reply.starts_with("250"), "{reply}");
    let copy = world.onprem.wait_recipients(1)[0].clone();
    assert!(
        copy.content.starts_with("X-Filtered: clean\r\nReceived: "),
        "{}",
        copy.content
    );
    assert!(copy.content.ends_with(&mail), "what the sender wrote is as it came");

    assert_eq!(send("virus").0, "554 5.7.1 a virus was found");
    assert!(send("later").0.starts_with("451 4.7.1"));
    let (taken, _) = send("nothing");
    assert!(taken.starts_with("250"), "{taken}");
    world.until("the discarded message to be tracked", || {
        let traced = world.json(&["trace", "--from", "x@outside.example", "--subject", "nothing"]);
        traced.to_string().contains("content-discarded")
    });

    // Held for whoever decides about quarantined mail; nobody gets it meanwhile.
    let (held, _) = send("odd");
    assert!(held.starts_with("250"), "{held}");
    world.until("the hold", || {
        world.json(&["moderate", "list"]).as_array().map(Vec::len) == Some(1)
    });
    let hold = world.json(&["moderate", "list"])[0].clone();
    let released = world.command(&[
        "moderate",
        "approve",
        "--as",
        "guard@contoso.example",
        hold["id"].as_str().expect("an id"),
    ]);
    assert!(released.status.success(), "{released:?}");
    world.onprem.wait_copy("the released message", |copy| {
        copy.recipients == ["mia@contoso.example"] && copy.content.contains("Subject: odd")
    });
    // The relay listener is not filtered.
    let mail = message("mia@contoso.example", "all", "virus");
    let replies = world
        .colleague()
        .send("mia@contoso.example", &["all@contoso.example"], &mail);
    assert!(
        replies.last().is_some_and(|reply| reply.starts_with("250")),
        "{replies:?}"
    );
}
