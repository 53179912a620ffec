//! Whatever is changed in body, signature or secret: refused, and nothing is queued or stored.

use super::*;
use crate::outside::{refused, with};
use prop::sample::Index;

const HEADERS: [&str; 2] = ["x-hub-signature", "x-hub-signature-256"];

/// A place in a sequence; `None` is its end, which is what a comparison forgets first.
type Place = Option<Index>;

#[derive(Debug, Clone)]
enum Change<T> {
    Replace(Place, T),
    Insert(Place, T),
    Remove(Place),
    CutAt(Place),
}

fn changes<T: std::fmt::Debug + Clone>(
    items: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Change<T>> {
    let place = || prop::option::weighted(0.5, any::<Index>());
    prop_oneof![
        (place(), items.clone()).prop_map(|(at, item)| Change::Replace(at, item)),
        (place(), items).prop_map(|(at, item)| Change::Insert(at, item)),
        place().prop_map(Change::Remove),
        place().prop_map(Change::CutAt),
    ]
}

impl<T: Clone> Change<T> {
    fn apply(&self, items: &mut Vec<T>) {
        let size = items.len();
        let index = |at: &Place, places| at.map_or(places - 1, |at| at.index(places));
        match self {
            Self::Insert(at, item) => items.insert(index(at, size + 1), item.clone()),
            _ if size == 0 => {}
            Self::Replace(at, item) => items[index(at, size)] = item.clone(),
            Self::Remove(at) => drop(items.remove(index(at, size))),
            Self::CutAt(at) => items.truncate(index(at, size)),
        }
    }
}

/// A fresh relay takes the delivery as it was drawn, and refuses the event that was made of it.
#[track_caller]
fn check_refused(delivery: &Delivery, event: Value) {
    let stage = delivery.stage();
    assert_eq!(send(&stage, delivery.event()).status_code, 200);
    assert_eq!(stage.queued().len(), 1);
    stage.objects();
    let answer = send(&stage, event);
    assert_eq!((answer.status_code, answer.json()), (401, refused()));
    check_nothing_kept(&stage);
}

#[track_caller]
fn check_nothing_kept(stage: &Stage) {
    assert!(stage.queued().is_empty());
    assert!(stage.objects().is_empty());
}

/// The header's value, if it is there.
fn value<'e>(event: &'e Value, header: &str) -> Option<&'e str> {
    event["headers"][header].as_str()
}

/// Hex may be in either case.
fn is_same_signature(one: &str, other: &str) -> bool {
    let parts = |value: &str| {
        let (scheme, digits) = value.split_once('=')?;
        Some((scheme.to_owned(), digits.to_ascii_lowercase()))
    };
    parts(one) == parts(other)
}

fn digits_and_others() -> impl Strategy<Value = char> + Clone {
    let digits: Vec<char> = "0123456789abcdefABCDEF".chars().collect();
    prop_oneof![3 => prop::sample::select(digits), 1 => any::<char>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn any_changed_body_is_refused(delivery in deliveries(), change in changes(any::<u8>())) {
        let mut body = delivery.body.clone();
        change.apply(&mut body);
        prop_assume!(body != delivery.body);
        check_refused(&delivery, with_body(delivery.event(), &body, delivery.in_base64));
    }

    /// Base64 has one way to write some bytes: any other text is of other bytes, or is none.
    #[test]
    fn any_changed_character_of_base64_is_refused(delivery in deliveries(), change in changes(any::<char>())) {
        let mut text: Vec<char> = STANDARD.encode(&delivery.body).chars().collect();
        change.apply(&mut text);
        let text = String::from_iter(text);
        prop_assume!(text != STANDARD.encode(&delivery.body));
        let stage = delivery.stage();
        let event = with(delivery.event(), "/isBase64Encoded", json!(true));
        let answer = send(&stage, with(event, "/body", json!(text)));
        let status = if STANDARD.decode(text).is_ok() { 401 } else { 400 };
        prop_assert_eq!(answer.status_code, status);
        check_nothing_kept(&stage);
    }

    #[test]
    fn any_changed_signature_is_refused(delivery in deliveries(), change in changes(digits_and_others())) {
        for header in HEADERS {
            let event = delivery.event();
            let Some(right) = value(&event, header) else {
                continue;
            };
            let mut changed: Vec<char> = right.chars().collect();
            change.apply(&mut changed);
            let changed = String::from_iter(changed);
            prop_assume!(!is_same_signature(&changed, right));
            check_refused(&delivery, with(event, &format!("/headers/{header}"), json!(changed)));
        }
    }

    #[test]
    fn any_text_in_the_place_of_a_signature_is_refused(
        delivery in deliveries(),
        header in prop::sample::select(&HEADERS),
        text in "\\PC{0,80}|sha1=[0-9a-f]{40}|sha256=[0-9a-f]{64}|(sha1|sha256|SHA1|md5)?=?[0-9a-fA-F]{0,130}",
    ) {
        check_refused(&delivery, with(delivery.event(), &format!("/headers/{header}"), json!(text)));
    }

    #[test]
    fn no_signature_or_a_doubled_one_is_refused(delivery in deliveries(), way in 0..4) {
        let mut event = delivery.event();
        for header in HEADERS {
            let Some(right) = value(&event, header).map(str::to_owned) else {
                continue;
            };
            match way {
                0 => event["headers"][header] = Value::Null,
                1 => event["headers"][header] = json!(format!("{right},{right}")),
                2 => event["headers"][header.to_uppercase()] = json!(right),
                _ => event["multiValueHeaders"] = json!({header: [right, right]}),
            }
        }
        check_refused(&delivery, event);
    }

    #[test]
    fn any_other_secret_is_refused(delivery in deliveries(), change in changes("\\PC")) {
        let mut secret: Vec<String> = delivery.secret.chars().map(String::from).collect();
        change.apply(&mut secret);
        let other = Delivery { secret: secret.concat(), ..delivery.clone() };
        prop_assume!(other.secret != delivery.secret);
        check_refused(&delivery, other.event());
    }

    #[test]
    fn the_secret_of_another_route_is_refused(delivery in deliveries()) {
        let other = Delivery { secret: "another".to_owned(), ..delivery.clone() };
        prop_assume!(other.secret != delivery.secret);
        check_refused(&delivery, other.event());
    }
}
