//! Giving memory back to the system.
//!
//! Loading a directory of 100,000 objects frees about as much as it keeps. glibc holds on to that, in as many
//! arenas as there were threads; these two calls keep the resident size near what is in use.

/// As many arenas as cores: more only spread the same memory over more half-empty heaps.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn bound_arenas() {
    /// `M_ARENA_MAX` of malloc.h.
    const M_ARENA_MAX: i32 = -8;
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    // SAFETY: mallopt takes two integers and is called before other threads are started.
    unsafe {
        mallopt(M_ARENA_MAX, i32::try_from(cores).unwrap_or(2));
    }
}

/// Returns freed pages to the system. Takes milliseconds; called after a directory change, not on the mail path.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    // SAFETY: malloc_trim takes an integer and may be called at any time from any thread.
    unsafe {
        malloc_trim(0);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
unsafe extern "C" {
    fn mallopt(parameter: i32, value: i32) -> i32;
    fn malloc_trim(pad: usize) -> i32;
}

/// Other allocators look after themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn bound_arenas() {}

/// Other allocators look after themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
