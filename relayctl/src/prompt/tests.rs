//! What counts as a yes, and how much is read.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

#[test]
fn only_a_yes_is_a_yes() {
    for line in ["y\n", "Y\r\n", " yes \n", "YES"] {
        assert!(is_yes(line), "{line:?}");
    }
    for line in ["", "\n", "n\n", "no\n", "yep\n", "y y\n"] {
        assert!(!is_yes(line), "{line:?}");
    }
}

#[test]
fn what_is_no_text_or_has_no_end_is_not_read() {
    assert_eq!(*read_text("text\n".as_bytes()).unwrap(), "text\n");
    let most = "a".repeat(MAX_BYTES as usize);
    assert_eq!(read_text(most.as_bytes()).unwrap().len(), most.len());
    assert!(read_text(io::repeat(b'a')).is_err());
    assert!(read_text(&[0xff_u8][..]).is_err());
}
