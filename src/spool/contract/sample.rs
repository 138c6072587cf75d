//! Messages, sets and holds that tests agree on.

use jiff::Timestamp;

use super::super::Spool;
use super::super::approval::Approval;
use super::super::content::Content;
use super::super::message::{
    Acceptance, Arrival, DeliverySet, Hold, HoldState, MessageKind, NewMessage, Outcome, SetState, Settlement,
    StoredMessage,
};
use super::super::roster::{NO_ORDINAL, Roster, RosterOrigin};
use crate::mail::{BodyType, Envelope, EnvelopeRecipient, Mailbox, MessageId, ReversePath, SetId};
use crate::spool::message::Membership;
use crate::track::{Event, EventKind, HoldCause};

/// A moment that tests agree on.
pub(crate) fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).expect("within the range of timestamps")
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).expect("a valid test address")
}

/// One message with one set.
pub(crate) struct Sample {
    /// Ready to be accepted.
    pub(crate) acceptance: Acceptance,
}

impl Sample {
    /// A small message with one set of some recipients and its RECEIVE and QUEUE events.
    pub(crate) fn new(spool: &dyn Spool, recipients: u32) -> Self {
        Self::with_content(spool, recipients, Content::in_memory("Subject: test\r\n\r\nbody\r\n"))
    }

    /// The same with other content.
    pub(crate) fn with_content(spool: &dyn Spool, recipients: u32, content: Content) -> Self {
        let mut sample = Self::bare(content);
        let set = sample.another_set(spool, recipients);
        let events = vec![sample.event(receive()), sample.event(queue(&set))];
        sample.acceptance.outcome = Some(Outcome {
            sets: vec![set],
            events,
            ..Outcome::default()
        });
        sample
    }

    /// A message whose pass is pending.
    pub(crate) fn bare(content: Content) -> Self {
        let mut envelope = Envelope::from(ReversePath::Mailbox(mailbox("lena@contoso.example")));
        envelope
            .recipients
            .push(EnvelopeRecipient::plain(mailbox("all@contoso.example")));
        let message = StoredMessage {
            id: MessageId(uuid::Uuid::now_v7()),
            received_at: moment(0),
            envelope,
            arrival: Arrival {
                client: Some([127, 0, 0, 1].into()),
                helo: Some("client.example".to_owned()),
                ..Arrival::at("relay")
            },
            kind: MessageKind::Submitted,
            prefix: "Received: from client.example\r\n".into(),
            size_bytes: content.len() + 31,
        };
        Self {
            acceptance: Acceptance {
                message: NewMessage { message, content },
                outcome: None,
            },
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> MessageId {
        self.acceptance.message.message.id
    }

    /// Its first set.
    pub(crate) fn set(&self) -> &DeliverySet {
        &self.acceptance.outcome.as_ref().expect("has an outcome").sets[0]
    }

    /// One more set for it.
    pub(crate) fn another_set(&self, spool: &dyn Spool, recipients: u32) -> DeliverySet {
        let mut roster = Roster::new("c7b5a9b2-0000-4000-8000-000000000000".to_owned());
        let origin = roster.origin(RosterOrigin {
            addressed: "all@contoso.example".to_owned(),
            expanded: true,
            hidden: false,
            notify: None,
            original: None,
        });
        for rank in 0..recipients {
            let ordinal = if rank % 7 == 3 { NO_ORDINAL } else { rank };
            roster.push(ordinal, &format!("member{rank}@contoso.example"), origin);
        }
        DeliverySet {
            id: spool.new_set_id(),
            message: self.id(),
            next_hop: "cloud".to_owned(),
            reverse_path: ReversePath::Mailbox(mailbox("lena@contoso.example")),
            ret: None,
            envid: Some("x+3D".into()),
            body: BodyType::EightBitMime,
            smtputf8: false,
            no_auto_replies: false,
            priority: crate::mail::Priority::Normal,
            roster,
            queued_at: moment(1),
            expires_at: moment(172_800),
        }
    }

    /// A hold on it.
    pub(crate) fn hold(&self, spool: &dyn Spool) -> Hold {
        Hold {
            id: spool.new_hold_id(),
            message: self.id(),
            recipient: mailbox("announce@contoso.example"),
            object: "announce".to_owned(),
            addressed: 0,
            path: vec!["all@contoso.example".to_owned()],
            reverse_path: ReversePath::Null,
            notify: None,
            bypass_nested: false,
            hidden: false,
            notice: crate::directory::delivery::ModerationNotice::Always,
            cause: HoldCause::Moderation,
            membership: Membership::Release,
            moderators: vec![mailbox("boss@contoso.example")],
            held_at: moment(1),
            expires_at: moment(432_000),
            state: HoldState::Waiting,
            subject: Some("test".to_owned()),
            sender: ReversePath::Mailbox(mailbox("lena@contoso.example")),
            language: None,
            approval: Approval::default(),
            thread: None,
        }
    }

    /// An event of it.
    pub(crate) fn event(&self, kind: EventKind) -> Event {
        Event {
            at: moment(2),
            message: self.id(),
            kind,
        }
    }

    /// Its outcome, made if there is none.
    pub(crate) fn outcome(&mut self) -> &mut Outcome {
        self.acceptance.outcome.get_or_insert_default()
    }
}

/// A RECEIVE event.
pub(super) fn receive() -> EventKind {
    EventKind::Receive {
        listener: "relay".to_owned(),
        client: None,
        helo: None,
        reverse_path: "lena@contoso.example".to_owned(),
        recipients: vec!["all@contoso.example".to_owned()],
        size_bytes: 30,
        sender_proof: "network loopback".to_owned(),
        header_message_id: None,
        subject: Some("test".to_owned()),
    }
}

/// The QUEUE event of a set.
fn queue(set: &DeliverySet) -> EventKind {
    EventKind::Queue {
        set: set.id,
        next_hop: set.next_hop.clone(),
        recipients: u64::from(set.roster.len()),
        reverse_path: set.reverse_path.as_str().to_owned(),
        rule: None,
        priority: set.priority,
    }
}

/// A settlement without progress.
pub(crate) fn settlement(set: SetId, finished: bool) -> Settlement {
    Settlement {
        set,
        progress: Vec::new(),
        state: SetState::default(),
        finished,
        reports: Vec::new(),
        events: Vec::new(),
    }
}
