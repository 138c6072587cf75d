//! From a next hop to a session with one of its hosts.
//!
//! In: the hop, the domain whose mail exchangers are meant. Out: a session, or everybody told why there is none.

use std::sync::Arc;

use super::connect::{NoConnection, candidates};
use super::opening::{Approach, answer};
use super::session::Session;
use super::tls::sts::Policy;
use super::verdict::Verdict;
use super::work::Place;
use crate::limits;
use crate::mail::Reply;
use crate::queue::LastAnswer;
use crate::routing::{NextHop, Target};
use crate::track::Reason;

impl Place {
    /// Connects to the first host that answers.
    pub(super) async fn open(&mut self, hop: &NextHop, domain: Option<&str>) -> Option<Session> {
        let shared = Arc::clone(&self.shared);
        let own_names = &shared.settings.own_names;
        let found = candidates(hop, domain, own_names, &shared.dns, &*shared.env.chance).await;
        let mut found = match found {
            Ok(found) => found,
            Err(NoConnection::ForNow(answer)) => {
                shared.unreachable(self.id, answer);
                return None;
            }
            Err(NoConnection::ForGood(reason, reply)) => {
                self.fail_all(reason, &reply);
                return None;
            }
        };
        let now = shared.now();
        {
            let mut state = shared.state();
            found.sort_by_key(|candidate| state.is_avoided(self.id, candidate.address, now));
        }
        let mut last = LastAnswer {
            reason: Reason::NextHopUnreachable,
            reply: None,
        };
        let policy = self.policy(hop, domain).await;
        let sign_in = match &hop.sign_in {
            None => None,
            Some(sign_in) => match shared.tokens.sign_in(sign_in, &shared.env).await {
                Ok(sign_in) => Some(sign_in),
                Err(answer) => {
                    shared.unreachable(self.id, answer);
                    return None;
                }
            },
        };
        let approach = Approach {
            hop,
            tls: &shared.tls,
            sign_in,
            env: &shared.env,
        };
        found.truncate(limits::HOST_ADDRESSES_MAX);
        let last_index = found.len().saturating_sub(1);
        for (index, candidate) in found.into_iter().enumerate() {
            let demand = match shared.tls.demand(&hop.tls, &candidate, policy.as_ref()).await {
                Ok(demand) => demand,
                Err(why) => {
                    last = answer(Reason::MtaStsFailed, (4, 7, 5), why);
                    continue;
                }
            };
            // An address that leads nowhere must not hold up the others for long.
            let patience = match index {
                _ if index == last_index => hop.timeouts.connect,
                _ => hop.timeouts.connect.min(limits::CONNECT_BESIDE_OTHERS_MAX),
            };
            match approach.open(&candidate, &demand, patience).await {
                Ok(session) => {
                    self.greeted();
                    return Some(session);
                }
                Err(failed) => {
                    let until = shared.avoid_until(self.id);
                    shared.state().avoid(self.id, candidate.address, until);
                    if let (Reason::SignInRefused, Some(sign_in)) = (failed.answer.reason, &hop.sign_in) {
                        shared.tokens.forget(sign_in).await;
                    }
                    last = failed.answer;
                }
            }
        }
        shared.unreachable(self.id, last);
        None
    }

    /// What the domain says about TLS to its mail exchangers (RFC 8461).
    async fn policy(&self, hop: &NextHop, domain: Option<&str>) -> Option<Policy> {
        let domain = domain.filter(|domain| hop.mta_sts && hop.target == Target::Mx && !domain.starts_with('['))?;
        let shared = &self.shared;
        let texts = shared.dns.texts(&format!("_mta-sts.{domain}")).await.ok();
        let clock = &shared.env.clock;
        shared.policies.policy(domain, texts.as_deref(), clock).await
    }

    /// The destination takes no mail: everything for it fails.
    fn fail_all(&self, reason: Reason, reply: &Reply) {
        loop {
            let now = self.shared.now();
            let batch = self.shared.state().queue.take(self.id, now);
            let Some(batch) = batch else { return };
            self.shared
                .spawn_withdrawn(batch, Verdict::Failed(reason, reply.clone()));
        }
    }
}
