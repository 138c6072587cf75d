//! muster: group-mail transport.
//!
//! The tree follows a message and lies in five rings; arrows point inward only, held by `tests/tidy.rs`.
//!
//! | ring | rooms |
//! |---|---|
//! | words | [`mail`] [`track`] [`mod@env`] [`limits`] |
//! | decisions | [`smtp`] [`directory`] [`rolls`] [`resolver`] [`policy`] [`expansion`] [`routing`] [`queue`] |
//! | keepers | [`spool`] [`store`] [`moderation`] [`categorizer`] |
//! | edges | [`listener`] [`accounts`] [`delivery`] [`authenticity`] [`connectors`] [`observe`] [`backends`] [`web`] |
//! | app | [`config`] [`admin`] [`app`] |

pub mod env;
pub mod limits;
pub mod mail;
pub mod track;

pub mod directory;
pub mod expansion;
pub mod filters;
pub mod policy;
pub mod queue;
pub mod resolver;
pub mod rolls;
pub mod routing;
pub mod smtp;

pub mod categorizer;
pub mod moderation;
pub mod spool;
pub mod store;

pub mod accounts;
pub mod authenticity;
pub mod backends;
pub mod connectors;
pub mod delivery;
pub mod listener;
pub mod observe;
pub mod trust;
pub mod web;

pub mod admin;
pub mod app;
pub mod config;

pub mod manual;
