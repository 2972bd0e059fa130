//! Texts that are plainly of a format. A text that is of it in a rarer way (a leap second, a day
//! after the 28th, a quoted mailbox) is for the validator to judge.

/// A `date` of RFC 3339 section 5.6, of a day that every month has.
pub fn is_plain_date(text: &str) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return false };
    [y1, y2, y3, y4].into_iter().all(u8::is_ascii_digit)
        && within([m1, m2], 1, 12)
        && within([d1, d2], 1, 28)
}

/// A `date-time` of RFC 3339 section 5.6, upper case.
pub fn is_plain_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else { return false };
    let Some((clock, rest)) = time.split_at_checked(8) else { return false };
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock.as_bytes() else { return false };
    is_plain_date(date)
        && within([h1, h2], 0, 23)
        && within([m1, m2], 0, 59)
        && within([s1, s2], 0, 59)
        && is_plain_zone(without_fraction(rest))
}

/// `rest` after a fraction of a second; a faulty fraction stays.
fn without_fraction(rest: &str) -> &str {
    let Some(fraction) = rest.strip_prefix('.') else { return rest };
    let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    if zone.len() < fraction.len() { zone } else { rest }
}

fn is_plain_zone(text: &str) -> bool {
    match text.as_bytes() {
        [b'Z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => within([h1, h2], 0, 23) && within([m1, m2], 0, 59),
        _ => false,
    }
}

/// An address of letters, digits and single dots, hyphens and underscores between them.
pub fn is_plain_email(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.len() < 32 && word.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let Some((mailbox, host)) = text.split_once('@') else { return false };
    text.len() < 128
        && mailbox.len() <= 64
        && mailbox.split(['.', '-', '_']).all(is_word)
        && host.split(['.', '-']).all(is_word)
        && host.contains('.')
}

/// A UUID as RFC 9562 section 4 writes it.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether two digits are a number of the range.
fn within([tens, ones]: [&u8; 2], least: u8, most: u8) -> bool {
    tens.is_ascii_digit()
        && ones.is_ascii_digit()
        && (least..=most).contains(&((tens - b'0') * 10 + (ones - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schema::compile::build;

    type Check = fn(&str) -> bool;

    const FORMATS: [(&str, Check); 4] = [
        ("date", is_plain_date),
        ("date-time", is_plain_date_time),
        ("email", is_plain_email),
        ("uuid", is_uuid),
    ];

    #[test]
    fn what_is_plain() {
        for (check, text, plain) in [
            (is_plain_date as Check, "2022-01-28", true),
            (is_plain_date, "2022-01-31", false),
            (is_plain_date, "2022-13-01", false),
            (is_plain_date_time, "2022-01-01T00:00:00Z", true),
            (is_plain_date_time, "2022-01-01T23:59:59.5+05:30", true),
            (is_plain_date_time, "2022-01-01T23:59:60Z", false),
            (is_plain_date_time, "2022-01-01T00:00:00.Z", false),
            (is_plain_date_time, "2022-01-01 00:00:00Z", false),
            (is_plain_date_time, "2022-01-01T00:00:0\u{e9}Z", false),
            (is_plain_email, "ada.l@example.com", true),
            (is_plain_email, "ada..l@example.com", false),
            (is_plain_email, "ada@", false),
            (is_uuid, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", true),
            (is_uuid, "6ba7b8109dad11d180b400c04fd430c8", false),
        ] {
            assert_eq!(check(text), plain, "{text}");
        }
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9]{4}-[01][0-9]-[0-3][0-9]",
            "[0-9]{4}-[01][0-9]-[0-2][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?(Z|[+-][0-2][0-9]:[0-6][0-9])?",
            "[a-zA-Z0-9._-]{0,66}@[a-z0-9.-]{0,70}",
            "[a-z0-9]{1,3}([._-][a-z0-9]{1,3}){0,2}@[a-z0-9]{1,3}([.-][a-z0-9]{1,3}){0,3}",
            "[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-g]{12}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_plain_is_valid(text in texts()) {
            for (name, check) in FORMATS {
                if check(&text) {
                    let validator = build(&json!({"format": name})).unwrap();
                    prop_assert!(validator.is_valid(&json!(text)), "{name} {text}");
                }
            }
        }
    }
}
