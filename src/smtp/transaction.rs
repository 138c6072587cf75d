//! One transaction with a next hop: from its replies to one outcome per recipient.
//!
//! In: replies in the order of the commands. Out: what to say next, and a [`TransactionResult`].
//! Never: two answers for one recipient, or none.

use bytes::BytesMut;

use super::plan::TransactionPlan;
use super::reply_parser::ReplyFault;
use super::stuffing::DotStuffer;
use crate::mail::{EnhancedStatus, Reply};

/// What of the session a reply belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The connection: greeting, EHLO, RSET.
    Session,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// While content was under way; the final dot was not sent.
    Content,
    /// The final dot.
    FinalDot,
}

/// What became of a transaction: one answer per recipient of the plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransactionResult {
    /// In the plan's order.
    pub answers: Vec<RecipientAnswer>,
    /// What decided for every [`RecipientAnswer::Shared`].
    pub conclusion: Conclusion,
    /// The final dot, or the last octet of a chunk, was sent for recipients that were accepted or may yet be: without a reply
    /// to it, trying again can make duplicates.
    pub dot_sent: bool,
}

/// One recipient's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecipientAnswer {
    /// Accepted, or not decided on its own: the conclusion speaks for it.
    Shared,
    /// RCPT was refused, 4yz or 5yz.
    Refused(Reply),
    /// RCPT was refused as one too many (452 4.5.3) after others were accepted: a limit of the peer, not a verdict.
    /// The recipient goes at once in the next transaction (DESIGN §7).
    OverLimit(Reply),
}

/// What decided for all recipients without an answer of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Conclusion {
    /// 2yz to the final dot: taken.
    Taken(Reply),
    /// Refused as a whole, 4yz or 5yz, by the reply at this stage.
    Refused {
        /// Where.
        stage: Stage,
        /// The reply.
        reply: Reply,
    },
    /// No reply decided: the connection was lost or broken. Temporary.
    Lost {
        /// How far it had come.
        stage: Stage,
    },
    /// Every recipient has its own answer.
    NobodyAccepted,
}

/// One recipient's outcome, read from answer and conclusion together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome<'a> {
    /// The peer took responsibility.
    Taken(&'a Reply),
    /// Refused, 4yz or 5yz.
    Refused(Stage, &'a Reply),
    /// Try again at once, in a smaller transaction.
    OverLimit(&'a Reply),
    /// Unknown; temporary.
    Lost(Stage),
}

impl TransactionResult {
    /// The outcome of the recipient at an index of the plan.
    #[must_use]
    pub fn outcome(&self, index: usize) -> Outcome<'_> {
        match (&self.answers[index], &self.conclusion) {
            (RecipientAnswer::Refused(reply), _) => Outcome::Refused(Stage::Rcpt, reply),
            (RecipientAnswer::OverLimit(reply), _) => Outcome::OverLimit(reply),
            (RecipientAnswer::Shared, Conclusion::Taken(reply)) => Outcome::Taken(reply),
            (RecipientAnswer::Shared, Conclusion::Refused { stage, reply }) => Outcome::Refused(*stage, reply),
            (RecipientAnswer::Shared, Conclusion::Lost { stage }) => Outcome::Lost(*stage),
            // Cannot be: `NobodyAccepted` is concluded only when nobody shares. Temporary, should it ever be.
            (RecipientAnswer::Shared, Conclusion::NobodyAccepted) => Outcome::Lost(Stage::Rcpt),
        }
    }

    /// Recipients that the peer took.
    #[must_use]
    pub fn taken(&self) -> usize {
        match self.conclusion {
            Conclusion::Taken(_) => self.shared(),
            Conclusion::Refused { .. } | Conclusion::Lost { .. } | Conclusion::NobodyAccepted => 0,
        }
    }

    /// Recipients the peer accepted before it said that these are enough; none if it did not say so.
    #[must_use]
    pub fn recipient_limit(&self) -> Option<usize> {
        let over = self
            .answers
            .iter()
            .any(|answer| matches!(answer, RecipientAnswer::OverLimit(_)));
        over.then(|| self.shared())
    }

    fn shared(&self) -> usize {
        self.answers
            .iter()
            .filter(|answer| **answer == RecipientAnswer::Shared)
            .count()
    }
}

/// Which reply of the transaction comes next. All commands before it have been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// The driver is writing content; no reply is due.
    Content,
    FinalDot,
    /// A dot alone was sent because nobody was accepted.
    EmptyDot,
}

#[derive(Debug)]
/// One transaction under way.
pub(super) struct Transaction {
    plan: TransactionPlan,
    pipelined: bool,
    step: Step,
    mail_refusal: Option<Reply>,
    answers: Vec<RecipientAnswer>,
    accepted: usize,
    stuffer: DotStuffer,
    /// Octets of the chunk that are still to be written.
    chunk_rest: u64,
    /// The chunk went out with the commands before it, whoever is accepted.
    at_once: bool,
}

/// What a reply led to.
pub(super) enum Turn {
    Wait,
    Content,
    End { conclusion: Conclusion, leftover: Leftover },
}

/// Whether the peer still holds the transaction's buffers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leftover {
    None,
    Open,
}

impl Step {
    pub(super) fn stage(self) -> Stage {
        match self {
            Self::Reset => Stage::Session,
            Self::Mail => Stage::Mail,
            Self::Rcpt(_) => Stage::Rcpt,
            Self::Data | Self::EmptyDot => Stage::Data,
            Self::Content => Stage::Content,
            Self::FinalDot => Stage::FinalDot,
        }
    }
}

impl Transaction {
    /// A transaction whose first commands have been written.
    pub(super) fn new(plan: TransactionPlan, pipelined: bool, step: Step) -> Self {
        Self {
            answers: Vec::with_capacity(plan.len()),
            chunk_rest: plan.chunk().unwrap_or_default(),
            plan,
            pipelined,
            step,
            mail_refusal: None,
            accepted: 0,
            stuffer: DotStuffer::default(),
            at_once: false,
        }
    }

    /// Appends the chunk right behind the commands; its reply is the last of the group. RFC 3030 §4.2 allows it, and a
    /// peer that accepted nobody reads past the chunk.
    pub(super) fn send_at_once(&mut self, parts: &[&[u8]], output: &mut BytesMut) {
        self.at_once = true;
        self.say_chunk(output);
        for part in parts {
            self.write_content(part, output);
        }
    }

    fn say_chunk(&self, output: &mut BytesMut) {
        output.extend_from_slice(format!("BDAT {} LAST\r\n", self.chunk_rest).as_bytes());
    }

    /// True while the driver writes content.
    pub(super) fn wants_content(&self) -> bool {
        self.step == Step::Content
    }

    /// What the peer is given time for. A peer may keep its replies back until it has done with a group (RFC 2920 §3.2), the
    /// content in it too.
    pub(super) fn due(&self) -> Stage {
        if self.at_once { Stage::FinalDot } else { self.stage() }
    }

    /// What the transaction waits for belongs to this stage.
    pub(super) fn stage(&self) -> Stage {
        self.step.stage()
    }

    /// Appends content, dot-stuffed.
    pub(super) fn write_content(&mut self, content: &[u8], output: &mut BytesMut) {
        if self.plan.chunk().is_none() {
            return self.stuffer.write(content, output);
        }
        // What is beyond the chunk would be read as commands.
        let count = usize::try_from(self.chunk_rest)
            .unwrap_or(usize::MAX)
            .min(content.len());
        output.extend_from_slice(&content[..count]);
        self.chunk_rest -= count as u64;
    }

    /// Appends the final dot.
    pub(super) fn finish_content(&mut self, output: &mut BytesMut) {
        if self.plan.chunk().is_none() {
            std::mem::take(&mut self.stuffer).finish(output);
        }
        self.step = Step::FinalDot;
    }

    /// Takes the next reply; appends what is to be said next.
    pub(super) fn take_reply(&mut self, reply: Reply, output: &mut BytesMut) -> Result<Turn, ReplyFault> {
        match self.step {
            Step::Reset if reply.is_positive() => {
                if !self.pipelined {
                    output.extend_from_slice(self.plan.mail_command());
                }
                self.step = Step::Mail;
                Ok(Turn::Wait)
            }
            // A refused RSET says nothing about the message.
            Step::Reset => Err(ReplyFault::OutOfTurn),
            Step::Mail => self.take_mail(reply, output),
            Step::Rcpt(index) => self.take_rcpt(index, reply, output),
            Step::Data => self.take_data(reply, output),
            // A reply before the final dot has left is never a "taken".
            Step::Content => Err(ReplyFault::OutOfTurn),
            // The peer wanted no content and has read past it.
            Step::FinalDot if self.is_unwanted() && is_refusal(&reply) => Ok(end(self.nobody(), Leftover::Open)),
            // Taken from nobody or for nobody: a peer out of its mind.
            Step::FinalDot if self.is_unwanted() => Err(ReplyFault::OutOfTurn),
            Step::FinalDot if self.is_cut_off(output) => Err(ReplyFault::OutOfTurn),
            Step::FinalDot if reply.is_positive() => Ok(end(Conclusion::Taken(reply), Leftover::None)),
            Step::FinalDot if is_refusal(&reply) => {
                // RFC 3030 §2: a refused chunk leaves the transaction as it is.
                let leftover = if self.plan.chunk().is_some() {
                    Leftover::Open
                } else {
                    Leftover::None
                };
                Ok(end(refused(Stage::FinalDot, reply), leftover))
            }
            Step::FinalDot => Err(ReplyFault::OutOfTurn),
            Step::EmptyDot => Ok(end(self.nobody(), Leftover::None)),
        }
    }

    fn take_mail(&mut self, reply: Reply, output: &mut BytesMut) -> Result<Turn, ReplyFault> {
        if !reply.is_positive() && !is_refusal(&reply) {
            return Err(ReplyFault::OutOfTurn);
        }
        if !self.pipelined {
            if is_refusal(&reply) {
                return Ok(end(refused(Stage::Mail, reply), Leftover::None));
            }
            output.extend_from_slice(self.plan.rcpt_command(0));
        } else if is_refusal(&reply) {
            // The RCPTs are under way: their replies say nothing new and are read past.
            self.mail_refusal = Some(reply);
        }
        self.step = Step::Rcpt(0);
        Ok(Turn::Wait)
    }

    fn take_rcpt(&mut self, index: usize, reply: Reply, output: &mut BytesMut) -> Result<Turn, ReplyFault> {
        if reply.is_positive() {
            self.accepted += 1;
            self.answers.push(RecipientAnswer::Shared);
        } else if !is_refusal(&reply) {
            return Err(ReplyFault::OutOfTurn);
        } else if self.mail_refusal.is_some() {
            self.answers.push(RecipientAnswer::Shared);
        } else if self.accepted > 0 && is_recipient_limit(&reply) {
            self.answers.push(RecipientAnswer::OverLimit(reply));
        } else {
            self.answers.push(RecipientAnswer::Refused(reply));
        }
        let next = index + 1;
        if next < self.plan.len() {
            if !self.pipelined {
                output.extend_from_slice(self.plan.rcpt_command(next));
            }
            self.step = Step::Rcpt(next);
            return Ok(Turn::Wait);
        }
        if self.at_once {
            self.step = Step::FinalDot;
            return Ok(Turn::Wait);
        }
        if self.plan.chunk().is_some() {
            if self.is_unwanted() {
                return Ok(end(self.nobody(), Leftover::Open));
            }
            self.say_chunk(output);
            self.step = Step::Content;
            return Ok(Turn::Content);
        }
        if !self.pipelined {
            if self.accepted == 0 {
                return Ok(end(Conclusion::NobodyAccepted, Leftover::Open));
            }
            output.extend_from_slice(b"DATA\r\n");
        }
        self.step = Step::Data;
        Ok(Turn::Wait)
    }

    fn take_data(&mut self, reply: Reply, output: &mut BytesMut) -> Result<Turn, ReplyFault> {
        if is_refusal(&reply) {
            let conclusion = match &self.mail_refusal {
                None if self.accepted > 0 => refused(Stage::Data, reply),
                None | Some(_) => self.nobody(),
            };
            return Ok(end(conclusion, Leftover::Open));
        }
        // RFC 5321 §4.3.2: 354 is the only intermediate reply; by its first digit any 3yz asks for the content.
        if !(300..400).contains(&reply.code) {
            return Err(ReplyFault::OutOfTurn);
        }
        match &self.mail_refusal {
            None if self.accepted > 0 => {
                self.step = Step::Content;
                Ok(Turn::Content)
            }
            // RFC 2920 §3.1: a 354 without valid recipients is answered by the dot alone.
            None => Ok(self.send_empty_dot(output)),
            Some(_) if self.accepted == 0 => Ok(self.send_empty_dot(output)),
            // Refused MAIL, accepted RCPT, asked for content: a dot would deliver an empty message.
            Some(_) => Err(ReplyFault::OutOfTurn),
        }
    }

    fn send_empty_dot(&mut self, output: &mut BytesMut) -> Turn {
        output.extend_from_slice(b".\r\n");
        self.step = Step::EmptyDot;
        Turn::Wait
    }

    /// The content is not out yet, and nothing but its end is awaited.
    pub(super) fn is_cut_off(&self, unsent: &[u8]) -> bool {
        self.step == Step::FinalDot && (self.chunk_rest > 0 || !unsent.is_empty())
    }

    /// MAIL or every RCPT was refused.
    fn is_unwanted(&self) -> bool {
        self.accepted == 0 || self.mail_refusal.is_some()
    }

    /// The conclusion where no recipient was accepted.
    fn nobody(&self) -> Conclusion {
        match &self.mail_refusal {
            Some(reply) => refused(Stage::Mail, reply.clone()),
            None => Conclusion::NobodyAccepted,
        }
    }

    /// The conclusion where the session ends in the middle.
    pub(super) fn cut_short(&self, last_word: Option<Reply>) -> Conclusion {
        let stage = self.step.stage();
        match (&self.mail_refusal, last_word) {
            (Some(reply), _) => refused(Stage::Mail, reply.clone()),
            (None, Some(reply)) => refused(stage, reply),
            (None, None) => Conclusion::Lost { stage },
        }
    }

    /// The content has gone out, and to somebody who may have it. Of a peer that has not even answered MAIL it is taken that it
    /// has gone away before.
    fn is_content_out(&self) -> bool {
        match self.step {
            Step::Rcpt(_) => self.at_once && self.mail_refusal.is_none(),
            Step::FinalDot => !self.is_unwanted(),
            Step::Reset | Step::Mail | Step::Data | Step::Content | Step::EmptyDot => false,
        }
    }

    /// `unsent` is what the driver had still to write; the final dot is its last part.
    pub(super) fn result(mut self, conclusion: Conclusion, unsent: &[u8]) -> TransactionResult {
        let dot_sent = self.is_content_out() && self.chunk_rest == 0 && unsent.is_empty();
        self.answers.resize(self.plan.len(), RecipientAnswer::Shared);
        TransactionResult {
            answers: self.answers,
            conclusion,
            dot_sent,
        }
    }
}

fn end(conclusion: Conclusion, leftover: Leftover) -> Turn {
    Turn::End { conclusion, leftover }
}

fn refused(stage: Stage, reply: Reply) -> Conclusion {
    Conclusion::Refused { stage, reply }
}

/// 4yz or 5yz.
pub(super) fn is_refusal(reply: &Reply) -> bool {
    reply.is_transient() || reply.is_permanent()
}

/// RFC 5321 §4.5.3.1.10: too many recipients is 452; a 552 from older servers means the same.
fn is_recipient_limit(reply: &Reply) -> bool {
    let says_so = reply.status.is_none_or(|status| {
        let EnhancedStatus { subject, detail, .. } = status;
        (subject, detail) == (5, 3)
    });
    matches!(reply.code, 452 | 552) && says_so
}
