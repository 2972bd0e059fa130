//! Bounds of one evaluation: steps, bytes of text, nesting.

use crate::template::scope::Fault;

const STEPS: u32 = 10_000;
const TEXT: usize = 1 << 20;
const NESTING: u32 = 32;

/// What is left.
#[derive(Debug)]
pub struct Fuel {
    steps: u32,
    text: usize,
    nesting: u32,
}

impl Fuel {
    /// A full tank. Elements of `$map` and rows of lists are counted apart: a list of 100,000 rows
    /// is data, not a runaway.
    pub fn new() -> Self {
        Self { steps: STEPS, text: TEXT, nesting: 0 }
    }

    /// One call or path.
    pub fn step(&mut self) -> Result<(), Fault> {
        self.steps = self.steps.checked_sub(1).ok_or_else(|| over("10 000 steps"))?;
        Ok(())
    }

    /// A text that was made.
    pub fn text(&mut self, bytes: usize) -> Result<(), Fault> {
        self.text = self.text.checked_sub(bytes).ok_or_else(|| over("1 MB of text"))?;
        Ok(())
    }

    /// One level deeper.
    pub fn deeper(&mut self) -> Result<(), Fault> {
        self.nesting += 1;
        if self.nesting > NESTING {
            return Err(over("32 levels"));
        }
        Ok(())
    }

    /// Back up.
    pub fn back(&mut self) {
        self.nesting = self.nesting.saturating_sub(1);
    }
}

fn over(what: &str) -> Fault {
    Fault::new(format!("the evaluation takes more than {what}"))
}
