//! Exports of Exchange: what administrators have on disk becomes a directory.

mod catalog;
mod cells;
mod clixml;
mod convert;
pub mod detect;
mod join;
mod json;
mod ldif;
mod names;
pub mod raw;
pub mod report;
mod table;
pub mod text;
