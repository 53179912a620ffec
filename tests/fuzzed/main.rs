//! The oracles of the fuzz targets, and a test that runs all stored inputs through them.
//!
//! An oracle computes the expected behaviour independently, and panics if the relay behaves otherwise. `fuzz/` includes
//! this module, and calls the oracles with generated inputs.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

pub(crate) mod event;
mod expected;
mod fixture;
mod gateway;
pub(crate) mod handler;
mod json;
pub(crate) mod secret;
pub(crate) mod signature;
mod time;

#[cfg(test)]
mod stored_inputs;
