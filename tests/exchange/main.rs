//! What Exchange does, row by row, asked at the door: SMTP in, copies and reports out.
//!
//! Every row names its source: a section of the behaviour that Microsoft publishes for recipient resolution, group
//! cmdlets and non-delivery reports. Where ours is other on purpose, the row says `Differs:` and why.

#[path = "../stories/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;

mod broken;
mod lists;
mod loops;
mod moderation;
mod nested;
mod replies;
mod reports;
mod returns;
mod settings;
mod storm;
mod table;
