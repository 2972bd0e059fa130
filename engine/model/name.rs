//! Names, checked when they are made: no code that is given one has to check it again.

use std::{borrow::Borrow, fmt, marker::PhantomData, ops::Deref, str::FromStr, sync::Arc};

use serde::{Serialize, Serializer};

use crate::model::time::Timestamp;

/// The key of an entry in `integrations.yaml`. It is never part of a path.
pub type IntegrationKey = Name<OfIntegration>;
/// The id of a connection, unique within its integration. It is never part of a path.
pub type ConnectionId = Name<OfConnection>;
/// The name of a blueprint's folder, and of the folder of its actions.
pub type BlueprintName = Name<OfBlueprint>;
/// The name of an action, which is that of its file without the version.
pub type ActionName = Name<OfAction>;
/// The environment that a store holds.
pub type EnvironmentName = Name<OfEnvironment>;
/// The id of a run: ordered by time, and unique without asking any other process.
pub type RunId = Name<OfRun>;

/// A text that keeps the rule of its kind. Cloning it copies a pointer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<K> {
    text: Arc<str>,
    kind: PhantomData<K>,
}

/// What is named, and the rule for its names.
pub trait Kind {
    /// With its article, for sentences.
    const NAMES: &'static str;
    /// The rule, as advice.
    const RULE: &'static str;
    /// Whether a text keeps the rule.
    fn fits(text: &str) -> bool;
}

/// A text that cannot be the name of what it was meant for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot name {names}", text.escape_debug())]
pub struct BadName {
    text: String,
    names: &'static str,
    /// What to use instead.
    pub rule: &'static str,
}

impl<K: Kind> Name<K> {
    /// The name, if the text keeps the rule.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if Self::fits(text) {
            return Ok(Self::unchecked(text));
        }
        Err(BadName { text: text.to_owned(), names: K::NAMES, rule: K::RULE })
    }

    /// Whether a text keeps the rule.
    pub fn fits(text: &str) -> bool {
        K::fits(text)
    }
}

impl<K> Name<K> {
    /// A name that was checked before it was stored. A row that was changed by hand may hold
    /// another text: it harms itself alone, so that it is read all the same.
    pub fn from_row(text: &str) -> Self {
        Self::unchecked(text)
    }

    /// Stands in for a name that was refused, so that the rest is looked at, too.
    pub fn unnamed() -> Self {
        Self::unchecked("unnamed")
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn unchecked(text: &str) -> Self {
        Self { text: text.into(), kind: PhantomData }
    }
}

impl ConnectionId {
    /// The connection that is meant when none is named and there are several.
    pub fn usual() -> Self {
        Self::unchecked("default")
    }

    /// The connection of tests in files.
    pub fn test() -> Self {
        Self::unchecked("test")
    }

    /// What stands in the records of runs without a stored connection.
    pub fn sandbox() -> Self {
        Self::unchecked("sandbox")
    }
}

impl ActionName {
    /// What stands in the records of `engine request`.
    pub fn request() -> Self {
        Self::unchecked("request")
    }

    /// What stands in the records of the requests that prove a new connection.
    pub fn connect() -> Self {
        Self::unchecked("connect")
    }
}

impl EnvironmentName {
    /// The environment of a store where no setting names one.
    pub fn usual() -> Self {
        Self::unchecked("default")
    }
}

impl RunId {
    /// The run of tests in files.
    pub fn test() -> Self {
        Self::unchecked("run_test")
    }

    /// `run_`, then [`ordered`].
    pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
        Self::unchecked(&format!("run_{}", ordered(at, random)))
    }
}

/// Digits that cannot be mistaken for one another (Crockford's base 32).
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 26 digits: 48 bits of milliseconds, then 80 random ones (the layout of a ULID).
pub fn ordered(at: Timestamp, random: [u8; 10]) -> String {
    let time = u128::from(at.0.unsigned_abs() & 0xffff_ffff_ffff);
    let low = random.iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
    let bits = (time << 80) | low;
    let digit = |position: u32| {
        let digit = usize::try_from((bits >> (position * 5)) & 31).unwrap_or(0);
        char::from(DIGITS.get(digit).copied().unwrap_or(b'0'))
    };
    (0..26).rev().map(digit).collect()
}

impl<K> Deref for Name<K> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl<K> AsRef<str> for Name<K> {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl<K> Borrow<str> for Name<K> {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl<K> PartialEq<str> for Name<K> {
    fn eq(&self, other: &str) -> bool {
        &*self.text == other
    }
}

impl<K> PartialEq<&str> for Name<K> {
    fn eq(&self, other: &&str) -> bool {
        &*self.text == *other
    }
}

impl<K> fmt::Display for Name<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<K> fmt::Debug for Name<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<K> Serialize for Name<K> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<K: Kind> FromStr for Name<K> {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::parse(text)
    }
}

/// See [`IntegrationKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfIntegration {}

/// See [`ConnectionId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfConnection {}

/// See [`BlueprintName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfBlueprint {}

/// See [`ActionName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfAction {}

/// See [`EnvironmentName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfEnvironment {}

/// See [`RunId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfRun {}

impl Kind for OfIntegration {
    const NAMES: &'static str = "an integration";
    const RULE: &'static str = "use 1 to 255 letters, digits, spaces and ~ : . @ _ -";

    fn fits(text: &str) -> bool {
        consists(text, "~:.@_- ")
    }
}

impl Kind for OfConnection {
    const NAMES: &'static str = "a connection";
    const RULE: &'static str =
        "use 1 to 255 letters, digits, spaces and , . ; : = + ~ [ ] | @ $ { } \" ' \\ / _ -";

    fn fits(text: &str) -> bool {
        consists(text, ",.;:=+~[]|@${}\"'\\/_- ")
    }
}

impl Kind for OfBlueprint {
    const NAMES: &'static str = "a blueprint";
    const RULE: &'static str = FILE_NAME;

    fn fits(text: &str) -> bool {
        is_file_name(text)
    }
}

impl Kind for OfAction {
    const NAMES: &'static str = "an action";
    const RULE: &'static str = FILE_NAME;

    fn fits(text: &str) -> bool {
        is_file_name(text)
    }
}

impl Kind for OfEnvironment {
    const NAMES: &'static str = "an environment";
    const RULE: &'static str = FILE_NAME;

    fn fits(text: &str) -> bool {
        is_file_name(text)
    }
}

impl Kind for OfRun {
    const NAMES: &'static str = "a run";
    const RULE: &'static str = "use up to 64 of a–z, 0–9, `_`";

    fn fits(text: &str) -> bool {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        (1..=64).contains(&text.len()) && text.bytes().all(fits)
    }
}

fn consists(text: &str, of: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || of.as_bytes().contains(&b);
    (1..=255).contains(&text.len()) && text.bytes().all(fits)
}

const FILE_NAME: &str = "use up to 64 of a–z, 0–9, `.`, `_`, `-`";

/// `[a-z0-9][a-z0-9._-]{0,63}`, without the names that some systems keep for devices: safe as the
/// name of a file everywhere.
fn is_file_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    first
        && text.len() <= 64
        && !is_device(text)
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
}

/// `con`, `nul`, `com1` …, with any ending.
fn is_device(text: &str) -> bool {
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
    name: Arc<str>,
    version: u32,
}

impl BlueprintId {
    /// Reads `name:vN`. `None` if the text has another form.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, version) = text.split_once(":v")?;
        let canonical = version == "0" || !version.starts_with('0');
        let digits = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
        let name = BlueprintName::parse(name).ok()?.text;
        (digits && canonical)
            .then(|| version.parse().ok())
            .flatten()
            .map(|version| Self { name, version })
    }

    /// Of an entry that is its own blueprint: its key, and no version but the first.
    pub fn of_entry(key: &IntegrationKey) -> Self {
        Self { name: Arc::clone(&key.text), version: 0 }
    }

    /// The key of the integration that it is where there is no entry: every name of a blueprint
    /// keeps the rule for keys.
    pub fn key(&self) -> IntegrationKey {
        Name { text: Arc::clone(&self.name), kind: PhantomData }
    }

    /// The part before the colon.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `N` of `vN`; counts our contract, not the vendor's.
    pub fn version(&self) -> u32 {
        self.version
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
    fn names_of_files_are_safe_everywhere() {
        for good in ["a", "ms-teams", "x.y_z-1", &"a".repeat(64)] {
            assert!(ActionName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "..", ".a", "A", "a/b", "a\\b", "a\0", "a%2fb", "con", "com1.x", "é"] {
            assert!(ActionName::parse(bad).is_err(), "{bad}");
        }
        assert!(BlueprintName::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn ids_of_connections_are_what_operators_have() {
        let odd = "{\"x\": '\\'}";
        for good in ["User@x.com", "a b", "auth0|123", "a/../b", odd, &"a".repeat(255)] {
            assert_eq!(ConnectionId::parse(good).unwrap(), good);
        }
        for bad in ["", "é", "a\nb", "a\0", "a%", "a*", "<a>", &"a".repeat(256)] {
            assert!(ConnectionId::parse(bad).is_err(), "{bad}");
        }
        assert!(IntegrationKey::parse("My App ~v1:x@y.z_-").is_ok());
        let refused = IntegrationKey::parse("a/b\n").unwrap_err();
        assert_eq!(refused.to_string(), "`a/b\\n` cannot name an integration");
    }

    #[test]
    fn names_that_the_engine_gives_keep_the_rules() {
        fn sound<K: Kind + fmt::Debug + PartialEq>(name: &Name<K>) {
            assert_eq!(Name::parse(name).as_ref(), Ok(name));
        }
        sound(&ConnectionId::usual());
        sound(&ConnectionId::sandbox());
        sound(&ConnectionId::test());
        sound(&RunId::test());
        sound(&ConnectionId::unnamed());
        sound(&IntegrationKey::unnamed());
        sound(&ActionName::request());
        sound(&ActionName::connect());
        sound(&ActionName::unnamed());
        sound(&EnvironmentName::usual());
        let (one, two) = (
            RunId::new(Timestamp(1_700_000_000_000), [255; 10]),
            RunId::new(Timestamp(1_700_000_000_001), [0; 10]),
        );
        sound(&one);
        assert!(one < two && one.len() == 30, "{one} {two}");
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
