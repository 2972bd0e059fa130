//! Secrets that are known by their value, and names that tell what holds one.

use std::{borrow::Cow, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::model::secret::MASK;

/// Names of what holds a secret.
const WHOLE: [&str; 5] = ["authorization", "cookie", "set-cookie", "proxy-authorization", "sig"];
/// What such names have in them.
const PARTS: [&str; 13] = [
    "token",
    "secret",
    "password",
    "passwd",
    "api-key",
    "api_key",
    "apikey",
    "signature",
    "credential",
    "private",
    "assertion",
    "verifier",
    "device_code",
];
/// Cursors of pagination are called tokens too, and are worth seeing.
const CURSORS: [&str; 7] = [
    "pagetoken",
    "nextpagetoken",
    "page_token",
    "next_page_token",
    "$skiptoken",
    "skiptoken",
    "continuationtoken",
];

/// Whether a name tells that it stands for a secret. Letters count in either case.
pub fn is_sensitive(name: &str) -> bool {
    let is = |known: &&str| name.eq_ignore_ascii_case(known);
    let has = |part: &str| {
        let mut windows = name.as_bytes().windows(part.len());
        windows.any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
    };
    (WHOLE.iter().any(&is) || PARTS.iter().any(|part| has(part))) && !CURSORS.iter().any(is)
}

/// Shorter texts are taken out only where they stand alone: they would black out parts of words.
pub const SHORT: usize = 8;
/// Shorter ones hide nothing from anyone.
const SHORTEST: usize = 4;

/// Secrets that are known, in all the forms in which requests and answers hold them, and names of
/// members that hold one. Wiped when it is dropped.
#[derive(Default)]
pub struct Known {
    /// The longest first, so that no part of one is left.
    forms: Vec<Form>,
    /// Of the shortest form: texts that are shorter still hold none.
    least: usize,
    /// Beside those that tell it by themselves.
    names: Arc<[String]>,
}

/// A text, and what is shown instead.
struct Form {
    text: Zeroizing<String>,
    shown: Arc<str>,
}

impl Known {
    /// `secrets`, and the pairs of name and password that are sent as HTTP Basic credentials.
    pub fn new<'s>(
        secrets: impl IntoIterator<Item = &'s str>,
        pairs: impl IntoIterator<Item = (&'s str, &'s str)>,
    ) -> Self {
        let mut known = Self::default();
        for secret in secrets {
            known.forms_of(secret, MASK);
        }
        for (name, password) in pairs.into_iter().filter(|(_, password)| !password.is_empty()) {
            let pair = Zeroizing::new(format!("{name}:{password}"));
            for text in [STANDARD_NO_PAD.encode(&*pair), URL_SAFE_NO_PAD.encode(&*pair)] {
                known.forms.push(Form { text: Zeroizing::new(text), shown: MASK.into() });
            }
        }
        known.order();
        known
    }

    /// Members, parameters and headers of these names hold one, too.
    #[must_use]
    pub fn with_names(self, names: &Arc<[String]>) -> Self {
        Self { names: Arc::clone(names), ..self }
    }

    /// One more.
    pub fn add(&mut self, secret: &str) {
        self.forms_of(secret, MASK);
        self.order();
    }

    /// One more, in whose place its name is shown.
    pub fn add_named(&mut self, secret: &str, name: &str) {
        self.forms_of(secret, name);
        self.order();
    }

    fn forms_of(&mut self, secret: &str, shown: &str) {
        let shown: Arc<str> = shown.into();
        let form = |text| Form { text: Zeroizing::new(text), shown: Arc::clone(&shown) };
        self.forms.extend(encodings(secret).into_iter().map(form));
    }

    fn order(&mut self) {
        self.forms.retain(|form| form.text.len() >= SHORTEST);
        let order =
            |a: &Form, b: &Form| b.text.len().cmp(&a.text.len()).then_with(|| a.text.cmp(&b.text));
        self.forms.sort_by(order);
        self.forms.dedup_by(|a, b| a.text == b.text);
        self.least = self.forms.last().map_or(0, |form| form.text.len());
    }

    /// Whether a header, parameter or member of this name may hold a secret.
    pub fn is_sensitive(&self, name: &str) -> bool {
        is_sensitive(name) || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The text without them; borrowed if there are none in it.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut hidden = Cow::Borrowed(text);
        if self.forms.is_empty() || text.len() < self.least {
            return hidden;
        }
        for Form { text: form, shown } in self.forms.iter().filter(|f| f.text.len() <= text.len()) {
            if !hidden.contains(form.as_str()) {
                continue;
            }
            hidden = Cow::Owned(if form.len() < SHORT {
                alone(&hidden, form, shown)
            } else {
                hidden.replace(form.as_str(), shown)
            });
        }
        hidden
    }
}

/// Puts something else in the place of a word where it stands alone.
fn alone(text: &str, word: &str, shown: &str) -> String {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(word) {
        let joined = before.chars().next_back().or(out.chars().next_back()).is_some_and(part)
            || after.chars().next().is_some_and(part);
        out.push_str(before);
        out.push_str(if joined { word } else { shown });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// How a secret looks in paths, queries, forms, headers and JSON, ours and others'.
fn encodings(secret: &str) -> Vec<String> {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const RESERVED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let quoted = Value::from(secret).to_string();
    let mut forms = vec![
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        utf8_percent_encode(secret, RESERVED).to_string(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned(),
    ];
    if secret.len() >= SHORTEST {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        forms.extend([hex.to_ascii_uppercase(), hex]);
        // Without padding: what is found with it is found without it.
        forms.push(STANDARD_NO_PAD.encode(secret));
        forms.push(URL_SAFE_NO_PAD.encode(secret));
    }
    forms
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_known_secret_never_stays(before in ".{0,20}", secret in "[A-Za-z0-9+/=_.~ \"\\\\-]{8,40}", after in ".{0,20}") {
            let known = Known::new([secret.as_str()], []);
            for form in encodings(&secret) {
                let text = format!("{before}{form}{after}");
                prop_assert!(!known.hide(&text).contains(&form));
            }
        }
    }

    #[test]
    fn what_is_derived_from_a_secret_goes_too() {
        let known = Known::new(["s3cr3t+word", "1234"], [("ann", "s3cr3t+word")]);
        for (text, expected) in [
            ("Basic YW5uOnMzY3IzdCt3b3Jk", "Basic ***"),
            ("czNjcjN0K3dvcmQ=", "***="),
            ("q=s3cr3t%2Bword&x=1", "q=***&x=1"),
            ("733363723374 2b 7333637233742b776f7264", "733363723374 2b ***"),
            ("733363723374 733363723374", "733363723374 733363723374"),
            ("pin 1234, not 12345 or a1234", "pin ***, not 12345 or a1234"),
            ("pin=1234", "pin=***"),
            ("plain", "plain"),
        ] {
            assert_eq!(known.hide(text), expected);
        }
    }

    #[test]
    fn a_name_stands_where_the_value_of_a_variable_was() {
        let mut known = Known::default();
        known.add_named("north/one", "${SITE}");
        known.add_named("1234", "${PIN}");
        for (text, expected) in [
            ("https://x.test/north%2Fone?pin=1234", "https://x.test/${SITE}?pin=${PIN}"),
            ("north/one-12345", "${SITE}-12345"),
        ] {
            assert_eq!(known.hide(text), expected);
        }
    }
}
