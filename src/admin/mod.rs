//! Commands of people and programs to a running service.
