//! Text in the character encoding that its sender names: the byte order mark, then Content-Type,
//! then the XML prolog (RFC 7303, section 3; WHATWG Encoding, section 6.1), else UTF-8.

use std::borrow::Cow;

use crate::model::http::{CONTENT_TYPE, Fields, HeaderMap};

/// Text in an encoding that is not read here, or that is not what it is said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecoded {
    /// UTF-8 by its name, or for want of one.
    #[error("the answer is not UTF-8 text")]
    Damaged,
    /// By its own name, which is not known.
    #[error(
        "the answer is text in the encoding `{0}`, which is not read; UTF-8, UTF-16, ISO-8859-1, ISO-8859-15 and windows-1252 are"
    )]
    Unknown(String),
}

/// Encodings of text.
#[derive(Debug, Clone, Copy)]
enum Charset {
    Utf8,
    Utf16(fn([u8; 2]) -> u16),
    /// One byte is one character: those from 0x80 to 0x9f, and others that are not their own number.
    Single(&'static [(u8, char)]),
}

/// windows-1252, which the web also calls ISO-8859-1 and US-ASCII (WHATWG Encoding, section 4.2).
const WINDOWS_1252: [(u8, char); 27] = [
    (0x80, '\u{20ac}'),
    (0x82, '\u{201a}'),
    (0x83, '\u{192}'),
    (0x84, '\u{201e}'),
    (0x85, '\u{2026}'),
    (0x86, '\u{2020}'),
    (0x87, '\u{2021}'),
    (0x88, '\u{2c6}'),
    (0x89, '\u{2030}'),
    (0x8a, '\u{160}'),
    (0x8b, '\u{2039}'),
    (0x8c, '\u{152}'),
    (0x8e, '\u{17d}'),
    (0x91, '\u{2018}'),
    (0x92, '\u{2019}'),
    (0x93, '\u{201c}'),
    (0x94, '\u{201d}'),
    (0x95, '\u{2022}'),
    (0x96, '\u{2013}'),
    (0x97, '\u{2014}'),
    (0x98, '\u{2dc}'),
    (0x99, '\u{2122}'),
    (0x9a, '\u{161}'),
    (0x9b, '\u{203a}'),
    (0x9c, '\u{153}'),
    (0x9e, '\u{17e}'),
    (0x9f, '\u{178}'),
];

/// ISO-8859-15: where it differs from ISO-8859-1.
const ISO_8859_15: [(u8, char); 8] = [
    (0xa4, '\u{20ac}'),
    (0xa6, '\u{160}'),
    (0xa8, '\u{161}'),
    (0xb4, '\u{17d}'),
    (0xb8, '\u{17e}'),
    (0xbc, '\u{152}'),
    (0xbd, '\u{153}'),
    (0xbe, '\u{178}'),
];

/// So far an XML prolog is looked for its encoding, in bytes.
const PROLOG: usize = 256;

/// The text of a body, without its byte order mark. UTF-8 is not copied.
pub fn text<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Cow<'b, str>, Undecoded> {
    let (charset, bytes) = charset(headers, body)?;
    match charset {
        Charset::Utf8 => {
            std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Undecoded::Damaged)
        }
        Charset::Utf16(unit) => utf16(bytes, unit).map(Cow::Owned),
        Charset::Single(table) => Ok(Cow::Owned(single(bytes, table))),
    }
}

/// The same as bytes of UTF-8, of which those that should be UTF-8 are not looked at.
pub fn bytes<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Cow<'b, [u8]>, Undecoded> {
    let (charset, bytes) = charset(headers, body)?;
    match charset {
        Charset::Utf8 => Ok(Cow::Borrowed(bytes)),
        Charset::Utf16(unit) => utf16(bytes, unit).map(|text| Cow::Owned(text.into_bytes())),
        Charset::Single(table) => Ok(Cow::Owned(single(bytes, table).into_bytes())),
    }
}

/// The encoding, and the bytes without their mark.
fn charset<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<(Charset, &'b [u8]), Undecoded> {
    for (mark, charset) in [
        (&b"\xef\xbb\xbf"[..], Charset::Utf8),
        (b"\xfe\xff", Charset::Utf16(u16::from_be_bytes)),
        (b"\xff\xfe", Charset::Utf16(u16::from_le_bytes)),
    ] {
        if let Some(rest) = body.strip_prefix(mark) {
            return Ok((charset, rest));
        }
    }
    let stated = headers.text(CONTENT_TYPE).and_then(|kind| parameter(&kind));
    let stated = stated.or_else(|| prolog(body));
    let Some(name) = stated else { return Ok((Charset::Utf8, body)) };
    named(&name).map(|charset| (charset, body)).ok_or(Undecoded::Unknown(name))
}

/// `charset` of a media type, quoted or not (RFC 9110, section 8.3).
fn parameter(kind: &str) -> Option<String> {
    let found = kind.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    });
    let name = found?.trim().trim_matches(['"', '\'']).trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// `<?xml version="1.0" encoding="ISO-8859-1"?>`
fn prolog(body: &[u8]) -> Option<String> {
    let beginning = body.strip_prefix(b"<?xml")?;
    let beginning = beginning.get(..PROLOG).unwrap_or(beginning);
    let end = beginning.windows(2).position(|pair| pair == b"?>")?;
    let text = std::str::from_utf8(beginning.get(..end)?).ok()?;
    let (_, value) = text.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let name = value.get(1..)?.split(quote).next()?.trim();
    // A prolog that could be read this far is in no encoding of two bytes.
    let narrow = !name.to_ascii_lowercase().starts_with("utf-16");
    (narrow && !name.is_empty()).then(|| name.to_owned())
}

/// By its names in IANA's registry of character sets, as far as they are met.
fn named(name: &str) -> Option<Charset> {
    Some(match name.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "unicode-1-1-utf-8" => Charset::Utf8,
        // Without a mark: RFC 2781, section 4.3, says big-endian; what is sent is little-endian.
        "utf-16" | "utf-16le" | "unicode" => Charset::Utf16(u16::from_le_bytes),
        "utf-16be" => Charset::Utf16(u16::from_be_bytes),
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "iso88591" | "latin1" | "latin-1" | "l1"
        | "us-ascii" | "ascii" | "ansi_x3.4-1968" | "windows-1252" | "cp1252" | "x-cp1252" => {
            Charset::Single(&WINDOWS_1252)
        }
        "iso-8859-15" | "iso8859-15" | "iso_8859-15" | "latin-9" | "latin9" | "l9" => {
            Charset::Single(&ISO_8859_15)
        }
        _ => return None,
    })
}

fn single(bytes: &[u8], table: &[(u8, char)]) -> String {
    let character = |byte: &u8| {
        let other = table.binary_search_by_key(byte, |(known, _)| *known).ok();
        other.and_then(|at| table.get(at)).map_or(char::from(*byte), |(_, character)| *character)
    };
    bytes.iter().map(character).collect()
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Undecoded> {
    let pairs = bytes.chunks(2).map(|pair| <[u8; 2]>::try_from(pair).map(unit));
    let units = pairs.collect::<Result<Vec<u16>, _>>().map_err(|_| Undecoded::Damaged)?;
    String::from_utf16(&units).map_err(|_| Undecoded::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, body: &[u8]) -> Result<String, String> {
        let headers = [(CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect();
        let as_bytes = bytes(&headers, body);
        let text = text(&headers, body);
        if let (Ok(text), Ok(bytes)) = (&text, &as_bytes) {
            assert_eq!(text.as_bytes(), &**bytes);
        }
        text.map(Cow::into_owned).map_err(|error| error.to_string())
    }

    #[test]
    fn the_mark_then_the_type_then_the_prolog_say_what_it_is() {
        for (kind, body, expected) in [
            ("text/plain", &b"K\xc3\xbcche"[..], "Küche"),
            ("text/plain; charset=ISO-8859-1", b"K\xfcche", "Küche"),
            ("text/csv; Charset=\"windows-1252\"", b"\x80 \x93K\xf6ln\x94", "€ “Köln”"),
            ("text/plain;charset=iso-8859-15", b"\xa4 \xfc", "€ ü"),
            ("text/plain; charset=utf-16", b"\xfe\xff\0K\0\xfc", "Kü"),
            ("text/plain; charset=utf-16le", b"K\0\xfc\0", "Kü"),
            ("text/plain; charset=latin1", b"\xef\xbb\xbfK\xc3\xbc", "Kü"),
            (
                "text/xml",
                b"<?xml version='1.0' encoding='latin1'?><a>\xfc",
                "<?xml version='1.0' encoding='latin1'?><a>ü",
            ),
            (
                "text/xml; charset=utf-8",
                b"<?xml encoding='latin1'?>\xc3\xbc",
                "<?xml encoding='latin1'?>ü",
            ),
            ("text/plain; charset=''", b"a", "a"),
        ] {
            assert_eq!(read(kind, body).as_deref(), Ok(expected), "{kind}");
        }
    }

    #[test]
    fn what_is_not_read_is_named() {
        let error = read("text/plain; charset=Shift_JIS", b"a").unwrap_err();
        assert!(error.contains("`Shift_JIS`"), "{error}");
        for (kind, body) in [
            ("text/plain", &b"\xfc"[..]),
            ("text/plain; charset=utf-16le", b"K\0\xfc"),
            ("text/plain; charset=utf-16le", b"\0\xd8a\0"),
        ] {
            assert_eq!(read(kind, body).unwrap_err(), "the answer is not UTF-8 text");
        }
    }
}
