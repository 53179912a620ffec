//! A global allocator for tests that scans every freed block for a secret.
//!
//! Blocks are zeroed on allocation: every byte is initialised and safe to read, and nothing remains of an earlier use.
//! The default `realloc` copies a block, so the old memory of a block that grows is freed and scanned, too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};

/// How many consecutive bytes of the secret count as a leak.
const MIN_MATCH_BYTES: usize = 8;

/// The allocator; a test installs it as its `#[global_allocator]`.
pub struct ScanningAllocator;

thread_local! {
    /// The secret that this thread scans for; `None` outside of [`find_leaks`] and during a scan.
    static SECRET: Cell<Option<&'static [u8]>> = const { Cell::new(None) };
    static LEAKS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work`, drops its result, and returns a backtrace for each block that was freed with a part of `secret` in it.
///
/// Scans only blocks that this thread frees. The caller must not free a copy of the secret of its own inside `work`.
///
/// # Panics
///
/// If the secret is shorter than eight bytes, which could match by chance.
pub fn find_leaks<T>(secret: &'static [u8], work: impl FnOnce() -> T) -> Vec<String> {
    assert!(secret.len() >= MIN_MATCH_BYTES, "a short secret matches by chance");
    SECRET.set(Some(secret));
    drop(work());
    SECRET.set(None);
    LEAKS.take()
}

fn scan(block: &[u8]) {
    // Taken for the duration of the scan: recording a leak allocates and frees memory, too.
    let Some(secret) = SECRET.take() else {
        return;
    };
    if contains_part(block, secret) {
        let leak = format!("{} bytes, {}", block.len(), Backtrace::force_capture());
        LEAKS.with_borrow_mut(|leaks| leaks.push(leak));
    }
    SECRET.set(Some(secret));
}

fn contains_part(block: &[u8], secret: &[u8]) -> bool {
    block.windows(MIN_MATCH_BYTES).any(|bytes| {
        let mut parts = secret.windows(MIN_MATCH_BYTES);
        parts.any(|part| part == bytes)
    })
}

// SAFETY: every call is forwarded to the system allocator.
unsafe impl GlobalAlloc for ScanningAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller guarantees a valid layout.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // The thread-local is gone while its thread exits.
        let is_active = SECRET.try_with(Cell::get).is_ok_and(|it| it.is_some());
        if is_active {
            // SAFETY: the block is allocated until `dealloc` below, and `alloc` initialised all of it.
            scan(unsafe { std::slice::from_raw_parts(block, layout.size()) });
        }
        // SAFETY: the block comes from `alloc`, hence from the system allocator, with the same layout.
        unsafe { System.dealloc(block, layout) }
    }
}
