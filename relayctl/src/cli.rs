//! Arguments that several commands share.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use std::borrow::Cow;
use std::time::Duration;
use tokio::time::sleep;

pub const DEFAULT_STACK: &str = "labelbox-relay";

/// Which relay, and how to print.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Target")]
pub struct GlobalArgs {
    /// Name of the relay's CloudFormation stack [env: RELAY_STACK] [default: labelbox-relay]
    #[arg(long, global = true, value_parser = NonEmptyStringValueParser::new())]
    stack: Option<String>,
    /// Profile of your AWS configuration; it comes before credentials in environment variables
    #[arg(long, global = true, value_parser = NonEmptyStringValueParser::new())]
    pub profile: Option<String>,
    /// AWS region of the stack
    #[arg(long, global = true, value_parser = NonEmptyStringValueParser::new())]
    pub region: Option<String>,
    /// Print JSON for scripts, one value on a line
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
}

/// When a command ends that would go on until Ctrl-C.
#[derive(Debug, Default, Args)]
pub struct End {
    /// End after so many requests
    #[arg(long, value_name = "N", value_parser = positive)]
    pub count: Option<u64>,
    /// End after this time, such as 30s or 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub time: Option<Duration>,
}

impl End {
    /// Completes when the time is over.
    pub async fn time_over(&self) {
        sleep(self.time.unwrap_or(Duration::MAX)).await;
    }

    /// Whether the command ends by itself, so that Ctrl-C interrupts it.
    pub fn is_given(&self) -> bool {
        self.count.is_some() || self.time.is_some()
    }
}

/// Parses a positive integer.
pub fn positive(text: &str) -> Result<u64, &'static str> {
    text.parse().ok().filter(|number| *number > 0).ok_or("it must be an integer of at least 1")
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "give a number with a unit, such as 5s, 5m or 1h")
}

impl GlobalArgs {
    /// Takes the stack's name from the environment if no argument names it. Clap could do so, but then its usage lines would list
    /// the option.
    pub fn with_stack_from(mut self, variable: Option<String>) -> Self {
        self.stack = self.stack.or(variable.filter(|name| !name.is_empty()));
        self
    }

    pub fn stack(&self) -> &str {
        self.stack.as_deref().unwrap_or(DEFAULT_STACK)
    }

    /// A command of this tool for the same profile, region and stack, to be pasted into a shell.
    pub fn relayctl(&self, words: &str) -> String {
        let stack = Some(self.stack()).filter(|name| *name != DEFAULT_STACK);
        self.command("relayctl", words, stack)
    }

    /// A command of the AWS CLI for the same profile and region, to be pasted into a shell.
    pub fn aws(&self, words: &str) -> String {
        self.command("aws", words, None)
    }

    fn command(&self, program: &str, words: &str, stack: Option<&str>) -> String {
        let options = [
            ("--stack", stack),
            ("--profile", self.profile.as_deref()),
            ("--region", self.region.as_deref()),
        ];
        let mut command = format!("{program} {words}");
        for (option, value) in options {
            if let Some(value) = value {
                command += &format!(" {option} {}", quote(value));
            }
        }
        command
    }
}

/// A word as a shell reads it.
pub fn quote(word: &str) -> Cow<'_, str> {
    // Only a NUL cannot be quoted, and no argument has one.
    shlex::try_quote(word).unwrap_or(Cow::Borrowed("''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_keep_profile_region_and_stack_and_quote_them() {
        let args = GlobalArgs {
            stack: Some("staging".to_owned()),
            profile: Some("it's mine".to_owned()),
            region: Some("eu-central-1".to_owned()),
            json: true,
        };
        let options = r#"--profile "it's mine" --region eu-central-1"#;
        assert_eq!(args.relayctl("doctor"), format!("relayctl doctor --stack staging {options}"));
        assert_eq!(
            args.aws("sts get-caller-identity"),
            format!("aws sts get-caller-identity {options}")
        );
        assert_eq!(GlobalArgs::default().relayctl("count"), "relayctl count");
    }

    #[test]
    fn an_argument_comes_before_the_variable() {
        let variable = || Some("staging".to_owned());
        assert_eq!(GlobalArgs::default().with_stack_from(variable()).stack(), "staging");
        assert_eq!(
            GlobalArgs::default().with_stack_from(Some(String::new())).stack(),
            DEFAULT_STACK
        );
        let args = GlobalArgs { stack: Some("mine".to_owned()), ..GlobalArgs::default() };
        assert_eq!(args.with_stack_from(variable()).stack(), "mine");
    }
}
