//! From a next hop to a session with one of its hosts.
//!
//! In: the hop, the domain whose mail exchangers are meant. Out: a session, or everybody told why there is none.

use std::sync::Arc;

use super::connect::{Candidate, NoConnection, candidates};
use super::opening::{Approach, answer};
use super::session::Session;
use super::tls::Demand;
use super::tls::sts::StsWord;
use super::verdict::Verdict;
use super::work::Place;
use crate::limits;
use crate::mail::Reply;
use crate::queue::LastAnswer;
use crate::routing::{NextHop, Target};
use crate::track::Reason;

impl Place {
    /// Connects to the first host that answers.
    pub(super) async fn open(&mut self, hop: &NextHop, domain: Option<&str>, label: &str) -> Option<Session> {
        let shared = Arc::clone(&self.shared);
        let own_names = &shared.settings.own_names;
        let tally = domain.and_then(|domain| shared.tally(hop, domain, label));
        let mut unvouched = Vec::new();
        let found = candidates(hop, domain, own_names, &shared.dns, &*shared.env.chance, &mut unvouched).await;
        for (host, why) in &unvouched {
            if let Some(tally) = &tally {
                tally.unvouched(host, why);
            }
        }
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
        let word = self.word(hop, domain).await;
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
            tally,
        };
        found.truncate(limits::HOST_ADDRESSES_MAX);
        self.first_that_answers(&approach, found, &word).await
    }

    async fn first_that_answers(
        &mut self,
        approach: &Approach<'_>,
        found: Vec<Candidate>,
        word: &StsWord,
    ) -> Option<Session> {
        let (hop, shared) = (approach.hop, Arc::clone(&self.shared));
        let mut last = LastAnswer {
            reason: Reason::NextHopUnreachable,
            reply: None,
        };
        let last_index = found.len().saturating_sub(1);
        for (index, candidate) in found.into_iter().enumerate() {
            let (standard, reported) = shared.tls.standard(&candidate, word).await;
            let demand = match shared.tls.demand(&hop.tls, &candidate, word.policy()).await {
                Ok(demand) => Demand { reported, ..demand },
                Err(why) => {
                    if let Some(tally) = &approach.tally {
                        tally.session(&standard, &candidate, None, Ok(()));
                    }
                    last = answer(Reason::MtaStsFailed, (4, 7, 5), why);
                    continue;
                }
            };
            // An address that leads nowhere must not hold up the others for long.
            let patience = match index {
                _ if index == last_index => hop.timeouts.connect,
                _ => hop.timeouts.connect.min(limits::CONNECT_BESIDE_OTHERS_MAX),
            };
            match approach.open(&candidate, &demand, &standard, patience).await {
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
    async fn word(&self, hop: &NextHop, domain: Option<&str>) -> StsWord {
        let asked = domain.filter(|domain| hop.mta_sts && hop.target == Target::Mx && !domain.starts_with('['));
        let Some(domain) = asked else { return StsWord::Nothing };
        let shared = &self.shared;
        let texts = shared.dns.texts(&format!("_mta-sts.{domain}")).await.ok();
        let clock = &shared.env.clock;
        shared.policies.word(domain, texts.as_deref(), clock).await
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
