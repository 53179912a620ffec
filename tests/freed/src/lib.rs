//! An allocator for tests, which looks at each block that is freed: whether it still holds a secret.
//!
//! All blocks begin as zeros, so that there is nothing in them but what this program has written there, and so that they
//! may be read. A block that grows is freed at its old place, and looked at there.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};

/// To be the `#[global_allocator]` of a test.
pub struct Freed;

thread_local! {
    /// What this thread looks for, if it looks for something at the moment.
    static WANTED: Cell<Option<&'static [u8]>> = const { Cell::new(None) };
    static FOUND: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work`, and gives who freed each block that still held `secret`, as a trace of calls for each.
///
/// Only this thread is watched. The secret must be elsewhere than on the heap of `work`, or stay there.
pub fn with_secret_in<T>(secret: &'static [u8], work: impl FnOnce() -> T) -> Vec<String> {
    assert!(secret.len() >= 8, "by chance, anything short is somewhere");
    WANTED.set(Some(secret));
    drop(work());
    WANTED.set(None);
    FOUND.take()
}

fn look_at(block: &[u8]) {
    // What is allocated and freed while we look is not looked at, or this would never end.
    let Some(secret) = WANTED.take() else {
        return;
    };
    if holds(block, secret) {
        let trace = format!("{} bytes, {}", block.len(), Backtrace::force_capture());
        FOUND.with_borrow_mut(|found| found.push(trace));
    }
    WANTED.set(Some(secret));
}

/// Whether a piece of eight bytes of the secret is in the block, so that a part of it counts, too.
fn holds(block: &[u8], secret: &[u8]) -> bool {
    block
        .windows(8)
        .any(|piece| secret.windows(8).any(|wanted| wanted == piece))
}

// SAFETY: all is passed on to the system's own allocator.
unsafe impl GlobalAlloc for Freed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: what the caller promises of the layout is what is asked for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WANTED
            .try_with(Cell::get)
            .is_ok_and(|wanted| wanted.is_some())
        {
            // SAFETY: until it is freed below the block is ours, and it has been initialised when it was allocated.
            look_at(unsafe { std::slice::from_raw_parts(block, layout.size()) });
        }
        // SAFETY: the caller has the block from `alloc`, and so from the system.
        unsafe { System.dealloc(block, layout) }
    }
}
