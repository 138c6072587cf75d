//! From an address to a session that takes mail: connection, greeting, TLS, AUTH.
//!
//! In: a candidate, the settings of its next hop. Out: a session, or a typed answer why there is none.
//! Never: a word in clear text where the settings want TLS; more than one further connection because of TLS.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;

use super::connect::{Candidate, connect};
use super::session::Session;
use super::stream::Stream;
use super::tls::{Demand, TlsClients, TlsFault};
use super::tls_reports::Tally;
use super::tls_reports::result::{ResultType, Shortfall, Standard};
use crate::env::{Clock, Env};
use crate::mail::Reply;
use crate::queue::LastAnswer;
use crate::routing::{HopTls, NextHop};
use crate::smtp::client::{ClientEvent, Closing, Opening, Peer, Pipelining, StartTls, Unfit};
use crate::smtp::sign_in::SignIn;
use crate::track::Reason;

/// What all attempts at a next hop share.
pub struct Approach<'a> {
    /// The next hop.
    pub hop: &'a NextHop,
    /// Handshakes.
    pub tls: &'a TlsClients,
    /// Who we are to it.
    pub sign_in: Option<SignIn>,
    /// Time and chance.
    pub env: &'a Env,
    /// Counts sessions, if they are to be counted.
    pub tally: Option<Tally<'a>>,
}

/// Why there is no session.
#[derive(Clone, PartialEq, Debug)]
pub struct NoSession {
    /// For the queue and the log.
    pub answer: LastAnswer,
    /// TLS was to blame: in clear text there may be one.
    pub by_tls: bool,
    /// TLS was to blame, as reports tell it.
    pub short: Option<Shortfall>,
}

impl Approach<'_> {
    /// A session with a host, as the settings want it. With TLS where offered, a handshake that goes wrong is followed
    /// by one attempt in clear text (RFC 7435 §3). `patience` is for the connection.
    /// Counted once, by what came of TLS.
    pub async fn open(
        &self,
        candidate: &Candidate,
        demand: &Demand,
        standard: &Standard,
        patience: Duration,
    ) -> Result<Session, NoSession> {
        let mut from = None;
        let opened = self
            .open_once(candidate, demand, demand.starttls, patience, &mut from)
            .await;
        if let (Some(tally), Some(came)) = (&self.tally, came_to(&opened)) {
            tally.session(standard, candidate, from, came.as_ref().copied());
        }
        let failed = match opened {
            Ok(session) => return Ok(session),
            Err(failed) => failed,
        };
        if !failed.by_tls || !demand.takes_clear_text() || demand.starttls == StartTls::Never {
            return Err(failed);
        }
        tracing::info!(host = %candidate.shown(), why = ?failed.answer.reply, "TLS does not work: in clear text");
        self.open_once(candidate, demand, StartTls::Never, patience, &mut from)
            .await
    }

    async fn open_once(
        &self,
        candidate: &Candidate,
        demand: &Demand,
        starttls: StartTls,
        patience: Duration,
        from: &mut Option<IpAddr>,
    ) -> Result<Session, NoSession> {
        let hop = self.hop;
        let shown = candidate.shown();
        let unreachable = |why: String| NoSession {
            answer: answer(Reason::NextHopUnreachable, (4, 4, 1), format!("{shown}: {why}")),
            by_tls: false,
            short: None,
        };
        let stream = connect(candidate, &hop.sources, patience)
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        *from = stream.local_addr().ok().map(|address| address.ip());
        let opening = Opening {
            hostname: hop.helo.clone(),
            pipelining: Pipelining::WhereOffered,
            starttls,
            sign_in: self.sign_in.clone(),
        };
        let clock: &Arc<dyn Clock> = &self.env.clock;
        let mut session = Session::over(Stream::Plain(stream), candidate.clone(), hop, opening, clock);
        if starttls == StartTls::Already {
            self.protect(&mut session, &hop.tls, demand).await?;
            session.renew();
        }
        loop {
            for event in session.step().await {
                match event {
                    ClientEvent::Ready => return Ok(session),
                    ClientEvent::StartTls => {
                        self.protect(&mut session, &hop.tls, demand).await?;
                        session.client.tls_established();
                        session.renew();
                    }
                    ClientEvent::Closed(closing) => return Err(no_session(closing, &shown)),
                    ClientEvent::SendContent | ClientEvent::Ended(_) => {}
                }
            }
        }
    }

    async fn protect(&self, session: &mut Session, tls: &HopTls, demand: &Demand) -> Result<(), NoSession> {
        let Some(stream) = session.stream.take_plain() else {
            return Err(no_session(Closing::Lost, &session.candidate.shown()));
        };
        let seconds = u64::try_from(self.env.clock.now().as_second()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let patience = self.hop.timeouts.handshake;
        let candidate = &session.candidate;
        let made = self.tls.handshake(stream, candidate, tls, demand, patience, now).await;
        match made {
            Ok((stream, protection)) => {
                session.stream = Stream::Tls(Box::new(stream));
                session.client.judged(match &protection.proof {
                    Ok(_) => Peer::Proved,
                    Err(_) => Peer::Unproved,
                });
                session.protection = Some(protection);
                Ok(())
            }
            Err(fault) => {
                let (reason, short) = match fault {
                    TlsFault::Handshake(why) => (Reason::TlsFailed, Shortfall::new(ResultType::ValidationFailure, why)),
                    TlsFault::Unverified(mistrust) => (Reason::TlsUnverified, Shortfall::from(&mistrust)),
                };
                let why = &short.why;
                Err(NoSession {
                    // RFC 3463 §3.8: X.7.5, cryptographic failure.
                    answer: answer(reason, (4, 7, 5), format!("{}: {why}", candidate.shown())),
                    by_tls: true,
                    short: Some(short),
                })
            }
        }
    }
}

/// What a session came to, as far as TLS is concerned; nothing if it ended for another reason.
fn came_to(opened: &Result<Session, NoSession>) -> Option<Result<(), Shortfall>> {
    let short = match opened {
        Ok(session) => match &session.protection {
            None => Some(not_supported("the host does not offer STARTTLS, or refused it")),
            Some(protection) => protection.short.as_ref().map(Shortfall::from),
        },
        Err(failed) => Some(failed.short.clone()?),
    };
    Some(short.map_or(Ok(()), Err))
}

fn not_supported(why: &str) -> Shortfall {
    Shortfall::new(ResultType::StarttlsNotSupported, why)
}

fn no_session(closing: Closing, shown: &str) -> NoSession {
    let ours = |reason: Reason, status: (u8, u16, u16), why: &str| answer(reason, status, format!("{shown}: {why}"));
    let mut by_tls = false;
    let short = match &closing {
        Closing::Unfit(Unfit::TlsNotOffered) => Some(not_supported("the host does not offer STARTTLS")),
        Closing::Unfit(Unfit::TlsRefused(reply)) => Some(not_supported(&format!("STARTTLS was refused: {reply}"))),
        Closing::Unfit(Unfit::TlsInjected) => {
            let why = "octets in clear text came behind the answer to STARTTLS";
            Some(Shortfall::new(ResultType::ValidationFailure, why))
        }
        _ => None,
    };
    let answer = match closing {
        Closing::Refused(reply) | Closing::Unavailable(reply) => LastAnswer {
            reason: Reason::NextHopDeferred,
            reply: Some(reply),
        },
        Closing::Fault(fault) => ours(Reason::NextHopUnreachable, (4, 4, 1), &fault.to_string()),
        Closing::Lost => ours(
            Reason::NextHopUnreachable,
            (4, 4, 1),
            "the connection was lost or the host did not answer in time",
        ),
        Closing::Quit => ours(Reason::NextHopUnreachable, (4, 4, 1), "the session has ended"),
        // RFC 3463 §3.8: X.7.4, security features not supported.
        Closing::Unfit(Unfit::TlsNotOffered) => ours(
            Reason::TlsUnavailable,
            (4, 7, 4),
            "TLS is required and the host does not offer it",
        ),
        Closing::Unfit(Unfit::TlsRefused(reply)) => ours(
            Reason::TlsUnavailable,
            (4, 7, 4),
            &format!("TLS is required and the host refused it: {reply}"),
        ),
        Closing::Unfit(Unfit::TlsInjected) => {
            by_tls = true;
            let why = "octets in clear text came behind the answer to STARTTLS: an attack, or a broken host";
            ours(Reason::TlsFailed, (4, 7, 5), why)
        }
        // A mistake of the settings or of the other side, to be put right: no reason to turn mail away.
        Closing::Unfit(Unfit::SignInRefused(reply)) => LastAnswer {
            reason: Reason::SignInRefused,
            reply: Some(reply),
        },
        Closing::Unfit(Unfit::NoMechanism) => ours(
            Reason::SignInUnavailable,
            (4, 7, 4),
            "the host offers no mechanism of AUTH that the settings allow",
        ),
        Closing::Unfit(Unfit::NotProtected) => ours(
            Reason::SignInUnavailable,
            (4, 7, 4),
            "the password is not said without TLS",
        ),
        Closing::Unfit(Unfit::NotProved) => ours(
            Reason::SignInUnavailable,
            (4, 7, 4),
            "the password is not said to a host whose certificate does not prove its name, and it does not take SCRAM-SHA-256",
        ),
        Closing::Unfit(Unfit::SignInBroken(fault)) => {
            ours(Reason::SignInUnavailable, (4, 7, 8), &format!("AUTH: {fault}"))
        }
    };
    NoSession { answer, by_tls, short }
}

/// Mail waits for this.
pub fn answer(reason: Reason, status: (u8, u16, u16), text: String) -> LastAnswer {
    LastAnswer {
        reason,
        reply: Some(Reply::new(451, status, text)),
    }
}
