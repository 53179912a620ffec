//! Any change of the body, the signature or the secret leads to a rejection, and nothing is queued or stored.

use super::*;
use crate::fixture::signature_rejected;
use crate::requests::with;
use prop::sample::Index;

const HEADERS: [&str; 2] = ["x-hub-signature", "x-hub-signature-256"];

/// A position in a sequence. `None` is its end, where a comparison is most likely wrong.
type Position = Option<Index>;

#[derive(Debug, Clone)]
enum Change<T> {
    Replace(Position, T),
    Insert(Position, T),
    Remove(Position),
    Truncate(Position),
}

fn changes<T: std::fmt::Debug + Clone>(
    items: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Change<T>> {
    let position = || prop::option::weighted(0.5, any::<Index>());
    prop_oneof![
        (position(), items.clone()).prop_map(|(at, item)| Change::Replace(at, item)),
        (position(), items).prop_map(|(at, item)| Change::Insert(at, item)),
        position().prop_map(Change::Remove),
        position().prop_map(Change::Truncate),
    ]
}

impl<T: Clone> Change<T> {
    fn apply(&self, items: &mut Vec<T>) {
        let size = items.len();
        let index = |at: &Position, count| at.map_or(count - 1, |at| at.index(count));
        match self {
            Self::Insert(at, item) => items.insert(index(at, size + 1), item.clone()),
            _ if size == 0 => {}
            Self::Replace(at, item) => items[index(at, size)] = item.clone(),
            Self::Remove(at) => drop(items.remove(index(at, size))),
            Self::Truncate(at) => items.truncate(index(at, size)),
        }
    }
}

/// Checks that a new relay accepts the delivery and rejects the changed event.
#[track_caller]
fn assert_rejected(delivery: &Delivery, event: Value) {
    let fixture = delivery.fixture();
    assert_eq!(send(&fixture, delivery.event()).status_code, 200);
    assert_eq!(fixture.take_queued().len(), 1);
    fixture.take_objects();
    let response = send(&fixture, event);
    assert_eq!((response.status_code, response.json()), (401, signature_rejected()));
    assert_nothing_stored(&fixture);
}

#[track_caller]
fn assert_nothing_stored(fixture: &Fixture) {
    assert!(fixture.take_queued().is_empty());
    assert!(fixture.take_objects().is_empty());
}

fn value<'e>(event: &'e Value, header: &str) -> Option<&'e str> {
    event["headers"][header].as_str()
}

/// Compares the hex digits case-insensitively.
fn is_same_signature(one: &str, other: &str) -> bool {
    let parts = |value: &str| {
        let (scheme, digits) = value.split_once('=')?;
        Some((scheme.to_owned(), digits.to_ascii_lowercase()))
    };
    parts(one) == parts(other)
}

fn hex_digits_and_others() -> impl Strategy<Value = char> + Clone {
    let digits: Vec<char> = "0123456789abcdefABCDEF".chars().collect();
    prop_oneof![3 => prop::sample::select(digits), 1 => any::<char>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn rejects_any_change_of_the_body(delivery in deliveries(), change in changes(any::<u8>())) {
        let mut body = delivery.body.clone();
        change.apply(&mut body);
        prop_assume!(body != delivery.body);
        assert_rejected(&delivery, with_body(delivery.event(), &body, delivery.in_base64));
    }

    /// Every sequence of bytes has exactly one base64 encoding.
    #[test]
    fn rejects_any_change_of_a_base64_body(delivery in deliveries(), change in changes(any::<char>())) {
        let mut text: Vec<char> = STANDARD.encode(&delivery.body).chars().collect();
        change.apply(&mut text);
        let text = String::from_iter(text);
        prop_assume!(text != STANDARD.encode(&delivery.body));
        let fixture = delivery.fixture();
        let event = with(delivery.event(), "/isBase64Encoded", json!(true));
        let response = send(&fixture, with(event, "/body", json!(text)));
        let status = if STANDARD.decode(text).is_ok() { 401 } else { 400 };
        prop_assert_eq!(response.status_code, status);
        assert_nothing_stored(&fixture);
    }

    #[test]
    fn rejects_any_change_of_a_signature(delivery in deliveries(), change in changes(hex_digits_and_others())) {
        for header in HEADERS {
            let event = delivery.event();
            let Some(valid) = value(&event, header) else {
                continue;
            };
            let mut changed: Vec<char> = valid.chars().collect();
            change.apply(&mut changed);
            let changed = String::from_iter(changed);
            prop_assume!(!is_same_signature(&changed, valid));
            assert_rejected(&delivery, with(event, &format!("/headers/{header}"), json!(changed)));
        }
    }

    #[test]
    fn rejects_any_text_in_place_of_a_signature(
        delivery in deliveries(),
        header in prop::sample::select(&HEADERS),
        text in "\\PC{0,80}|sha1=[0-9a-f]{40}|sha256=[0-9a-f]{64}|(sha1|sha256|SHA1|md5)?=?[0-9a-fA-F]{0,130}",
    ) {
        assert_rejected(&delivery, with(delivery.event(), &format!("/headers/{header}"), json!(text)));
    }

    #[test]
    fn rejects_missing_or_duplicate_signature(delivery in deliveries(), case in 0..4) {
        let mut event = delivery.event();
        for header in HEADERS {
            let Some(valid) = value(&event, header).map(str::to_owned) else {
                continue;
            };
            match case {
                0 => event["headers"][header] = Value::Null,
                1 => event["headers"][header] = json!(format!("{valid},{valid}")),
                2 => event["headers"][header.to_uppercase()] = json!(valid),
                _ => event["multiValueHeaders"] = json!({header: [valid, valid]}),
            }
        }
        assert_rejected(&delivery, event);
    }

    #[test]
    fn rejects_any_change_of_the_secret(delivery in deliveries(), change in changes("\\PC")) {
        let mut secret: Vec<String> = delivery.secret.chars().map(String::from).collect();
        change.apply(&mut secret);
        let other = Delivery { secret: secret.concat(), ..delivery.clone() };
        prop_assume!(other.secret != delivery.secret);
        assert_rejected(&delivery, other.event());
    }

    #[test]
    fn rejects_secret_of_another_route(delivery in deliveries()) {
        let other = Delivery { secret: "another".to_owned(), ..delivery.clone() };
        prop_assume!(other.secret != delivery.secret);
        assert_rejected(&delivery, other.event());
    }
}
