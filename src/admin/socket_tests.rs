//! The socket as other programs meet it: permissions, bad requests, a living owner, a dead one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::client::{ClientFault, ask};
use super::socket::AdminSocket;
use super::testing::Sample;
use super::{Answer, Command, RefusalKind};
use crate::limits;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn serve(runtime: &Runtime, path: &Path) -> tokio::task::JoinHandle<()> {
    let socket = runtime.block_on(AdminSocket::bind(path)).expect("bound");
    runtime.spawn(socket.serve(Arc::new(Sample)))
}

#[test]
fn one_line_is_answered_by_one_line() {
    let (directory, runtime) = (tempfile::tempdir().expect("a directory"), runtime());
    let path = directory.path().join("muster.sock");
    serve(&runtime, &path);
    let mode = std::fs::metadata(&path).expect("it exists").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);

    let stream = UnixStream::connect(&path).expect("connected");
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut stream = stream;
    let mut say = |line: &str| {
        stream.write_all(line.as_bytes()).expect("written");
        let mut answer = String::new();
        reader.read_line(&mut answer).expect("answered");
        answer
    };
    let status = say("{\"version\":1,\"command\":{\"name\":\"status\"}}\n");
    assert!(
        status.starts_with("{\"version\":1,\"answer\":{\"name\":\"status\",\"content\":{"),
        "{status}"
    );
    for (line, told) in [
        (
            "{\"version\":2,\"command\":{\"name\":\"status\"}}\n",
            "speaks version 1",
        ),
        (
            "{\"version\":1,\"command\":{\"name\":\"explode\"}}\n",
            "unknown variant",
        ),
        (
            "{\"version\":1,\"command\":{\"name\":\"group_show\",\"grup\":\"x\"}}\n",
            "grup",
        ),
        ("HELO\n", "not understood"),
        ("\n", "not understood"),
    ] {
        let answer = say(line);
        assert!(
            answer.contains("\"kind\":\"usage\"") && answer.contains(told),
            "{line}: {answer}"
        );
    }
    let status = say("{\"version\":1,\"command\":{\"name\":\"status\"}}\n");
    assert!(
        status.contains("\"answer\""),
        "a bad request does not end the connection: {status}"
    );
}

#[test]
fn a_line_without_end_ends_the_connection() {
    let (directory, runtime) = (tempfile::tempdir().expect("a directory"), runtime());
    let path = directory.path().join("muster.sock");
    serve(&runtime, &path);
    let mut stream = UnixStream::connect(&path).expect("connected");
    stream
        .write_all(&vec![b'x'; limits::ADMIN_REQUEST_OCTETS_MAX + 1])
        .expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered and closed");
    assert!(answer.contains("one line of at most"), "{answer}");
}

#[test]
fn a_living_service_keeps_its_socket_and_a_dead_one_does_not() {
    let (directory, runtime) = (tempfile::tempdir().expect("a directory"), runtime());
    let path = directory.path().join("muster.sock");
    let living = serve(&runtime, &path);
    let fault = runtime.block_on(AdminSocket::bind(&path)).expect_err("taken");
    assert_eq!(fault.kind(), std::io::ErrorKind::AddrInUse);
    assert!(
        matches!(ask(&path, &Command::Status), Ok(Answer::Status(_))),
        "it still answers"
    );

    living.abort();
    assert!(runtime.block_on(living).is_err_and(|end| end.is_cancelled()));
    assert!(!path.exists(), "an orderly end removes the file");
    // What a killed service leaves: a file that nobody listens to.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    assert!(matches!(
        ask(&path, &Command::Status),
        Err(ClientFault::Unreachable { .. })
    ));
    serve(&runtime, &path);
    assert!(matches!(ask(&path, &Command::Status), Ok(Answer::Status(_))));
}

#[test]
fn refusals_keep_their_kind() {
    let (directory, runtime) = (tempfile::tempdir().expect("a directory"), runtime());
    let path = directory.path().join("muster.sock");
    serve(&runtime, &path);
    let group = "nobody@contoso.example".to_owned();
    match ask(&path, &Command::GroupShow { group }) {
        Err(ClientFault::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::NotFound),
        other => panic!("{other:?}"),
    }
    let group = "x".repeat(limits::ADMIN_REQUEST_OCTETS_MAX);
    match ask(&path, &Command::GroupShow { group }) {
        Err(ClientFault::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::Usage),
        other => panic!("{other:?}"),
    }
}
