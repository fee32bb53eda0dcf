//! Name and value pairs as forms and query strings carry them
//! (application/x-www-form-urlencoded, URL Standard section 5).

/// Pairs in the order they came. A name may come more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(pub Vec<(String, String)>);

impl Form {
    /// Reads a form body. Never fails: `+` is a space, a broken `%` stands for
    /// itself, and bytes that are not UTF-8 become U+FFFD.
    pub fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// Reads the query of an address; empty when it has none.
    pub fn query(url: &str) -> Self {
        let url = url.split('#').next().unwrap_or_default();
        match url.split_once('?') {
            Some((_, query)) => Self::read(query.as_bytes()),
            None => Self::default(),
        }
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(found, _)| found == name);
        pair.map(|(_, value)| value.as_str())
    }

    /// The first value of a name, unless it is empty: providers send empty
    /// values for what they do not know.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The pairs as text again, in order.
    pub fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish()
    }
}

/// Builds a form one pair at a time.
impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Form {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        Self(pairs.map(|(k, v)| (k.into(), v.into())).collect())
    }
}

/// One value as it may stand in a path or a query.
pub fn escape(value: &str) -> String {
    // A space as `+` is right only in a form.
    let escaped: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    escaped.replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &[(&str, &str)]) {
        assert_eq!(
            Form::read(body.as_bytes()),
            expected.iter().copied().collect()
        );
    }

    #[test]
    fn reads_what_providers_send() {
        check("a=1&b=&a=2", &[("a", "1"), ("b", ""), ("a", "2")]);
        check("Body=H%C3%A9+%26+%2B1", &[("Body", "Hé & +1")]);
        check("&&x", &[("x", "")]);
        check("a=100%&b=%zz", &[("a", "100%"), ("b", "%zz")]);
        check("a=%ff", &[("a", "\u{fffd}")]);
        check("a=b=c", &[("a", "b=c")]);
    }

    #[test]
    fn reads_a_query_without_the_fragment() {
        let query = Form::query("https://example.com/x?id=msg_1&n=%2B1#rc=3");
        assert_eq!(query.get("id"), Some("msg_1"));
        assert_eq!(query.get("n"), Some("+1"));
        assert_eq!(Form::query("https://example.com/x"), Form::default());
    }

    #[test]
    fn encodes_so_that_it_reads_the_same() {
        let form: Form = [("To", "+15551234567"), ("Body", "é & = ?\n")]
            .into_iter()
            .collect();
        assert_eq!(Form::read(form.encode().as_bytes()), form);
        assert_eq!(escape("+1 2/3"), "%2B1%202%2F3");
    }
}
