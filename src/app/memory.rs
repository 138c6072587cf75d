//! Giving memory back to the system.
//!
//! Loading a directory of 100,000 objects frees about as much as it keeps, and so does a message to all of them. The
//! allocator gives free pages back when it is called a while later; after a load nobody calls.

/// How long free pages stay with the allocator.
const FREE_PAGES_KEPT_MILLIS: core::ffi::c_long = 100;

/// `mi_option_purge_delay` of mimalloc.h, which the binding does not name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Tells the allocator for how long it keeps free pages. Called once, at the start.
pub fn bound() {
    // SAFETY: an option of the allocator is a number; it may be set at any time from any thread.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, FREE_PAGES_KEPT_MILLIS);
    }
}

/// Returns freed pages to the system. Takes milliseconds; called after a directory change, not on the mail path.
pub fn give_back() {
    // SAFETY: it takes a flag and may be called at any time from any thread.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}
