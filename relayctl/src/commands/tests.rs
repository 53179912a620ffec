//! Which command lines are accepted.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::stack::Entity;
use clap::ValueEnum;
use clap::error::ErrorKind;

fn read(line: &str) -> Result<CommandLine, clap::Error> {
    CommandLine::try_parse_from(line.split(' '))
}

#[track_caller]
fn check_queue(line: &str, expected: &[Entity]) {
    let Command::Redrive(command) = read(line).unwrap().command else {
        panic!("{line} is not a redrive");
    };
    assert_eq!(command.queue.0, expected);
}

#[test]
fn the_definitions_agree_with_each_other() {
    CommandLine::command().debug_assert();
}

#[test]
fn accepts_the_names_of_queues() {
    check_queue("relayctl redrive label", &[Entity::Label]);
    check_queue("relayctl redrive model_run", &[Entity::ModelRun]);
    check_queue("relayctl redrive model-run", &[Entity::ModelRun]);
    check_queue("relayctl redrive all", Entity::value_variants());
    assert_eq!(Entity::value_variants().len(), 5);
}

#[test]
fn rejects_wrong_usage() {
    for line in [
        "relayctl redrive",
        "relayctl redrive labels",
        "relayctl redrive label review",
        "relayctl replay-spill --entity labels",
        "relayctl replay-spill label",
        "relayctl repair",
    ] {
        assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn accepts_global_options_before_and_after_the_command() {
    for line in [
        "relayctl --stack mine --region eu-central-1 redrive label --json",
        "relayctl redrive --json label --region eu-central-1 --stack mine",
    ] {
        let line = read(line).unwrap();
        assert_eq!(line.args.stack(), "mine");
        assert_eq!(line.args.region.as_deref(), Some("eu-central-1"));
        assert!(line.args.json);
    }
}

#[test]
fn each_command_shows_examples_that_work() {
    for words in command_words(&CommandLine::command(), "relayctl") {
        let help = read(&format!("{words} --help")).unwrap_err();
        assert_eq!(help.kind(), ErrorKind::DisplayHelp);
        let help = help.to_string();
        let Some((_, examples)) = help.split_once("Examples:\n") else {
            panic!("{words} shows no example");
        };
        let mut count = 0;
        for example in examples.lines().map(|line| line.trim()) {
            let line = example.split(['|', '>', '<']).next().unwrap().trim();
            let read = CommandLine::try_parse_from(shlex::split(line).unwrap());
            read.unwrap_or_else(|error| panic!("{example}: {error}"));
            assert!(line.starts_with(&words), "{example} is no example of {words}");
            count += 1;
        }
        assert!(count >= 2, "{help}");
    }
}

/// The words by which each command is called that has no commands of its own.
fn command_words(command: &clap::Command, words: &str) -> Vec<String> {
    let under: Vec<_> = command
        .get_subcommands()
        .filter(|under| under.get_name() != "help")
        .flat_map(|under| command_words(under, &format!("{words} {}", under.get_name())))
        .collect();
    if under.is_empty() { vec![words.to_owned()] } else { under }
}
