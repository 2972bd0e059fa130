//! Between values and their texts: `json parse_json number string`.

use std::io::{self, Write};

use serde_json::Number;

use crate::template::functions::args::{Args, MAX_TEXT, Outcome, bounded, text_of, wrong};

/// JSON text without white space.
pub fn json(args: &mut Args<'_>) -> Outcome {
    let mut text = Bounded(Vec::new());
    serde_json::to_writer(&mut text, args.value(0)).map_err(|_| too_long())?;
    let text = String::from_utf8(text.0).map_err(|_| "the text is not UTF-8".to_owned())?;
    Ok(Some(text.into()))
}

/// The value of JSON text.
pub fn parse_json(args: &mut Args<'_>) -> Outcome {
    // The reason would quote the text.
    serde_json::from_str(&args.text(0)?).map(Some).map_err(|_| "the text is not JSON".to_owned())
}

/// A number, or the number that a text spells as JSON does.
pub fn number(args: &mut Args<'_>) -> Outcome {
    let value = args.value(0);
    if value.is_number() {
        return Ok(Some(args.take(0)));
    }
    let text = value.as_str().ok_or_else(|| wrong(0, "a number or a string", value))?;
    let number = serde_json::from_str::<Number>(text.trim());
    number.map(|n| Some(n.into())).map_err(|_| "the text is not a number".to_owned())
}

/// A string, number or boolean as a string.
pub fn string(args: &mut Args<'_>) -> Outcome {
    let value = args.value(0);
    match text_of(value) {
        Some(text) => Ok(Some(text.into())),
        None => Err(format!("{}; `json` writes other values", wrong(0, "text", value))),
    }
}

/// Stops writing when an evaluation has made enough text.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_TEXT {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn too_long() -> String {
    bounded(MAX_TEXT + 1).err().unwrap_or_default()
}
