//! How a command line names queues: one of them, or all.

use crate::stack::Entity;
use clap::ValueEnum;
use clap::builder::PossibleValue;

/// One queue or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    One(Entity),
    All,
}

impl Choice {
    pub fn entities(self) -> Vec<Entity> {
        match self {
            Self::One(entity) => vec![entity],
            Self::All => Entity::value_variants().to_vec(),
        }
    }
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::One(Entity::Label),
            Self::One(Entity::Workflow),
            Self::One(Entity::Review),
            Self::One(Entity::ModelRun),
            Self::One(Entity::Unrouted),
            Self::All,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::One(entity) => entity.to_possible_value(),
            Self::All => Some(PossibleValue::new("all")),
        }
    }
}
