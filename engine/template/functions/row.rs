//! What stands in a row of the table: all that the engine knows of a helper.

use std::ops::RangeInclusive;

use crate::template::functions::args::{Args, Outcome};

/// A helper of the language.
#[must_use]
#[derive(Debug, Clone)]
pub struct Function {
    /// As it stands in templates.
    pub name: &'static str,
    /// Fewest positional arguments.
    pub min: usize,
    /// Most positional arguments; [`MANY`] is any number.
    pub max: usize,
    /// What may be passed by name.
    pub named: Named,
    /// How many of the first arguments may be absent without a word.
    pub tolerates: usize,
    /// What it reads of its arguments.
    pub reads: Reads,
    /// Where its first argument is neither absent nor null, that is the result, unchanged.
    pub passes: bool,
    /// What it yields.
    pub gives: Gives,
    /// There may be no result although all arguments are there.
    pub partial: bool,
    /// One line for the reference.
    pub doc: &'static str,
    /// A template with it.
    pub example: &'static str,
    /// How it is evaluated.
    pub code: Code,
}

/// Any number of arguments.
pub const MANY: usize = usize::MAX;

/// Named arguments of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// These.
    Only(&'static [&'static str]),
    /// Any.
    Any,
}

/// What a function reads of its arguments, so that the rest of an answer is never decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Everything.
    Values,
    /// Of which kind they are, scalars themselves, and how long lists are.
    Kinds,
    /// The same if one of the two is a literal scalar, else everything: equality.
    Compared,
    /// Of the first its kind, of the others everything.
    Condition,
    /// Of the first, a list, the member of its elements that the second names.
    Member,
}

/// What a function yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// true or false
    Boolean,
    /// A string or number.
    Scalar,
    /// A list.
    List,
    /// A list of elements of its first argument.
    Elements,
    /// A list of the elements of the lists in its first argument.
    Flattened,
    /// A list of the members of that name, the second argument, of the elements of the first.
    Members,
    /// An element of its first argument.
    Element,
    /// An object.
    Object,
    /// An object of its named arguments.
    Named,
    /// Anything.
    Any,
}

impl Gives {
    /// What it is where it is certainly no text, with an article.
    pub fn compound(self) -> Option<&'static str> {
        match self {
            Self::List | Self::Elements | Self::Flattened | Self::Members => Some("a list"),
            Self::Object | Self::Named => Some("an object"),
            Self::Boolean | Self::Scalar | Self::Element | Self::Any => None,
        }
    }
}

/// How a function is evaluated.
#[derive(Debug, Clone, Copy)]
pub enum Code {
    /// By the evaluator, which decides what of the arguments is evaluated and may be absent.
    Form(Form),
    /// As a function of arguments that are all there; if one is absent, so is the result.
    Plain(fn(&mut Args<'_>) -> Outcome),
}

/// Functions that look at absence, or evaluate only some of their arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `opt x`
    Opt,
    /// `default x y`
    Default,
    /// `first a b c`
    First,
    /// `exists x`
    Exists,
    /// `eq a b`
    Eq,
    /// `ne a b`
    Ne,
    /// `and a b`
    And,
    /// `or a b`
    Or,
    /// `not a`
    Not,
    /// `if c a b`
    If,
}

/// Begins a row: a helper that reads all of its arguments, and needs them.
pub const fn row(
    name: &'static str,
    arity: RangeInclusive<usize>,
    gives: Gives,
    code: Code,
) -> Function {
    let (min, max) = (*arity.start(), *arity.end());
    Function {
        name,
        min,
        max,
        named: Named::Only(&[]),
        tolerates: 0,
        reads: Reads::Values,
        passes: false,
        gives,
        partial: false,
        doc: "",
        example: "",
        code,
    }
}

impl Function {
    /// Sets the documentation.
    pub const fn doc(mut self, doc: &'static str, example: &'static str) -> Self {
        self.doc = doc;
        self.example = example;
        self
    }

    /// Sets the named arguments.
    pub const fn named(mut self, named: Named) -> Self {
        self.named = named;
        self
    }

    /// So many of the first arguments may be absent.
    pub const fn tolerates(mut self, count: usize) -> Self {
        self.tolerates = count;
        self
    }

    /// Reads less than everything.
    pub const fn reads(mut self, reads: Reads) -> Self {
        self.reads = reads;
        self
    }

    /// Passes its first argument on.
    pub const fn passes(mut self) -> Self {
        self.passes = true;
        self
    }

    /// May have no result.
    pub const fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// Whether it takes nothing, so that its bare name is a call: `now`.
    pub fn is_constant(&self) -> bool {
        self.max == 0 && self.named == Named::Only(&[])
    }
}
