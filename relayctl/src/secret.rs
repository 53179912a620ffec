//! The stack's secret: its value, its edits, and what makes a secret weak.

mod edit;
mod error;
mod invisible;
mod value;
mod weakness;

pub use edit::{can_be_called, check_webhook_name, give, kept_names, remove, still_accepting};
pub use error::EditError;
pub use invisible::find_invisible;
pub use value::{DEFAULT_NAME, TRAINING, Text, Value, bare, is_usable};
pub use weakness::{Edit, Fault, weakness};
