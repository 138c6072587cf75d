//! Exports of Exchange: what administrators have on disk becomes a directory.

mod build;
mod catalog;
mod cells;
mod clixml;
mod convert;
pub mod detect;
pub mod html;
pub mod import;
mod intake;
mod join;
mod json;
mod judge;
mod kinds;
mod ldif;
mod lists;
mod names;
mod permissions;
pub mod raw;
pub mod report;
mod rule;
mod table;
pub mod text;

#[cfg(test)]
mod permission_tests;
#[cfg(test)]
mod tests;
