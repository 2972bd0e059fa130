//! Names, checked once: of blueprints, integrations, actions and steps.

use std::fmt;

/// Whether `text` may name a blueprint or an action:
/// `[a-z0-9][a-z0-9._-]{0,63}`. Such a name is safe as a file name on every system we run on
/// once device names of some systems are excluded.
pub fn is_valid(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    first
        && text.len() <= 64
        && !is_reserved(text)
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
}

/// What a connection's id holds besides ASCII letters, digits and spaces.
pub const CONNECTION_ID: &str = ", . ; : = + ~ [ ] | @ $ { } \" ' \\ / _ -";

/// Whether `text` may be a connection's id: 1 to 255 of ASCII letters, digits, space and
/// [`CONNECTION_ID`]. It is never part of a path.
pub fn is_connection_id(text: &str) -> bool {
    consists(text, CONNECTION_ID)
}

/// What an integration's name holds besides ASCII letters, digits and spaces.
pub const INTEGRATION: &str = "~ : . @ _ -";

/// Whether `text` may name an integration: 1 to 255 of ASCII letters, digits, space and
/// [`INTEGRATION`]. It is never part of a path.
pub fn is_integration(text: &str) -> bool {
    consists(text, INTEGRATION)
}

fn consists(text: &str, of: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || of.as_bytes().contains(&b);
    (1..=255).contains(&text.len()) && text.bytes().all(fits)
}

/// Device names that some file systems reserve (`con`, `nul`, `com1` …), with any ending.
fn is_reserved(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or(text);
    matches!(stem, "con" | "prn" | "aux" | "nul")
        || (stem.len() == 4
            && (stem.starts_with("com") || stem.starts_with("lpt"))
            && stem.bytes().last().is_some_and(|b| b.is_ascii_digit()))
}

/// Whether `text` may name a step or an `as` variable: `[A-Za-z_][A-Za-z0-9_]{0,63}`.
pub fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && text.len() <= 64 && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `name:vN`, the identity of a blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlueprintId {
    /// The part before the colon.
    pub name: String,
    /// `N` of `vN`; counts our contract, not the vendor's.
    pub version: u32,
}

impl BlueprintId {
    /// Reads `name:vN`. `None` if the text has another form.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, version) = text.split_once(":v")?;
        let canonical = version == "0" || !version.starts_with('0');
        let digits = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
        (is_valid(name) && digits && canonical)
            .then(|| version.parse().ok())
            .flatten()
            .map(|version| Self { name: name.to_owned(), version })
    }
}

impl fmt::Display for BlueprintId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:v{}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_as_file_names() {
        for good in ["a", "ms-teams", "x.y_z-1", &"a".repeat(64)] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "..", ".a", "A", "a/b", "a\\b", "a\0", "a%2fb", "con", "com1.x", "é"] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(!is_valid(&"a".repeat(65)));
    }

    #[test]
    fn ids_of_connections_are_what_operators_have() {
        let odd = "{\"x\": '\\'}";
        for good in ["User@x.com", "a b", "auth0|123", "a/../b", odd, &"a".repeat(255)] {
            assert!(is_connection_id(good), "{good}");
        }
        for bad in ["", "é", "a\nb", "a\0", "a%", "a*", "<a>", &"a".repeat(256)] {
            assert!(!is_connection_id(bad), "{bad}");
        }
        assert!(is_integration("My App ~v1:x@y.z_-") && !is_integration("a/b"));
    }

    #[test]
    fn blueprint_ids_have_one_spelling() {
        assert_eq!(
            BlueprintId::parse("ms-teams:v0").map(|id| id.to_string()).as_deref(),
            Some("ms-teams:v0")
        );
        for bad in
            ["ms-teams", "ms-teams:0", "ms-teams:v", "x:v01", "x:v-1", "X:v1", "x:v99999999999"]
        {
            assert_eq!(BlueprintId::parse(bad), None, "{bad}");
        }
    }
}
