//! The stack's secret: its value, its edits, and what makes a secret weak.

mod edit;
mod error;
mod invisible;
mod value;
mod weakness;

pub use edit::{
    add, can_be_called, check_webhook_name, kept_names, remove, remove_old, rotate, still_accepting,
};
pub use error::EditError;
pub use invisible::Invisible;
pub use value::{DEFAULT_NAME, TRAINING, Text, Value, bare, is_usable};
pub use weakness::{Fault, Weakness, weakness};
