//! Tests of each environment variable: its default, its valid values, and the error for an invalid one.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use std::collections::HashMap;

/// The required settings, for tests.
pub(crate) fn offline() -> Config {
    Config::load(|name| match name {
        "AWS_REGION" => Some("eu-central-1".to_owned()),
        "AWS_ACCESS_KEY_ID" => Some("AKID".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some("key".to_owned()),
        "SECRET_ARN" => Some("relay".to_owned()),
        "PAYLOAD_BUCKET" => Some("relay-payloads".to_owned()),
        _ if name.ends_with("_QUEUE_URL") => Some("https://sqs.example/q.fifo".to_owned()),
        _ => None,
    })
    .unwrap()
}

/// The clients' settings of [`offline`], over an HTTP client, at a clock that says 1970.
pub(crate) fn offline_aws(http: impl HttpClient) -> AwsConfig {
    offline().aws.for_clients(Arc::new(http), || SystemTime::UNIX_EPOCH)
}

const REQUIRED: [(&str, &str); 10] = [
    ("SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:relay-AbCdEf"),
    ("LABEL_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/label.fifo"),
    ("WORKFLOW_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/workflow.fifo"),
    ("REVIEW_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/review.fifo"),
    ("MODEL_RUN_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/model-run.fifo"),
    ("UNROUTED_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/unrouted.fifo"),
    ("PAYLOAD_BUCKET", "relay-payloads"),
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLEKEYID"),
    ("AWS_SECRET_ACCESS_KEY", "correct-horse"),
];
const QUEUES: [&str; 5] = [
    "LABEL_QUEUE_URL",
    "WORKFLOW_QUEUE_URL",
    "REVIEW_QUEUE_URL",
    "MODEL_RUN_QUEUE_URL",
    "UNROUTED_QUEUE_URL",
];

/// Loads the required variables and these.
fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables: HashMap<_, _> = REQUIRED.iter().chain(variables).copied().collect();
    Config::load(|name| variables.get(name).map(|value| (*value).to_owned()))
}

#[track_caller]
fn load_valid(variables: &[(&str, &str)]) -> Config {
    load(variables).unwrap()
}

/// The errors of invalid variables.
#[track_caller]
fn errors(variables: &[(&str, &str)]) -> Vec<String> {
    let message = load(variables).unwrap_err().to_string();
    let errors = message.strip_prefix("invalid settings: ").unwrap();
    errors.split("; ").map(str::to_owned).collect()
}

/// The variable of an error.
fn variable(error: &str) -> &str {
    error.split(' ').next().unwrap()
}

#[track_caller]
fn check_error(name: &str, value: &str, error: &str) {
    assert_eq!(errors(&[(name, value)]), [format!("{name} {error}")], "{value:?}");
}

#[test]
fn unset_variables_have_defaults() {
    let config = load_valid(&[]);
    assert_eq!(config.secret_ttl, Duration::from_secs(300));
    assert_eq!(config.message.queue_type, QueueType::Fifo);
    assert!(config.sources.allowed.is_empty());
    assert!(config.sources.enforced);
    assert!(config.training_models.is_empty());
    assert_eq!(config.message.inline_limit, 1_048_576);
    assert_eq!(config.log_level, Level::INFO);
    assert_eq!(config.metrics_namespace, "LabelboxRelay");
    assert_eq!(config.aws.sqs_endpoint, None);
    assert_eq!(config.aws.secrets_manager_endpoint, None);
    assert_eq!(config.aws.s3_endpoint, None);
}

fn credentials(session_token: Option<&str>) -> Credentials {
    let (id, key) = ("ASIAEXAMPLEKEYID".to_owned(), "correct-horse".to_owned());
    Credentials::new(id, key, session_token.map(str::to_owned))
}

#[test]
fn reads_required_variables() {
    let config = load_valid(&[("AWS_SESSION_TOKEN", "a-token")]);
    let required: HashMap<_, _> = REQUIRED.into();
    assert_eq!(config.secret_id, required["SECRET_ARN"]);
    assert_eq!(config.queue_urls.label, required["LABEL_QUEUE_URL"]);
    assert_eq!(config.queue_urls.workflow, required["WORKFLOW_QUEUE_URL"]);
    assert_eq!(config.queue_urls.review, required["REVIEW_QUEUE_URL"]);
    assert_eq!(config.queue_urls.model_run, required["MODEL_RUN_QUEUE_URL"]);
    assert_eq!(config.queue_urls.unrouted, required["UNROUTED_QUEUE_URL"]);
    assert_eq!(config.message.bucket, "relay-payloads");
    assert_eq!(config.aws.region, "eu-central-1");
    assert!(config.aws.credentials == credentials(Some("a-token")));
}

#[test]
fn reports_missing_required_variable() {
    for (name, _) in REQUIRED {
        for blank in ["", " ", "\t\n"] {
            check_error(name, blank, "is missing");
        }
    }
}

#[test]
fn blank_variable_counts_as_unset() {
    let optional = [
        "SECRET_TTL_SECONDS",
        "QUEUE_TYPE",
        "ALLOWED_SOURCE_CIDRS",
        "SOURCE_CHECK",
        "TRAINING_MODELS",
        "INLINE_LIMIT_KIB",
        "ARCHIVE_DAYS",
        "LOG_LEVEL",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    ];
    for blank in ["", "  ", "\t\n"] {
        let config = load_valid(&optional.map(|name| (name, blank)));
        assert_eq!(format!("{config:?}"), format!("{:?}", load_valid(&[])));
        assert!(config.aws.credentials == credentials(None));
    }
}

#[test]
fn reports_all_missing_variables_in_one_message() {
    let message = Config::load(|_| None).unwrap_err().to_string();
    for (name, _) in REQUIRED {
        assert!(message.contains(&format!("{name} is missing")), "{name}: {message}");
    }
    assert_eq!(message.lines().count(), 1);
}

#[test]
fn reports_all_invalid_variables_in_one_message() {
    let errors = errors(&[
        ("SECRET_ARN", ""),
        ("SECRET_TTL_SECONDS", "soon"),
        ("QUEUE_TYPE", "lifo"),
        ("LABEL_QUEUE_URL", "label.fifo"),
        ("ALLOWED_SOURCE_CIDRS", "everywhere"),
        ("SOURCE_CHECK", "maybe"),
        ("INLINE_LIMIT_KIB", "much"),
        ("ARCHIVE_DAYS", "always"),
        ("LOG_LEVEL", "loud"),
        ("AWS_REGION", " "),
    ]);
    let mut names: Vec<_> = errors.iter().map(|error| variable(error)).collect();
    names.sort_unstable();
    let expected = [
        "ALLOWED_SOURCE_CIDRS",
        "ARCHIVE_DAYS",
        "AWS_REGION",
        "INLINE_LIMIT_KIB",
        "LABEL_QUEUE_URL",
        "LOG_LEVEL",
        "QUEUE_TYPE",
        "SECRET_ARN",
        "SECRET_TTL_SECONDS",
        "SOURCE_CHECK",
    ];
    assert_eq!(names, expected);
}

#[test]
fn numbers_are_whole_and_in_range() {
    for (text, seconds) in [("1", 1), ("300", 300), (" 60 ", 60), ("86400", 86_400)] {
        let config = load_valid(&[("SECRET_TTL_SECONDS", text)]);
        assert_eq!(config.secret_ttl, Duration::from_secs(seconds));
    }
    for (text, bytes) in [("1", 1024), ("256", 262_144), ("1024", 1_048_576)] {
        assert_eq!(load_valid(&[("INLINE_LIMIT_KIB", text)]).message.inline_limit, bytes);
    }
    for (text, archives_events) in [("0", false), ("1", true), ("3650", true)] {
        assert_eq!(load_valid(&[("ARCHIVE_DAYS", text)]).archives_events, archives_events);
    }
    assert!(!load_valid(&[]).archives_events);
    for invalid in
        ["0", "-1", "86401", "1.5", "1e2", "300s", "0x10", "five", "99999999999999999999"]
    {
        check_error("SECRET_TTL_SECONDS", invalid, "must be a whole number from 1 to 86400");
    }
    for invalid in ["0", "-1", "1025", "1 MiB"] {
        check_error("INLINE_LIMIT_KIB", invalid, "must be a whole number from 1 to 1024");
    }
    for invalid in ["-1", "3651", "30d"] {
        check_error("ARCHIVE_DAYS", invalid, "must be a whole number from 0 to 3650");
    }
}

#[test]
fn keywords_are_case_insensitive() {
    for (word, enforced) in
        [("enforce", true), ("Enforce", true), (" OBSERVE ", false), ("observe", false)]
    {
        assert_eq!(load_valid(&[("SOURCE_CHECK", word)]).sources.enforced, enforced, "{word}");
    }
    for (word, level) in [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
        ("INFO", Level::INFO),
        ("Debug", Level::DEBUG),
    ] {
        assert_eq!(load_valid(&[("LOG_LEVEL", word)]).log_level, level, "{word}");
    }
    for invalid in ["off", "true", "enforced", "enforce,observe"] {
        check_error("SOURCE_CHECK", invalid, "must be one of: enforce, observe");
    }
    for invalid in ["off", "warning", "3", "labelbox_relay=info"] {
        check_error("LOG_LEVEL", invalid, "must be one of: error, warn, info, debug, trace");
    }
}

/// The URLs of all queues, with this suffix.
fn queue_urls_with_suffix(suffix: &str) -> Vec<(&'static str, String)> {
    QUEUES
        .iter()
        .map(|name| (*name, format!("http://127.0.0.1:4566/000000000000/a{suffix}")))
        .collect()
}

fn load_with_queues(queue_type: &str, suffix: &str) -> Result<Config, ConfigError> {
    let queues = queue_urls_with_suffix(suffix);
    let mut variables: Vec<_> = queues.iter().map(|(name, url)| (*name, url.as_str())).collect();
    variables.push(("QUEUE_TYPE", queue_type));
    load(&variables)
}

#[test]
fn queue_urls_must_match_the_queue_type() {
    for (word, suffix, queue_type) in [
        ("fifo", ".fifo", QueueType::Fifo),
        ("FIFO", ".fifo", QueueType::Fifo),
        ("", ".fifo", QueueType::Fifo),
        ("standard", "", QueueType::Standard),
        ("Standard", "-fifo", QueueType::Standard),
    ] {
        let config = load_with_queues(word, suffix).unwrap();
        assert_eq!(config.message.queue_type, queue_type, "{word}");
    }
    for (word, suffix) in [("fifo", ""), ("", ""), ("fifo", ".fifo/"), ("standard", ".fifo")] {
        let message = load_with_queues(word, suffix).unwrap_err().to_string();
        for name in QUEUES {
            let error = format!("{name} must be a queue of the type in QUEUE_TYPE");
            assert!(message.contains(&error), "{word} {suffix}: {message}");
        }
    }
}

#[test]
fn reports_unknown_queue_type() {
    for invalid in ["lifo", "fifo.fifo", "both"] {
        check_error("QUEUE_TYPE", invalid, "must be one of: fifo, standard");
        // Without a queue type, the queue URLs cannot be checked.
        let message = load_with_queues(invalid, "").unwrap_err().to_string();
        assert!(!message.contains("_QUEUE_URL"), "{message}");
    }
}

#[test]
fn reports_invalid_queue_url() {
    for name in QUEUES {
        for invalid in [
            "label.fifo",
            "arn:aws:sqs:eu-central-1:123456789012:label.fifo",
            "ftp://example.com/label.fifo",
            "//example.com/label.fifo",
        ] {
            check_error(name, invalid, "must be the URL of a queue");
        }
    }
}

#[test]
fn reports_invalid_endpoint_url() {
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_SECRETS_MANAGER"] {
        for invalid in ["127.0.0.1:4566", "localhost", "http://", "ftp://127.0.0.1"] {
            check_error(name, invalid, "must be a URL");
        }
    }
}

#[test]
fn model_names_are_comma_separated() {
    for (text, names) in [
        ("ner", vec!["ner"]),
        (
            " bounding_box , ner,,image classification,",
            vec!["bounding_box", "ner", "image classification"],
        ),
        (",", vec![]),
    ] {
        assert_eq!(load_valid(&[("TRAINING_MODELS", text)]).training_models, names);
    }
}

#[track_caller]
fn check_source(networks: &str, address: &str, is_allowed: bool) {
    let sources = load_valid(&[("ALLOWED_SOURCE_CIDRS", networks)]).sources;
    let address: IpAddr = address.parse().unwrap();
    assert_eq!(sources.allows(Some(address)), is_allowed, "{address} in {networks:?}");
}

#[test]
fn allows_only_addresses_in_the_networks() {
    let labelbox = "35.223.142.181/32, 34.135.127.45/32";
    let cases = [
        (labelbox, "35.223.142.181", true),
        (labelbox, "34.135.127.45", true),
        (labelbox, "34.135.127.46", false),
        (labelbox, "::1", false),
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.0/24", "192.0.2.0", true),
        ("192.0.2.0/24", "192.0.2.255", true),
        ("192.0.2.0/24", "192.0.3.0", false),
        ("192.0.2.0/24", "192.0.1.255", false),
        ("192.0.2.77/24", "192.0.2.1", true),
        ("192.0.2.0/25,198.51.100.0/24", "198.51.100.9", true),
        ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "2001:db8::1", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        ("2001:db8::1", "2001:db8::1", true),
        ("2001:db8::1", "2001:db8::2", false),
        // IPv4-mapped IPv6 addresses.
        ("192.0.2.0/24", "::ffff:192.0.2.1", true),
        ("192.0.2.0/24", "::ffff:192.0.3.1", false),
        ("::ffff:192.0.2.1", "192.0.2.1", true),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1", true),
        ("::ffff:192.0.2.0/120", "192.0.2.1", true),
        ("::ffff:192.0.2.0/120", "::ffff:192.0.2.1", true),
        ("::ffff:192.0.2.0/120", "192.0.3.1", false),
        ("::ffff:0.0.0.0/96", "198.51.100.1", true),
        ("::ffff:0.0.0.0/96", "2001:db8::1", false),
        (",192.0.2.1,,", "192.0.2.2", false),
    ];
    for (networks, address, is_allowed) in cases {
        check_source(networks, address, is_allowed);
    }
}

#[test]
fn empty_list_allows_any_address() {
    for address in ["203.0.113.9", "2001:db8::1"] {
        check_source("", address, true);
    }
}

#[test]
fn only_empty_list_allows_unknown_address() {
    assert!(load_valid(&[]).sources.allows(None));
    let all_networks = load_valid(&[("ALLOWED_SOURCE_CIDRS", "0.0.0.0/0,::/0")]);
    assert!(!all_networks.sources.allows(None));
}

#[test]
fn reports_invalid_network() {
    for invalid in [
        "everywhere",
        "192.0.2.0/33",
        "192.0.2.256",
        "192.0.2/24",
        "2001:db8::/129",
        "::ffff:192.0.2.0/95",
        "192.0.2.0/24 198.51.100.0/24",
        "192.0.2.0/24;198.51.100.0/24",
        "192.0.2.0/24,example.com",
        "192.0.2.0/255.255.255.0",
        "192.0.2.1-192.0.2.9",
        "*",
        ",",
        " , ,",
    ] {
        check_error(
            "ALLOWED_SOURCE_CIDRS",
            invalid,
            "must be a comma-separated list of networks such as 192.0.2.0/24",
        );
    }
}

#[test]
fn endpoint_of_a_service_takes_precedence() {
    let all = ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566");
    let sqs = ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1");
    let secrets = ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:2");
    let s3 = ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:3");
    let cases = [
        (vec![], [None, None, None]),
        (vec![all], [Some(all.1), Some(all.1), Some(all.1)]),
        (vec![sqs], [Some(sqs.1), None, None]),
        (vec![secrets], [None, Some(secrets.1), None]),
        (vec![s3], [None, None, Some(s3.1)]),
        (vec![all, sqs], [Some(sqs.1), Some(all.1), Some(all.1)]),
        (vec![all, s3], [Some(all.1), Some(all.1), Some(s3.1)]),
        (vec![all, sqs, secrets, s3], [Some(sqs.1), Some(secrets.1), Some(s3.1)]),
    ];
    for (variables, expected) in cases {
        let aws = load_valid(&variables).aws;
        let endpoints = [
            aws.sqs_endpoint.as_deref(),
            aws.secrets_manager_endpoint.as_deref(),
            aws.s3_endpoint.as_deref(),
        ];
        assert_eq!(endpoints, expected, "{variables:?}");
        let is_custom = expected != [None; 3];
        assert_eq!(aws.has_custom_endpoint(), is_custom, "{variables:?}");
    }
}

#[test]
fn debug_and_errors_do_not_contain_credentials() {
    let credentials = [
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLEKEYID"),
        ("AWS_SECRET_ACCESS_KEY", "correct-horse"),
        ("AWS_SESSION_TOKEN", "battery-staple"),
    ];
    let config = load_valid(&credentials);
    let texts = [
        format!("{config:?}"),
        format!("{config:#?}"),
        format!("{:?}", config.aws),
        errors(&[credentials.as_slice(), &[("LOG_LEVEL", "loud")]].concat()).concat(),
    ];
    for text in texts {
        for (name, value) in credentials {
            assert!(!text.contains(value), "{name}: {text}");
        }
    }
    assert!(format!("{:?}", config.aws).contains("eu-central-1"));
}

#[test]
fn errors_do_not_contain_the_value() {
    for (name, invalid) in [
        ("LABEL_QUEUE_URL", "hunter2"),
        ("LOG_LEVEL", "hunter2"),
        ("SECRET_TTL_SECONDS", "hunter2"),
        ("ALLOWED_SOURCE_CIDRS", "hunter2"),
    ] {
        let errors = errors(&[(name, invalid)]);
        assert!(!errors.concat().contains("hunter2"), "{errors:?}");
    }
}

#[test]
fn accepts_only_namespaces_that_cloudwatch_accepts() {
    for namespace in ["LabelboxRelay/mine", "a", "A.b-c_d/e#f:g"] {
        let config = load_valid(&[("METRICS_NAMESPACE", namespace)]);
        assert_eq!(config.metrics_namespace, namespace);
    }
    assert_eq!(load_valid(&[("METRICS_NAMESPACE", " ")]).metrics_namespace, "LabelboxRelay");
    for invalid in ["two words", ":mine", "AWS/Lambda", "ähnlich", &"x".repeat(256)] {
        let error = "must be a namespace for metrics, such as LabelboxRelay/mine";
        check_error("METRICS_NAMESPACE", invalid, error);
    }
}

#[test]
fn rejects_fips_dual_stack_and_proxies() {
    for (name, value) in [
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "1"),
        ("HTTPS_PROXY", "http://proxy.example:3128"),
        ("https_proxy", "http://proxy.example:3128"),
        ("HTTP_PROXY", "http://proxy.example:3128"),
        ("http_proxy", "http://proxy.example:3128"),
        ("ALL_PROXY", "socks5://proxy.example"),
        ("all_proxy", "socks5://proxy.example"),
    ] {
        let errors = errors(&[(name, value)]);
        let [error] = errors.as_slice() else {
            panic!("{errors:?}");
        };
        assert!(error.starts_with(&format!("{name} is not supported")), "{error}");
    }
    load_valid(&[
        ("AWS_USE_FIPS_ENDPOINT", "False"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
        ("HTTPS_PROXY", ""),
        ("NO_PROXY", "*"),
    ]);
}
