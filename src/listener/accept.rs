//! Accepts connections within limits, and stops gracefully.
//!
//! Never: a connection without a place ([`Sessions`]); a session that outlives the deadline of a shutdown.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::accounts::Accounts;
use super::deadline::Deadline;
use super::proxied::{self, HeaderFault};
use super::rates::{Deed, Rates, TrackedRefusals};
use super::screen::{Screen, Screening};
use super::session;
use super::sessions::{Place, Sessions};
use super::settings::{Auth, ListenerSettings, Tls};
use super::tls::Acceptance;
use crate::categorizer::intake::{ClientFacts, Intake};
use crate::env::Env;
use crate::limits::{ACCEPT_BACKLOG, LINGER_TIMEOUT};
use crate::mail::{Reply, ReversePath};
use crate::smtp::replies;
use crate::smtp::sasl::Mechanisms;
use crate::smtp::server::{AuthPolicy, Protection, ServerProfile, StartTls};
use crate::track::Reason;

/// Pause after a failed accept (out of descriptors): the connection stays in the kernel's queue.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound listener.
pub struct Listener {
    socket: TcpListener,
    shared: Arc<Shared>,
}

/// What all sessions of one listener share.
pub(super) struct Shared {
    pub(super) settings: ListenerSettings,
    pub(super) profile: Arc<ServerProfile>,
    pub(super) intake: Arc<dyn Intake>,
    pub(super) env: Env,
    pub(super) rates: Rates,
    pub(super) tracked: TrackedRefusals,
    screen: Option<Arc<Screen>>,
    pub(super) tls: Option<Acceptance>,
    pub(super) accounts: Option<Arc<dyn Accounts>>,
    sessions: Arc<Sessions>,
}

/// What guards the sessions of a listener.
#[derive(Clone, Default)]
pub struct Guards {
    /// Certificates; none: no TLS, whatever the settings say.
    pub tls: Option<Acceptance>,
    /// Who knows the accounts; none: no AUTH.
    pub accounts: Option<Arc<dyn Accounts>>,
}

/// How a listener ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// Sessions cut at the deadline, with a transaction in progress. Their clients still have the messages.
    pub sessions_cut: usize,
}

impl Listener {
    /// Binds the address. Must be called within a tokio runtime.
    pub fn bind(settings: ListenerSettings, intake: Arc<dyn Intake>, env: Env) -> io::Result<Self> {
        Self::bind_guarded(settings, intake, env, Guards::default())
    }

    /// The same, with TLS and AUTH as the settings say.
    pub fn bind_guarded(
        settings: ListenerSettings,
        intake: Arc<dyn Intake>,
        env: Env,
        guards: Guards,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(settings.address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the old connections' last packets.
        socket.set_reuse_address(true)?;
        socket.bind(&settings.address.into())?;
        socket.listen(ACCEPT_BACKLOG)?;
        socket.set_nonblocking(true)?;
        let profile = ServerProfile::new(
            &settings.hostname,
            settings.message_octets_max,
            settings.recipients_max,
            settings.errors_max,
            protection(&settings, &guards),
        );
        let sessions = Sessions::new(
            settings.sessions_max,
            settings.sessions_per_client_max,
            settings.sessions_per_network_max,
        );
        Ok(Self {
            socket: TcpListener::from_std(socket.into())?,
            shared: Arc::new(Shared {
                profile: Arc::new(profile),
                rates: Rates::new(&settings.rates, &env),
                tracked: TrackedRefusals::new(&env),
                screen: settings
                    .strangers
                    .are_screened()
                    .then(|| Screen::new(&settings.strangers)),
                intake,
                env,
                tls: guards.tls,
                accounts: guards.accounts,
                sessions,
                settings,
            }),
        })
    }

    /// Where it listens.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The count of its sessions, to be watched while it runs.
    #[must_use]
    pub fn sessions(&self) -> Arc<Sessions> {
        Arc::clone(&self.shared.sessions)
    }

    /// Serves until `stop` becomes true (or its sender is gone). Then: 421 to new connections, to idle sessions, and
    /// after the answer to each final dot; the end of all about [`ListenerSettings::shutdown_timeout`] later.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Stopped {
        let Self { socket, shared } = self;
        let session_stop = stop.clone();
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                () = stop_asked(&mut stop) => break,
                accepted = socket.accept() => match accepted {
                    Ok((stream, peer)) => admit(&shared, stream, peer, &session_stop, &mut tasks),
                    Err(error) => {
                        tracing::warn!(listener = %shared.settings.name, %error, "accept failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = tasks.join_next() => report(ended),
            }
        }
        let ended = tokio::time::timeout(
            shared.settings.shutdown_timeout + LINGER_TIMEOUT,
            drain(&socket, &mut tasks),
        );
        if ended.await.is_ok() {
            return Stopped { sessions_cut: 0 };
        }
        let sessions_cut = tasks.len();
        tasks.shutdown().await;
        Stopped { sessions_cut }
    }
}

fn protection(settings: &ListenerSettings, guards: &Guards) -> Protection {
    let mechanisms = guards.accounts.as_ref().map(|accounts| accounts.mechanisms());
    Protection {
        starttls: match settings.tls {
            Tls::Offered if guards.tls.is_some() => StartTls::Offered,
            Tls::Required => StartTls::Required,
            Tls::Off | Tls::Offered | Tls::Implicit => StartTls::Absent,
        },
        auth: match settings.auth {
            Auth::Off => Mechanisms::default(),
            _ => mechanisms.unwrap_or_default(),
        },
        auth_in_plaintext: matches!(settings.auth, Auth::OfferedInPlaintext | Auth::RequiredInPlaintext),
        policy: match settings.auth {
            Auth::Required | Auth::RequiredInPlaintext => AuthPolicy::Required,
            Auth::Off | Auth::Offered | Auth::OfferedInPlaintext => AuthPolicy::Optional,
        },
    }
}

fn admit(
    shared: &Arc<Shared>,
    mut stream: TcpStream,
    peer: SocketAddr,
    stop: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) {
    // An IPv4 client of a dual-stack socket is an IPv4 client, also to the lists of trusted networks.
    let peer = peer.ip().to_canonical();
    let Some(mut place) = shared.sessions.enter() else {
        let refusal = (replies::TOO_MANY_SESSIONS, Reason::TooManySessions);
        return shared.turn_away(&stream, &shared.client(peer), &refusal);
    };
    // Replies go out as whole groups; waiting for more would only delay them.
    let socket = SockRef::from(&stream);
    if socket
        .set_tcp_nodelay(true)
        .and_then(|()| socket.set_keepalive(true))
        .is_err()
    {
        return;
    }
    let is_proxy = shared.settings.proxy_from.iter().any(|net| net.contains(peer));
    // Who is refused costs no task.
    if !is_proxy && !shared.may_come_in(&stream, peer, &mut place) {
        return;
    }
    let shared = Arc::clone(shared);
    let mut stop = stop.clone();
    tasks.spawn(async move {
        let mut address = peer;
        if is_proxy {
            match shared.behind(&mut stream, peer, &mut stop).await {
                Some(client) => address = client,
                None => return,
            }
            if !shared.may_come_in(&stream, address, &mut place) {
                return;
            }
        }
        let client = shared.client(address);
        session::serve(shared, stream, client, stop).await;
        drop(place);
    });
}

impl Shared {
    /// What is known of a client that has just connected.
    fn client(&self, address: IpAddr) -> ClientFacts {
        ClientFacts::new(Arc::clone(&self.settings.name), self.settings.role, address)
    }

    /// What is to be found out about a stranger.
    pub(super) fn screening(&self, client: &ClientFacts) -> Option<Screening> {
        let screen = self.screen.as_ref()?;
        (!self.intake.trusts(client)).then(|| Screening::of(screen, client.client))
    }

    /// False if the client was turned away.
    fn may_come_in(&self, stream: &TcpStream, address: IpAddr, place: &mut Place) -> bool {
        let client = self.client(address);
        let refusal = if place.taken_by(address) {
            self.rates.refuse(Deed::Connect, &*self.intake, &client)
        } else {
            Some((replies::TOO_MANY_SESSIONS, Reason::TooManySessions))
        };
        if let Some(refusal) = &refusal {
            self.turn_away(stream, &client, refusal);
        }
        refusal.is_none()
    }

    /// Whom a proxy speaks for; none if the connection has ended here.
    async fn behind(&self, stream: &mut TcpStream, proxy: IpAddr, stop: &mut watch::Receiver<bool>) -> Option<IpAddr> {
        let wait = self.settings.proxy_header_timeout;
        let mut deadline = Deadline::new(Arc::clone(&self.env.clock), wait);
        let found = tokio::select! {
            found = proxied::client_of(stream, proxy, &mut deadline) => found,
            () = stop_asked(stop) => {
                turn_away(stream, &replies::SHUTTING_DOWN);
                return None;
            }
        };
        match found {
            Ok(client) => Some(client),
            Err(HeaderFault::Gone(fault)) => {
                tracing::debug!(listener = %self.settings.name, %proxy, %fault, "a proxy's connection ended before its header");
                None
            }
            Err(fault) => {
                tracing::warn!(listener = %self.settings.name, %proxy, %fault, "a proxy's connection says not whose it is");
                let refusal = (replies::NO_PROXY_HEADER, Reason::ProxyHeaderMalformed);
                self.turn_away(stream, &self.client(proxy), &refusal);
                None
            }
        }
    }

    /// Refuses a connection, and has it tracked.
    fn turn_away(&self, stream: &TcpStream, client: &ClientFacts, (reply, reason): &(Reply, Reason)) {
        turn_away(stream, reply);
        if self.tracked.one_more() {
            // Nobody has named a sender yet.
            self.intake.refused(client, &ReversePath::Null, reply, *reason);
        }
        tracing::info!(listener = %self.settings.name, client = %client.client, %reason, "turned away");
    }
}

/// One reply, if the kernel takes it at once, and the end.
fn turn_away(stream: &TcpStream, reply: &Reply) {
    let mut octets = Vec::new();
    reply.write(&mut octets);
    let _ = stream.try_write(&octets);
}

/// Waits for the sessions; who comes meanwhile is told to come later.
async fn drain(socket: &TcpListener, tasks: &mut JoinSet<()>) {
    loop {
        tokio::select! {
            biased;
            ended = tasks.join_next() => match ended {
                Some(ended) => report(ended),
                None => return,
            },
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => turn_away(&stream, &replies::SHUTTING_DOWN),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

/// Returns when the service is to stop. A sender that is gone asks too: nobody could any more.
pub(super) async fn stop_asked(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a session broke");
    }
}
