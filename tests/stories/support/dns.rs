//! A name server on loopback that answers as told and counts what it is asked.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, PTR, SOA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record};

/// What is answered about a name.
#[derive(Clone)]
enum Answer {
    Records(Vec<RData>),
    Silence,
    Failure,
}

#[derive(Default)]
struct State {
    answers: Mutex<HashMap<String, Answer>>,
    asked: Mutex<Vec<String>>,
}

/// The name server. Names it was not told of do not exist. Answers may not be kept: each is asked for anew.
pub struct NameServer {
    address: SocketAddr,
    state: Arc<State>,
}

impl NameServer {
    /// Starts on a free port.
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("bound");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || serve(&socket, &shared));
        Self { address, state }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The table of the settings that names it.
    pub fn settings(&self) -> String {
        format!("\n[dns]\nservers = [\"{}\"]\n", self.address)
    }

    /// A TXT record.
    pub fn text(&self, name: &str, text: &str) -> &Self {
        // RFC 1035 §3.3.14: strings of at most 255 octets.
        let strings = text.as_bytes().chunks(255).collect();
        self.set(name, Answer::Records(vec![RData::TXT(TXT::from_bytes(strings))]))
    }

    /// An address.
    pub fn host(&self, name: &str, address: Ipv4Addr) -> &Self {
        self.set(name, Answer::Records(vec![RData::A(A(address))]))
    }

    /// The name of an address.
    pub fn pointer(&self, address: IpAddr, name: &str) -> &Self {
        let at = Name::from(address).to_ascii();
        let name = Name::from_ascii(name).expect("a name");
        self.set(at.trim_end_matches('.'), Answer::Records(vec![RData::PTR(PTR(name))]))
    }

    /// Nothing is ever answered about this name.
    pub fn silent(&self, name: &str) -> &Self {
        self.set(name, Answer::Silence)
    }

    /// SERVFAIL.
    pub fn failing(&self, name: &str) -> &Self {
        self.set(name, Answer::Failure)
    }

    /// Names that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.state.asked.lock().expect("no panic under the lock").clone()
    }

    fn set(&self, name: &str, answer: Answer) -> &Self {
        let mut answers = self.state.answers.lock().expect("no panic under the lock");
        let name = name.to_ascii_lowercase();
        match (answers.get_mut(&name), answer) {
            // Another kind of record beside those there are; one of the same kind takes its place.
            (Some(Answer::Records(there)), Answer::Records(new)) => {
                there.retain(|data| new.iter().all(|new| new.record_type() != data.record_type()));
                there.extend(new);
            }
            (_, answer) => {
                answers.insert(name, answer);
            }
        }
        self
    }
}

fn serve(socket: &UdpSocket, state: &State) {
    let mut buffer = vec![0; 4_096];
    while let Ok((count, from)) = socket.recv_from(&mut buffer) {
        let Ok(question) = Message::from_vec(&buffer[..count]) else {
            continue;
        };
        if let Some(reply) = answer(&question, state) {
            let octets = reply.to_vec().expect("a message that can be written");
            // A client that has given up is no concern of ours.
            let _ = socket.send_to(&octets, from);
        }
    }
}

fn answer(question: &Message, state: &State) -> Option<Message> {
    let query = question.queries.first()?.clone();
    let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let found = state
        .answers
        .lock()
        .expect("no panic under the lock")
        .get(&name)
        .cloned();
    state.asked.lock().expect("no panic under the lock").push(name);
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.add_query(query.clone());
    match found {
        Some(Answer::Silence) => return None,
        Some(Answer::Failure) => reply.metadata.response_code = ResponseCode::ServFail,
        Some(Answer::Records(records)) => {
            let mut fitting = records
                .into_iter()
                .filter(|data| data.record_type() == query.query_type());
            match fitting.next() {
                Some(data) => reply.add_answers([Record::from_rdata(query.name().clone(), 0, data)]),
                None => {
                    reply.authorities.push(authority(query.name()));
                    &mut reply
                }
            };
        }
        None => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.authorities.push(authority(query.name()));
        }
    }
    Some(reply)
}

fn authority(name: &Name) -> Record {
    let host = Name::from_ascii("ns.example.").expect("a name");
    Record::from_rdata(name.clone(), 0, RData::SOA(SOA::new(host.clone(), host, 1, 1, 1, 1, 0)))
}
