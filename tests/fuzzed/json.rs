//! A JSON text as a tree, read by hand from RFC 8259: what the relay's one-pass readers are held against.

/// A JSON value.
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number,
    /// A string; nothing, when it is no text (a lone surrogate).
    Text(Option<String>),
    List(Vec<Json>),
    /// Every pair, in order and as often as it is there.
    Object(Members),
}

/// The pairs of an object. A key is a string like any other.
pub(crate) type Members = Vec<(Option<String>, Json)>;

impl Json {
    /// A text that is one JSON value.
    pub(crate) fn whole(text: &str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value()?;
        reader.space();
        (reader.at == text.len()).then_some(value)
    }

    /// The JSON value that a text begins with; what follows does not matter.
    pub(crate) fn first(text: &str) -> Option<Self> {
        Reader { text, at: 0 }.value()
    }

    /// A string that is a text.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.as_deref(),
            _ => None,
        }
    }

    /// The last value of an object under this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        let Self::Object(pairs) = self else {
            return None;
        };
        let has_name = |(key, _): &&(Option<String>, Json)| key.as_deref() == Some(name);
        Some(&pairs.iter().rfind(has_name)?.1)
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.next() {
            self.at += 1;
        }
    }

    fn takes(&mut self, text: &str) -> bool {
        let is_there = self.text.as_bytes()[self.at..].starts_with(text.as_bytes());
        self.at += if is_there { text.len() } else { 0 };
        is_there
    }

    fn value(&mut self) -> Option<Json> {
        self.space();
        match self.next()? {
            b'{' => self.object(),
            b'[' => self.list(),
            b'"' => self.string().map(Json::Text),
            b'n' => self.takes("null").then_some(Json::Null),
            b't' => self.takes("true").then_some(Json::Bool(true)),
            b'f' => self.takes("false").then_some(Json::Bool(false)),
            _ => self.number(),
        }
    }

    fn list(&mut self) -> Option<Json> {
        self.items("]", Self::value).map(Json::List)
    }

    fn object(&mut self) -> Option<Json> {
        let pairs = self.items("}", |reader| {
            reader.space();
            let key = reader.string()?;
            reader.space();
            reader.takes(":").then_some(())?;
            Some((key, reader.value()?))
        });
        pairs.map(Json::Object)
    }

    /// What is between two brackets, with commas between its items.
    fn items<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut items = Vec::new();
        self.at += 1;
        self.space();
        if self.takes(close) {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            self.space();
            if self.takes(close) {
                return Some(items);
            }
            self.takes(",").then_some(())?;
        }
    }

    /// A string as UTF-16, which is what its escapes are.
    fn string(&mut self) -> Option<Option<String>> {
        self.takes("\"").then_some(())?;
        let mut units = Vec::new();
        loop {
            let character = self.text[self.at..].chars().next()?;
            self.at += character.len_utf8();
            match character {
                '"' => return Some(String::from_utf16(&units).ok()),
                '\\' => units.push(self.escape()?),
                '\0'..='\u{1f}' => return None,
                _ => units.extend_from_slice(character.encode_utf16(&mut [0; 2])),
            }
        }
    }

    fn escape(&mut self) -> Option<u16> {
        let kind = self.next()?;
        self.at += 1;
        Some(match kind {
            b'"' | b'\\' | b'/' => kind.into(),
            b'b' => 8,
            b'f' => 12,
            b'n' => 10,
            b'r' => 13,
            b't' => 9,
            b'u' => {
                let digits = self.text.get(self.at..self.at + 4)?;
                self.at += 4;
                let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                is_hex.then_some(())?;
                u16::from_str_radix(digits, 16).ok()?
            }
            _ => return None,
        })
    }

    fn number(&mut self) -> Option<Json> {
        self.takes("-");
        if !self.takes("0") {
            self.digits()?;
        }
        if self.takes(".") {
            self.digits()?;
        }
        if self.takes("e") || self.takes("E") {
            let _ = self.takes("+") || self.takes("-");
            self.digits()?;
        }
        Some(Json::Number)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.next().is_some_and(|digit| digit.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}
