//! Logs and tracking as they leave the process.
