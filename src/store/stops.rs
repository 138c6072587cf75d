//! Brakes of storms and operators' stops: few, small, and kept over restarts.
//!
//! In: a brake or stop as it stands. Out: all of them, at start. Never: forgotten while it is on.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::StoreFault;
use crate::policy::stop::Stop;
use crate::policy::storm::Brake;
use crate::queue::marks::{SetMarks, Suspension};

/// Keeps brakes and stops. Methods block for one commit.
pub trait StopStore: Send + Sync + 'static {
    /// Everything kept, oldest first.
    fn load(&self) -> Result<StopState, StoreFault>;

    /// Keeps a brake; one of the same thread, group and time is replaced.
    fn keep_brake(&self, brake: &Brake) -> Result<(), StoreFault>;

    /// Keeps a stop; one of the same number is replaced.
    fn keep_stop(&self, stop: &Stop) -> Result<(), StoreFault>;

    /// Removes what was over before `before`.
    fn forget(&self, before: Timestamp) -> Result<(), StoreFault>;

    /// Keeps decisions about a set in place of the ones before; empty ones are removed.
    fn keep_marks(&self, marks: &SetMarks) -> Result<(), StoreFault>;

    /// Keeps a suspended next hop.
    fn keep_suspension(&self, suspension: &Suspension) -> Result<(), StoreFault>;

    /// A next hop is not suspended any more.
    fn end_suspension(&self, next_hop: &str) -> Result<(), StoreFault>;
}

/// What is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StopState {
    /// Brakes, on or over.
    pub brakes: Vec<Brake>,
    /// Stops, on or over.
    pub stops: Vec<Stop>,
    /// Decisions about sets; sets may have ended meanwhile.
    pub marks: Vec<SetMarks>,
    /// Suspended next hops.
    pub suspensions: Vec<Suspension>,
}

impl StopState {
    /// Puts a brake in, in place of the same one.
    pub fn put_brake(&mut self, brake: Brake) {
        let same =
            |known: &Brake| known.thread == brake.thread && known.group == brake.group && known.since == brake.since;
        self.brakes.retain(|known| !same(known));
        self.brakes.push(brake);
    }

    /// Puts a stop in, in place of the same one.
    pub fn put_stop(&mut self, stop: Stop) {
        self.stops.retain(|known| known.id != stop.id);
        self.stops.push(stop);
    }

    /// Removes what was over before `before`.
    pub fn forget(&mut self, before: Timestamp) {
        self.brakes
            .retain(|brake| brake.ended.as_ref().map_or(brake.until, |ended| ended.at) >= before);
        self.stops.retain(|stop| stop_end(stop).is_none_or(|end| end >= before));
    }
}

/// When a stop was over, or will be.
#[must_use]
pub fn stop_end(stop: &Stop) -> Option<Timestamp> {
    stop.ended.as_ref().map(|ended| ended.at).or(stop.until)
}

/// A store of stops shared by what brakes and what stops.
pub type SharedStopStore = Arc<dyn StopStore>;

/// Stops in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryStopStore(Mutex<StopState>);

impl StopStore for MemoryStopStore {
    fn load(&self) -> Result<StopState, StoreFault> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn keep_brake(&self, brake: &Brake) -> Result<(), StoreFault> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.put_brake(brake.clone());
        Ok(())
    }

    fn keep_stop(&self, stop: &Stop) -> Result<(), StoreFault> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.put_stop(stop.clone());
        Ok(())
    }

    fn forget(&self, before: Timestamp) -> Result<(), StoreFault> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget(before);
        Ok(())
    }

    fn keep_marks(&self, marks: &SetMarks) -> Result<(), StoreFault> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.marks.retain(|known| known.set != marks.set);
        if !marks.is_empty() {
            state.marks.push(marks.clone());
        }
        Ok(())
    }

    fn keep_suspension(&self, suspension: &Suspension) -> Result<(), StoreFault> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.suspensions.retain(|known| known.next_hop != suspension.next_hop);
        state.suspensions.push(suspension.clone());
        Ok(())
    }

    fn end_suspension(&self, next_hop: &str) -> Result<(), StoreFault> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.suspensions.retain(|known| known.next_hop != next_hop);
        Ok(())
    }
}
