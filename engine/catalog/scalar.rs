//! What an unquoted scalar means: the core schema of YAML 1.2 (section 10.3.2), except that
//! numbers with leading zeros stay texts.

use serde_json::Number;

use crate::catalog::tree::Kind;

/// The value of a plain scalar; `Err` for `.inf` and `.nan`, which JSON cannot say.
///
/// `no`, `on`, `0755` and `1_000` are texts; numbers keep their digits.
pub fn plain(text: &str) -> Result<Kind, NotFinite> {
    let kind = match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => match text.as_bytes() {
            [b'0'..=b'9' | b'+' | b'-' | b'.', ..] => {
                if not_finite(text) {
                    return Err(NotFinite);
                }
                number(text).map_or_else(|| Kind::String(text.into()), Kind::Number)
            }
            _ => Kind::String(text.into()),
        },
    };
    Ok(kind)
}

/// `.inf` or `.nan`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("JSON has no infinite numbers")]
pub struct NotFinite;

fn not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// The number that a text spells, its digits untouched; `None` if it spells none.
pub fn number(text: &str) -> Option<Number> {
    let based = |digits, radix| u64::from_str_radix(digits, radix).ok().map(Number::from);
    match text.as_bytes() {
        [b'0', b'x', b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..] => {
            return based(text.get(2..)?, 16);
        }
        [b'0', b'o', b'0'..=b'7', ..] => return based(text.get(2..)?, 8),
        _ => {}
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = unsigned.split_at(digits(unsigned));
    let (fraction, exponent) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if (whole.is_empty() && fraction.is_empty()) || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    if !exponent.is_empty() {
        let power = exponent.strip_prefix(['e', 'E'])?;
        let power = power.strip_prefix(['+', '-']).unwrap_or(power);
        if power.is_empty() || digits(power) < power.len() {
            return None;
        }
    }
    // JSON wants a digit on both sides of the point, and no plus.
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}{exponent}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_number_and_what_is_not() {
        for (text, expected) in [
            ("0", "0"),
            ("-17", "-17"),
            ("+5", "5"),
            ("18446744073709551616", "18446744073709551616"),
            ("1.10", "1.10"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1e3"),
            ("-1.5E-7", "-1.5E-7"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("0.25", "0.25"),
        ] {
            // Not every spelling of an exponent survives; the value does.
            let number = number(text).unwrap().to_string();
            assert_eq!(number.to_lowercase().replace("e+", "e"), expected.to_lowercase(), "{text}");
        }
        for text in [
            "0755", "00", "-01", "1_000", "1e", "e5", ".", "-", "+", "1.2.3", "0x", "0o8", "12:30",
            "1a",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn yaml_1_1_is_not_spoken() {
        for text in [
            "no",
            "yes",
            "on",
            "off",
            "y",
            "n",
            "0755",
            "1_000",
            "12:30:45",
            "2023-11-14",
            "-x",
            "..",
            "NO",
        ] {
            assert!(matches!(plain(text), Ok(Kind::String(t)) if &*t == text), "{text}");
        }
        assert!(matches!(plain("True"), Ok(Kind::Bool(true))));
        assert!(matches!(plain("~"), Ok(Kind::Null)));
        for text in [".inf", "-.INF", "+.inf", ".nan", ".NaN"] {
            assert!(plain(text).is_err(), "{text}");
        }
    }
}
