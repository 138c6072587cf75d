//! Filters of dynamic groups: from the administrator's text to a yes or no per recipient object.

pub mod precanned;
