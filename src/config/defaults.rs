//! What holds where the settings file says nothing. Explained on the keys in `file.rs`; the commented defaults
//! of `config/muster.toml` are held against these by a test.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

pub const DATA_DIR: &str = "/var/lib/muster";
pub const CONTROL_SOCKET: &str = "control.sock";

/// How long return paths take reports: most systems give up after five days.
pub const RETURN_PATH_VALID_FOR: Duration = Duration::from_secs(10 * DAY);
/// Longest local-part of the address that reports come back to.
pub const RETURN_PATH_LOCAL_PART_MAX: usize = 14;

/// Longest path of a local socket, the final zero not counted (`sun_path` of unix(7) has 108 octets).
pub const SOCKET_PATH_OCTETS_MAX: usize = 107;

pub const POLL_INTERVAL: Duration = Duration::from_secs(MINUTE);
pub const SHRINK_GUARD_SHARE: u32 = 20;
pub const SHRINK_GUARD_COUNT: u32 = 10;
pub const SHRINK_GUARD_WINDOW: Duration = Duration::from_secs(60 * MINUTE);

pub const TENANT_FIELD: &str = "X-MS-Exchange-CrossTenant-Id";
pub const DNS_TIMEOUT: Duration = Duration::from_secs(5);

pub const MODERATION_LOCAL_PART: &str = "moderation";

pub const PORT: u16 = 25;
pub const CONNECTIONS_MAX: u32 = 20;
pub const HOST_PREFERENCE: u16 = 10;

pub const ROLL_INTERVAL: Duration = Duration::from_secs(DAY);
pub const VERIFY_EVERY: Duration = Duration::from_secs(DAY);
pub const HISTORY_RETENTION: Duration = Duration::from_secs(400 * DAY);

pub const RETRY_FIRST: Duration = Duration::from_secs(MINUTE);
pub const RETRY_MAX: Duration = Duration::from_secs(30 * MINUTE);
pub const DELAY_REPORT_AFTER: Duration = Duration::from_secs(4 * HOUR);
pub const QUEUE_MESSAGES_MAX: u32 = 1_000_000;

pub const DISK_FREE_MIN: u64 = 1 << 30;

pub const TRACKING_RETENTION: Duration = Duration::from_secs(90 * DAY);
