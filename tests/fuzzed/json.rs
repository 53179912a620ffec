//! A JSON parser that builds a tree, written by hand from RFC 8259, to check the relay's readers, which build none.

/// A JSON value.
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number,
    /// `None` for a string with a lone surrogate.
    String(Option<String>),
    Array(Vec<Json>),
    /// All members in order, duplicates included.
    Object(Members),
}

/// Names and values of an object. A name is `None` if it has a lone surrogate.
pub(crate) type Members = Vec<(Option<String>, Json)>;

impl Json {
    /// Parses a text that is one JSON value.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value()?;
        parser.skip_whitespace();
        (parser.at == text.len()).then_some(value)
    }

    /// Parses the JSON value at the start of a text, and ignores the rest.
    pub(crate) fn parse_prefix(text: &str) -> Option<Self> {
        Parser { text, at: 0 }.value()
    }

    /// The string, if the value is a valid one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => text.as_deref(),
            _ => None,
        }
    }

    /// The last value of an object under this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        let Self::Object(members) = self else {
            return None;
        };
        let has_name = |(known, _): &&(Option<String>, Json)| known.as_deref() == Some(name);
        Some(&members.iter().rfind(has_name)?.1)
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn consume(&mut self, text: &str) -> bool {
        let is_next = self.text.as_bytes()[self.at..].starts_with(text.as_bytes());
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    fn value(&mut self) -> Option<Json> {
        self.skip_whitespace();
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(Json::String),
            b'n' => self.consume("null").then_some(Json::Null),
            b't' => self.consume("true").then_some(Json::Bool(true)),
            b'f' => self.consume("false").then_some(Json::Bool(false)),
            _ => self.number(),
        }
    }

    fn array(&mut self) -> Option<Json> {
        self.items("]", Self::value).map(Json::Array)
    }

    fn object(&mut self) -> Option<Json> {
        let members = self.items("}", |parser| {
            parser.skip_whitespace();
            let name = parser.string()?;
            parser.skip_whitespace();
            parser.consume(":").then_some(())?;
            Some((name, parser.value()?))
        });
        members.map(Json::Object)
    }

    /// Parses a list of items, separated by commas, up to the closing bracket.
    fn items<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_whitespace();
        if self.consume(close) {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            self.skip_whitespace();
            if self.consume(close) {
                return Some(items);
            }
            self.consume(",").then_some(())?;
        }
    }

    /// Parses a string as UTF-16, the encoding of its escapes. The inner `None` is a string with a lone surrogate.
    fn string(&mut self) -> Option<Option<String>> {
        self.consume("\"").then_some(())?;
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
        let kind = self.peek()?;
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
        self.consume("-");
        if !self.consume("0") {
            self.digits()?;
        }
        if self.consume(".") {
            self.digits()?;
        }
        if self.consume("e") || self.consume("E") {
            let _ = self.consume("+") || self.consume("-");
            self.digits()?;
        }
        Some(Json::Number)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|digit| digit.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}
