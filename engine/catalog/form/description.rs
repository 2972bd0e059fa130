//! What a format is made of, as data.

/// The objects and choices of a format, in the order in which a reader meets them.
#[derive(Debug, Default)]
pub struct Description {
    /// The first one is the file itself.
    pub parts: Vec<Part>,
}

/// An object or a choice.
#[derive(Debug)]
pub struct Part {
    /// Unique in the format.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Its keys or values.
    pub what: What,
}

/// What a part consists of.
#[derive(Debug)]
pub enum What {
    /// An object.
    Object(Vec<Row>),
    /// One of several words.
    Choice(Vec<Word>),
}

/// A key of an object.
#[derive(Debug, Clone)]
pub struct Row {
    /// The key.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// Whether it must be there, in each file.
    pub needed: bool,
    /// What holds without it, as a file would say it.
    pub default: Option<String>,
    /// A value to copy.
    pub example: Option<&'static str>,
    /// Whose it is; of all if `None`.
    pub owners: Option<Owners>,
}

/// By the value of another key, some keys belong to an object and others do not.
#[derive(Debug, Clone)]
pub struct Owners {
    /// That key, such as `auth_mode`.
    pub by: &'static str,
    /// Its values.
    pub values: Vec<&'static str>,
}

/// A value of a choice.
#[derive(Debug)]
pub struct Word {
    /// The value.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// What may stand somewhere.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Any value.
    Any,
    /// A text, with an example of it.
    Text(Option<&'static str>),
    /// A text; a number or a boolean is its own text.
    Template,
    /// `true` or `false`.
    Bool,
    /// A whole number from one to the other.
    Whole(i64, u64),
    /// A status of HTTP such as `404`, or a class such as `5xx`.
    Status,
    /// A number of rows, as number or text.
    Rows,
    /// A JSON Schema.
    Schema,
    /// The part of that name.
    Part(&'static str),
    /// A list of these.
    List(Box<Self>),
    /// An object of these, by any key.
    Map(Box<Self>),
    /// Header fields of a request: such an object, without those of the framing.
    Fields(Box<Self>),
    /// One or the other.
    Either(Vec<Self>),
}

impl Description {
    /// The part of a name.
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// Adds a part; `None` if it is there already. The number is for [`Self::row`].
    pub fn begin(&mut self, part: Part) -> Option<usize> {
        if self.part(part.name).is_some() {
            return None;
        }
        self.parts.push(part);
        self.parts.len().checked_sub(1)
    }

    /// Adds a key to an object. One that several owners have in common stands once.
    pub fn row(&mut self, part: usize, row: Row) {
        let Some(Part { what: What::Object(rows), .. }) = self.parts.get_mut(part) else { return };
        let same = rows.iter_mut().find(|known| known.name == row.name && known.doc == row.doc);
        match (same, row.owners) {
            (None, owners) => rows.push(Row { owners, ..row }),
            (Some(Row { owners: Some(known), .. }), Some(more)) => {
                let new = more.values.into_iter().filter(|value| !known.values.contains(value));
                let new: Vec<_> = new.collect();
                known.values.extend(new);
            }
            (Some(_), _) => {}
        }
    }
}
