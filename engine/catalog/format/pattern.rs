//! Patterns that need no compiler to be known as sound: the letters, sets, groups and counts of
//! which nearly all patterns of schemas are made.

use std::{iter::Peekable, str::Chars};

/// States that a plain pattern may have, far below what a compiled pattern may take.
const MAX_STATES: usize = 2_000;
/// Groups within groups.
const MAX_DEPTH: usize = 4;

/// Whether a pattern would compile, for all to see. `false` if it takes a compiler to know.
pub fn is_plain(pattern: &str) -> bool {
    let text = pattern.strip_prefix('^').unwrap_or(pattern);
    let text = text.strip_suffix('$').filter(|rest| !rest.ends_with('\\')).unwrap_or(text);
    let mut reader = Reader { rest: text.chars().peekable() };
    reader
        .alternatives(0)
        .is_some_and(|states| states <= MAX_STATES && reader.rest.next().is_none())
}

/// Each function goes over what it knows and gives its states; `None` if it is not plain.
struct Reader<'p> {
    rest: Peekable<Chars<'p>>,
}

impl Reader<'_> {
    fn alternatives(&mut self, depth: usize) -> Option<usize> {
        let mut states = 1;
        loop {
            match self.rest.peek() {
                None | Some(')') => return Some(states),
                Some('|') if depth > 0 => drop(self.rest.next()),
                Some(_) => {
                    let item = self.item(depth)?;
                    states += item.saturating_mul(self.count()?);
                }
            }
            if states > MAX_STATES {
                return None;
            }
        }
    }

    fn item(&mut self, depth: usize) -> Option<usize> {
        match self.rest.next()? {
            '(' if depth < MAX_DEPTH => {
                let states = self.alternatives(depth + 1)?;
                (self.rest.next()? == ')').then_some(states + 2)
            }
            '[' => self.set(),
            '\\' => matches!(self.rest.next()?, '.' | 'd').then_some(2),
            c if is_letter(c) || c == '-' => Some(1),
            _ => None,
        }
    }

    /// How often the item before it stands at most, as far as that makes states.
    fn count(&mut self) -> Option<usize> {
        let most = match self.rest.peek() {
            Some('*' | '+' | '?') => {
                self.rest.next();
                2
            }
            Some('{') => {
                self.rest.next();
                let least = self.number()?;
                let most = match self.rest.next()? {
                    '}' => return self.counted(least),
                    ',' if self.rest.peek() == Some(&'}') => least + 1,
                    ',' => self.number().filter(|most| *most >= least)?,
                    _ => return None,
                };
                if self.rest.next()? != '}' {
                    return None;
                }
                most
            }
            _ => 1,
        };
        self.counted(most)
    }

    /// A count that is not counted again.
    fn counted(&mut self, most: usize) -> Option<usize> {
        (!matches!(self.rest.peek(), Some('*' | '+' | '?' | '{'))).then_some(most.max(1))
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(10)) {
            self.rest.next();
            let so_far: usize = number.unwrap_or_default() * 10 + usize::try_from(digit).ok()?;
            number = Some(so_far).filter(|number| *number <= MAX_STATES);
            number?;
        }
        number
    }

    /// `[A-Za-z0-9._-]`: letters, ranges, and a dash at the end.
    fn set(&mut self) -> Option<usize> {
        let mut states = 0;
        loop {
            match self.rest.next()? {
                ']' => return (states > 0).then_some(states),
                '-' => {
                    return (states > 0 && self.rest.next()? == ']').then_some(states + 1);
                }
                first if is_letter(first) || first == '.' => {
                    // A dash makes a range, if it is not the last.
                    let mut ahead = self.rest.clone();
                    if ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']') {
                        let last = ahead.next()?;
                        let kinds = [char::is_ascii_lowercase, char::is_ascii_uppercase];
                        let same = |is: &fn(&char) -> bool| is(&first) && is(&last);
                        let is_digit: fn(&char) -> bool = char::is_ascii_digit;
                        if first > last || !(kinds.iter().any(same) || same(&is_digit)) {
                            return None;
                        }
                        self.rest = ahead;
                    }
                    states += 1;
                }
                _ => return None,
            }
        }
    }
}

/// What means itself everywhere in a pattern.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | ':' | ',' | '@' | '%' | '=' | ' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schema;

    #[test]
    fn what_is_plain_and_what_is_not() {
        for (pattern, plain) in [
            ("^[A-Za-z0-9.-]+$", true),
            (r"^https://accounts\.(zoho|zohocloud)\.(com|com\.au)$", true),
            (r"^[a-z]{2}(-[a-z]+)+-\d$", true),
            (r"^([a-z0-9_]+\.)+[a-z]{2,}$", true),
            ("^[0-9]{1,19}$", true),
            ("", true),
            ("a|b", false),
            ("(a|b)", true),
            ("(", false),
            ("a)", false),
            ("[]", false),
            ("[z-a]", false),
            ("[a-Z]", false),
            ("[a", false),
            ("a**", false),
            ("a{2}{3}", false),
            ("a{3,2}", false),
            ("a{", false),
            ("(?=x)", false),
            ("*", false),
            (r"\", false),
            (r"\$", false),
            ("(a{1000}){1000}", false),
            ("a{99999999999999999999}", false),
            ("é", false),
        ] {
            assert_eq!(is_plain(pattern), plain, "{pattern}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_plain_compiles(
            pieces in prop::collection::vec(prop::sample::select(&[
                "a", "Z", "[a-z]", "[0-9_.-]", "[", "]", "(", ")", "|", "*", "+", "?", "{2}", "{1,3}", "{2,}",
                "{", "}", ",", "-", r"\.", r"\d", r"\", "^", "$", ".", "/", " ", "(a|b)",
            ][..]), 0..10)
        ) {
            let pattern = pieces.concat();
            if is_plain(&pattern) {
                let document = json!({"pattern": pattern});
                prop_assert!(schema::compile(&document).is_ok(), "{}", pattern);
            }
        }
    }
}
