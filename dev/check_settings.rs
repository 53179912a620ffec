//! Loads the settings as the function does when it starts, and exits with its error: `make deploy` runs this first.

use labelbox_relay::config::Config;
use std::process::ExitCode;

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a program, which reads the environment and prints its result"
)]
fn main() -> ExitCode {
    match Config::load(|name| std::env::var(name).ok()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
