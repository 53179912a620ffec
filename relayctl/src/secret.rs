//! The stack's secret: its value, its edits, and characters that do not belong into it.

pub mod edit;
pub mod invisible;
pub mod value;

pub use edit::{DEFAULT_NAME, can_be_called, check_webhook_name};
pub use invisible::{Invisible, is_invisible};
pub use value::{TRAINING, Text, Value, bare};
