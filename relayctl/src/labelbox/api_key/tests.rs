//! Where the key may go, and that it is not printed.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

#[test]
fn the_key_goes_over_tls_or_to_this_machine() {
    for url in [
        "https://api.labelbox.com/graphql",
        "https://api.eu.example/graphql",
        "http://127.0.0.1:4000/graphql",
        "http://[::1]:4000/graphql",
        "http://localhost:4000",
    ] {
        assert!(parse_url(url).is_ok(), "{url}");
    }
    for url in [
        "",
        "api.labelbox.com",
        "http://api.labelbox.com/graphql",
        "http://api.localhost",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "https://user:password@api.labelbox.com",
        "file:///etc/passwd",
    ] {
        assert!(parse_url(url).is_err(), "{url}");
    }
}

#[test]
fn the_key_is_one_word_and_not_in_debug_output() {
    let key = ApiKey::new(" key.of-signs_1\n".to_owned());
    let header = key.authorization().unwrap();
    assert_eq!(header.to_str().unwrap(), "Bearer key.of-signs_1");
    assert!(!format!("{key:?}{header:?}").contains("signs"));
    for (text, error) in [
        ("", "no Labelbox"),
        ("\n", "no Labelbox"),
        ("two words", "cannot be read"),
        ("ü", "cannot be read"),
    ] {
        let refused = ApiKey::new(text.to_owned()).authorization().unwrap_err();
        assert!(refused.to_string().contains(error), "{refused}");
    }
}
