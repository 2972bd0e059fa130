//! The list of helpers: names, numbers of arguments, and what each is for.

/// A helper as authors see it.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Fewest and most positional arguments.
    pub arity: (usize, usize),
    /// Named arguments; `*` takes any name.
    pub named: &'static [&'static str],
    /// How it is written.
    pub usage: &'static str,
    /// What it yields.
    pub doc: &'static str,
}

const MANY: usize = usize::MAX;

const fn f(
    name: &'static str,
    arity: (usize, usize),
    usage: &'static str,
    doc: &'static str,
) -> Function {
    Function { name, arity, named: &[], usage, doc }
}

const fn n(mut function: Function, named: &'static [&'static str]) -> Function {
    function.named = named;
    function
}

/// All helpers, in the order of the documentation.
pub const ALL: [Function; 47] = [
    f("opt", (1, 1), "opt x", "x, or absent if it is absent or null"),
    f("default", (2, 2), "default x 5", "x, or the second if x is absent or null"),
    f("first", (1, MANY), "first a b c", "the first that is neither absent nor null"),
    f("exists", (1, 1), "exists x", "whether x is there and not null"),
    f("eq", (2, 2), "eq a b", "whether both are the same JSON; numbers by value"),
    f("ne", (2, 2), "ne a b", "whether they differ"),
    f("lt", (2, 2), "lt a b", "a < b, of two numbers or two texts"),
    f("lte", (2, 2), "lte a b", "a ≤ b"),
    f("gt", (2, 2), "gt a b", "a > b"),
    f("gte", (2, 2), "gte a b", "a ≥ b"),
    f("and", (1, MANY), "and a b", "whether all are true; absent counts as false"),
    f("or", (1, MANY), "or a b", "whether any is true; absent counts as false"),
    f("not", (1, 1), "not a", "the opposite; absent counts as false"),
    f("if", (2, 3), "if cond a b", "a if the condition is true, else b, else absent"),
    f("join", (1, 2), "join list \",\"", "the texts and numbers of a list, joined"),
    f("split", (2, 2), "split text \",\"", "a list of the parts"),
    f("lower", (1, 1), "lower text", "in lower case"),
    f("upper", (1, 1), "upper text", "in upper case"),
    f("trim", (1, 1), "trim text", "without white space at both ends"),
    f("replace", (3, 3), "replace text \"a\" \"b\"", "every a replaced by b"),
    f("starts_with", (2, 2), "starts_with text \"a\"", "whether it begins so"),
    f(
        "length",
        (1, 1),
        "length x",
        "characters of a text, elements of a list, members of an object",
    ),
    f("flatten", (1, 1), "flatten lists", "one list of the elements of the lists in a list"),
    f("unique", (1, 1), "unique list", "without repetitions, first ones kept"),
    f("pluck", (2, 2), "pluck list \"name\"", "that member of each element, absent ones left out"),
    f(
        "find",
        (3, 3),
        "find list \"key\" value",
        "the first element whose member has that value, else absent",
    ),
    n(f("sort", (1, 1), "sort list by=\"name\"", "in ascending order, stable"), &["by"]),
    f("get", (2, 2), "get x key", "that member or element, else absent"),
    f("merge", (1, MANY), "merge a b", "the members of all objects; later ones win"),
    f("pick", (2, MANY), "pick object \"a\" \"b\"", "only these members"),
    f("omit", (2, MANY), "omit object \"a\" \"b\"", "all but these members"),
    n(f("object", (0, 0), "object a=x b=y", "an object of the named arguments"), &["*"]),
    f("json", (1, 1), "json x", "as JSON text"),
    f("parse_json", (1, 1), "parse_json text", "the value of a JSON text"),
    f("number", (1, 1), "number text", "a text as a number"),
    f("string", (1, 1), "string x", "a number or boolean as text"),
    f("base64", (1, 1), "base64 text", "base64 with padding"),
    f("base64url", (1, 1), "base64url text", "base64 for URLs, without padding"),
    f("hex", (1, 1), "hex text", "its bytes as hexadecimal digits"),
    n(
        f(
            "sha256",
            (1, 1),
            "sha256 text encoding=\"hex\"",
            "SHA-256; encoding hex, base64 or base64url",
        ),
        &["encoding"],
    ),
    n(
        f(
            "hmac_sha256",
            (2, 2),
            "hmac_sha256 key text encoding=\"hex\"",
            "HMAC-SHA-256 (RFC 2104)",
        ),
        &["encoding"],
    ),
    n(
        f(
            "mime",
            (0, 0),
            "mime to=list subject=text text=… html=…",
            "an e-mail (RFC 5322): to, cc, bcc, from, reply_to, subject, text, html, in_reply_to, references",
        ),
        &[
            "to",
            "cc",
            "bcc",
            "from",
            "reply_to",
            "subject",
            "text",
            "html",
            "in_reply_to",
            "references",
        ],
    ),
    f("url_encode", (1, 1), "url_encode text", "percent-encoded, for a URL inside a value"),
    f("now", (0, 0), "now", "the time, as RFC 3339 in UTC"),
    f(
        "date",
        (1, 2),
        "date time \"%Y-%m-%d\"",
        "a time in another form (strftime); RFC 3339 without one",
    ),
    f(
        "date_add",
        (2, 2),
        "date_add time \"7d\"",
        "a time moved by a span; a minus sign moves it back",
    ),
    n(f("epoch", (1, 1), "epoch time unit=\"s\"", "seconds (or ms) since 1970"), &["unit"]),
];

/// The helper of that name.
pub fn find(name: &str) -> Option<&'static Function> {
    ALL.iter().find(|function| function.name == name)
}
