//! One clock for both ends: the rig runs on one machine, so wall time is comparable between processes.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in microseconds since 1970.
pub fn now_micros() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    u64::try_from(since.as_micros()).expect("microseconds fit until the year 586,524")
}

/// Percentile of unsorted samples; sorts them. Zero when there are none.
pub fn percentile(samples: &mut [u32], percent: f64) -> u32 {
    if samples.is_empty() {
        return 0;
    }
    samples.sort_unstable();
    let last = samples.len() - 1;
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let rank = (percent / 100.0 * last as f64).round() as usize;
    samples[rank.min(last)]
}
