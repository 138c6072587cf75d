//! What is kept about groups beside a view: pins, what the guard holds, the past of lists and values.

use jiff::Timestamp;

use crate::admin::service::{Refusal, RefusalKind};
use crate::connectors::sync::{AskFault, DirectoryKeeper};
use crate::directory::{ObjectId, Ordinal, RecipientObject};
use crate::rolls::history::Difference;
use crate::rolls::hold::Hold;
use crate::rolls::local::LocalDecisions;
use crate::rolls::pin::Pins;
use crate::store::life::{AttributeChange, HistoryQuery};

/// How far back a history is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// To the version that served at this time.
    Time(Timestamp),
    /// As far as it goes.
    All,
    /// So many versions.
    Versions(usize),
}

/// Answers what a view does not know. Methods may read a store: call them off the reactor threads.
pub trait Kept: Sync {
    /// Pins of a group.
    fn pins(&self, group: Ordinal) -> Pins;

    /// What the guard holds of a group.
    fn hold(&self, group: Ordinal) -> Option<Hold>;

    /// What was decided here about a group, in place of what its source says.
    fn local(&self, group: &ObjectId) -> LocalDecisions;

    /// A group as its source has it.
    fn as_source_says(&self, group: Ordinal) -> Option<RecipientObject>;

    /// Everything the guard holds, oldest first.
    fn holds(&self) -> Vec<Hold>;

    /// Differences of a group's list, newest first.
    fn differences(&self, group: Ordinal, reach: Reach) -> Result<Vec<Difference>, Refusal>;

    /// The last change of each value of an object, as far as it is remembered.
    fn changes_of(&self, object: Ordinal) -> Result<Vec<AttributeChange>, Refusal>;

    /// Address and name of an object that is no longer there.
    fn gone(&self, object: Ordinal) -> Option<(String, String)>;
}

impl Kept for DirectoryKeeper {
    fn pins(&self, group: Ordinal) -> Pins {
        Self::pins(self, group)
    }

    fn hold(&self, group: Ordinal) -> Option<Hold> {
        Self::hold(self, group)
    }

    fn local(&self, group: &ObjectId) -> LocalDecisions {
        Self::local(self, group)
    }

    fn as_source_says(&self, group: Ordinal) -> Option<RecipientObject> {
        Self::as_source_says(self, group)
    }

    fn holds(&self) -> Vec<Hold> {
        Self::holds(self)
    }

    fn differences(&self, group: Ordinal, reach: Reach) -> Result<Vec<Difference>, Refusal> {
        let query = match reach {
            Reach::Time(time) => HistoryQuery::back_to(time),
            Reach::All => HistoryQuery::default(),
            Reach::Versions(count_max) => HistoryQuery {
                count_max,
                ..HistoryQuery::default()
            },
        };
        self.history(group, query).map_err(|fault| refused(&fault))
    }

    fn changes_of(&self, object: Ordinal) -> Result<Vec<AttributeChange>, Refusal> {
        self.attribute_changes(object).map_err(|fault| refused(&fault))
    }

    fn gone(&self, object: Ordinal) -> Option<(String, String)> {
        let rows = Self::gone(self, &[object]).ok()?;
        rows.into_values().next().map(|row| (row.address, row.name))
    }
}

fn refused(fault: &AskFault) -> Refusal {
    let kind = match fault {
        AskFault::Store(_) => RefusalKind::Busy,
        AskFault::History(_) => RefusalKind::Broken,
        AskFault::NoRoll => RefusalKind::NotFound,
    };
    Refusal::new(kind, fault.to_string())
}
