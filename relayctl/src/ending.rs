//! How a command ended, and the exit status that says so.

/// How a command ended that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All is done, or as it should be.
    Done,
    /// Something was not done, or is not as it should be; what was printed names it.
    Incomplete,
    /// Ctrl-C; what was in hand is done.
    Interrupted,
}

/// The status where something was not done.
pub const INCOMPLETE: u8 = 1;
/// The status where a command was not called as it has to be: clap's, too.
pub const WRONG_USAGE: u8 = 2;
/// The status where a command could not do its work.
pub const TROUBLE: u8 = 3;
/// What shells report for a program that Ctrl-C has ended: 128 and the signal's number.
pub const INTERRUPTED: u8 = 130;

impl Ending {
    pub fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Incomplete => INCOMPLETE,
            Self::Interrupted => INTERRUPTED,
        }
    }
}
