//! The stack's secret: its value, its edits, and what makes a secret weak.

mod edit;
mod value;
mod weakness;

pub use edit::{check_webhook_name, give, kept_names, remove};
pub use value::{DEFAULT_NAME, TRAINING, Text, Value, bare, is_usable, no_usable_secret, unusable};
pub use weakness::{Edit, Fault, weakness};
